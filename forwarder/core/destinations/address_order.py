"""In which order the addresses of a receiver are tried. Pure; times are monotonic seconds.

An address that failed comes after the others for a while (RFC 1123, 2.3): one that does not connect, and one that connects and then
carries nothing, as a broken IPv6 route does. RFC 8305 tries addresses at the same time only until one of them connects.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

FIRST_WAIT_S = 60.0
LONGEST_WAIT_S = 600.0
"""An address that failed comes last for 1, 2, 4, 8, 10 minutes. A response from it ends that."""
_MOST_MARKS = 64
"""How many failed addresses are remembered; a host may get new addresses all the time."""


@dataclass(slots=True)
class _Mark:
    failed_at: float
    wait_s: float
    until: float


class AddressOrder:
    """Remembers which addresses of a receiver failed lately."""

    def __init__(self) -> None:
        self._marks: dict[str, _Mark] = {}
        self.failed: Collection[str] = self._marks.keys()
        """The addresses that failed, and have not responded since."""

    def ordered(self, addresses: Sequence[str], now: float) -> list[str]:
        """Return the addresses in the order to try them in.

        Those that failed lately come last, and of these the one that failed first comes first. When the time of one is over, it gets its
        place back for one connection; the result of that decides for how long.
        """
        if not self._marks:
            return list(addresses)
        usual: list[str] = []
        last: list[tuple[float, str]] = []
        for address in addresses:
            mark = self._marks.get(address)
            if mark is not None and mark.until > now:
                last.append((mark.failed_at, address))
                continue
            if mark is not None and not usual:
                mark.until = now + mark.wait_s
            usual.append(address)
        return usual + [address for _, address in sorted(last, key=lambda pair: pair[0])]

    def note_failure(self, address: str, *, began_at: float, now: float) -> None:
        """Note that a connection to the address, made at `began_at`, carried no response. Those made before a known failure do not count."""
        mark = self._marks.pop(address, None)
        if mark is None or began_at > mark.failed_at:
            wait_s = FIRST_WAIT_S if mark is None else min(2 * mark.wait_s, LONGEST_WAIT_S)
            mark = _Mark(failed_at=now, wait_s=wait_s, until=now + wait_s)
        self._marks[address] = mark
        if len(self._marks) > _MOST_MARKS:
            del self._marks[next(iter(self._marks))]

    def note_response(self, address: str) -> None:
        """Note that a response came from the address."""
        if self._marks:
            self._marks.pop(address, None)
