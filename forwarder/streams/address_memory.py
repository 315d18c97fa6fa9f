"""Remembers which addresses of a stream's server failed lately, and has the next connection try the others first."""

import socket
from time import monotonic

from aiohttp import ThreadedResolver
from aiohttp.abc import AbstractResolver, ResolveResult

from forwarder.core.destinations.address_order import AddressOrder
from forwarder.streams.faults import FaultKind, StreamFaultError

_CARRIES_NOTHING = frozenset({FaultKind.TIMEOUT, FaultKind.SILENT, FaultKind.NETWORK, FaultKind.TLS})


class AddressMemory:
    """The memory of one stream, for all its connections."""

    def __init__(self) -> None:
        self._order = AddressOrder()
        self._address = ""
        """The address of the open connection, or the one that was tried first."""
        self._began_at = 0.0

    def ordered(self, found: list[ResolveResult]) -> list[ResolveResult]:
        """Return the addresses in the order to try them in."""
        self._began_at = monotonic()
        by_address = {result["host"]: result for result in found}
        names = self._order.ordered(list(by_address), self._began_at)
        self._address = names[0] if names else ""
        return [by_address[name] for name in names]

    def note_open(self, peer: object) -> None:
        """Note that a connection is open; `peer` is the name of its socket, as asyncio has it."""
        if isinstance(peer, tuple):
            self._address = str(peer[0])
            self._order.note_response(self._address)

    def note_fault(self, fault: StreamFaultError) -> None:
        """Note why the connection could not be opened, or has ended."""
        if fault.kind in _CARRIES_NOTHING and self._address:
            self._order.note_failure(self._address, began_at=self._began_at, now=monotonic())


class OrderedResolver(AbstractResolver):
    """Looks a host up as aiohttp does by default, and orders its addresses by a memory."""

    def __init__(self, memory: AddressMemory) -> None:
        self._memory = memory
        self._resolver = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host. Raises `OSError`."""
        return self._memory.ordered(await self._resolver.resolve(host, port, family))

    async def close(self) -> None:
        """Do nothing: there is nothing to release."""
