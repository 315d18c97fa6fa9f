"""What a resend would send, and why it leaves the rest alone. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from forwarder.cli.history import end_of
from forwarder.cli.listing import shown
from forwarder.core.delivery import DestinationName, delivery_id, event_of
from forwarder.core.event import OWN_SOURCE, EventId
from forwarder.core.history import AWAITS_FULL, KEPT_BY_QUIET, KEPT_FOR_DIGEST, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """One event for one destination: sent, or left alone."""

    event: Record
    destination: str
    delivery: Record | None
    """As it is in the outbox; `None` if the event never went there."""
    why_not: str = ""
    """Why it is not sent; empty if it is."""

    @property
    def key(self) -> tuple[int, str]:
        """What names it in the outbox."""
        return self.event["event_seq"], self.destination

    @property
    def delivery_id(self) -> str:
        """The `webhook-id`."""
        return delivery_id(EventId(self.event["event_id"]), DestinationName(self.destination))

    @property
    def before(self) -> str:
        """What became of it so far, in words."""
        return "never sent there" if self.delivery is None else end_of(self.delivery)


def plan(
    events: Sequence[Record], text: str, *, to: str | None, obstacles: Mapping[str, str]
) -> dict[int, list[Planned]]:
    """Return what is sent of each event, and what is not, by the event's number.

    `obstacles` says why nothing can be sent to a destination, by its name. A `webhook-id` as text means its own delivery alone.
    """
    return {event["event_seq"]: list(_plan_of(event, text, to=to, obstacles=obstacles)) for event in events}


def _plan_of(event: Record, text: str, *, to: str | None, obstacles: Mapping[str, str]) -> Iterator[Planned]:
    known = {delivery["destination"]: delivery for delivery in event["deliveries"]}
    if to is None:
        _, mark = event_of(text) or ("", "")
        names = [name for name, delivery in known.items() if delivery["delivery_id"].endswith(mark)]
    else:
        names = [to]
    for name in names:
        delivery = known.get(name)
        yield Planned(
            event=event,
            destination=name,
            delivery=delivery,
            why_not=obstacles.get(name, "") or _why_not(event, delivery, is_named=to is not None),
        )


def _why_not(event: Record, delivery: Record | None, *, is_named: bool) -> str:
    """Return why the outbox leaves a delivery alone; empty if it does not."""
    if event["source"] == OWN_SOURCE and (delivery is None or delivery["trigger"] == "canary"):
        return "an event of forwarder itself is sent again only to its own destination, and a canary is not sent again"
    if delivery is None:
        return ""
    match delivery["status"]:
        case "in_flight":
            return "it is in flight: being sent, or next in line"
        case "pending" if delivery["reason"] in {KEPT_BY_QUIET, KEPT_FOR_DIGEST}:
            return ""
        case "pending" if delivery["order_key"] is not None:
            return "it waits for its turn in the order of this destination"
        case "pending" if delivery["reason"] == AWAITS_FULL:
            return "it waits for the full text of the post"
        case "skipped" if not is_named:
            return f"it was skipped ({shown(delivery['reason'])}); --to {shown(delivery['destination'])} sends it"
    return ""
