"""The addresses of one host, looked up in a thread of its own and kept for a while."""

import asyncio
import errno
import socket
import threading
from contextlib import suppress

from aiohappyeyeballs import AddrInfoType

DNS_CACHE_S = 30.0


class Resolver:
    """Looks a name up once for all who wait for it.

    The loop's own lookups share a few threads, and go on when whoever asked has given up: one name server that says nothing
    would hold up every other destination. The thread here is a daemon, so that it does not hold up the end either.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._addresses: list[AddrInfoType] = []
        self._found_at = 0.0
        self._looking: asyncio.Future[list[AddrInfoType]] | None = None

    async def addresses(self) -> list[AddrInfoType]:
        """Return them. Raises `OSError` (`socket.gaierror` among them) or `UnicodeError`; cancelling this costs nobody else."""
        if self._addresses and self._loop.time() - self._found_at <= DNS_CACHE_S:
            return list(self._addresses)
        with suppress(socket.gaierror):  # an address that is written as such needs no name server
            return self._ask(socket.AI_NUMERICHOST)
        if self._looking is None:
            thread = threading.Thread(target=self._look_up, name=f"resolver {self._host}", daemon=True)
            try:
                thread.start()
            except RuntimeError as error:
                raise OSError(errno.EAGAIN, "no thread can be started") from error
            self._looking = self._loop.create_future()
        return list(await asyncio.shield(self._looking))

    def forget(self) -> None:
        """Look the name up again next time: it may have moved."""
        self._addresses = []

    def _ask(self, flags: int) -> list[AddrInfoType]:
        return list(socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM, flags=flags))

    def _look_up(self) -> None:
        try:
            found: list[AddrInfoType] | Exception = self._ask(socket.AI_ADDRCONFIG)
        except (OSError, UnicodeError) as error:
            found = error
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            self._loop.call_soon_threadsafe(self._tell, found)

    def _tell(self, found: list[AddrInfoType] | Exception) -> None:
        looking, self._looking = self._looking, None
        if looking is None or looking.done():
            return
        if isinstance(found, Exception):
            looking.set_exception(found)
            looking.exception()  # all who waited may have given up
        else:
            self._addresses, self._found_at = found, self._loop.time()
            looking.set_result(found)
