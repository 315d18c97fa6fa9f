"""Attempts through Apprise: one at a time, within a timeout, and what ends later counts for the next attempt of its message."""

import json
from datetime import timedelta

import pytest

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.core.destinations.request import WebhookRequest
from forwarder.destinations.apprise_sender import SENT_LATE, AppriseSender
from forwarder.emulator.receiver import Receiver

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def sender(receiver: Receiver, seconds: float = 60) -> AppriseSender:
    url = f"json://{receiver.url.removeprefix('http://')}?rto=60"
    return AppriseSender(url, name="phone", timeout=timedelta(seconds=seconds))


def request(id_: str) -> WebhookRequest:
    return WebhookRequest(
        fixed={"Content-Type": "text/plain; charset=utf-8"},
        id=id_,
        timestamp=0,
        more={"title": "Nova"},
        body=id_.encode(),
    )


async def test_the_title_and_the_text_of_the_format_are_sent() -> None:
    async with Receiver() as receiver:
        outcome = await sender(receiver).send(request("one"))
    assert isinstance(outcome, Answered)
    assert outcome.is_success
    message = json.loads(receiver.requests[0].body)
    assert (message["title"], message["message"]) == ("Nova", "one")


async def test_what_takes_too_long_is_sent_once_if_it_ends_well_after_all() -> None:
    async with Receiver() as receiver:
        receiver.delay_s = 2
        sends = sender(receiver, seconds=60)
        await sends.send(request("warm"))  # the library is loaded now
        sends._timeout_s = 0.3
        late = await sends.send(request("one"))
        assert isinstance(late, Unanswered)
        assert late.detail == "Apprise was not done within 0.3 s"
        other = await sends.send(request("two"))
        assert isinstance(other, Unanswered)
        assert other.fault is Fault.TIMEOUT
        assert "still busy" in other.detail
        sends._timeout_s = 60
        again = await sends.send(request("one"))
        third = await sends.send(request("two"))
    assert isinstance(again, Answered)
    assert isinstance(third, Answered)
    assert (again.is_success, again.note) == (True, SENT_LATE)
    assert (third.is_success, third.note) == (True, "")
    assert [json.loads(each.body)["message"] for each in receiver.requests] == ["warm", "one", "two"]


async def test_a_knock_shows_nothing() -> None:
    async with Receiver() as receiver:
        assert await sender(receiver).knock() is False
        assert not receiver.requests
