"""`quiet` of a destination or a route, as it is written."""

from datetime import time
from zoneinfo import ZoneInfo

import pytest

from forwarder.core.config.model.quiet import QuietConfig
from forwarder.core.matching.values import Hours
from forwarder.core.routing.quiet import Then
from forwarder.core.yaml.tree import Scalar


def test_the_short_form_is_one_span_in_utc() -> None:
    quiet = QuietConfig.model_validate(Scalar("23:00-07:00"))
    assert quiet == QuietConfig.model_validate({"hours": Scalar("23:00 - 07:00")})
    value = quiet.value()
    assert (value.clock.hours, value.clock.days, value.then) == (
        (Hours(time(23), time(7)),),
        frozenset(range(7)),
        Then.SEND,
    )
    assert value.clock.zone_name == "UTC"


@pytest.mark.parametrize("days", [[Scalar("mon"), Scalar("sat-sun")], [Scalar("Monday"), Scalar("sat"), Scalar("sun")]])
def test_spans_days_and_zone_are_read(days: list[Scalar]) -> None:
    quiet = QuietConfig.model_validate(
        {
            "hours": [Scalar("12:00-13:30"), Scalar("22:00-24:00")],
            "days": days,
            "timezone": Scalar("Europe/Berlin"),
            "then": Scalar("digest"),
        }
    )
    value = quiet.value()
    assert value.clock.hours == (Hours(time(12), time(13, 30)), Hours(time(22), time(0)))
    assert value.clock.days == {0, 5, 6}
    assert value.clock.zone == ZoneInfo("Europe/Berlin")
    assert value.then is Then.DIGEST
    assert QuietConfig.model_validate(dict(quiet)).value() == value
