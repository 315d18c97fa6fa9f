"""The events that come with forwarder, by their source."""

from forwarder.core.event import decode_event
from forwarder.emulator.script import packaged_events


def first_of(source: str) -> bytes:
    """Return the first packaged event of a source."""
    return next(frame for frame in packaged_events() if decode_event(frame).source == source)
