"""What metrics are made of has a place for what is not known."""

from forwarder.core.monitoring.measured import Measured
from forwarder.core.monitoring.status import StatusReport
from forwarder.core.monitoring.verdict import HealthLevel


def test_a_daemon_that_has_just_begun_has_measured_nothing() -> None:
    state = Measured(status=StatusReport(), level=HealthLevel.OK)
    assert state.backlog is None
    assert state.commit_lag.count == 0
    assert [state.lag, state.behind, state.latencies, state.attempts] == [{}] * 4
