"""How a destination is, in one word."""

from typing import Any

import pytest

from forwarder.core.monitoring.condition import DestinationCondition, condition_of
from forwarder.core.monitoring.status import CanaryReport, DestinationReport, PauseReport, RecentReport

IS_MISSED: dict[str, Any] = {"canary": CanaryReport(missed=True)}
REFUSES: dict[str, Any] = {"last_failure": "HTTP 400", "recent": RecentReport(failed_attempts=200)}
IS_DOWN: dict[str, Any] = {"breaker": "open", "failing_since": "2026-01-01T00:00:00+00:00"}
IS_SLOW: dict[str, Any] = {
    "under_way": 16,
    "may_be_under_way": 16,
    "recent": RecentReport(delivered=9, latency_p99_ms=81_000),
}

CASES: tuple[tuple[dict[str, Any], DestinationCondition], ...] = (
    ({}, DestinationCondition.OK),
    ({"last_failure": "HTTP 400"}, DestinationCondition.OK),
    ({"held_for_s": 5.0}, DestinationCondition.OK),
    ({"canary": CanaryReport()}, DestinationCondition.OK),
    ({"quiet_until": "2026-01-01T00:00:00+00:00"}, DestinationCondition.QUIET),
    (IS_MISSED | {"quiet_until": "2026-01-01T00:00:00+00:00"}, DestinationCondition.CANARY_MISSED),
    (IS_SLOW, DestinationCondition.BEHIND),
    (IS_SLOW | {"under_way": 15}, DestinationCondition.OK),
    (IS_SLOW | {"under_way": 15, "limited_for_s": 2.5}, DestinationCondition.BEHIND),
    (IS_SLOW | {"recent": RecentReport(delivered=9, latency_p99_ms=60_000)}, DestinationCondition.OK),
    (IS_SLOW | {"recent": RecentReport()}, DestinationCondition.OK),
    (IS_SLOW | {"under_way": 0, "may_be_under_way": 0}, DestinationCondition.OK),
    (IS_SLOW | IS_MISSED, DestinationCondition.CANARY_MISSED),
    (REFUSES | IS_MISSED, DestinationCondition.REFUSING),
    (REFUSES | {"failing_since": "2026-01-01T00:00:00+00:00"}, DestinationCondition.FAILING),
    (IS_DOWN | IS_MISSED, DestinationCondition.DOWN),
    (IS_DOWN | {"breaker": "half_open"}, DestinationCondition.DOWN),
    (IS_DOWN | {"ours": "no network"}, DestinationCondition.UNREACHABLE),
    (IS_DOWN | {"paused": PauseReport(by="person")}, DestinationCondition.PAUSED),
    ({"paused": PauseReport(by="receiver")}, DestinationCondition.PAUSED_ITSELF),
    ({"paused": PauseReport(by="failures")}, DestinationCondition.PAUSED_ITSELF),
)


@pytest.mark.parametrize(("fields", "condition"), CASES)
def test_of_several_things_the_one_that_stops_the_most_is_said(
    fields: dict[str, Any], condition: DestinationCondition
) -> None:
    assert condition_of(DestinationReport(**fields)) is condition


def test_what_a_person_wants_is_no_trouble() -> None:
    well = {condition for condition in DestinationCondition if not condition.is_trouble}
    assert well == {DestinationCondition.OK, DestinationCondition.QUIET, DestinationCondition.PAUSED}


def test_one_that_refuses_everything_or_fails_is_not_down() -> None:
    down = {condition for condition in DestinationCondition if condition.is_down}
    assert down == {DestinationCondition.DOWN, DestinationCondition.UNREACHABLE}
