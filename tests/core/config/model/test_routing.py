"""The routing part of a config: what routing needs, and its revision."""

import pytest
from pydantic import ValidationError

from forwarder.core.config import Config
from forwarder.core.config.model.routing import DROP, RoutedDestination, RoutingConfig
from forwarder.core.routing.first_word import OnFull
from tests.core.config.support import config_text, load

PART = {"destinations": {"bot": {}}, "routes": [{"name": "r", "to": ["bot"]}]}


def test_what_is_left_out_has_the_default_of_the_whole_config() -> None:
    part, whole = RoutingConfig.model_validate(PART), load(config_text())
    assert (part.unmatched, part.groups, part.lists, part.matchers) == (DROP, {}, {}, {})
    assert part.destinations["bot"] == RoutedDestination(enabled=True, on_full=OnFull.IGNORE)
    for name in ("unmatched", "groups", "lists", "matchers"):
        assert getattr(part, name) == getattr(whole, name)


@pytest.mark.parametrize("missing", ["destinations", "routes"])
def test_there_is_at_least_one_destination_and_one_route(missing: str) -> None:
    empty: list[object] = [{}, []]
    for value in empty:
        with pytest.raises(ValidationError):
            RoutingConfig.model_validate({**PART, missing: value})
    with pytest.raises(ValidationError):
        RoutingConfig.model_validate({key: value for key, value in PART.items() if key != missing})


def test_nothing_of_a_destination_but_what_routing_depends_on_is_accepted() -> None:
    with pytest.raises(ValidationError):
        RoutingConfig.model_validate({**PART, "destinations": {"bot": {"url": "http://a/"}}})


def test_a_config_has_a_revision_if_it_comes_from_a_file() -> None:
    assert RoutingConfig.model_validate(PART).revision is None
    config = load(config_text())
    assert config.revision is not None
    other = Config.model_validate(
        {"streams": config.streams, "destinations": config.destinations, "routes": config.routes}
    )
    assert other.revision is None
    other.note_revision(config.revision)
    assert other.revision is config.revision
