"""Who wrote a post, for a person who names an author."""

import pytest

from forwarder.core.matching.authorship import Named, account_of, how_named
from forwarder.core.posts import Author, Post


@pytest.mark.parametrize(
    ("post", "name", "expected"),
    [
        (Post(author=Author(handle="novadesk", id="7", name="Nova Desk")), "@NovaDesk", Named.BY_HANDLE),
        (Post(author=Author(handle="novadesk", id="7", name="Nova Desk")), "7", Named.BY_HANDLE),
        (Post(author=Author(handle="novadesk", id="7", name="Nova Desk")), " nova desk ", Named.BY_NAME),
        (Post(author=Author(handle="novadesk", id="7", name="Nova Desk")), "nova", None),
        (Post(author=Author(handle="novadesk", id="7"), channel="12"), "12", None),
        (Post(channel="12"), "12", Named.BY_HANDLE),
        (Post(), "12", None),
        (Post(), "", None),
    ],
)
def test_a_name_names_an_author_by_what_only_one_has_or_by_what_is_shown(
    post: Post, name: str, expected: Named | None
) -> None:
    assert how_named(post, name) is expected


def test_an_account_is_one_of_its_network() -> None:
    post = Post(author=Author(handle="novadesk", id="7"))
    assert account_of("fast-x", post) == account_of("x", post) == ("x", "7")
    assert account_of("telegram", post) == ("telegram", "7")
    assert account_of("x", Post(author=Author(handle="novadesk"))) == ("x", "novadesk")
    assert account_of("telegram", Post(author=Author(name="Nova"))) == ("telegram", "Nova")
    assert account_of("telegram", Post(channel="12")) == ("telegram", "12")
