"""Which way out a destination gets."""

from datetime import timedelta

from forwarder.clocks.wall_clock import utc_now
from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.retry import NAMED_POLICIES
from forwarder.destinations.apprise_sender import AppriseSender
from forwarder.destinations.sender import HttpSender
from forwarder.destinations.senders import sender_of


def destination(*, url: str = "", apprise: str = "") -> Destination:
    return Destination(
        name=DestinationName("a"),
        url=url,
        apprise=apprise,
        timeout=timedelta(seconds=1),
        concurrency=1,
        retry=NAMED_POLICIES["live"],
    )


async def test_a_url_is_sent_to_by_http_and_all_else_by_apprise() -> None:
    async with sender_of(destination(url="http://127.0.0.1:9/"), clock=utc_now) as sender:
        assert isinstance(sender, HttpSender)
    async with sender_of(destination(apprise="json://127.0.0.1:9/"), clock=utc_now) as sender:
        assert isinstance(sender, AppriseSender)


def test_a_destination_does_not_show_its_receiver() -> None:
    assert "magpie" not in repr(destination(apprise="pover://magpie@magpie"))
