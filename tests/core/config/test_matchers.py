"""Named lists and conditions: what is read from files, and what uses what."""

import pytest

from forwarder.core.config import ConfigError, load_config
from forwarder.core.config.matchers import MAX_LIST_BYTES
from tests.core.config.support import config_text
from tests.support.conditions import subject

FILES = {"words.txt": "btc\neth\n", "long.txt": "x" * (MAX_LIST_BYTES + 1)}


def read(name: str) -> str:
    if name == "latin.txt":
        return b"\xe4".decode()
    if name not in FILES:
        raise FileNotFoundError(2, "No such file or directory")
    return FILES[name]


def said(rest: str, route: str = "") -> list[str]:
    text = config_text(route=route, rest=rest).encode()
    try:
        load_config(text, name="config.yaml", env={"SCRAPEST_API_KEY": "k"}, read_file=read)
    except ConfigError as error:
        return [f"{problem.path}: {problem.message}" for problem in error.problems]
    return []


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("words.txt", []),
        ("none.txt", ['lists.a[0].file: cannot read "none.txt": No such file or directory']),
        ("latin.txt", ['lists.a[0].file: "latin.txt" is not UTF-8 text']),
        ("long.txt", [f'lists.a[0].file: "long.txt" is too long; a list file may have {MAX_LIST_BYTES} characters']),
        (
            '"a\\0b"',
            ["lists.a[0].file: expected the path of a file; this one is empty or contains a control character"],
        ),
    ],
)
def test_a_list_file_is_read_or_reported(file: str, expected: list[str]) -> None:
    assert said(f"lists: {{a: [{{file: {file}}}]}}") == expected


def test_a_matcher_may_use_others_in_any_order() -> None:
    assert said("matchers: {a: {matcher: [b, c]}, b: {sid: 1}, c: {sid: 2}}", "match: {matcher: a}") == []


@pytest.mark.parametrize(
    ("matchers", "expected"),
    [
        ("a: {matcher: b}", "matchers.a.matcher: there is no matcher of that name"),
        ("a: {matcher: {b: 1}}", "matchers.a.matcher: "),
    ],
)
def test_a_matcher_that_is_not_there_is_reported_where_it_is_used(matchers: str, expected: str) -> None:
    (problem,) = said(f"matchers: {{{matchers}}}")
    assert problem.startswith(expected)


def found_in(text: str, rest: str, test: str) -> bool:
    written = config_text(route="match: {matcher: m}", rest=f"{rest}\nmatchers: {{m: {{text: {{{test}}}}}}}")
    config = load_config(written.encode(), name="config.yaml", env={"SCRAPEST_API_KEY": "k"}, read_file=read)
    return config.routes[0].match.matches(subject({"text": text}))


@pytest.mark.parametrize(
    ("rest", "test", "is_found"),
    [
        ("", "word: btc", True),
        ("exact: false", "word: btc", True),
        ("exact: true", "word: btc", False),
        ("exact: true", "word: btc, exact: false", True),
        ("exact: false", "word: btc, exact: true", False),
        ("exact: true", "regex: btc", False),
        ("exact: true", "regex: btc, fold: true", True),
    ],
)
def test_the_whole_file_is_exact_where_a_test_does_not_say_otherwise(rest: str, test: str, is_found: bool) -> None:
    assert found_in("\uff22TC", rest, test) is is_found
    assert found_in("BTC", rest, test)


def test_exact_of_the_file_is_a_switch() -> None:
    assert said("exact: yes") == ['exact: "yes" is not true or false; write one of them']
    assert said("exact: [true]") == ["exact: expected true or false, got a list"]
