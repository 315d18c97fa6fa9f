"""What a resend sends of an event, and why it leaves the rest alone."""

from typing import Any

import pytest

from forwarder.cli.resend_plan import Planned, plan
from forwarder.core.delivery import DestinationName, delivery_id
from forwarder.core.event import EventId
from forwarder.core.history import AWAITS_FULL, KEPT_BY_QUIET, KEPT_FOR_DIGEST

ID = "a" * 32


def delivery(name: str, status: str, **more: object) -> dict[str, Any]:
    return {
        "destination": name,
        "delivery_id": delivery_id(EventId(ID), DestinationName(name)),
        "status": status,
        "order_key": None,
        "reason": None,
        "trigger": "first",
        "closed_at": None,
        "due_at": None,
        "attempts_made": 0,
        "http_status": None,
        **more,
    }


def planned(
    *deliveries: dict[str, Any], to: str | None = None, text: str = ID, source: str = "x", **obstacles: str
) -> list[Planned]:
    event = {"event_id": ID, "event_seq": 4, "source": source, "deliveries": list(deliveries)}
    return plan([event], text, to=to, obstacles=obstacles)[4]


@pytest.mark.parametrize(
    ("before", "why_not"),
    [
        (delivery("bot", "delivered"), ""),
        (delivery("bot", "dead"), ""),
        (delivery("bot", "expired"), ""),
        (delivery("bot", "pending"), ""),
        (delivery("bot", "pending", order_key="7"), "it waits for its turn in the order of this destination"),
        (delivery("bot", "pending", reason=AWAITS_FULL), "it waits for the full text of the post"),
        (delivery("bot", "pending", reason=KEPT_BY_QUIET), ""),
        (delivery("bot", "pending", reason=KEPT_FOR_DIGEST, order_key="*digest"), ""),
        (delivery("bot", "in_flight"), "it is in flight: being sent, or next in line"),
        (delivery("bot", "skipped", reason="limited"), "it was skipped (limited); --to bot sends it"),
    ],
)
def test_each_state_of_a_delivery_is_sent_or_left_alone(before: dict[str, Any], why_not: str) -> None:
    (one,) = planned(before)
    assert (one.why_not, one.key, one.delivery_id) == (why_not, (4, "bot"), before["delivery_id"])


def test_a_named_destination_gets_it_also_if_it_never_did_or_was_skipped() -> None:
    (one,) = planned(delivery("bot", "delivered"), to="other")
    assert (one.destination, one.delivery, one.before, one.why_not) == ("other", None, "never sent there", "")
    (one,) = planned(delivery("bot", "skipped", reason="limited"), to="bot")
    assert one.why_not == ""


def test_a_webhook_id_means_its_own_delivery_alone() -> None:
    both = delivery("bot", "delivered"), delivery("other", "delivered")
    assert [one.destination for one in planned(*both)] == ["bot", "other"]
    assert [one.destination for one in planned(*both, text=both[1]["delivery_id"])] == ["other"]


def test_an_obstacle_goes_first() -> None:
    (one,) = planned(delivery("bot", "delivered"), bot="disabled")
    assert one.why_not == "disabled"


def test_an_event_of_forwarder_goes_only_to_its_own_destination_and_a_canary_nowhere() -> None:
    assert planned(delivery("bot", "delivered"), source="forwarder")[0].why_not == ""
    assert "forwarder itself" in planned(delivery("bot", "delivered"), source="forwarder", to="other")[0].why_not
    assert "a canary" in planned(delivery("bot", "delivered", trigger="canary"), source="forwarder")[0].why_not
