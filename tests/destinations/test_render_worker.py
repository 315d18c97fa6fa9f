"""The process that renders what may cost much: real processes, killed at any time."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from forwarder.core.destinations.content import CannotFormatError, RendererUnavailableError
from forwarder.core.templates.job import TemplateJob, Templates
from forwarder.destinations import render_once, render_worker
from forwarder.destinations.render_worker import RenderWorker
from tests.destinations.hostile import CONTAINS, LARGE, NESTED

SMALL = b'{"source":"x","mid":"small","payload":{}}'


def job(source: str, event: bytes = LARGE) -> TemplateJob:
    return TemplateJob(templates=Templates(part="text", sources={"format.body": source}), event=event, id="msg_1")


@asynccontextmanager
async def working() -> AsyncIterator[RenderWorker]:
    worker = RenderWorker()
    try:
        yield worker
    finally:
        await worker.close()


def process_of(worker: RenderWorker) -> int:
    assert worker._process is not None
    return worker._process.pid


async def test_it_renders_large_events_one_after_the_other_in_one_process() -> None:
    async with working() as worker:
        assert await worker.render(job("{{ id }} {{ payload.text | length }}")) == ["msg_1 2000000"]
        first = process_of(worker)
        made = await asyncio.gather(*(worker.render(job(f"{{{{ mid }}}} {number}", SMALL)) for number in range(5)))
        assert made == [[f"small {number}"] for number in range(5)]
        assert process_of(worker) == first
    assert not Path(f"/proc/{first}").exists()


@pytest.mark.parametrize("source", [CONTAINS, NESTED])
async def test_what_costs_too_much_is_ended_with_the_line_and_the_process_goes_on(source: str) -> None:
    async with working() as worker:
        with pytest.raises(CannotFormatError, match=r"format.body, line 2: (this needs more than 50 ms of CPU|the template does too much)"):  # fmt: skip
            await worker.render(job("\n" + source))
        first = process_of(worker)
        assert await worker.render(job("{{ mid }}", SMALL)) == ["small"]
        assert process_of(worker) == first


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
async def test_a_process_that_is_killed_is_started_again(number: signal.Signals) -> None:
    async with working() as worker:
        await worker.render(job("{{ mid }}", SMALL))
        first = process_of(worker)
        os.kill(first, number)
        assert await worker.render(job("{{ mid }}", SMALL)) == ["small"]
        assert process_of(worker) != first


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR2])
async def test_signals_for_the_daemon_do_not_end_it(number: signal.Signals) -> None:
    async with working() as worker:
        await worker.render(job("{{ mid }}", SMALL))
        first = process_of(worker)
        os.kill(first, number)
        assert await worker.render(job("{{ mid }}", SMALL)) == ["small"]
        assert process_of(worker) == first


async def test_a_job_that_is_cancelled_leaves_no_answer_for_the_next_one() -> None:
    async with working() as worker:
        await worker.render(job("{{ mid }}", SMALL))
        cancelled = asyncio.create_task(worker.render(job("wrong")))
        waiting = asyncio.create_task(worker.render(job("{{ mid }}", SMALL)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        cancelled.cancel()
        assert await waiting == ["small"]
        with pytest.raises(asyncio.CancelledError):
            await cancelled


async def test_it_has_none_of_our_secrets_and_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCRAPEST_API_KEY", "magpie")
    server = await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)
    async with server, working() as worker:
        await worker.render(job("{# magpie #}{{ mid }}", SMALL))
        place = Path(f"/proc/{process_of(worker)}")
        assert b"magpie" not in (place / "cmdline").read_bytes()
        assert b"magpie" not in (place / "environ").read_bytes()
        opened = {int(each.name): str(each.readlink()) for each in (place / "fd").iterdir()}
        own = {name for number, name in opened.items() if number <= 2}
        assert set(opened.values()) == own, "only its standard input, output and error are open, perhaps twice"


async def test_a_process_that_cannot_be_started_is_a_fault_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_worker, "COMMAND", ("/nonexistent/python",))
    async with working() as worker:
        with pytest.raises(RendererUnavailableError, match="cannot be started: No such file"):
            await worker.render(job("{{ mid }}", SMALL))


async def test_a_process_that_ends_at_once_is_not_started_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_worker, "COMMAND", ("/bin/true",))
    async with working() as worker:
        for _ in range(2):
            with pytest.raises(RendererUnavailableError, match="ended unexpectedly"):
                await worker.render(job("{{ mid }}", SMALL))


async def test_an_answer_that_cannot_be_read_is_a_fault_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = "import sys; sys.stdout.write(chr(0) * 3 + chr(1) + 'x'); sys.stdout.flush(); sys.stdin.read()"
    monkeypatch.setattr(render_worker, "COMMAND", (sys.executable, "-c", answer))
    async with working() as worker:
        with pytest.raises(RendererUnavailableError, match="ended unexpectedly"):
            await worker.render(job("{{ mid }}", SMALL))


async def test_a_process_that_does_not_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render_worker, "LONGEST_S", 0.1)
    monkeypatch.setattr(render_worker, "_ENDS_WITHIN_S", 0.1)
    monkeypatch.setattr(render_worker, "COMMAND", ("/bin/sleep", "1000"))
    async with working() as worker:
        with pytest.raises(RendererUnavailableError, match="did not answer within 30 s"):
            await worker.render(job("{{ mid }}", SMALL))
    assert render_once.LONGEST_S == 30
