"""How a line of what passes looks: it fits its width, and nothing in it acts upon the terminal."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from forwarder.cli.listing import columns_of
from forwarder.cli.live_lines import LineLayout
from forwarder.core.monitoring.live import AttemptOutcome, EventResult, Lost, Passing, PassingAttempt, PassingEvent

AT = datetime(2026, 1, 1, 12, 0, 1, 234_000, tzinfo=UTC)
EVENT = PassingEvent(
    at=AT,
    event_id="1234abcd" * 4,
    source="x",
    stream="main",
    author="nova",
    text="good\nmorning",
    link="https://x.com/nova/status/1",
    result=EventResult.MATCHED,
    routes=["news", "all"],
    destinations={"bot": ["news", "all"], "alerts": ["news"]},
    held={},
)
ATTEMPT = PassingAttempt(
    at=AT,
    event_id="1234abcd" * 4,
    delivery_id="msg_1",
    source="x",
    author="nova",
    text="good morning",
    link="",
    destination="bot",
    routes=["news"],
    trigger="first",
    attempt=1,
    outcome=AttemptOutcome.DELIVERED,
    status=200,
    duration_ms=12.34,
    since_received_ms=14.0,
    reason="",
    retry_at=None,
)
FAILED = msgspec.structs.replace(
    ATTEMPT,
    outcome=AttemptOutcome.RETRY,
    status=503,
    reason="HTTP 503: overloaded, come back later",
    retry_at=AT + timedelta(seconds=30),
)
EVIL = "\x1b]0;x\x07\u202e\x9b2J\r\n" * 20 + "日本語" * 100


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def changed(item: Passing, **fields: object) -> Passing:
    return msgspec.structs.replace(item, **fields)


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (EVENT, "12:00:01 x        nova       good morning         news, all → bot, alerts"),
        (ATTEMPT, "12:00:01 x        nova       good morning         news → bot ✓ 12.3 ms"),
        (FAILED, "12:00:01 x        nova       good morning news → bot ✗ HTTP 503, again in 30.0 s"),
        (
            changed(EVENT, result=EventResult.DUPLICATE, destinations={}),
            "12:00:01 x        nova       good morning         duplicate, dropped",
        ),
        (
            changed(EVENT, result=EventResult.UNMATCHED, routes=[], destinations={}),
            "12:00:01 x        nova       good morning         no rule matches",
        ),
        (
            changed(EVENT, result=EventResult.UNMATCHED, destinations={"bot": ["unmatched"]}),
            "12:00:01 x        nova       good morning         no rule matches → bot",
        ),
        (
            changed(EVENT, routes=["all"], destinations={"bot": ["all"]}, held={"alerts": "limited"}),
            "12:00:01 x        nova       good morning  all → bot; not sent: alerts (limited)",
        ),
        (
            changed(EVENT, author="", text="", routes=["few"], destinations={}, held={"alerts": "limited"}),
            "12:00:01 x        -          -                   few; not sent: alerts (limited)",
        ),
    ],
)
def test_a_line_of_80_columns(item: Passing, line: str) -> None:
    assert LineLayout(width=80).line(item).plain == line


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"since_received_ms": 2_500.0}, "news → bot ✓ 12.3 ms, attempt 1, 2.5 s after it came"),
        ({"attempt": 3, "since_received_ms": 400.0}, "news → bot ✓ 12.3 ms, attempt 3, 400 ms after it came"),
        ({"since_received_ms": 7_200_000.0}, "news → bot ✓ 12.3 ms, attempt 1, 2 h after it came"),
        ({"outcome": AttemptOutcome.POSTPONED, "reason": "no network"}, "news → bot … not counted: no network"),
        ({"outcome": AttemptOutcome.DEAD, "reason": "HTTP 400: bad"}, "news → bot ✗ dead: HTTP 400: bad"),
        (
            {"outcome": AttemptOutcome.EXPIRED, "reason": "1 h old", "duration_ms": None, "attempt": 0},
            "news → bot ✗ expired: 1 h old",
        ),
        ({"reason": "sent twice"}, "news → bot ✓ 12.3 ms (sent twice)"),
    ],
)
def test_the_result_of_an_attempt(fields: dict[str, object], result: str) -> None:
    assert f" {result}  1234abcd" in LineLayout(width=None).line(changed(ATTEMPT, **fields)).plain


def test_from_100_columns_on_there_are_milliseconds_and_the_beginning_of_the_id() -> None:
    line = LineLayout(width=100).line(FAILED).plain
    assert line.startswith("12:00:01.234 1234abcd x ")
    assert line.endswith("news → bot ✗ HTTP 503, again in 30.0 s")


def test_a_wide_line_has_everything() -> None:
    event = LineLayout(width=None).line(changed(EVENT, stream="")).plain
    assert event.endswith(f"  {EVENT.event_id}, recovered, https://x.com/nova/status/1")
    failed = LineLayout(width=None).line(FAILED).plain
    assert "✗ HTTP 503: overloaded, come back later, again in 30.0 s" in failed
    assert failed.endswith(f"  {EVENT.event_id}, attempt 1 (first)")


def test_the_reason_matters_more_than_the_route_where_both_have_no_room() -> None:
    failed = changed(FAILED, routes=["a route with a name that is long"], reason="connection refused: nobody listens")
    assert LineLayout(width=80).line(failed).plain.endswith("bot ✗ connection refused, again in 30.0 s")


def test_the_result_of_an_attempt_is_whole_at_80_columns() -> None:
    long = {"routes": ["a route with a name that is long"], "destination": "a destination with a name that is long"}
    refused = changed(FAILED, **long, reason="connection refused: nobody listens", retry_at=AT + timedelta(seconds=0.5))
    line = LineLayout(width=80).line(refused).plain
    assert line.endswith(" ✗ connection refused, again in 500 ms")
    assert "a destination" in line
    late = LineLayout(width=80).line(changed(ATTEMPT, **long, attempt=12, since_received_ms=2_500.0)).plain
    assert late.endswith("… ✓ 12.3 ms, attempt 12, 2.5 s after it came")
    assert columns_of(late) <= 80


def test_what_was_lost_is_said() -> None:
    assert LineLayout(width=80).line(Lost(lost=1)).plain == "… 1 line lost: this output is too slow"
    assert "1,200 lines lost" in LineLayout(width=None).line(Lost(lost=1_200)).plain


@pytest.mark.parametrize("width", [80, 99, 100, 140, None])
@pytest.mark.parametrize("item", [EVENT, ATTEMPT, FAILED])
def test_nothing_of_a_stranger_acts_upon_the_terminal_and_a_line_fits(item: Passing, width: int | None) -> None:
    fields: dict[str, object] = {"source": EVIL, "author": EVIL, "text": EVIL, "link": EVIL}
    if isinstance(item, PassingAttempt):
        fields |= {"reason": EVIL, "destination": EVIL, "routes": [EVIL, EVIL]}
    else:
        fields |= {"routes": [EVIL], "destinations": {EVIL: [EVIL]}, "held": {EVIL: EVIL}, "stream": EVIL}
    line = LineLayout(width=width).line(changed(item, **fields))
    assert line.plain.isprintable()
    assert all(piece.text.isprintable() for piece in line.pieces)
    if width is not None:
        assert columns_of(line.plain) <= width


def test_colours_are_around_the_pieces_and_change_no_text() -> None:
    line = LineLayout(width=80).line(FAILED)
    assert "\x1b[31m✗ HTTP 503" in line.coloured
    assert line.coloured.count("\x1b[") == 2 * sum(bool(piece.colour) for piece in line.pieces)
