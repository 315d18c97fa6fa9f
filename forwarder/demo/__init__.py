"""Everything at once on this machine: a stream, the daemon, two receivers, one of which fails for a while."""

from forwarder.demo.live import StreamAwayError, run_live_demo
from forwarder.demo.result import DemoResult
from forwarder.demo.story import run_demo

__all__ = ["DemoResult", "StreamAwayError", "run_demo", "run_live_demo"]
