"""A network namespace for the daemon, at the end of a wire that can be made bad. Needs root, `ip`, `nft` and `tc`.

The servers of a test stay where they are and listen on `Wire.host`; nothing of it leaves the machine. Every rule is in the namespace, but the
rate towards it, which is on the other end of its own wire.
"""

import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

REQUIRED = "FORWARDER_TEST_NETNS"
"""Where this variable is `required`, as in CI, whatever is missing fails the tests instead of skipping them."""
_TABLE = """
table inet faults {
  chain inward { type filter hook input priority 0; }
  chain outward { type filter hook output priority 0; }
}
"""


class Wire:
    """What is between the servers and the daemon's namespace. `lift` takes every rule away; `limit` is apart from that."""

    def __init__(self, name: str, block: int) -> None:
        """`block`: which four addresses of 198.18.0.0/15, which is for tests of networks, are its own."""
        self.name = name
        self._near, self._far = f"{name}n", f"{name}f"
        self.host = _address(block * 4 + 1)
        """Where servers listen."""
        self._client = _address(block * 4 + 2)

    @property
    def before(self) -> tuple[str, ...]:
        """What makes a command run at the far end, when put before it."""
        return ("ip", "netns", "exec", self.name)

    def make(self) -> None:
        """Make the namespace and the wire."""
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self._near, "type", "veth", "peer", "name", self._far, "netns", self.name)
        _run("ip", "addr", "add", f"{self.host}/30", "dev", self._near)
        _run("ip", "link", "set", self._near, "up")
        _run("ip", "-n", self.name, "addr", "add", f"{self._client}/30", "dev", self._far)
        _run("ip", "-n", self.name, "link", "set", "lo", "up")
        _run("ip", "-n", self.name, "link", "set", self._far, "up")
        self._nft(_TABLE)

    def unmake(self) -> None:
        """Take both away."""
        subprocess.run(["ip", "netns", "del", self.name], check=False, capture_output=True)  # noqa: S607 - whichever there is
        subprocess.run(["ip", "link", "del", self._near], check=False, capture_output=True)  # noqa: S607 - gone with it, mostly

    def lose(self, percent: int) -> None:
        """Lose so many of a hundred packets, each way."""
        for chain in ("inward", "outward"):
            self._rule(chain, f"numgen random mod 100 < {percent} drop")

    def swallow(self) -> None:
        """Let nothing through, and say nothing: a black hole."""
        for chain in ("inward", "outward"):
            self._rule(chain, "drop")

    def reset(self, *, refuse: bool) -> None:
        """End each connection by RST, as soon as something comes over it, and refuse new ones, or leave them without an answer."""
        self._rule("outward", "tcp flags & rst == rst accept")
        if not refuse:
            self._rule("outward", "tcp flags & (syn | ack) == syn drop")
        self._rule("outward", "meta l4proto tcp reject with tcp reset")

    def lift(self) -> None:
        """Let everything through again."""
        self._nft("flush chain inet faults inward; flush chain inet faults outward")

    def limit(self, rate: str) -> None:
        """Let no more through than that, each way: `256kbit`."""
        shape = ("root", "tbf", "rate", rate, "burst", "4kb", "latency", "400ms")
        _run("tc", "qdisc", "replace", "dev", self._near, *shape)
        _run("tc", "-n", self.name, "qdisc", "replace", "dev", self._far, *shape)

    def _rule(self, chain: str, rule: str) -> None:
        self._nft(f"add rule inet faults {chain} {rule}")

    def _nft(self, script: str) -> None:
        _run(*self.before, "nft", "-f", "-", given=script)


@contextmanager
def wire() -> Iterator[Wire]:
    """Make a namespace with its wire, for the length of the block."""
    number = random.SystemRandom().randrange(1 << 15)
    made = Wire(f"fwd{number}", number)
    try:
        made.make()
        yield made
    finally:
        made.unmake()


@cache
def why_no_wire() -> str | None:
    """Return why no namespace can be made here, or `None`."""
    why = _why_not()
    if why is not None and os.environ.get(REQUIRED) == "required":
        raise RuntimeError(why)
    return why


def _why_not() -> str | None:
    if os.geteuid() != 0:
        return "needs root, to make a network namespace"
    missing = [tool for tool in ("ip", "nft", "tc") if shutil.which(tool) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    try:
        with wire() as probe:
            probe.lose(1)
            probe.reset(refuse=True)
            probe.lift()
            probe.limit("256kbit")
            return None
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        return f"cannot make a network namespace with nftables and tbf here: {said.strip()}"


def _address(number: int) -> str:
    return f"198.{18 + (number >> 16)}.{number >> 8 & 255}.{number & 255}"


def _run(*command: str, given: str | None = None) -> None:
    subprocess.run(command, check=True, capture_output=True, text=True, input=given, timeout=30)
