"""Deliveries of any body, and the example events."""

import json
from datetime import UTC, datetime

from forwarder.core.delivery import Delivery, DestinationName
from forwarder.core.destinations.content import Format
from forwarder.core.event import EventId
from forwarder.destinations.formats.discord import DiscordFormat
from forwarder.destinations.formats.slack import SlackFormat
from forwarder.destinations.formats.telegram import TelegramFormat
from tests.support.paths import EVENTS

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


def x_event(**payload: object) -> bytes:
    return json.dumps({"source": "x", "mid": "1", "sid": "2", "timestamp": 1767225600000, "payload": payload}).encode()


NOT_A_MESSAGE = [
    b"",
    b"ok",
    b"[]",
    b'{"id":5}',
    b'{"id":"../x"}',
    b'{"result":[]}',
    b'{"result":{"message_id":true}}',
    b"\xff",
]
"""Answers that hold no id of a message of Discord or Telegram."""
