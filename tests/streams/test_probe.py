"""A stream is opened once, to see whether it can be opened."""

from forwarder.emulator.server import Emulator
from forwarder.streams.faults import FaultKind
from forwarder.streams.probe import try_once
from tests.support.event_streams import stream_to


async def test_a_check_opens_it_once_and_says_what_is_wrong() -> None:
    async with Emulator() as emulator:
        assert await try_once(stream_to(emulator)) is None
        fault = await try_once(stream_to(emulator, api_key="another"))
    assert fault is not None
    assert fault.kind is FaultKind.KEY_REFUSED
