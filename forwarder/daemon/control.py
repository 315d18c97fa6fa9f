"""Carries out the requests that come through the control socket."""

import asyncio
from collections.abc import Callable
from typing import assert_never

from pydantic import BaseModel

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.actions import canary_of, reconnect_of
from forwarder.core.commands import (
    Announce,
    Changed,
    DeadLetterChange,
    Diff,
    Forget,
    LogLevelChange,
    MetricsAnswer,
    MetricsRequest,
    PauseChange,
    Reconnect,
    Reload,
    Replay,
    ReportFirstEvents,
    Request,
    RequestHandover,
    RequestRefusedError,
    Resend,
    SendCanary,
    StatusRequest,
    Upgrade,
    Vacuum,
)
from forwarder.core.delivery import DestinationName
from forwarder.core.monitoring.status import StatusReport, encode_status
from forwarder.core.yaml.problems import no_such
from forwarder.daemon.log_level import LogLevelControl
from forwarder.daemon.metrics import DaemonMetrics
from forwarder.daemon.outbound import Outbound
from forwarder.daemon.reload import Reloader
from forwarder.outbox.problems import OutboxUnreadableError
from forwarder.outbox.store import OutboxStore
from forwarder.streams.group import StreamGroup
from forwarder.upgrade.handover import Handover

_MAY_TAKE_S = 4.0
"""For so long a change is tried while the outbox is in trouble. It may be made later all the same."""


class ControlHandler:
    """Answers the requests that come through the control socket."""

    def __init__(
        self,
        outbox: OutboxStore,
        *,
        outbound: Outbound,
        streams: StreamGroup,
        reloader: Reloader,
        handover: Handover,
        status: Callable[[], StatusReport],
        metrics: DaemonMetrics,
    ) -> None:
        self._outbox = outbox
        self._outbound = outbound
        self._streams = streams
        self._reloader = reloader
        self._handover = handover
        self._status = status
        self._log_level = LogLevelControl()
        self._metrics = metrics

    async def handle(self, request: Request, person: str = "") -> BaseModel | dict[str, object]:
        """Do it, and keep that this person asked for it. Raises `RequestRefusedError`."""
        match request:
            case StatusRequest():
                return encode_status(self._status())
            case MetricsRequest():
                return MetricsAnswer(text=(await self._metrics.write()).text.decode())
            case Reload():
                return await self._reloader.reload(person)
            case Diff(file=file):
                return await self._reloader.diff(file)
            case LogLevelChange():
                return self._log_level.change(request, person)
            case Reconnect(stream=name):
                return self._reconnect(name, person)
            case ReportFirstEvents(pid=pid, streams=streams):
                return self._handover.note_first_events(pid, streams)
        if (trouble := self._outbox.trouble) is not None:
            return await self._handle_in_trouble(request, trouble, person)
        match request:
            case Announce(pid=pid, outbox=outbox):
                return self._handover.announce(pid, outbox)
            case RequestHandover(pid=pid):
                return self._handover.hand_over(pid)
            case Upgrade():
                return await self._handover.upgrade()
        try:
            return await self._change(request, person)
        except OutboxUnreadableError as error:
            raise RequestRefusedError(f"the outbox cannot be read now ({error}); try again when it can") from error

    def _reconnect(self, name: str | None, person: str) -> dict[str, object]:
        answer = self._streams.reconnect(name)
        if person and (names := answer["streams"]):
            self._outbox.note_action(reconnect_of(names, person=person), changed=len(names), now=utc_now())
        return {**answer}

    def _send_canary(self, name: str, person: str) -> dict[str, object]:
        if self._status().destinations[name].paused is not None:
            raise RequestRefusedError(f"{name} is paused, so no canary is sent to it; resume it first")
        if not self._outbound.send_canary(DestinationName(name)):
            raise RequestRefusedError(
                f"{name} has no canary in the config; canary: {{every: 10m}} sends one regularly, and then also one at once"
            )
        if person:
            self._outbox.note_action(canary_of(name, person=person), changed=1, now=utc_now())
        return {"destination": name}

    async def _handle_in_trouble(self, request: Request, trouble: str, person: str) -> BaseModel | dict[str, object]:
        """Do what may be the way out of it: a full outbox may wait for a paused destination, or be full of dead letters."""
        refusal = f"the outbox cannot be written now ({trouble}); try again when it can"
        match request:
            case PauseChange(destination=name) if name in self._outbound.destinations:
                return self._pause_in_memory(request)
            case DeadLetterChange(verb="dead_drop"):
                try:
                    async with asyncio.timeout(_MAY_TAKE_S):
                        return await self._outbox.change(request, person=person)
                except TimeoutError:
                    raise RequestRefusedError(refusal) from None
            case _:
                raise RequestRefusedError(refusal)

    def _pause_in_memory(self, asked: PauseChange) -> Changed:
        """Pause or resume at once; it is written when that is possible."""
        is_changed = not self._outbound.has_pause(asked)
        if is_changed:
            self._outbound.pause_or_resume(asked)
        return Changed(
            changed=int(is_changed),
            left_alone=int(not is_changed),
            destinations=(asked.destination,),
            last_seq=0,
            is_last=True,
        )

    async def _change(
        self, request: Replay | DeadLetterChange | PauseChange | SendCanary | Resend | Forget | Vacuum, person: str
    ) -> BaseModel | dict[str, object]:
        match request:
            case Forget():
                return await self._outbox.change(request, person=person)
            case Vacuum():
                return {"freed_bytes": await self._outbox.vacuum_slice()}
            case Replay(to=name) | PauseChange(destination=name) | SendCanary(destination=name) if (
                name not in self._outbound.destinations
            ):
                raise RequestRefusedError(no_such("enabled destination", name, sorted(self._outbound.destinations)))
            case Resend(keys=keys) if unknown := {name for _, name in keys} - {*self._outbound.destinations}:
                raise RequestRefusedError(
                    no_such("enabled destination", min(unknown), sorted(self._outbound.destinations))
                )
            case SendCanary(destination=name):
                return self._send_canary(name, person)
            case PauseChange():
                try:
                    async with asyncio.timeout(_MAY_TAKE_S):
                        done = await self._outbox.change(request, person=person)
                except TimeoutError:
                    return self._pause_in_memory(request)
                if done.changed:
                    self._outbound.pause_or_resume(request)
                return done
            case Replay() | DeadLetterChange() | Resend():
                if isinstance(request, Resend):
                    self._outbound.leave_kept(request.keys)
                done = await self._outbox.change(request, person=person)
                for name in done.destinations:
                    self._outbound.look(DestinationName(name))
                return done
            case _:
                assert_never(request)
