"""What the process is asked for from outside: by signals, by the service manager, by a test."""

import asyncio

import msgspec


class DaemonSignals(msgspec.Struct, frozen=True):
    """Requests that may come at any time, before everything is built too. They are kept until they are carried out."""

    stopped: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Stop: finish the attempts under way."""
    hurry: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Asked to stop twice: do not wait for the attempts under way."""
    reload_wanted: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Read the config again."""
    upgrade_wanted: asyncio.Event = msgspec.field(default_factory=asyncio.Event)
    """Start a successor and hand over to it."""
