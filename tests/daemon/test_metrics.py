"""The metrics of a daemon, written in a thread by what is loaded with the first question."""

import subprocess
import sys
from pathlib import Path

from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import Backlog
from forwarder.daemon.backlog_reader import BacklogReader
from forwarder.daemon.metrics import DaemonMetrics
from tests.support.daemon_parts import config_to, daemon_parts
from tests.support.metrics import measured, samples_of
from tests.support.paths import ROOT


async def test_who_asks_gets_the_state_of_this_moment_with_what_waits(tmp_path: Path) -> None:
    async with daemon_parts(tmp_path, config_to("bot: {url: 'http://127.0.0.1:9/'}")) as parts:
        await parts.bring(1)
        assert await parts.outbox.settle()
        asked: list[Backlog | None] = []

        def measure(backlog: Backlog | None) -> Measured:
            asked.append(backlog)
            return measured(backlog=backlog)

        metrics = DaemonMetrics(measure, BacklogReader(parts.outbox_path))
        for _ in range(2):
            found = await metrics.write()
            assert samples_of(found.text.decode())["forwarder_destination_waiting", "bot"] == 1
        assert (await metrics.write("application/openmetrics-text")).content_type.startswith("application/openmetrics")
    assert len(asked) == 3


def test_what_writes_metrics_is_not_loaded_with_the_daemon() -> None:
    script = "import forwarder.daemon.daemon, sys; print([name for name in sys.modules if 'prometheus' in name])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True)
    assert done.stdout == "[]\n"
