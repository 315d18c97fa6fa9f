"""The metrics of the running daemon, for whoever asks. What writes them is loaded with the first question, in a thread."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import Backlog
from forwarder.daemon.backlog_reader import BacklogReader
from forwarder.threads import start_in_thread

if TYPE_CHECKING:
    from forwarder.web.metrics import Exposition, MetricsWriter


class DaemonMetrics:
    """Answers with the metrics of this moment."""

    def __init__(self, measure: Callable[[Backlog | None], Measured], backlog: BacklogReader) -> None:
        """`measure` returns the state of this moment; its histograms are copies."""
        self._measure = measure
        self._backlog = backlog
        self._writer: MetricsWriter | None = None

    async def write(self, accept: str = "") -> "Exposition":
        """Return the metrics as text, in the format that the header `Accept` asks for."""
        measured = self._measure(await self._backlog.read())
        return await start_in_thread(lambda: self._written(measured, accept), name="write metrics")

    def _written(self, measured: Measured, accept: str) -> "Exposition":
        from forwarder.web.metrics import MetricsWriter  # noqa: PLC0415 - see above

        if self._writer is None:
            self._writer = MetricsWriter()
        return self._writer.write(measured, accept)
