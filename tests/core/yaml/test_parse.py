"""A file is read as UTF-8 and YAML within its limits, and its places count as people count."""

from collections.abc import Collection

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.yaml.parse import MAX_BYTES
from forwarder.core.yaml.problems import MAX_REPORTED
from tests.core.config.support import config_text, load


def test_a_file_one_byte_too_long_is_not_even_decoded() -> None:
    with pytest.raises(ConfigError, match=f"{MAX_BYTES + 1} bytes long"):
        load(b"\xff" * (MAX_BYTES + 1))


def test_the_largest_file_is_read() -> None:
    text = config_text().encode()
    assert load(text + b"#" * (MAX_BYTES - len(text))) == load(text)


def test_many_mistakes_do_not_each_look_for_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    monkeypatch.setattr("difflib.get_close_matches", lambda *_, **__: looked.append(1))
    destinations = "".join(f"  d{index}: {{url: http://a/, key{index}: x}}\n" for index in range(500))
    routes = "".join(f"  - to: e{index}\n" for index in range(500))
    with pytest.raises(ConfigError) as caught:
        load(f"streams: [{{api_key: k}}]\ndestinations:\n{destinations}routes:\n{routes}")
    assert len(caught.value.problems) == 1_000
    assert len(looked) < 150


def test_many_wrong_names_are_not_each_compared_with_many_right_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def compare(_word: str, known: Collection[str], **_: int) -> list[str]:
        compared.append(len(known))
        return []

    monkeypatch.setattr("difflib.get_close_matches", compare)
    destinations = "".join(f"  d{index}: {{url: http://a/}}\n" for index in range(3_000))
    routes = "".join(f"  - to: e{index}\n" for index in range(90))
    with pytest.raises(ConfigError) as caught:
        load(f"streams: [{{api_key: k}}]\ndestinations:\n{destinations}routes:\n{routes}")
    assert len(caught.value.problems) == 90
    assert 0 < sum(compared) <= 100_000


def test_mistakes_without_end_are_reported_up_to_a_bound() -> None:
    wrong = ", ".join(f"key{index}: x" for index in range(MAX_REPORTED))
    tags = "x-a: [" + "!!x x, " * MAX_REPORTED + "]"
    for text in (config_text(destination=f"headers: {{{wrong.replace('x', '[]')}}}"), tags):
        with pytest.raises(ConfigError) as caught:
            load(text + "\nunmatched: nobody")
        assert len(caught.value.problems) == MAX_REPORTED


def test_a_byte_order_mark_is_accepted() -> None:
    assert load(b"\xef\xbb\xbf" + config_text().encode()) == load(config_text())


def test_columns_count_characters() -> None:
    text = config_text(rest='x-a: {ключ: "😀", b: !!int 1}')
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert str(caught.value).startswith("config.yaml:8:21: x-a.b: the tag")


@pytest.mark.parametrize(
    "text",
    ["", "\n", "---\n", "~", "[]", "x", "%YAML 1.2\n---\na: b", "\x00", "&a", "*a", "? a", "- - - -", "{", "!!x"],
)
def test_a_file_that_is_no_config_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        load(text)


@pytest.mark.parametrize(
    ("written", "hint"),
    [
        ("a: @nova", "write a value that begins with @ in quotes"),
        ("a: {b: `x}", "write a value that begins with ` in quotes"),
        ("a: %x", "write a value that begins with % in quotes"),
        ("a:\n\tb: 1", "indent with spaces, not tabs"),
        ("a: {b: #nova}\nc: 1", "a # after a space begins a comment; write a value with such a # in quotes"),
        ("a: [x, #nova]\nc: 1", "a # after a space begins a comment; write a value with such a # in quotes"),
        ("a: {b: ${NAME}}", 'between { } or [ ] write "${NAME}" in quotes'),
        ("a:\n  b: 1\n  timeout:5s\nc: 1", "is a colon missing, or the space after it?"),
    ],
)
def test_wrong_yaml_is_reported_with_what_to_do(written: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(written)
    (problem,) = caught.value.problems
    assert problem.message.startswith("not valid YAML: ")
    assert problem.message.endswith(f"; {hint}")


def test_a_missing_comma_without_a_known_cause_is_reported_without_a_hint() -> None:
    with pytest.raises(ConfigError) as caught:
        load("a: [x\nb: 1")
    (problem,) = caught.value.problems
    assert problem.message.startswith("not valid YAML: ")
    assert ";" not in problem.message
