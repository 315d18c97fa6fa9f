"""Looks up the addresses of one host in a thread of its own, and caches them for a short time."""

import asyncio
import errno
import socket
import threading
from contextlib import suppress

from aiohappyeyeballs import AddrInfoType

from forwarder.destinations.failures import LOCAL_LOOKUP_FAULTS

DNS_CACHE_S = 30.0
"""How long the addresses are used before they are looked up again."""
_PATIENCE_S = 0.5
"""How long to wait for a name server before the addresses that it returned the last time are used (RFC 8767, 5: 1.8 s)."""
_LONGEST_STALE_S = 86_400.0
"""How old these may be (RFC 8767, 5: one to three days)."""


class Resolver:
    """Looks a name up once for all callers that wait for it.

    The loop's own lookups share a few threads and continue when the caller has given up. One silent name server would then block
    every other destination. The thread here is a daemon thread, so it does not delay the end of the process either.
    """

    def __init__(self, host: str, port: int, *, cache_s: float = DNS_CACHE_S) -> None:
        self._host = host
        self._port = port
        self._cache_s = cache_s
        self._loop = asyncio.get_running_loop()
        self._addresses: list[AddrInfoType] = []
        self._found_at = 0.0
        self._looking: asyncio.Future[list[AddrInfoType]] | None = None

    async def addresses(self) -> list[AddrInfoType]:
        """Return the addresses. Raises `OSError` (also `socket.gaierror`) or `UnicodeError`. Cancelling affects no other caller.

        If the name server does not answer, these are the addresses that it returned the last time.
        """
        age_s = self._loop.time() - self._found_at
        if self._addresses and age_s <= self._cache_s:
            return list(self._addresses)
        with suppress(socket.gaierror):  # a numeric address needs no name server
            return self._ask(socket.AI_NUMERICHOST)
        if self._looking is None:
            thread = threading.Thread(target=self._look_up, name=f"resolver {self._host}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise OSError(errno.EAGAIN, "no thread can be started") from error
            self._looking = self._loop.create_future()
        if not self._addresses or age_s > _LONGEST_STALE_S:
            return list(await asyncio.shield(self._looking))
        known = list(self._addresses)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                return list(await asyncio.shield(self._looking))
        except TimeoutError:
            return known
        except socket.gaierror as error:
            if error.errno not in LOCAL_LOOKUP_FAULTS:
                raise
            return known

    def forget(self) -> None:
        """Look the name up again next time, because its address may have changed."""
        self._addresses = []

    def _ask(self, flags: int) -> list[AddrInfoType]:
        return list(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=flags))

    def _look_up(self) -> None:
        try:
            found: list[AddrInfoType] | Exception = self._ask(socket.AI_ADDRCONFIG)
        except (OSError, UnicodeError) as error:
            found = error
        with suppress(RuntimeError):  # the loop is closed, so nobody waits
            self._loop.call_soon_threadsafe(self._finish, found)

    def _finish(self, found: list[AddrInfoType] | Exception) -> None:
        looking, self._looking = self._looking, None
        if looking is None or looking.done():
            return
        if isinstance(found, Exception):
            looking.set_exception(found)
            looking.exception()  # marks it as retrieved, since all callers may have given up
        else:
            self._addresses, self._found_at = found, self._loop.time()
            looking.set_result(found)
