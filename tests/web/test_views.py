"""Health, readiness and metrics of a status."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.test_utils import make_mocked_request
from prometheus_client.parser import text_string_to_metric_families

from forwarder.core.monitoring.status import Backlog, OutboxReport, StatusReport, StreamReport
from forwarder.web import views as module
from forwarder.web.views import Views

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
OPEN = {"main": StreamReport(condition="open")}
AWAY = {"main": StreamReport(condition="waiting", away_since=(NOW - timedelta(minutes=2)).isoformat())}
STARTED = NOW.isoformat()
REQUEST = make_mocked_request("GET", "/")


async def nothing() -> Backlog | None:
    return None


def views_of(status: StatusReport, count: Callable[[], Awaitable[Backlog | None]] = nothing) -> Views:
    return Views(status=lambda: status, count_backlog=count, now=lambda: NOW)


@pytest.mark.parametrize(
    ("outbox", "status", "said"),
    [
        (OutboxReport(), 200, "OK\n"),
        (OutboxReport(health="degraded", stuck_s=29.9), 200, "OK\n"),
        (OutboxReport(health="degraded", stuck_s=30.2), 503, "the disk of the outbox has not answered for 30 s\n"),
    ],
)
async def test_it_is_alive_while_the_writer_makes_progress(outbox: OutboxReport, status: int, said: str) -> None:
    answer = await views_of(StatusReport(outbox=outbox)).healthz(REQUEST)
    assert (answer.status, answer.text) == (status, said)


@pytest.mark.parametrize(
    ("report", "status", "said"),
    [
        (StatusReport(state="running", streams=OPEN), 200, "OK\n"),
        (StatusReport(state="running", streams=AWAY), 503, "DOWN: no stream has been open for 2 min\n"),
        (
            StatusReport(state="running", streams=OPEN, outbox=OutboxReport(health="degraded", trouble="full")),
            503,
            "DEGRADED: the outbox cannot be written (full)\n",
        ),
        (
            StatusReport(state="running", streams=OPEN | {"second": AWAY["main"]}),
            200,
            "DEGRADED: stream second is not open\n",
        ),
        (StatusReport(state="stopping", streams=OPEN), 503, "stopping\n"),
    ],
)
async def test_it_is_ready_while_events_can_come_and_be_stored(report: StatusReport, status: int, said: str) -> None:
    answer = await views_of(report).readyz(REQUEST)
    assert (answer.status, answer.text) == (status, said)


async def test_the_metrics_have_what_waits_if_that_can_be_read() -> None:
    async def count() -> Backlog | None:
        return Backlog(waiting={"bot": 3})

    report = StatusReport(started_at=STARTED, streams=OPEN)
    for counting, waiting in ((count, {3.0}), (nothing, set[float]())):
        answer = await views_of(report, counting).metrics(REQUEST)
        assert answer.content_type == "text/plain"
        assert isinstance(answer.body, bytes)
        samples = [
            sample for family in text_string_to_metric_families(answer.body.decode()) for sample in family.samples
        ]
        assert {sample.value for sample in samples if sample.name == "forwarder_up"} == {1.0}
        found = {sample.value for sample in samples if sample.name == "forwarder_destination_waiting"}
        assert found == waiting


async def test_a_count_that_hangs_holds_up_no_metrics_and_is_not_begun_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_COUNTED_WITHIN_S", 0.01)
    begun = 0

    async def hangs() -> Backlog | None:
        nonlocal begun
        begun += 1
        await asyncio.Event().wait()
        return None

    views = views_of(StatusReport(started_at=STARTED, streams=OPEN), hangs)
    for _ in range(3):
        assert (await views.metrics(REQUEST)).status == 200
    assert begun == 1
