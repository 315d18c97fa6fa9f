"""Limits how many tokens are tried from one address, and says in the log when many are wrong."""

import asyncio
from collections import Counter
from ipaddress import IPv6Address, ip_address

import structlog

_DELAY_S = 1.0
"""How long the answer to a wrong token takes."""
_MOST_WRONG = 8
"""How many wrong tokens of one address are answered at the same time: so many can be tried in a second."""
_SAID_FROM = 10
"""So many wrong tokens are worth a warning."""
_SAID_EVERY_S = 600.0

log = structlog.get_logger(__name__)


class WrongTokens:
    """Counts wrong tokens by the address that they come from."""

    def __init__(self) -> None:
        self._waiting: Counter[str] = Counter()
        self._since_said = 0
        self._say_from_s = 0.0

    def are_too_many(self, address: str | None) -> bool:
        """Return whether no further token of this address may be looked at now, be it right or wrong."""
        return self._waiting[_network_of(address)] >= _MOST_WRONG

    async def note(self, address: str | None) -> None:
        """Count a wrong token, and return some time later."""
        self._say(address)
        network = _network_of(address)
        self._waiting[network] += 1
        try:
            await asyncio.sleep(_DELAY_S)
        finally:
            self._waiting[network] -= 1
            if not self._waiting[network]:
                del self._waiting[network]

    def _say(self, address: str | None) -> None:
        now_s = asyncio.get_running_loop().time()
        self._since_said += 1
        if self._since_said >= _SAID_FROM and now_s >= self._say_from_s:
            log.warning("admin.wrong_tokens", tokens=self._since_said, last_from=address or "unknown")
            self._since_said, self._say_from_s = 0, now_s + _SAID_EVERY_S


def _network_of(address: str | None) -> str:
    """Return what one client has: an IPv4 address, or 64 bits of an IPv6 address."""
    try:
        found = ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    return found.exploded[:19] if isinstance(found, IPv6Address) and found.ipv4_mapped is None else str(found)
