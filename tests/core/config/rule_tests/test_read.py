"""What a test of the rules may leave out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from forwarder.core.config.rule_tests.read import NOON
from tests.core.config.support import config_text, load


def at(written: str) -> datetime:
    (test,) = load(config_text(rest=f"tests: [{{event: {{}}, expect: bot, at: {written}}}]")).tests
    return test.at


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ('"2026-01-05T09:00:00+01:00"', datetime(2026, 1, 5, 9, tzinfo=timezone(timedelta(hours=1)))),
        ("2026-01-05", datetime(2026, 1, 5, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_utc(written: str, moment: datetime) -> None:
    assert at(written) == moment


def test_the_defaults_of_a_test() -> None:
    (test,) = load(config_text(rest="tests: [{event: {}, expect: {bot: ~}}]")).tests
    assert (test.name, test.at, test.expected, dict(test.bodies)) == ("test 1", NOON, {"bot": None}, {})
    assert (test.event.source, test.event.sid, test.event.mid, test.event.payload) == ("x", "1", "1", {})
    assert test.event.timestamp == NOON.timestamp() * 1000


def test_there_may_be_none() -> None:
    assert load(config_text(rest="tests: ~")).tests == ()
