"""Deliveries of any body, and the example events."""

from datetime import UTC, datetime
from pathlib import Path

from forwarder.core.content import Format
from forwarder.core.delivery import Delivery, DestinationName
from forwarder.core.event import EventId
from forwarder.destinations.formats.discord import DiscordFormat
from forwarder.destinations.formats.slack import SlackFormat
from forwarder.destinations.formats.telegram import TelegramFormat

EVENTS = Path(__file__).parents[2] / "data" / "events"
NAMES = sorted(path.stem for path in EVENTS.glob("*.json"))
FORMATS: dict[str, Format] = {
    "discord": DiscordFormat(),
    "slack": SlackFormat(),
    "telegram": TelegramFormat(chat_id="-1001234567890"),
}


def delivery(body: bytes) -> Delivery:
    return Delivery(
        event_id=EventId("0" * 32),
        event_seq=1,
        destination=DestinationName("bot"),
        routes=(),
        accepted_at=datetime(2026, 1, 1, tzinfo=UTC),
        body=body,
    )


def example(name: str) -> bytes:
    return (EVENTS / f"{name}.json").read_bytes()
