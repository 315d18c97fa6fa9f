"""What is known of an outside monitor."""

from dataclasses import replace
from datetime import timedelta

from forwarder.core.destinations.heartbeat import Heartbeat
from forwarder.core.destinations.transport import STRAIGHT


def test_its_urls_are_not_shown_and_decide_whether_a_reload_has_changed_it() -> None:
    heartbeat = Heartbeat(
        url="https://hc-ping.com/magpie",
        fail_url="https://hc-ping.com/magpie/fail",
        every=timedelta(minutes=1),
        is_sent_degraded=False,
        timeout=timedelta(seconds=5),
        transport=STRAIGHT,
    )
    assert "magpie" not in repr(heartbeat)
    assert replace(heartbeat) == heartbeat
    assert replace(heartbeat, fail_url=None) != heartbeat
