"""What `forwarder status` prints of a status."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from forwarder.cli.status_lines import lines_of, verdict_lines
from forwarder.cli.status_values import StatusLine
from forwarder.core.monitoring.status import Backlog, decode_status
from forwarder.core.monitoring.verdict import Concern, HealthLevel, Verdict
from tests.support.paths import ROOT

EXAMPLE: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "status.json").read_text(encoding="utf-8"))
EMPTY = Backlog()
LANE = {"breaker": "closed", "may_be_under_way": 16}


NOW = datetime(2026, 11, 29, 15, tzinfo=UTC)
DEGRADED, DOWN = HealthLevel.DEGRADED, HealthLevel.DOWN


@pytest.fixture(autouse=True)
def utc(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("status_lines", "status_destinations"):
        monkeypatch.setattr(f"forwarder.cli.{module}.local", lambda at: "-" if at is None else f"[{at[11:19]}]")


def lines(fields: dict[str, Any], backlog: Backlog | None = EMPTY, *, width: int = 400) -> list[StatusLine]:
    return lines_of(decode_status(fields), backlog, now=NOW, width=width)


def shown(fields: dict[str, Any], backlog: Backlog | None = EMPTY) -> list[str]:
    return [line.text for line in lines(fields, backlog)]


BACKLOG = Backlog(
    waiting={"bot": 63, "down": 182},
    oldest=EXAMPLE["oldest"],
    dead={"bot": 1, "old": 2},
    recent_gaps=5,
    unrepaired_gaps=2,
)


def test_the_example_is_shown_whole_and_what_is_wrong_first() -> None:
    found = lines(EXAMPLE, BACKLOG)
    assert [(line.level is not HealthLevel.OK, line.text) for line in found] == [
        (True, "THE CLOCK WAS SET back by 60 min at [14:50:00]. Queued deliveries are not affected. Check that the clock of this machine is right."),
        (True, "streams: second away, but others are open, so no event need be missed"),
        (False, "STREAM  EVENTS  LAST EVENT  FIRST    BEHIND  MISSED          STATE"),
        (True, "second  0       -           0.0 %    -       3 (and 2 away)  AWAY for 75 s"),
        (True, "  127.0.0.1 port 9 refuses the connection: nothing listens there; check url, or wait for the server; next try [14:59:00]"),
        (False, "main    188     60 s ago    100.0 %  10 ms   0               open for 75 s"),
        (False, "DESTINATION  5 MIN OK  P50    P99    WAITING  OLDEST  DEAD  STATE"),
        (True, "alerts       -         -      -      0        -       0     cannot be reached from this machine: no network; asks to wait another 1.5 s; failing since [14:58:44]: before the restart; CANARY MISSED; last canary: none yet"),
        (True, "down         0 %       -      -      182      75 s    0     DOWN, next probe in 0.7 s; failing since [14:58:44]: connection refused: nothing listens there"),
        (True, "gone         -         -      -      0        -       0     PAUSED because the receiver is gone since [14:58:54] (HTTP 410); forwarder resume gone sends again"),
        (False, "bot          99 %      20 ms  1.0 s  63       66 s    1     PAUSED by hand since [14:58:54] until [16:58:44] (a test); forwarder resume bot sends again; canary 1.17 ms"),
        (False, "off          -         -      -      0        -       0     disabled; 182 skipped since the start"),
        (False, "old          -         -      -      0        -       2     not in the config"),
        (True, "gaps of the last 24 h: 5, 2 NOT REPAIRED (forwarder gaps); dead letters: 3 (forwarder dead list)"),
        (False, "config: /etc/forwarder/config.yaml (c59f5de9c870), active since [14:58:44]"),
        (False, "  active only after a restart: outbox.url"),
        (True, "  the last edit was REFUSED at [14:58:55]:"),
        (True, "    config.yaml:9:1: nonsense: unknown key"),
        (True, "    and 2 more; forwarder check shows all"),
        (True, "  A RELOAD HANGS since [14:58:56]: reading /etc/forwarder/accounts.txt does not end. Does its file system respond? This config stays active until then"),
        (True, "outbox: degraded; time to disk 6.4 ms median, 60.9 ms p99; not yet on disk: 4 events"),
        (True, "log: CANNOT BE WRITTEN: no space left on device; 7 lines dropped since the start; deliveries do not wait for it"),
        (False, "since the start: seen 188, matched 182, duplicates 6, delivered 121, failed attempts 20"),
        (False, "source lag: fast-x 22.0 s median, 25.1 s p99; x 310 ms median, 310 ms p99"),
        (False, "forwarder 0.1.0, process 4711, running since [14:58:44]"),
    ]  # fmt: skip


@pytest.mark.parametrize("state", ["stopping", "handing over"])
def test_the_start_is_shown_apart_from_the_state(state: str) -> None:
    (line,) = (line for line in lines(EXAMPLE | {"state": state}) if line.text.startswith("forwarder 0.1.0"))
    assert line == (f"forwarder 0.1.0, process 4711, running since [14:58:44]; {state}", DEGRADED)


def well() -> dict[str, Any]:
    """Return the status of a usual daemon that is well: two streams and five destinations."""
    main, bot = EXAMPLE["streams"]["main"], EXAMPLE["destinations"]["bot"] | {"paused": None}
    config = EXAMPLE["config"] | {"refused": None, "hangs": None, "needs_restart": []}
    names = ("alerts", "archive", "bot", "discord", "telegram")
    parts = {
        "config": config,
        "clock_jumped": None,
        "log": {},
        "outbox": EXAMPLE["outbox"] | {"health": "ok", "trouble": None},
    }
    return EXAMPLE | parts | {"streams": {"main": main, "second": main}, "destinations": dict.fromkeys(names, bot)}


def test_a_usual_daemon_fits_a_screen_of_80_columns_and_24_lines() -> None:
    found = lines(well(), EMPTY, width=80)
    assert len(found) + len("OK\n$".splitlines()) <= 24
    assert max(len(line.text) for line in found) <= 80
    assert {line.level for line in found} == {HealthLevel.OK}


def test_a_part_in_which_something_is_wrong_comes_before_those_that_are_well() -> None:
    outbox = EXAMPLE["outbox"]
    assert lines(well() | {"outbox": outbox})[0].text.startswith("outbox: degraded")
    away = EXAMPLE["streams"]["second"]
    found = lines(well() | {"outbox": outbox, "streams": {"main": away}})
    assert [found[0].level, found[0].text[:18]] == [DOWN, "NO STREAM IS OPEN "]
    assert next(line.text for line in found if line.level is DEGRADED).startswith("outbox: degraded")


def test_a_state_that_is_too_long_for_its_row_has_lines_of_its_own() -> None:
    found = [line.text for line in lines(EXAMPLE, Backlog(dead={"old": 2}), width=80)]
    assert max(map(len, found)) <= 80
    at = found.index("DESTINATION  5 MIN OK  P50    P99    WAITING  OLDEST  DEAD  STATE")
    assert found[at + 1 : at + 4] == [
        "alerts       -         -      -      0        -       0",
        "  cannot be reached from this machine: no network; asks to wait another 1.5 s;",
        "    failing since [14:58:44]: before the restart; CANARY MISSED; last canary:",
    ]
    assert "old          -         -      -      0        -       2     not in the config" in found


def test_an_outbox_that_cannot_be_read_is_said_and_the_destinations_are_shown_all_the_same() -> None:
    found = shown(EXAMPLE, None)
    assert "the queued deliveries cannot be read now" in found
    (row,) = (line for line in found if line.startswith("down"))
    assert row.startswith("down         0 %       -      -      ?        -       ?     DOWN")
    assert not any(line.startswith("gaps") for line in found)


def test_of_very_many_destinations_those_that_are_well_and_have_nothing_waiting_are_counted() -> None:
    names = [f"d{number:05}" for number in range(10_000)]
    destinations = dict.fromkeys(names, LANE) | {"d00007": LANE | {"breaker": "open"}}
    found = shown({"destinations": destinations}, Backlog(waiting={"d00009": 1}))
    assert [line.split()[0] for line in found if line.startswith("d0")] == ["d00007", "d00009"]
    assert "and 9,998 more, which are ok; nothing waits for them" in found


def test_what_a_receiver_says_cannot_break_a_line() -> None:
    destinations = {"bot": {**LANE, "last_failure": "a\nb\x1b[2J"}}
    (line,) = (line for line in shown({"destinations": destinations}) if line.startswith("bot"))
    assert line.endswith(r"ok; the last attempt failed: a\nb\x1b[2J")


def test_a_log_that_can_be_written_again_is_no_trouble_any_more() -> None:
    found = lines(well() | {"log": {"lines_dropped": 7}})
    assert [line.level for line in found if line.text.startswith("log: 7 lines dropped")] == [HealthLevel.OK]


def row_of(name: str, fields: dict[str, Any], backlog: Backlog = EMPTY) -> str:
    (row,) = (line for line in shown(fields, backlog) if line.startswith(name))
    return row


def test_a_rate_limit_is_shown_while_something_waits_for_it() -> None:
    fields = {"destinations": {"bot": {**LANE, "limited_for_s": 18.4}}}
    assert row_of("bot", fields, Backlog(waiting={"bot": 1})).endswith("ok; rate limited, next in 18.4 s")
    assert row_of("bot", fields).endswith("  ok")


def test_quiet_hours_are_shown_with_their_end() -> None:
    destinations = {"bot": {**LANE, "quiet_until": "2026-11-30T07:00:00+00:00"}}
    assert row_of("bot", {"destinations": destinations}).endswith("ok; quiet hours until [07:00:00]")


def test_a_pause_by_an_unknown_cause_is_shown_as_it_came() -> None:
    fields = {"destinations": {"bot": {**LANE, "paused": {"since": "2026-01-01T00:00:00", "by": "moon", "why": ""}}}}
    assert row_of("bot", fields).endswith("PAUSED by moon since [00:00:00]; forwarder resume bot sends again")


def test_streams_that_are_all_away_come_first() -> None:
    away = {"condition": "waiting", "away_since": "2026-11-29T14:00:00+00:00", "fault": "replaced"}
    times = {"since": "2026-11-29T14:59:30+00:00", "next_try_at": "2026-11-29T15:15:00+00:00"}
    found = lines({"streams": {"a b": away | times}})
    assert [(line.text, line.level) for line in found[:4]] == [
        ("NO STREAM IS OPEN since [14:00:00]: events sent now are missed; forwarder gaps shows for how long", DOWN),
        ("STREAM  EVENTS  LAST EVENT  STATE", HealthLevel.OK),
        ("a b     0       -           REPLACED for 30 s", DOWN),
        (
            "  next try [15:15:00], or forwarder reconnect 'a b' tries it now",
            DOWN,
        ),
    ]


def test_a_stream_that_never_was_open_is_connecting() -> None:
    assert row_of("main", {"streams": {"main": {"condition": "connecting"}}}).endswith("connecting")


def test_a_config_that_is_not_watched_says_how_it_is_loaded() -> None:
    assert row_of("config", {"config": {"watched": False}}).endswith("; loaded by SIGHUP and forwarder reload")


def test_odd_frames_are_shown_by_kind_without_the_answers_to_pings() -> None:
    counted = EXAMPLE["since_start"] | {"odd_frames": {"pong": 3, "invalid_json": 1200, "binary": 1}}
    found = shown(EXAMPLE | {"since_start": counted})
    assert "odd frames, which are no events and are not forwarded: binary 1, invalid json 1,200" in found
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


def test_a_monitor_and_a_collector_that_fail_have_a_line_each() -> None:
    fields: dict[str, dict[str, object]] = {
        "heartbeat": {"trouble": "HTTP 404"},
        "tracing": {"trouble": "connection\x1b refused", "spans_lost": 1200},
    }
    found = shown(fields)
    assert "heartbeat: FAILS (HTTP 404), last accepted: never; the monitor may raise the alarm" in found
    (line,) = [each for each in found if each.startswith("traces:")]
    assert line.endswith("refused); 1,200 spans lost since the start; deliveries are not affected")
    assert "\x1b" not in line
    fields["heartbeat"]["last_ok_at"] = "2026-11-29T14:58:50+00:00"
    assert any("last accepted: [14:58:50]" in each for each in shown(fields))
    lost = {"heartbeat": {}, "tracing": {"spans_lost": 1}}
    assert "traces: 1 span lost since the start; deliveries are not affected" in shown(lost)
    assert not any("heartbeat" in each for each in shown(lost))
    assert not any("traces" in each for each in shown({"tracing": {"spans_sent": 5}}))
