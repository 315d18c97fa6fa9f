"""How an event of the history was routed by the config of its time, and how today's config would route it."""

from datetime import UTC, datetime
from typing import Any

import pytest

from forwarder.core.config.model.routing import RoutingConfig
from forwarder.core.config.revision import packed, unpacked
from forwarder.core.config.routing_only import load_routing
from forwarder.core.config.runtime import router_of
from forwarder.core.history import StoredRevision
from forwarder.core.past_routing import config_then, disabled_of, explain_past, walk
from forwarder.core.yaml.tree import Scalar
from tests.support.conditions import NOW, event

LOADED = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = event(payload={"text": "buy BTC"})


def config(text: str) -> RoutingConfig:
    def read_list(name: str) -> str:
        raise FileNotFoundError(name)

    return load_routing(text.encode(), name="config.yaml", env={}, read_list=read_list)


THEN = config("""
destinations: {bot: {}, off: {enabled: false}}
routes: [{name: coins, match: {text: {contains: btc}}, to: [bot, off]}]
""")
TODAY = config("""
destinations: {bot: {}, off: {enabled: false}}
routes: [{name: coins, match: {text: {contains: eth}}, to: [bot, off]}]
""")


def record(**changes: str) -> dict[str, Any]:
    return {"source": EVENT.source, "body": EVENT.body.decode(), "accepted_at": NOW.isoformat(), **changes}


def kept(of: RoutingConfig) -> StoredRevision:
    assert of.revision is not None
    return StoredRevision(digest=of.revision.digest, data=of.revision.data, loaded_at=LOADED)


def test_a_past_event_is_explained_by_the_config_of_its_time_and_by_that_of_today() -> None:
    found = explain_past(record(), config_then(kept(THEN), TODAY), TODAY)
    assert found.then is not None
    assert found.today is not None
    assert found.then.chosen == {"bot": ("coins",), "off": ("coins",)}
    assert (found.disabled_then, found.disabled_today) == (("off",), ())
    assert found.today.chosen == {}
    assert not found.is_same_config
    assert found.differences is not None
    assert "bot got it then, by coins, and does not now" in found.differences
    assert (found.digest_then, found.loaded_at) == (kept(THEN).digest, LOADED)
    assert (found.why_not, found.why_not_then) == ("", "")


def test_the_config_of_today_is_not_read_again() -> None:
    then = config_then(kept(TODAY), TODAY)
    assert then.config is TODAY
    found = explain_past(record(), then, TODAY, router=router_of(TODAY))
    assert found.is_same_config
    assert found.then == found.today
    assert found.differences == ()


ONLY_A_DESTINATION = config("""
destinations: {bot: {limit: 5/1m}, off: {enabled: false}, more: {}}
routes: [{name: coins, match: {text: {contains: eth}}, to: [bot, off]}]
""")


def test_a_change_of_a_destination_alone_is_not_a_change_of_the_routes() -> None:
    found = explain_past(record(), config_then(kept(TODAY), ONLY_A_DESTINATION), ONLY_A_DESTINATION)
    assert (found.is_same_config, found.is_same_routes, found.changed_destinations) == (False, True, ("bot", "more"))
    found = explain_past(record(), config_then(kept(THEN), TODAY), TODAY)
    assert (found.is_same_routes, found.changed_destinations) == (False, ())


def test_a_revision_of_an_older_version_does_not_know_what_of_it_is_of_the_routes() -> None:
    assert TODAY.revision is not None
    whole = unpacked(TODAY.revision.data)
    older = packed(whole.tree, whole.files, salt=whole.salt)
    stored = StoredRevision(digest=older.digest, data=older.data, loaded_at=LOADED)
    found = explain_past(record(), config_then(stored, TODAY), TODAY)
    assert (found.is_same_config, found.is_same_routes) == (True, True)
    found = explain_past(record(), config_then(stored, ONLY_A_DESTINATION), ONLY_A_DESTINATION)
    assert (found.is_same_config, found.is_same_routes, found.changed_destinations) == (False, None, ("bot", "more"))


def test_without_the_config_of_its_time_only_today_is_explained() -> None:
    found = explain_past(record(), config_then(None, TODAY), TODAY)
    assert (found.then, found.differences, found.digest_then) == (None, None, None)
    assert found.today is not None
    assert found.why_not_then == "the config of that time was not kept"


def test_a_config_of_its_time_that_cannot_be_read_is_reported() -> None:
    broken = packed({"routes": Scalar("none")}, {})
    stored = StoredRevision(digest=broken.digest, data=broken.data, loaded_at=LOADED)
    found = explain_past(record(), config_then(stored, TODAY), TODAY)
    assert found.then is None
    assert found.why_not_then.startswith("this version cannot read the config of that time: ")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"source": "forwarder"}, "This is an event of forwarder itself; routes do not apply to it."),
        ({"body": "no event"}, "This version cannot read it as an event: "),
    ],
)
def test_what_routes_do_not_apply_to_is_said(changes: dict[str, str], why: str) -> None:
    found = explain_past(record(**changes), config_then(kept(THEN), TODAY), TODAY)
    assert (found.then, found.today) == (None, None)
    assert found.why_not.startswith(why)
    assert found.digest_then == kept(THEN).digest


def test_a_walk_lists_every_route() -> None:
    found = walk(THEN, EVENT, NOW)
    assert [route.name for route in found.routes] == ["coins"]
    assert disabled_of(found, THEN) == ("off",)
