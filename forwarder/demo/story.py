"""The course of the demo: the real program on free loopback ports, an outage in the middle, and a count at the end."""

import asyncio
import os
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from pathlib import Path
from time import monotonic

from forwarder.clocks.wall_clock import utc_now
from forwarder.configfile.snapshot import Loaded
from forwarder.core.config import load_config
from forwarder.core.delivery import Attempt, Delivery, DeliveryId, DeliveryStatus, DestinationName, delivery_id
from forwarder.core.dispatch.retry import Decision, Done, RetryAt
from forwarder.core.event import Event
from forwarder.core.history import Query
from forwarder.core.monitoring.counters import Counters
from forwarder.daemon.daemon import Daemon
from forwarder.daemon.reload import ConfigSource
from forwarder.demo.result import DemoResult
from forwarder.demo.screen import Screen
from forwarder.emulator.receiver import Received, Receiver
from forwarder.emulator.script import packaged_events, play, replay
from forwarder.emulator.server import Emulator
from forwarder.emulator.settings import EmulatorSettings
from forwarder.monitoring.live_feed import Listeners
from forwarder.outbox.open import open_history
from forwarder.outbox.problems import OutboxUnusableError
from forwarder.systemd import ServiceManager

CONFIG = r"""
streams:
  - url: {stream}
    api_key: demo-key
    use_fast_x: true

destinations:
  bot: {{url: "{bot}"}}          # keeps everything, in full
  alerts: {{url: "{alerts}"}}    # wants the fast events, and fails for a while

routes:
  - name: contract addresses
    match:
      source: [fast-x, telegram, discord]
      text: {{regex: '\b0x[0-9a-f]{{40}}\b'}}
    to: alerts
  - name: cashtags
    match:
      source: fast-x
      text: {{contains: [$BTC, $ETH, $SOL]}}
    to: alerts
  - name: archive
    match:
      not: {{source: fast-x}}
    to: bot
"""

OUTAGE = timedelta(seconds=5)
_OUTAGE_AFTER = 0.3
"""The share of a pass after which the receiver `alerts` goes down."""
_OUTBOX = "outbox.db"
_PATIENCE_S = 60.0
"""How long the end waits for open deliveries: longer than the retry schedule needs after an outage of 5 s."""


async def run_demo(
    screen: Screen,
    folder: Path,
    *,
    rate: float,
    count: int | None,
    forever: bool,
    stop: asyncio.Event,
    page: str | None = None,
) -> DemoResult:
    """Run the demo with its outbox in `folder` until the events are through, or forever, or until `stop` is set.

    `rate` is events per second; `count` is how many are sent, `None` means the packaged stream once. `page` is the address at which the
    daemon serves its page: then it goes on after the events, until `stop` is set.
    """
    async with (
        Emulator(EmulatorSettings(record=False), api_key="demo-key") as emulator,
        Receiver(record=False) as bot,
        Receiver(record=False) as alerts,
    ):
        story = PlayedStory(screen, emulator, {"bot": bot, "alerts": alerts})
        config = CONFIG.format(stream=emulator.ws_url, bot=bot.url, alerts=alerts.url)
        daemon = daemon_of(with_page(config, page), folder, story)
        screen.open(CONFIG)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(daemon.run())
            await emulator.wait_connected()
            playing = group.create_task(story.play(rate=rate, count=count, forever=forever))
            stopping = group.create_task(stop.wait())
            await asyncio.wait({playing, stopping, running}, return_when=asyncio.FIRST_COMPLETED)
            is_whole = playing.done() and not stop.is_set()
            if is_whole and page is not None:
                screen.close(story.result(daemon.counters))
                screen.show_page(page, is_over=True)
                await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
            playing.cancel()
            stopping.cancel()
            daemon.stop()
            counters = await running
        story.note_still_waiting(deliveries_in(folder))
        result = story.result(counters)
        if not is_whole or page is None:
            screen.close(result)
        return result


def with_page(config: str, page: str | None) -> str:
    """Return the config of a daemon that serves its page at this address; `None`: it serves none."""
    return config if page is None else f"{config}\nadmin: {{listen: '{page}'}}\n"


def daemon_of(config: str, folder: Path, story: "Story") -> Daemon:
    """Return a daemon with this config and with its outbox in `folder`, whose events and attempts the story shows."""
    loaded = Loaded(config=load_config(config.encode(), name="demo", env={}, read_file=_no_file))
    return Daemon(
        ConfigSource(file=Path("demo"), loaded=loaded, load=lambda _file, _files: loaded),
        outbox_path=folder / _OUTBOX,
        socket_path=folder / "outbox.db.sock",
        service=ServiceManager({}),
        listeners=Listeners(on_event=story.note_event, on_attempt=story.note_attempt),
    )


def deliveries_in(folder: Path) -> set[DeliveryId]:
    """Return the deliveries that the outbox in a folder still has to make, after its daemon has ended; none if it has no outbox."""
    try:
        with open_history(folder / _OUTBOX) as history:
            return {
                DeliveryId(record["delivery_id"])
                for status in (DeliveryStatus.PENDING, DeliveryStatus.IN_FLIGHT)
                for record in history.deliveries(Query(status=status))
            }
    except OutboxUnusableError:
        return set()


