"""Values of conditions: single ones, lists, and references to lists and files."""

import pytest

from forwarder.core.matching.literals import Literals, as_json, lines_of, listed
from forwarder.core.yaml.tree import Path, Scalar
from tests.support.conditions import tree


def read_list(name: Scalar) -> tuple[Scalar, ...]:
    if name != "whales.txt":
        raise ValueError(f"cannot read {name}")
    return (Scalar("orca"),)


def values(text: str, *, can_read: bool = True) -> tuple[tuple[Scalar, ...], list[tuple[Path, str]]]:
    problems: list[tuple[Path, str]] = []
    literals = Literals(
        {"coins": (Scalar("btc"), Scalar("eth"))},
        read_list if can_read else None,
        lambda path, said: problems.append((path, said)),
    )
    return literals.values(tree(text), ("text",)), problems


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ("a",)),
        ("[a, b]", ("a", "b")),
        ("{list: coins}", ("btc", "eth")),
        ("[a, {list: coins}, {file: whales.txt}]", ("a", "btc", "eth", "orca")),
        ("{list: [coins, coins]}", ("btc", "eth", "btc", "eth")),
    ],
)
def test_references_are_replaced_by_their_values(text: str, expected: tuple[str, ...]) -> None:
    assert values(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "path", "said"),
    [
        ("{list: cions}", ("text", "list"), "there is no list of that name"),
        ("{list: [coins, '']}", ("text", "list", 1), "expected the name of a list"),
        ("{file: other.txt}", ("text", "file"), "cannot read other.txt"),
        ("{list: coins, file: whales.txt}", ("text",), "expected a value, a list of values"),
        ("[[a]]", ("text", 0), "got a list"),
        ("[]", ("text",), "an empty list matches nothing"),
    ],
)
def test_a_mistake_is_reported_with_its_path(text: str, path: Path, said: str) -> None:
    _, ((place, message),) = values(text)
    assert place == path
    assert said in message


def test_files_are_refused_where_none_can_be_read() -> None:
    assert values("{file: whales.txt}", can_read=False) == ((), [(("text", "file"), "no files can be read here")])


def test_a_list_file_has_comments_and_hashtags() -> None:
    assert lines_of("# comment\n#\n## x\n#\ty\n\n  #btc \nMoby Dick\n") == ("#btc", "Moby Dick")


@pytest.mark.parametrize(
    ("text", "found"), [("1.5", [1.5]), ("null", [None]), ("true", [True]), ("x", []), ("[1]", [])]
)
def test_an_unquoted_text_may_be_a_json_scalar(text: str, found: list[object]) -> None:
    assert list(as_json(text)) == found


def test_words_are_listed() -> None:
    assert (listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])) == ("a", "a or b", "a, b or c")
