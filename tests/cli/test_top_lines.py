"""The lines of `top`: they fit the width, and nothing in them acts upon the terminal."""

from typing import Any

import msgspec
import pytest

from forwarder.cli.listing import columns_of
from forwarder.cli.top_figures import RowKind, TopRow
from forwarder.cli.top_lines import (
    attempt_lines,
    delivery_line,
    detail_line,
    event_lines,
    header_line,
    row_line,
    verdict_line,
)
from forwarder.core.monitoring.verdict import Concern, HealthLevel, Verdict
from tests.cli.test_live_lines import EVIL

ROW = TopRow(
    kind=RowKind.DESTINATION, name="bot", per_s=12.34, rates=(1.0, 2.0), p50="12 ms", p99="1.5 s", state="ok, 3 waiting"
)
EVENT: dict[str, Any] = {
    "event_id": "ab" * 16,
    "source": "x",
    "mid": "1",
    "sid": "7",
    "accepted_at": "2026-01-01T12:00:00.123+00:00",
    "body": '{"source":"x","payload":{"text":"good"}}',
}
ATTEMPT: dict[str, Any] = {
    "number": 1,
    "started_at": "2026-01-01T12:00:00.5+00:00",
    "duration_ms": 12.34,
    "http_status": 400,
    "reason": "HTTP 400: bad",
    "excerpt": "no such chat",
}
DELIVERY: dict[str, Any] = {
    "delivery_id": "msg_1",
    "destination": "bot",
    "routes": ["news"],
    "status": "dead",
    "closed_at": "2026-01-01T12:00:01+00:00",
    "reason": "HTTP 400: bad",
    "attempts": [ATTEMPT, ATTEMPT | {"number": 2, "http_status": None, "reason": "timeout", "excerpt": None}],
}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")


def test_a_row_stands_below_the_names_of_the_columns() -> None:
    assert header_line(80).plain == "       NAME               /S              P50     P99 STATE"
    assert row_line(ROW, 80).plain == "dest   bot              12.3       ▅█   12 ms   1.5 s ok, 3 waiting"
    assert row_line(ROW, 120).plain.index("ok, 3") == header_line(120).plain.index("STATE")


def test_figures_that_are_old_are_dimmed_whole() -> None:
    old = row_line(ROW, 80, is_old=True)
    assert old.plain == row_line(ROW, 80).plain
    assert {piece.colour for piece in old.pieces} == {"2"}


def test_a_detail_has_all_of_the_state() -> None:
    state = "down: connection refused: nobody listens at 127.0.0.1:9, 1,349 waiting 5 min"
    row = msgspec.structs.replace(ROW, state=state, is_in_trouble=True)
    assert row_line(row, 80).plain.endswith("down: connection refused:…")
    assert detail_line(row).plain == f"bot: {state}"
    assert detail_line(msgspec.structs.replace(ROW, name=EVIL, state=EVIL)).plain.isprintable()


@pytest.mark.parametrize("width", [40, 80, 100, 200])
def test_nothing_acts_upon_the_terminal_and_every_line_fits(width: int) -> None:
    concern = Concern(HealthLevel.DOWN, EVIL, "")
    lines = [
        row_line(TopRow(kind=RowKind.ROUTE, name=EVIL, per_s=1e5, rates=(), p50="-", p99="-", state=EVIL), width),
        header_line(width),
        verdict_line(Verdict(HealthLevel.DOWN, (concern,))),
    ]
    if width >= 80:
        assert all(columns_of(line.plain) <= width for line in lines[:-1])  # the verdict wraps
    event = {**EVENT, "source": EVIL, "mid": EVIL, "sid": EVIL, "body": EVIL}
    attempt = {**ATTEMPT, "reason": EVIL, "excerpt": EVIL}
    delivery = {**DELIVERY, "destination": EVIL, "routes": [EVIL], "reason": EVIL, "attempts": [attempt]}
    lines += [*event_lines(event), delivery_line(delivery), *attempt_lines(delivery)]
    for line in lines:
        assert all(piece.text.isprintable() for piece in line.pieces)


def test_the_verdict_has_the_colour_of_its_level() -> None:
    assert verdict_line(Verdict()).pieces[0] == ("OK", "32")
    paused = verdict_line(Verdict(paused_by_hand=("bot",)))
    assert (paused.plain, paused.pieces[0].text) == ("OK (paused by hand: bot)", "OK")
    down = verdict_line(Verdict(HealthLevel.DOWN, (Concern(HealthLevel.DOWN, "no stream is open", ""),)))
    assert (down.plain, down.pieces[0].colour) == ("DOWN: no stream is open", "31")


def test_an_event_has_its_body_as_json_or_as_it_is() -> None:
    assert [line.plain for line in event_lines(EVENT)] == [
        f"event {'ab' * 16}",
        "x, mid 1, sid 7",
        "accepted 2026-01-01 12:00:00.123 UTC",
        "{",
        '  "source": "x",',
        '  "payload": {',
        '    "text": "good"',
        "  }",
        "}",
    ]
    assert [line.plain for line in event_lines({**EVENT, "body": "{cut"})][-1] == "{cut"


def test_a_delivery_has_each_attempt_with_what_the_receiver_said() -> None:
    assert delivery_line(DELIVERY).plain == "bot: dead 2026-01-01 12:00:01 UTC: HTTP 400: bad"
    assert [line.plain for line in attempt_lines(DELIVERY)] == [
        "bot: dead 2026-01-01 12:00:01 UTC: HTTP 400: bad",
        "msg_1, routes news",
        "attempt 1  12:00:00.500  12.3 ms  HTTP 400: bad",
        "  answer: no such chat",
        "attempt 2  12:00:00.500  12.3 ms  no answer: timeout",
    ]
