"""Health, readiness and metrics of a status."""

from datetime import UTC, datetime, timedelta

import pytest
from aiohttp.test_utils import make_mocked_request

from forwarder.core.monitoring.status import OutboxReport, StatusReport, StreamReport
from forwarder.web.metrics import Exposition, MetricsWriter
from forwarder.web.views import Views
from tests.support.metrics import measured, samples_of

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
OPEN = {"main": StreamReport(condition="open")}
AWAY = {"main": StreamReport(condition="waiting", away_since=(NOW - timedelta(minutes=2)).isoformat())}
REQUEST = make_mocked_request("GET", "/")


async def write(accept: str) -> Exposition:
    return MetricsWriter().write(measured(), accept)


def views_of(status: StatusReport) -> Views:
    return Views(status=lambda: status, metrics=write, now=lambda: NOW)


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


async def test_the_metrics_are_in_the_format_that_is_asked_for() -> None:
    views = views_of(StatusReport())
    answer = await views.metrics(
        make_mocked_request("GET", "/metrics", headers={"Accept": "application/openmetrics-text"})
    )
    assert answer.content_type == "application/openmetrics-text"
    plain = await views.metrics(REQUEST)
    assert plain.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert isinstance(plain.body, bytes)
    assert samples_of(plain.body.decode())["forwarder_up",] == 1
