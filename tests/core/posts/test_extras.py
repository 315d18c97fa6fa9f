"""Tags and links: how much of an event is read for them."""

from forwarder.core.posts.fields import MAX_TAGS
from forwarder.core.posts.tags import MAX_SCANNED
from tests.core.posts.support import read


def test_work_is_bounded() -> None:
    many = [f"$A{number}" for number in range(10_000)]
    assert len(read("symbols", "fast-x", text=" ".join(many))) == MAX_TAGS
    listed = {"symbols": [{"text": tag} for tag in many]}
    assert len(read("symbols", "x", text="a", entities=listed)) == MAX_TAGS
    marked = [{"offset": 0, "length": 10**6, "className": "MessageEntityCashtag"}] * 10_000
    (longest,) = read("symbols", "telegram", message="é" * 200_000, entities=marked)
    assert len(str(longest)) == 300
    assert read("symbols", "fast-x", text=" " * MAX_SCANNED + "$BTC") == ()
    grows = [{"url": "https://", "expanded_url": "https://" + "b https://" * 190}] * 100
    (text,) = read("text", "x", text="https://a", entities={"urls": grows})
    assert len(str(text)) < 50_000
