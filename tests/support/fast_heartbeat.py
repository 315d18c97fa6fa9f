"""The daemon whose heartbeat does not wait as long between two requests: `python -m tests.support.fast_heartbeat run …`.

An interval of `10s` in the config is half a second then.
"""

import sys
from datetime import timedelta

from forwarder.cli import main
from forwarder.core.config.model.heartbeat import HeartbeatConfig
from forwarder.core.destinations.heartbeat import Heartbeat
from forwarder.core.destinations.networks import Networks
from forwarder.core.monitoring import heartbeat_schedule

SHORTER = 20
PROGRAM = (sys.executable, "-m", "tests.support.fast_heartbeat")

_value = HeartbeatConfig.value


def _shorter(self: HeartbeatConfig, networks: Networks) -> Heartbeat:
    """Return what the section stands for, with a shorter interval."""
    short = self.model_copy(update={"every": timedelta(seconds=self.every.total_seconds() / SHORTER)})
    return _value(short, networks)


if __name__ == "__main__":
    heartbeat_schedule.LEAST_APART_S /= SHORTER
    heartbeat_schedule.LOOK_EVERY_S /= SHORTER
    HeartbeatConfig.value = _shorter  # type: ignore[method-assign] # see above
    sys.exit(main())
