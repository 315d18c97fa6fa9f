"""A daemon between an emulated stream and receivers, used as an operator does."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Received, Receiver
from forwarder.emulator.server import Emulator
from tests.support.process import KEY, Forwarder, command

OWN = b'"source":"forwarder"'


def configure(
    folder: Path,
    emulator: Emulator,
    destinations: Mapping[str, tuple[Receiver, str]],
    *,
    to: Sequence[str] = ("bot",),
    extra: str = "",
) -> Path:
    """Write a config in which each destination has its receiver and these settings, in flow style; events go `to` some."""
    named = "\n".join(
        f"  {name}: {{url: '{receiver.url}'{', ' if settings else ''}{settings}}}"
        for name, (receiver, settings) in destinations.items()
    )
    path = folder / "config.yaml"
    path.write_text(
        f"streams: [{{url: '{emulator.ws_url}', api_key: {KEY}, use_fast_x: true}}]\n"
        f"outbox: {{url: 'sqlite:outbox.db'}}\ndestinations:\n{named}\nroutes: [{{to: [{', '.join(to)}]}}]\n{extra}",
        encoding="utf-8",
    )
    return path


async def ok(config: Path, *arguments: str) -> str:
    """Return what a command printed; it has to succeed."""
    code, out, err = await command(*arguments, "-c", str(config))
    assert code == 0, out + err
    return out


async def status(config: Path) -> dict[str, Any]:
    """Return `status --json`, however well the daemon is."""
    code, out, err = await command("status", "--json", "-c", str(config))
    assert code in {exit_codes.OK, exit_codes.DEGRADED, exit_codes.DOWN}, out + err
    said: dict[str, Any] = json.loads(out)
    return said


async def status_text(config: Path) -> str:
    """Return what `status` prints, however well the daemon is, with each run of white space as one space."""
    code, out, err = await command("status", "-c", str(config))
    assert code in {exit_codes.OK, exit_codes.DEGRADED, exit_codes.DOWN}, out + err
    return " ".join(out.split())


async def until_counted(config: Path, events: int, limit_s: float = 90) -> None:
    """Return once the time to disk of so many events is counted: that is right after their commit, which the file shows a little sooner."""
    async with asyncio.timeout(limit_s):
        while True:
            count = (await status(config))["outbox"]["commit_lag_ms"]["count"]
            assert count <= events
            if count == events:
                return
            await asyncio.sleep(0.05)


async def lane(config: Path, name: str = "bot") -> dict[str, Any]:
    """Return what `status --json` says of a destination."""
    found: dict[str, Any] = (await status(config))["destinations"][name]
    return found


async def assert_balanced(config: Path) -> None:
    """Nothing is without its end."""
    await ok(config, "audit")


def bodies(receiver: Receiver) -> list[bytes]:
    """Return what was taken, in the order it came."""
    return [request.body for request in receiver.requests if request.accepted]


def notices(receiver: Receiver) -> list[dict[str, Any]]:
    """Return the payloads of the notices that were taken."""
    return [json.loads(body)["payload"] for body in bodies(receiver) if OWN in body]


def kinds(receiver: Receiver) -> list[str]:
    """Return the kinds of those notices."""
    return [notice["kind"] for notice in notices(receiver)]


async def until_kinds(receiver: Receiver, *expected: str, limit_s: float = 90) -> None:
    """Return once exactly these notices have come."""
    await receiver.wait_until(lambda receiver: len(kinds(receiver)) >= len(expected), limit_s, str(expected))
    assert kinds(receiver) == list(expected)


def is_canary(request: Received) -> bool:
    """Whether a request carries a canary."""
    return request.headers["x-forwarder-trigger"] == "canary"


async def stopped(daemon: Forwarder, *, limit_s: float = 60) -> None:
    """Stop a daemon as a service manager does."""
    daemon.process.terminate()
    assert await daemon.ended(limit_s) == 0


def is_notice(request: Received) -> bool:
    """Whether a request carries an event of our own."""
    return OWN in request.body
