"""What is read of feeds, undocumented sources and notices."""

from forwarder.core.posts import Author
from tests.core.posts.support import post, read


def test_a_notice_has_its_level_and_a_feed_no_tags() -> None:
    assert post("forwarder", title="a", level="error").level == "error"
    assert post("forwarder", title="a", level="loud").level == "info"
    assert post("rss", title="t", description="<p>a &amp; <b>b</b></p><p>c</p>").text == "a & b\nc"


def test_a_link_of_a_feed_is_in_its_text_or_behind_words() -> None:
    assert read("has_link", "rss", title="t", link="https://example.com") == (False,)
    assert read("has_link", "rss", description='<p class="a">b <a rel=x href="https://example.com">c</a>') == (True,)
    assert read("has_link", "rss", description='b <img src="https://example.com/1.jpg">') == (False,)
    assert read("has_link", "radio", text="see HTTPS://пример.рф") == (True,)


def test_an_author_is_a_name_or_an_object() -> None:
    assert post("rss", title="t", author="Nova").author == Author(name="Nova")
    assert post("web", title="t", author={"displayName": "Nova", "username": "@nova", "id": 7}).author == Author(
        name="Nova", handle="nova", id="7"
    )


def test_pictures_are_addresses_or_objects_with_one_and_others_are_left_out() -> None:
    found = post("rss", title="t", image="a", thumbnail={"url": "b"}, images=["c", {"url": "d"}, {"title": "e"}, 5])
    assert [media.image for media in found.media] == ["a", "b", "c", "d"]


def test_a_text_with_a_number_that_python_does_not_read_stays_as_it_is() -> None:
    odd = "a &#" + "9" * 5_000 + ";"
    assert post("rss", title="t", description=odd).text == odd
