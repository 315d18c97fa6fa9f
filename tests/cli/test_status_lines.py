"""What `forwarder status` prints of a status."""

import json
from typing import Any

import pytest

from forwarder.cli.status_lines import lines_of, verdict_lines
from forwarder.core.monitoring.status import Backlog, decode_status
from forwarder.core.monitoring.verdict import Concern, HealthLevel, Verdict
from tests.support.paths import ROOT

EXAMPLE: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "status.json").read_text(encoding="utf-8"))
EMPTY = Backlog()
LANE = {"breaker": "closed", "may_be_under_way": 16}


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("forwarder.cli.status_lines.local", lambda at: "-" if at is None else f"[{at[11:19]}]")


def shown(fields: dict[str, Any], backlog: Backlog | None = EMPTY) -> list[str]:
    return list(lines_of(decode_status(fields), backlog, width=400))


def test_the_example_is_shown_whole() -> None:
    assert shown(EXAMPLE, Backlog(waiting={"bot": 63, "down": 182}, dead={"bot": 1, "old": 2})) == [
        "forwarder 0.1.0, process 4711, running since [14:58:44]",
        "config: /etc/forwarder/config.yaml (c59f5de9c870), active since [14:58:44]; a saved edit is loaded at once",
        "  active only after a restart: outbox.url",
        "  the last edit was REFUSED at [14:58:55]:",
        "    config.yaml:9:1: nonsense: unknown key",
        "    and 2 more; forwarder check shows all",
        "  A RELOAD HANGS since [14:58:56]: reading /etc/forwarder/accounts.txt does not end. Does its file system respond? This config stays active until then",
        "THE CLOCK WAS SET back by 60 min at [14:50:00]. Queued deliveries are not affected. Check that the clock of this machine is right.",
        "gone IS PAUSED since [14:58:54]: HTTP 410. Its deliveries are kept. Once it works again: forwarder resume gone",
        "streams: second away, but others are open, so no event need be missed",
        "STREAM  TRANSPORT  EVENTS  FIRST    BEHIND  MISSED          STATE",
        "main    websocket  188     100.0 %  10 ms   0               open since [14:58:44]; last event [14:59:00]",
        "second  websocket  0       0.0 %    -       3 (and 2 away)  AWAY since [14:58:44]: 127.0.0.1 port 9 refuses the connection: nothing listens there; check url, or wait for the server; next try [14:59:00]",
        "source lag: fast-x 22.0 s median, 25.1 s p99; x 310 ms median, 310 ms p99",
        "outbox: degraded (no space left on device)",
        "  not yet on disk: 4 events; time to disk 6.4 ms median, 60.89 ms p99",
        "log: CANNOT BE WRITTEN: no space left on device; 7 lines dropped since the start; deliveries do not wait for it",
        "since the start: seen 188, matched 182, unmatched 0, duplicates 6, recovered 0, skipped 0, sampled 0, limited 0, delivered 121, failed attempts 20, postponed 0, dead 0, expired 0, missed canaries 0",
        "DESTINATION  WAITING  DEAD  STATE",
        "alerts       0        0     cannot be reached from this machine: no network; asks to wait another 1.5 s; failing since [14:58:44]: before the restart; CANARY MISSED; last canary: none yet",
        "bot          63       1     PAUSED by hand since [14:58:54] until [16:58:44] (a test); forwarder resume bot sends again; last canary: 1.17 ms at [14:58:51]",
        "down         182      0     DOWN, next probe in 0.7 s; failing since [14:58:44]: connection refused: nothing listens there",
        "gone         0        0     PAUSED because the receiver is gone since [14:58:54] (HTTP 410); forwarder resume gone sends again",
        "old          0        2     not in the config, or disabled",
    ]


def test_long_lines_are_broken_below_their_column() -> None:
    lines = list(lines_of(decode_status(EXAMPLE), Backlog(dead={"old": 2}), width=80))
    assert max(map(len, lines)) <= 80
    at = lines.index("DESTINATION  WAITING  DEAD  STATE")
    assert lines[at + 1 : at + 4] == [
        "alerts       0        0     cannot be reached from this machine: no network;",
        "                            asks to wait another 1.5 s; failing since",
        "                            [14:58:44]: before the restart; CANARY MISSED; last",
    ]


