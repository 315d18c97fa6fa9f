"""The verdict on a status: how well a daemon is, and what is wrong with it."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from forwarder.core.monitoring.status import (
    CanaryReport,
    ConfigReport,
    DestinationReport,
    HangingReloadReport,
    LogReport,
    OutboxReport,
    PauseReport,
    RecentReport,
    RefusedConfigReport,
    StatusReport,
    StreamReport,
)
from forwarder.core.monitoring.verdict import HealthLevel, Verdict, judge, judge_flow

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
OPEN = StreamReport(condition="open")
STARTED = (NOW - timedelta(hours=3)).isoformat(timespec="seconds")


def ago(seconds: float) -> str:
    return (NOW - timedelta(seconds=seconds)).isoformat(timespec="milliseconds")


def away(seconds: float, fault: str = "refused") -> StreamReport:
    return StreamReport(condition="waiting", away_since=ago(seconds), fault=fault)


def of_streams(**streams: StreamReport) -> Verdict:
    return judge(StatusReport(started_at=STARTED, streams=streams), now=NOW)


def of_destination(report: DestinationReport, name: str = "bot") -> Verdict:
    return judge(StatusReport(streams={"main": OPEN}, destinations={name: report}), now=NOW)


def test_a_daemon_that_is_well() -> None:
    status = StatusReport(streams={"main": OPEN}, destinations={"bot": DestinationReport()})
    verdict = judge(status, now=NOW)
    assert (verdict.level, verdict.line, verdict.advice) == (HealthLevel.OK, "OK", "")


@pytest.mark.parametrize(("seconds", "level"), [(29.9, HealthLevel.DEGRADED), (30.0, HealthLevel.DOWN)])
def test_without_an_open_stream_it_is_down_after_half_a_minute(seconds: float, level: HealthLevel) -> None:
    verdict = of_streams(main=away(seconds), second=away(900))
    assert verdict.level is level
    assert verdict.line == f"{level}: no stream has been open for 30 s"
    assert verdict.advice.startswith("The state of the stream says why.")


def test_a_stream_that_was_never_open_is_away_since_the_start() -> None:
    assert of_streams(main=StreamReport(condition="connecting")).line == "DOWN: no stream has been open for 3 h"


def test_the_status_of_an_earlier_version_may_not_say_when_it_started() -> None:
    verdict = judge(StatusReport(streams={"main": StreamReport(condition="connecting")}), now=NOW)
    assert verdict.line == "DEGRADED: no stream has been open for 0 s"


def test_a_clock_that_was_set_back_makes_no_negative_time() -> None:
    assert of_streams(main=away(-50)).line == "DEGRADED: no stream has been open for 0 s"


def test_one_stream_of_several_may_be_away() -> None:
    verdict = of_streams(main=OPEN, second=away(900))
    assert (verdict.line, verdict.advice) == ("DEGRADED: stream second is not open", "")


def test_many_names_are_cut() -> None:
    streams = {f"s{number}": away(5) for number in range(5)}
    assert of_streams(main=OPEN, **streams).line == "DEGRADED: streams s0, s1, s2 and 2 more are not open"


def test_a_replaced_stream_is_for_a_person() -> None:
    verdict = of_streams(**{"main": OPEN, "a b": away(5, "replaced")})
    assert verdict.advice == ("Another program uses the same API key: stop it, then run forwarder reconnect 'a b'.")


def test_an_outbox_that_cannot_be_written() -> None:
    report = OutboxReport(health="degraded", trouble="no space left on device")
    verdict = judge(StatusReport(streams={"main": OPEN}, outbox=report), now=NOW)
    assert verdict.line == "DEGRADED: the outbox cannot be written (no space left on device)"
    bare = judge(StatusReport(streams={"main": OPEN}, outbox=OutboxReport(health="degraded")), now=NOW)
    assert bare.line == "DEGRADED: the outbox cannot be written"


def test_a_disk_that_does_not_answer_is_down_after_half_a_minute_and_comes_first() -> None:
    stuck = OutboxReport(health="degraded", trouble="the disk has not answered for 31 s", stuck_s=31.2)
    status = StatusReport(streams={"main": OPEN, "second": away(5)}, outbox=stuck)
    assert judge(status, now=NOW).line == (
        "DOWN: the disk of the outbox has not answered for 31 s; stream second is not open"
    )
    soon = OutboxReport(health="degraded", trouble="slow", stuck_s=29.0)
    assert judge(StatusReport(streams={"main": OPEN}, outbox=soon), now=NOW).level is HealthLevel.DEGRADED


def test_a_destination_that_is_down_says_its_error() -> None:
    down = DestinationReport(breaker="open", last_failure="HTTP 503")
    assert of_destination(down).line == "DEGRADED: destination bot is down (HTTP 503)"
    ours = DestinationReport(ours="no network", last_failure="HTTP 503")
    assert of_destination(ours).line == "DEGRADED: destination bot is down (no network)"
    assert of_destination(DestinationReport(breaker="open")).line == "DEGRADED: destination bot is down"


def test_a_destination_that_refuses_everything_is_not_well_though_it_answers() -> None:
    refuses = DestinationReport(last_failure="HTTP 400", recent=RecentReport(failed_attempts=3))
    verdict = of_destination(refuses)
    assert verdict.line == "DEGRADED: bot refuses everything (HTTP 400)"
    assert verdict.advice == "forwarder dead list --destination bot shows what it says."
    for well in (
        structs.replace(refuses, recent=RecentReport(failed_attempts=2)),
        structs.replace(refuses, recent=RecentReport(failed_attempts=9, delivered=1)),
        structs.replace(refuses, last_failure=None),
    ):
        assert of_destination(well).level is HealthLevel.OK


def test_several_destinations_are_named_without_errors() -> None:
    down = DestinationReport(breaker="half_open", last_failure="HTTP 503")
    verdict = judge(StatusReport(streams={"main": OPEN}, destinations={"a": down, "b c": down}), now=NOW)
    assert verdict.line == "DEGRADED: destinations a, b c are down"
    assert (
        verdict.advice
        == "Deliveries are kept and retried. forwarder deliveries --failed --destination a shows its errors."
    )


def test_a_pause_by_a_person_is_well_and_one_by_itself_is_not() -> None:
    by_person = PauseReport(since=STARTED, by="person")
    assert of_destination(DestinationReport(paused=by_person, breaker="open")).level is HealthLevel.OK
    by_receiver = PauseReport(since=STARTED, by="receiver", why="HTTP 410")
    verdict = of_destination(DestinationReport(paused=by_receiver), "a b")
    assert verdict.line == "DEGRADED: a b has paused itself"
    assert verdict.advice == "Once it works again, run forwarder resume 'a b'."


def test_what_a_person_has_paused_is_in_the_line_of_a_daemon_that_is_well() -> None:
    paused = DestinationReport(paused=PauseReport(since=STARTED, by="person"))
    assert of_destination(paused).line == "OK (paused by hand: bot)"
    destinations = dict.fromkeys(("a", "b", "c", "d"), paused) | {"e": DestinationReport()}
    verdict = judge(StatusReport(streams={"main": OPEN}, destinations=destinations), now=NOW)
    assert (verdict.level, verdict.line) == (HealthLevel.OK, "OK (paused by hand: a, b, c and 1 more)")
    assert judge(StatusReport(streams={"main": away(90)}, destinations=destinations), now=NOW).line == (
        "DOWN: no stream has been open for 90 s"
    )


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("stopping", "DEGRADED: forwarder is stopping: nothing is read any more"),
        ("handing over", "DEGRADED: forwarder is handing over to another process: this one reads nothing any more"),
        ("running", "OK"),
    ],
)
@pytest.mark.parametrize("stream", [OPEN, away(90)])
def test_a_daemon_that_is_about_to_end_is_not_well(state: str, line: str, stream: StreamReport) -> None:
    verdict = judge(StatusReport(state=state, streams={"main": stream}), now=NOW)
    if state == "running" and stream is not OPEN:
        assert verdict.level is HealthLevel.DOWN
        return
    assert verdict.line == line
    assert bool(verdict.advice) is (state != "running")


def test_a_missing_canary() -> None:
    missed = CanaryReport(missed=True)
    assert of_destination(DestinationReport(canary=missed)).line == "DEGRADED: a canary of bot is missing"
    paused = DestinationReport(canary=missed, paused=PauseReport(by="person"))
    assert of_destination(paused).level is HealthLevel.OK


def test_the_rest_that_a_person_should_look_at() -> None:
    status = StatusReport(
        streams={"main": OPEN},
        config=ConfigReport(refused=RefusedConfigReport(), hangs=HangingReloadReport(file="/mnt/list.txt")),
        gap_repair_off={"main": "HTTP 403"},
        log=LogReport(trouble="no space left on device"),
    )
    verdict = judge(status, now=NOW, unrepaired_gaps=2)
    assert verdict.level is HealthLevel.DEGRADED
    assert [concern.what for concern in verdict.concerns] == [
        "the last edit of the config was refused",
        "a reload hangs at /mnt/list.txt",
        "gaps are not repaired (HTTP 403)",
        "the log cannot be written (no space left on device)",
        "2 gaps of the last 24 h not repaired",
    ]
    assert verdict.advice == "forwarder check shows what is wrong."


def test_a_moment_that_is_none_is_an_error() -> None:
    with pytest.raises(ValueError, match="yesterday"):
        of_streams(main=StreamReport(condition="waiting", away_since="yesterday"))


def test_the_verdict_on_what_events_go_through_leaves_out_edits_gaps_and_the_log() -> None:
    refused = RefusedConfigReport(at=STARTED, problems=["config.yaml:1: wrong"])
    beside = StatusReport(
        streams={"main": OPEN},
        config=ConfigReport(refused=refused),
        gap_repair_off={"main": "no permission"},
        log=LogReport(trouble="no space left"),
    )
    assert judge(beside, now=NOW).level is HealthLevel.DEGRADED
    assert judge_flow(beside, now=NOW).line == "OK"
    down = StatusReport(
        started_at=STARTED,
        streams={"main": away(60)},
        destinations={"bot": DestinationReport(breaker="open")},
        outbox=OutboxReport(stuck_s=60),
    )
    found = judge_flow(down, now=NOW)
    assert found.is_down
    assert len(found.concerns) == 3
