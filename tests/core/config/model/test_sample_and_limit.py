"""How many of the matching posts a route sends."""

from datetime import timedelta

import pytest

from forwarder.core.config import RouteConfig
from forwarder.core.config.model.sample_and_limit import LimitConfig
from forwarder.core.matching.fields import field_of
from tests.core.config.support import config_text, load


def limit(written: str) -> LimitConfig:
    found = load(config_text(route=f"limit: {written}")).routes[0].limit
    assert found is not None
    return found


@pytest.mark.parametrize(("summary", "recipients"), [("true", ["bot", "ops"]), ("false", []), ("bot", ["bot"])])
def test_a_summary_goes_to_the_destinations_of_the_route_or_to_the_one_that_is_named(
    summary: str, recipients: list[str]
) -> None:
    value = limit(f"{{count: 5, per: 10m, by: [source, channel], summary: {summary}}}").value(["bot", "ops"])
    assert (value.count, value.per, list(value.summary_to)) == (5, timedelta(minutes=10), recipients)
    assert [field.name for field in value.by] == ["source", "channel"]


@pytest.mark.parametrize(("written", "per"), [("5/10m", 600), ("5/h", 3600), ("5/1m30s", 90)])
def test_the_short_form(written: str, per: int) -> None:
    assert (limit(written).count, limit(written).per) == (5, timedelta(seconds=per))


def test_a_program_can_build_one_without_a_file() -> None:
    author = field_of("author")
    assert author is not None
    built = LimitConfig(count=5, per=timedelta(minutes=10), by=[author], summary=False)
    assert built == limit("{count: 5, per: 10m, by: author, summary: false}")
    assert RouteConfig(name="a", to=["bot"], sample=1_000, limit=built).sample == 1_000
    assert load(config_text(route="sample: 10%")).routes[0].sample == 1_000
