"""What happens in the demo: real parts on free loopback ports, an outage in the middle, and an honest count at the end."""

import asyncio
import os
import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from time import monotonic

from forwarder.clock import utc_now
from forwarder.core.config import load_config
from forwarder.core.delivery import Attempt, Delivery, DeliveryId, DestinationName, delivery_id
from forwarder.core.event import Event
from forwarder.core.retry import Decision, Done
from forwarder.core.tally import Tally
from forwarder.daemon import Daemon, Listeners
from forwarder.demo.screen import Screen
from forwarder.emulator.receiver import Received, Receiver
from forwarder.emulator.script import packaged_events, play, replay
from forwarder.emulator.server import Emulator
from forwarder.loading import Loaded
from forwarder.notify import ServiceManager
from forwarder.reload import Source

CONFIG = r"""
streams:
  - url: {stream}
    api_key: demo-key
    use_fast_x: true

destinations:
  bot: {{url: "{bot}"}}          # keeps everything, in full
  alerts: {{url: "{alerts}"}}    # wants the first word, and fails for a while

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
"""Share of a pass after which the receiver `alerts` goes away."""
_PATIENCE_S = 60.0
"""How long the end waits for what is still under way; more than the schedule needs after an outage of 5 s."""


@dataclass(slots=True)
class DemoResult:
    """What was seen from outside: by the stream that sent and by the receivers that got it."""

    tally: Tally = field(default_factory=Tally)
    seconds: float = 0.0
    delivered: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    """Deliveries that a rule asked for and no receiver accepted."""
    latencies_ms: list[float] = field(default_factory=list)
    """From the frame being sent to the POST being received, of first attempts."""
    waited: int = 0
    """Deliveries that needed more than one attempt."""
    caught_up_s: float | None = None
    """From the end of the last outage to the last delivery that had waited for it."""

    def latency_ms(self, percent: int) -> float:
        """Return a percentile of the added latency."""
        if len(self.latencies_ms) < 2:
            return self.latencies_ms[0] if self.latencies_ms else 0.0
        return statistics.quantiles(self.latencies_ms, n=100)[percent - 1]


async def run_demo(
    screen: Screen, folder: Path, *, rate: float, count: int | None, forever: bool, stop: asyncio.Event
) -> DemoResult:
    """Run the demo with its outbox in `folder` until the events are through, or for ever, or until `stop` is set.

    `rate` is events per second; `count` is how many are sent, `None` means the packaged stream once.
    """
    async with (
        Emulator(api_key="demo-key", record=False) as emulator,
        Receiver(record=False) as bot,
        Receiver(record=False) as alerts,
    ):
        story = _Story(screen, emulator, {"bot": bot, "alerts": alerts})
        text = CONFIG.format(stream=emulator.ws_url, bot=bot.url, alerts=alerts.url)
        loaded = Loaded(config=load_config(text.encode(), name="demo", env={}, read_file=_no_file))
        daemon = Daemon(
            Source(file=Path("demo"), loaded=loaded, load=lambda _file: loaded),
            outbox_path=folder / "outbox.db",
            socket_path=folder / "outbox.db.sock",
            service=ServiceManager({}),
            listeners=Listeners(on_event=story.note_event, on_attempt=story.note_attempt),
        )
        screen.open(CONFIG)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(daemon.run())
            await emulator.wait_connected()
            telling = group.create_task(story.tell(rate=rate, count=count, forever=forever))
            stopping = group.create_task(stop.wait())
            await asyncio.wait({telling, stopping, running}, return_when=asyncio.FIRST_COMPLETED)
            telling.cancel()
            stopping.cancel()
            daemon.stop()
            tally = await running
        result = story.result(tally)
        screen.close(result)
        return result


class _Story:
    def __init__(self, screen: Screen, emulator: Emulator, receivers: Mapping[str, Receiver]) -> None:
        self._screen = screen
        self._emulator = emulator
        self._receivers = receivers
        for name, receiver in receivers.items():
            receiver.on_request = self._note_request(name)
        self._started = monotonic()
        self._sent_at: dict[bytes, float] = {}
        self._expected: set[DeliveryId] = set()
        """Asked for by a rule and not accepted by a receiver yet."""
        self._settled = asyncio.Event()
        self._received_at: dict[str, float] = {}
        self._back_at: float | None = None
        self._result = DemoResult(delivered=dict.fromkeys(receivers, 0))

    async def tell(self, *, rate: float, count: int | None, forever: bool) -> None:
        """Send the events, take `alerts` away in the middle of each pass, and wait until everything has arrived."""
        length = count or len(packaged_events())
        self._started = monotonic()
        async with asyncio.TaskGroup() as group:
            outages = group.create_task(self._outages(length / rate, forever=forever))
            await play(replay(rate=rate, count=count, loop=forever), self._send)
            await outages
        async with asyncio.timeout(_PATIENCE_S):
            while self._expected:
                self._settled.clear()
                await self._settled.wait()

    async def _send(self, frame: bytes) -> None:
        self._sent_at[frame] = monotonic()
        if len(self._sent_at) > 1_000:
            del self._sent_at[next(iter(self._sent_at))]
        await self._emulator.send(frame)

    async def _outages(self, pass_s: float, *, forever: bool) -> None:
        alerts = self._receivers["alerts"]
        while True:
            await asyncio.sleep(pass_s * _OUTAGE_AFTER)
            await alerts.stop_listening()
            self._screen.say_down("alerts", OUTAGE)
            await asyncio.sleep(OUTAGE.total_seconds())
            await alerts.start_listening()
            self._back_at = monotonic()
            self._screen.say_back("alerts", waiting=len(self._expected))
            if not forever:
                return
            await asyncio.sleep(max(pass_s * (1 - _OUTAGE_AFTER), 1))

    def note_event(self, event: Event, chosen: Mapping[DestinationName, tuple[str, ...]] | None) -> None:
        """Hear from ingest what an event is and who gets it."""
        elapsed = monotonic() - self._started
        if chosen is None:
            self._screen.show_double(elapsed, event)
            return
        for destination in chosen:
            self._expected.add(delivery_id(event.id, destination))
        if not chosen:
            self._screen.show_unmatched(elapsed, event)

    def note_attempt(self, delivery: Delivery, attempt: Attempt, decision: Decision) -> None:
        """Hear from dispatch what an attempt came to."""
        elapsed = monotonic() - self._started
        waiting = len(self._expected)
        if not isinstance(decision, Done):
            if attempt.number == 1:
                self._screen.show_failure(elapsed, delivery, decision)
        elif attempt.number == 1:
            received = self._received_at.pop(delivery.id, None)
            sent = self._sent_at.get(delivery.body)
            latency_ms = None if received is None or sent is None else (received - sent) * 1000
            if latency_ms is not None:
                self._result.latencies_ms.append(latency_ms)
            self._screen.show_delivered(elapsed, delivery, latency_ms)
        else:
            self._received_at.pop(delivery.id, None)
            self._result.waited += 1
            if self._back_at is not None:
                self._result.caught_up_s = monotonic() - self._back_at
            self._screen.show_recovered(elapsed, delivery, attempt, late=utc_now() - delivery.accepted_at)
        self._screen.show_state(dict(self._result.delivered), waiting=waiting)

    def _note_request(self, name: str) -> Callable[[Received], None]:
        def note(received: Received) -> None:
            if not received.accepted:
                return
            id_ = DeliveryId(received.headers["webhook-id"])
            self._received_at[id_] = received.at
            self._result.delivered[name] += 1
            self._expected.discard(id_)
            self._settled.set()

        return note

    def result(self, tally: Tally) -> DemoResult:
        """Return the count, once everything has ended."""
        self._result.tally = tally
        self._result.lost = len(self._expected)
        self._result.seconds = monotonic() - self._started
        return self._result


def _no_file(name: str) -> str:
    raise FileNotFoundError(2, os.strerror(2), name)
