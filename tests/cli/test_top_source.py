"""Where `top` has its data from, where the daemon or the outbox does not answer."""

from pathlib import Path

import pytest

from forwarder.cli.top_source import Feeder, ask, change_pause, open_event, resend
from forwarder.control.errors import NoDaemonError
from forwarder.core.commands import Watch
from tests.cli.test_live_watch import LINE, answering, places
from tests.support.crash import until


def test_without_a_daemon_every_action_says_so(tmp_path: Path) -> None:
    where = places(tmp_path)
    with pytest.raises(NoDaemonError, match="no forwarder answers"):
        ask(where)
    assert "no forwarder answers" in change_pause(where, "bot", is_to_pause=True)
    assert "no forwarder answers" in resend(where, 1, ["bot"])
    assert "outbox" in open_event(where, "0" * 32).why_not


def test_a_daemon_that_refuses_is_a_sentence(tmp_path: Path) -> None:
    refusal = b'{"error":"no enabled destination is called \\"bot\\""}'
    with answering(tmp_path, [refusal], [refusal]):
        assert "no enabled destination" in change_pause(places(tmp_path), "bot", is_to_pause=False)
        assert "no enabled destination" in resend(places(tmp_path), 1, ["bot"])


async def test_the_feeder_waits_for_a_daemon_counts_what_was_lost_and_ends(tmp_path: Path) -> None:
    feeder = Feeder(places(tmp_path), Watch(), [])
    feeder.start()
    await until(lambda: "no forwarder answers" in feeder.note, limit_s=60, what="it says so")
    with answering(tmp_path, [b'{"result":{}}', LINE, LINE]):
        await until(lambda: feeder.lost == 2, limit_s=60, what="two were lost")
    assert feeder.take() == []
    feeder.stop()
    await until(lambda: not feeder._thread.is_alive(), limit_s=60, what="it ends")
