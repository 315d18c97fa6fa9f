"""`forwarder listen`: runs a webhook receiver that prints each request and refuses on demand."""

import argparse
import asyncio
import sys
import time
from collections import OrderedDict
from datetime import UTC, datetime

from rich.text import Text

from forwarder.cli import exit_codes, output
from forwarder.cli.locations import report_errors
from forwarder.cli.signatures import verifier_of
from forwarder.core.counted import counted
from forwarder.core.destinations.verification import VerificationResult, Verifier
from forwarder.emulator.glance import glance, one_line, source_style
from forwarder.emulator.receiver import Answer, Received, Receiver

_IDS_KEPT = 200_000
"""How many webhook ids are remembered to recognize repeats; `distinct` and `repeats` are exact up to it."""
_HINTS = ("x-forwarder-attempt", "x-forwarder-trigger")


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Listen until a signal, or until `--count` requests came, and return the exit code."""
    return asyncio.run(_listen(arguments, verifier_of(arguments)))


async def _listen(arguments: argparse.Namespace, verifier: Verifier | None) -> int:
    stop = output.stop_on_signals()
    out = output.LineOutput(as_json=arguments.json, on_broken_pipe=stop.set)
    ledger = _Ledger(arguments, verifier, out, stop)
    receiver = Receiver(arguments.host, arguments.port, respond=ledger.decide, on_request=ledger.note, record=False)
    try:
        await receiver.__aenter__()
    except OSError as error:
        print(output.cannot_listen(arguments.host, arguments.port, error), file=sys.stderr)
        return exit_codes.FAILURE
    try:
        verifies = "" if verifier is None else " Signatures are verified."
        out.say(f"Listening on {receiver.url} (any path).{verifies} Press Ctrl-C to stop.")
        out.record("listening", url=receiver.url, verifies=verifier is not None)
        await stop.wait()
    finally:
        await receiver.__aexit__()
    out.say(Text(f"done: {ledger.summary()}", style="bold"))
    out.record("summary", **ledger.counters())
    if out.broken:
        raise BrokenPipeError
    return exit_codes.OK


class _Ledger:
    """Decides each answer, prints each request and keeps count."""

    def __init__(
        self, arguments: argparse.Namespace, verifier: Verifier | None, out: output.LineOutput, stop: asyncio.Event
    ) -> None:
        self._arguments = arguments
        self._verifier = verifier
        self._out = out
        self._stop = stop
        self._ids: OrderedDict[str, None] = OrderedDict()
        self._first_at: float | None = None
        self._decided = 0
        self.received = self.accepted = self.refused = self.distinct = self.repeats = 0

    def decide(self, received: Received) -> Answer:
        """Return the answer that the arguments ask for; 401 if the signature is wrong."""
        if self._first_at is None:
            self._first_at = received.at
        self._decided += 1
        if self._verifier is not None:
            verdict = self._verifier.verify(received.headers, received.body, now=datetime.now(UTC))
            received.remark = verdict
            if verdict is not VerificationResult.VALID:
                return Answer(status=401, body=f"{verdict}\n".encode(), delay_s=self._arguments.delay)
        fails = self._decided <= self._arguments.fail_first or (received.at - self._first_at < self._arguments.fail_for)
        status = self._arguments.fail_status if fails else self._arguments.status
        return Answer(status=status, delay_s=self._arguments.delay)

    def note(self, received: Received) -> None:
        """Count and print a request that was answered."""
        webhook_id = received.headers.get("webhook-id", "")
        repeat = self._is_repeat(webhook_id)
        self.received += 1
        self.accepted += received.accepted
        self.refused += not received.accepted
        self._say(received, webhook_id, repeat=repeat)
        self._record(received, webhook_id, repeat=repeat)
        if self._arguments.count is not None and self.accepted >= self._arguments.count:
            self._stop.set()

    def _is_repeat(self, webhook_id: str) -> bool:
        if not webhook_id:
            return False
        if webhook_id in self._ids:
            self._ids.move_to_end(webhook_id)
            self.repeats += 1
            return True
        self._ids[webhook_id] = None
        self.distinct += 1
        if len(self._ids) > _IDS_KEPT:
            self._ids.popitem(last=False)
        return False

    def _say(self, received: Received, webhook_id: str, *, repeat: bool) -> None:
        seen = glance(received.body)
        status = "gone" if received.status is None else str(received.status)
        details = [_shortened(webhook_id)] if webhook_id else []
        details += [
            f"{name.removeprefix('x-forwarder-')} {one_line(received.headers[name], width=20)}"
            for name in _HINTS
            if name in received.headers
        ]
        details.append(counted(len(received.body), "byte"))
        self._out.say(
            Text.assemble(
                (time.strftime("%H:%M:%S "), "dim"),
                (f"{status} ", "green" if received.accepted else "bold red"),
                (
                    f"{received.remark} " if received.remark else "",
                    "green" if received.remark == VerificationResult.VALID else "red",
                ),
                (f"{seen.source or 'no event'} ", source_style(seen.source)),
                (f"{seen.author} " if seen.author else "", "bold"),
                seen.text,
                ("  " + "  ".join(details), "dim"),
                ("  repeat" if repeat else "", "yellow"),
            )
        )
        if self._arguments.body:
            self._out.say(Text(one_line(received.body.decode("utf-8", "replace"), width=len(received.body) + 1)))

    def _record(self, received: Received, webhook_id: str, *, repeat: bool) -> None:
        seen = glance(received.body)
        fields: dict[str, object] = {
            "status": received.status,
            "accepted": received.accepted,
            "path": received.path,
            "webhook_id": webhook_id or None,
            "repeat": repeat,
            "signature": received.remark,
            "source": seen.source,
            "author": seen.author,
            "text": seen.text,
            "bytes": len(received.body),
        }
        fields |= {name.removeprefix("x-forwarder-"): received.headers.get(name) for name in _HINTS}
        if self._arguments.body:
            fields["body"] = received.body.decode("utf-8", "replace")
        self._out.record("request", **fields)

    def counters(self) -> dict[str, int]:
        """Return the counts so far."""
        return {
            "received": self.received,
            "accepted": self.accepted,
            "refused": self.refused,
            "distinct": self.distinct,
            "repeats": self.repeats,
        }

    def summary(self) -> str:
        """Return the counts as a line."""
        return (
            f"{self.received:,} received, {self.accepted:,} accepted, {self.refused:,} refused, "
            f"{counted(self.distinct, 'distinct id')}, {counted(self.repeats, 'repeat')}"
        )


def _shortened(webhook_id: str) -> str:
    harmless = one_line(webhook_id, width=80)
    return harmless if len(harmless) <= 14 else f"{harmless[:8]}…{harmless[-4:]}"