def test_an_outbox_that_cannot_be_read_is_said() -> None:
    assert shown(EXAMPLE, None)[-1] == "the queued deliveries cannot be read now"


def test_a_rate_limit_is_shown_while_something_waits_for_it() -> None:
    fields = {"destinations": {"bot": {**LANE, "limited_for_s": 18.4}}}
    assert shown(fields, Backlog(waiting={"bot": 1}))[-1].endswith("ok; rate limited, next in 18.4 s")
    assert shown(fields)[-1].endswith("  ok")


def test_quiet_hours_are_shown_with_their_end() -> None:
    destinations = {"bot": {**LANE, "quiet_until": "2026-11-30T07:00:00+00:00"}}
    line = next(line for line in shown({"destinations": destinations}) if line.startswith("bot"))
    assert line.endswith("ok; quiet hours until [07:00:00]")


def test_a_pause_by_an_unknown_cause_is_shown_as_it_came() -> None:
    fields = {"destinations": {"bot": {**LANE, "paused": {"since": "2026-01-01T00:00:00", "by": "moon", "why": ""}}}}
    assert shown(fields)[-1].endswith("PAUSED by moon since [00:00:00]; forwarder resume bot sends again")


def test_streams_that_are_all_away_come_first() -> None:
    away = {"transport": "sse", "condition": "waiting", "away_since": "2026-01-01T00:00:00", "fault": "replaced"}
    fields = {"streams": {"a b": {**away, "since": "2026-01-01T00:00:01", "next_try_at": "2026-01-01T00:15:00"}}}
    lines = shown(fields)
    assert "NO STREAM IS OPEN since [00:00:00]: events sent now are missed; forwarder gaps shows for how long" in lines
    (row,) = (line for line in lines if line.startswith("a b"))
    assert row.endswith(
        "REPLACED by another connection since [00:00:01]; next try [00:15:00], or forwarder reconnect 'a b' tries it now"
    )


def test_a_stream_that_never_was_open_is_connecting() -> None:
    row = next(line for line in shown({"streams": {"main": {"condition": "connecting"}}}) if line.startswith("main"))
    assert row.endswith("connecting")


def test_a_config_that_is_not_watched_says_how_it_is_loaded() -> None:
    assert shown({"config": {"watched": False}})[1].endswith("; loaded by SIGHUP and forwarder reload")


def test_odd_frames_are_shown_by_kind_without_the_answers_to_pings() -> None:
    counted = EXAMPLE["since_start"] | {"odd_frames": {"pong": 3, "invalid_json": 1200, "binary": 1}}
    lines = shown(EXAMPLE | {"since_start": counted})
    assert "odd frames, which are no events and are not forwarded: binary 1, invalid json 1,200" in lines
    assert not any(
        "odd frames" in line for line in shown(EXAMPLE | {"since_start": counted | {"odd_frames": {"pong": 3}}})
    )


def test_a_repair_that_is_off_because_the_history_refuses_a_key_is_one_line_for_each_reason() -> None:
    off = {"main": "the history does not accept the API key", "backup": "the history does not accept the API key"}
    assert [line for line in shown({"gap_repair_off": off}) if "REPAIRED" in line] == [
        "gaps of main, backup are NOT REPAIRED until the next reload or restart: the history does not accept the API key"
    ]


def test_the_verdict_is_one_line_and_what_to_do_is_below_it() -> None:
    bad = Concern(HealthLevel.DOWN, "no stream has been open for 31 s", "forwarder status shows why.")
    verdict = Verdict(level=HealthLevel.DOWN, concerns=(bad,))
    assert list(verdict_lines(verdict, width=80)) == [
        "DOWN: no stream has been open for 31 s",
        "  forwarder status shows why.",
    ]
    assert list(verdict_lines(Verdict(), width=80)) == ["OK"]
