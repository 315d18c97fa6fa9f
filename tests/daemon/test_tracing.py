"""Traces are opened where the config asks for them, and nothing is where it does not."""

from pathlib import Path

from forwarder.clocks.process_clock import ProcessClock
from forwarder.core.delivery import DestinationName, delivery_id
from forwarder.daemon.tracing import open_tracing
from tests.core.config.support import load
from tests.support.collector import Collector
from tests.support.lanes import event

REST = "streams: [{api_key: k}]\ndestinations: {bot: {url: 'http://127.0.0.1:9/'}}\nroutes: [{to: bot}]\n"


async def test_without_the_section_there_is_no_tracer(tmp_path: Path) -> None:
    async with open_tracing(load(REST).tracing, ProcessClock()) as tracer:
        assert tracer is None


async def test_what_is_traced_has_arrived_when_it_ends() -> None:
    async with Collector() as collector:
        text = f"{REST}tracing: {{endpoint: '{collector.endpoint}', service: other}}\n"
        async with open_tracing(load(text).tracing, ProcessClock()) as tracer:
            assert tracer is not None
            assert tracer.traceparent(delivery_id(event(1).id, DestinationName("bot"))) is not None
            tracer.note_committed([event(1).id], [0.5])
            await collector.until("commit")
        assert collector.services == {"other"}
