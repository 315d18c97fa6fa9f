"""Secrets are hidden in a text, in whatever way it writes them."""

import base64
import html
import json
import re
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.masking import HIDDEN, masked

SECRET = "pa/ss&wö+r=d'\"<🔑>s3cr3t"


def _php(text: str) -> str:
    return json.dumps(text)[1:-1].replace("/", "\\/")


def _java(text: str) -> str:
    return "".join(mark if mark.isalnum() and mark.isascii() else _units(mark) for mark in text)


def _units(mark: str) -> str:
    data = mark.encode("utf-16-be")
    return "".join(f"\\u{data[at : at + 2].hex()}" for at in range(0, len(data), 2))


WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "upper case": lambda text: text.replace("s", "S").replace("r", "R"),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON in UTF-8": lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    "JSON as PHP writes it": _php,
    "JSON with \\u for all signs": _java,
    "JSON with \\u in upper case": lambda text: _java(text).upper().replace("\\U", "\\u"),
    "JSON in JSON": lambda text: json.dumps(_php(text))[1:-1],
    "a Python or C string": lambda text: "".join(f"\\x{ord(mark):02X}" if mark in "/&'\"" else mark for mark in text),
    "Markdown": lambda text: re.sub(r"([!-/:-@\[-`{-~])", r"\\\1", text),
    "a regular expression": re.escape,
    "percent-encoded": lambda text: quote(text, safe=""),
    "percent-encoded in lower case": lambda text: quote(text, safe="").lower(),
    "percent-encoded but for /": quote,
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
    "percent-encoded each": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "of a form": quote_plus,
    "HTML": html.escape,
    "HTML with numbers": lambda text: "".join(f"&#{ord(mark)};" for mark in text),
    "HTML with hexadecimal numbers": lambda text: "".join(f"&#x{ord(mark):X};" for mark in text),
    "HTML in JSON": lambda text: _php(html.escape(text)),
    "lines of 5 characters": lambda text: "\n".join(text[at : at + 5] for at in range(0, len(text), 5)),
    "lines that are indented": lambda text: "\r\n    ".join(text[at : at + 7] for at in range(0, len(text), 7)),
    "lines in JSON": lambda text: json.dumps("\n".join(text[at : at + 5] for at in range(0, len(text), 5)))[1:-1],
    "places for line breaks": "\u200b".join,
    "Base64": lambda text: base64.b64encode(text.encode()).decode(),
    "Base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).decode().rstrip("="),
    "Base64 in lines": lambda text: base64.encodebytes(text.encode() * 4).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal in upper case with spaces": lambda text: text.encode().hex(" ").upper(),
    "Base64 of PHP": lambda text: _php(base64.b64encode(text.encode()).decode()),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_secret_is_hidden_in_whatever_way_it_is_written(way: str) -> None:
    shown = masked(f"before: {WAYS[way](SECRET)} :after", [SECRET])
    assert shown.startswith("before: ***")
    assert shown.endswith(":after")
    assert len(shown) < 24 if "lines" not in way else HIDDEN in shown


@pytest.mark.parametrize("before", ["", "u:", "xy", "user-name:"])
def test_a_secret_inside_a_longer_base64_text_is_hidden(before: str) -> None:
    text = base64.b64encode(f"{before}a-long-secret-of-mine, after".encode()).decode()
    shown = masked(f"got {text}", ["a-long-secret-of-mine"])
    core = base64.b64encode(b"long-secret-of-m").decode()
    assert HIDDEN in shown
    assert core[4:-4] not in shown
    assert len(shown) < len(text)


def test_a_secret_below_more_layers_of_escapes_than_are_read_costs_no_more() -> None:
    text = f"%252525252525252541{SECRET}"
    assert masked(text, [SECRET]) == text.replace(SECRET, HIDDEN)


def test_the_rest_of_the_text_stays_as_it_is() -> None:
    text = 'Fehler & "Grund": \\u00e9 %41 &amp; \n gut  {"a":"\\/x"}'
    assert masked(text, [SECRET, "other"]) == text
    assert masked(f"{text}{SECRET}{text}", [SECRET]) == f"{text}{HIDDEN}{text}"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pin 12 of 120, x12, 12", "pin *** of 120, x12, ***"),
        ("no/a\\/b and a/b", "no/*** and ***"),
        ("bad minutes", "bad minutes"),
        ("ADMIN", "***"),
        ("adm\nin", "adm\nin"),
    ],
)
def test_a_short_secret_is_hidden_where_it_cannot_be_chance(text: str, shown: str) -> None:
    assert masked(text, ["12", "a/b", "admin"]) == shown


def test_secrets_that_overlap_are_hidden_together() -> None:
    assert masked("x abcdefghij y", ["abcdef", "defghij"]) == "x *** y"
    assert masked("x abcdefghij y", ["abcdefghij", "cdefg"]) == "x *** y"
    assert masked("abcdefabcdef", ["abcdef"]) == "******"


def test_of_short_secrets_the_longer_one_is_hidden_whole() -> None:
    for number in range(20):
        assert masked(f"pin {number}-x", [f"{number}", f"{number}-x"]) == "pin ***"


def test_an_empty_secret_hides_nothing() -> None:
    assert masked("text", ["", "*****"]) == "text"
    assert masked("", ["secret"]) == ""


@given(st.text(), st.lists(st.text(), max_size=3))
def test_any_text_and_any_secrets(text: str, secrets: list[str]) -> None:
    shown = masked(text, secrets)
    for secret in secrets:
        if len(secret) >= 12 and "*" not in secret and "\\" not in secret and "&" not in secret and "%" not in secret:
            assert secret not in shown