class Story:
    """Makes the outages, and shows and counts what comes of the events."""

    def __init__(self, screen: Screen, receivers: Mapping[str, Receiver]) -> None:
        self._screen = screen
        self._receivers = receivers
        for name, receiver in receivers.items():
            receiver.on_request = self._note_request(name)
        self._started = monotonic()
        self._sent_at: dict[bytes, float] = {}
        self._expected: set[DeliveryId] = set()
        """Deliveries that a rule asked for and no receiver has accepted yet."""
        self._held: set[DeliveryId] = set()
        """Deliveries that wait for `alerts` because of an outage."""
        self._is_out = False
        """From the beginning of an outage until `alerts` has accepted something again."""
        self._settled = asyncio.Event()
        self._received_at: dict[str, float] = {}
        self._back_at: float | None = None
        self._result = DemoResult(delivered=dict.fromkeys(receivers, 0))

    async def settled(self, *, within_s: float = _PATIENCE_S) -> None:
        """Return once everything has arrived. Raises `TimeoutError` if that takes too long."""
        async with asyncio.timeout(within_s):
            while self._expected:
                self._settled.clear()
                await self._settled.wait()

    async def outages(self, pass_s: float, *, forever: bool) -> None:
        """Let the receiver `alerts` be down for a while, once or in each pass of that length."""
        alerts = self._receivers["alerts"]
        while True:
            await asyncio.sleep(pass_s * _OUTAGE_AFTER)
            self._back_at = None
            await alerts.stop_listening()
            self._is_out = True
            self._screen.show_down("alerts", OUTAGE)
            await asyncio.sleep(OUTAGE.total_seconds())
            await self.end_outage()
            if not forever:
                return
            await asyncio.sleep(max(pass_s * (1 - _OUTAGE_AFTER), 1))

    async def end_outage(self) -> None:
        """Let the receiver `alerts` be up again, if it is down."""
        if not self._is_out or self._back_at is not None:
            return
        waiting = len(self._held)
        self._back_at = monotonic()
        await self._receivers["alerts"].start_listening()
        self._result.waited_at_return += waiting
        self._screen.show_up("alerts", waiting=waiting)

    def note_event(self, event: Event, chosen: Mapping[DestinationName, tuple[str, ...]] | None) -> None:
        """Show an event that ingest has routed; `None` for a duplicate."""
        elapsed = monotonic() - self._started
        if chosen is None:
            self._screen.show_duplicate(elapsed, event)
            return
        for destination in chosen:
            id_ = delivery_id(event.id, destination)
            self._expected.add(id_)
            if self._is_out and destination == "alerts":
                self._held.add(id_)
        if not chosen:
            self._screen.show_unmatched(elapsed, event)

    def note_attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Show the outcome of an attempt."""
        elapsed = monotonic() - self._started
        waiting = len(self._expected)
        received = self._received_at.pop(delivery.id, None)
        if not isinstance(decision, Done):
            if isinstance(decision, RetryAt):
                self._held.add(delivery.id)
            if attempt.number == 1:
                self._screen.show_failure(elapsed, delivery, decision)
        elif delivery.id in self._held:
            self._held.remove(delivery.id)
            self._result.waited += 1
            late = utc_now() - delivery.accepted_at
            self._result.waited_s.append(late.total_seconds())
            if self._back_at is not None:
                self._result.caught_up_s = monotonic() - self._back_at
            self._screen.show_recovered(elapsed, delivery, attempt, late=late)
        else:
            sent = self._sent_at.get(delivery.body)
            latency_ms = None if received is None or sent is None else (received - sent) * 1000
            if latency_ms is not None:
                self._result.latencies_ms.append(latency_ms)
            self._screen.show_delivered(elapsed, delivery, latency_ms)
        self._screen.show_state(dict(self._result.delivered), waiting=waiting)

    def _note_request(self, name: str) -> Callable[[Received], None]:
        def note(received: Received) -> None:
            if not received.accepted:
                return
            id_ = DeliveryId(received.headers["webhook-id"])
            self._received_at[id_] = received.at
            self._result.delivered[name] += 1
            self._expected.discard(id_)
            if name == "alerts" and self._back_at is not None:
                self._is_out = False
            self._settled.set()

        return note

    def note_still_waiting(self, deliveries: Collection[DeliveryId]) -> None:
        """Note what the outbox still has to deliver after the end: that is not lost."""
        self._result.still_waiting = len(self._expected.intersection(deliveries))
        self._expected.difference_update(deliveries)

    def result(self, counters: Counters) -> DemoResult:
        """Return the result, once everything has ended."""
        self._result.counters = counters
        self._result.lost = len(self._expected)
        self._result.seconds = monotonic() - self._started
        return self._result


class PlayedStory(Story):
    """Also plays the events, from a local stream."""

    def __init__(self, screen: Screen, emulator: Emulator, receivers: Mapping[str, Receiver]) -> None:
        super().__init__(screen, receivers)
        self._emulator = emulator

    async def play(self, *, rate: float, count: int | None, forever: bool) -> None:
        """Send the events with an outage of `alerts` in each pass, and wait until everything has arrived."""
        length = count or len(packaged_events())
        self._started = monotonic()
        async with asyncio.TaskGroup() as group:
            outages = group.create_task(self.outages(length / rate, forever=forever))
            await play(replay(rate=rate, count=count, loop=forever), self._send)
            await outages
        await self.settled()

    async def _send(self, frame: bytes) -> None:
        self._sent_at[frame] = monotonic()
        if len(self._sent_at) > 1_000:
            del self._sent_at[next(iter(self._sent_at))]
        await self._emulator.send(frame)


def _no_file(name: str) -> str:
    raise FileNotFoundError(2, os.strerror(2), name)
