"""The demo on the real public stream of scrape.st, which needs no key."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from time import monotonic

from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event
from forwarder.demo.result import DemoResult
from forwarder.demo.screen import Screen
from forwarder.demo.story import Story, daemon_of, deliveries_in, with_page
from forwarder.emulator.receiver import Receiver
from forwarder.streams.faults import StreamFaultError
from forwarder.streams.probe import try_once
from forwarder.streams.sse import SseStream

CONFIG = r"""
streams:
  - url: {stream}
    transport: public

destinations:
  bot: {{url: "{bot}"}}          # keeps everything
  alerts: {{url: "{alerts}"}}    # wants the posts of X, and fails for a while

routes:
  - name: posts of X
    match: {{source: fast-x}}
    to: alerts
  - name: archive
    to: bot
"""

_OUTAGE_EVERY_S = 40.0
_SETTLED_WITHIN_S = 20.0
"""How long the end waits for open deliveries: longer than an outage and the retries after it."""
_REMEMBERED = 1_000


class StreamAwayError(Exception):
    """The public stream cannot be opened."""


async def run_live_demo(
    screen: Screen, folder: Path, *, url: str, count: int | None, stop: asyncio.Event, page: str | None = None
) -> DemoResult:
    """Run the demo on the stream at `url`, with its outbox in `folder`, until `count` events have come, or until `stop` is set.

    `page` is the address at which the daemon serves its page.

    Raises `StreamAwayError` if the stream cannot be opened now.
    """
    fault = await _try(url)
    if fault is not None:
        raise StreamAwayError(fault.sentence)
    async with Receiver(record=False) as bot, Receiver(record=False) as alerts:
        story = _LiveStory(screen, {"bot": bot, "alerts": alerts}, count=count)
        daemon = daemon_of(with_page(CONFIG.format(stream=url, bot=bot.url, alerts=alerts.url), page), folder, story)
        screen.open(CONFIG)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(daemon.run())
            outages = group.create_task(story.outages(_OUTAGE_EVERY_S, forever=True))
            waiting = {group.create_task(stop.wait()), group.create_task(story.enough.wait())}
            await asyncio.wait({*waiting, running}, return_when=asyncio.FIRST_COMPLETED)
            outages.cancel()
            for each in waiting:
                each.cancel()
            if not running.done():
                await story.end()
            daemon.stop()
            counters = await running
        story.note_still_waiting(deliveries_in(folder))
        result = story.result(counters)
        screen.close(result)
        return result


async def _try(url: str) -> StreamFaultError | None:
    return await try_once(SseStream(name="public", url=url, api_key=None, use_fast_x=True))


class _LiveStory(Story):
    """Also notes when each event was read, and when there were enough."""

    def __init__(self, screen: Screen, receivers: Mapping[str, Receiver], *, count: int | None) -> None:
        super().__init__(screen, receivers)
        self._count = count
        self._seen = 0
        self._is_ending = False
        self.enough = asyncio.Event()
        """Set once as many events have come as were asked for."""
        self._result.is_live = True

    def note_event(self, event: Event, chosen: Mapping[DestinationName, tuple[str, ...]] | None) -> None:
        """Show an event that ingest has routed, and count it. What comes while the demo ends stays in the outbox, and is not shown."""
        if self._is_ending:
            return
        self._sent_at.setdefault(event.body, monotonic())
        if len(self._sent_at) > _REMEMBERED:
            del self._sent_at[next(iter(self._sent_at))]
        super().note_event(event, chosen)
        self._seen += chosen is not None
        if self._seen == self._count:
            self.enough.set()

    async def end(self) -> None:
        """End an outage, and wait for what it held up. What has not arrived after a while is not waited for."""
        self._is_ending = True
        await self.end_outage()
        try:
            await self.settled(within_s=_SETTLED_WITHIN_S)
        except TimeoutError:
            return
