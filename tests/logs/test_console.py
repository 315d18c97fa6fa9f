"""Lines for a terminal: what happened comes first, they fit the width, and nothing of Python is in them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import Enum, StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.dispatch.ordering import Order
from forwarder.logs.console import WIDTH, ConsoleRenderer, spell_value, terminal_width, visible
from tests.support.logs import Run

NOW = datetime(2026, 1, 31, 18, 0, 0, 123_456, UTC)
ATTEMPT = {
    "event_id": "5f" * 16,
    "delivery_id": "msg_" + "5f" * 16,
    "destination": "bot",
    "author": "novadesk",
    "link": "https://x.com/novadesk/status/1876543210987654321",
    "routes": ("macro",),
    "attempt": 1,
    "duration_ms": 12.4,
    "status": 503,
    "reason": "HTTP 503: upstream connect error or disconnect/reset before headers, reset reason: connection failure",
    "retry_at": "2026-01-31T18:00:00.623+00:00",
}


class Odd(Enum):
    """A closed set whose members Python shows as `<Odd.ONE: 'one'>`."""

    ONE = "one"


def lines(
    event: str, fields: Mapping[str, object], *, level: str = "info", width: int = WIDTH, colours: bool = False
) -> list[str]:
    renderer = ConsoleRenderer(colours=colours, width=lambda: width, now=lambda: NOW)
    return renderer(None, level, {**fields, "event": event}).decode().splitlines()


def test_a_short_line() -> None:
    assert lines("daemon.ready", {"stream": "main", "count": 3}) == [
        "18:00:00.123 info  daemon.ready stream=main count=3"
    ]


def test_a_long_line_goes_on_under_its_fields_within_the_width() -> None:
    assert lines("delivery.retry_scheduled", ATTEMPT, level="warning") == [
        "18:00:00.123 warn  delivery.retry_scheduled destination=bot author=novadesk",
        "                   link=https://x.com/novadesk/status/1876543210987654321 routes=macro attempt=1",
        '                   duration_ms=12.4 status=503 reason="HTTP 503: upstream connect error or',
        '                   disconnect/reset before headers, reset reason: connection failure"',
        "                   retry_at=2026-01-31T18:00:00.623+00:00 event_id=5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f",
        "                   delivery_id=msg_5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f5f",
    ]
    assert max(map(len, lines("x.y", ATTEMPT, width=80))) <= 80
    assert max(map(len, lines("x.y", ATTEMPT, width=10))) <= 73  # narrower than this nothing can be read


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (("macro", "news"), "macro, news"),
        ([], ""),
        (None, ""),
        (True, "yes"),
        (False, "no"),
        (Odd.ONE, "one"),
        (Order.SID, "sid"),
        ([Odd.ONE, None, 2], "one, , 2"),
        ({"bot": 1200, "alerts": 34}, "bot 1200, alerts 34"),
        ({Order.SID: [True]}, "sid yes"),
        (datetime(2026, 1, 31, 18, tzinfo=UTC), "2026-01-31T18:00:00.000+00:00"),
        (12.5, "12.5"),
        ("", ""),
    ],
)
def test_values_are_written_as_people_write_them(value: object, text: str) -> None:
    assert spell_value(value) == text


def test_what_there_is_nothing_of_is_left_out() -> None:
    (line,) = lines("reload.done", {"why": None, "restarted": [], "note": "", "routes": 0})
    assert line.endswith("reload.done routes=0")


def test_quotes_within_a_value_are_escaped() -> None:
    (line,) = lines("delivery.dead", {"reason": 'HTTP 400: {"error": "no \\ such chat"}', "name": '"x"'})
    assert line.endswith(r'reason="HTTP 400: {\"error\": \"no \\ such chat\"}" name="\"x\""')


def test_a_value_of_several_words_is_in_quotes() -> None:
    (line,) = lines("x.y", {"note": "two words", "path": "a=b", "one": "word"})
    assert line.endswith('note="two words" path="a=b" one=word')


@given(text=st.text(max_size=300), width=st.integers(60, 200))
def test_no_text_moves_the_cursor_or_fakes_a_line(text: str, width: int) -> None:
    said = lines(f"x.{text}", {"author": text, "routes": (text,), "counts": {text: 1}}, width=width)
    assert all(line.isprintable() for line in said)
    assert all(line.startswith(" " * 19) for line in said[1:])


def test_what_is_printable_stays_as_it_is() -> None:
    assert visible("naïve 日本 🚀") == "naïve 日本 🚀"
    assert visible("a\x1b[2J\n\u202eb\ud800") == "a\\x1b[2J\\n\\u202eb\\ud800"


def test_colours_change_nothing_of_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, coloured = (lines("delivery.dead", ATTEMPT, level="error", colours=each) for each in (False, True))
    assert "\x1b[31merror" in coloured[0]
    for mark in ("\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m"):
        coloured = [line.replace(mark, "") for line in coloured]
    assert coloured == plain


def test_the_width_is_that_of_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "132")
    assert terminal_width() == 132


def test_an_error_of_ours_has_its_traceback_below(run: Run) -> None:
    done = run(
        "try:\n    1 / 0\nexcept ZeroDivisionError:\n    log.exception('daemon.failed', note='a bug')",
        format_="console",
    )
    first, *trace = done.stdout.decode().splitlines()
    assert first.endswith('error daemon.failed note="a bug"')
    assert (trace[0], trace[-1]) == ("Traceback (most recent call last):", "ZeroDivisionError: division by zero")


def test_a_word_of_a_closed_set_is_its_word_in_json_too(run: Run) -> None:
    done = run(
        "from forwarder.core.dispatch.ordering import Order\nlog.info('x.y', order=Order.SID, routes=('a',), why=None)"
    )
    assert b'"order":"sid","routes":["a"],"why":null' in done.stdout


def test_the_words_of_closed_sets_are_texts() -> None:
    assert issubclass(Order, StrEnum)
