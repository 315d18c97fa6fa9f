"""The requests of an attempt: a second one where another form of the message may be accepted, and what it counts towards."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.core.delivery import SENT_TWICE, Answered, new_delivery
from forwarder.core.destinations.answers import AnswerRules
from forwarder.core.dispatch.lane_events import AddressChanged
from forwarder.core.dispatch.quota import Allowance, QuotaLimit, ServiceQuota
from forwarder.core.dispatch.retry import Dead, Done
from forwarder.core.event import decode_event
from forwarder.core.matching.bodies import compile_body
from forwarder.core.matching.compile import Names
from forwarder.destinations.formats.slack import SlackFormat
from forwarder.destinations.formats.telegram import TelegramFormat
from forwarder.dispatch.requests import Requests
from forwarder.emulator.receiver import Answer, Received, Receiver
from tests.support.conditions import tree
from tests.support.lanes import AT_ONCE, BOT, destination, event, running, utc_now
from tests.support.paths import EVENTS
from tests.support.raw import raw_server, sender_to

PHOTO = decode_event((EVENTS / "x-photo.json").read_bytes())


def refuses_pictures(received: Received) -> Answer:
    return Answer(status=400, body=b"invalid_blocks") if b"image_url" in received.body else Answer(body=b"ok")


async def test_the_second_request_is_part_of_the_first_attempt(path: Path, receiver: Receiver) -> None:
    receiver.respond = refuses_pictures
    async with running(path, destination(receiver.url, format_=SlackFormat())) as scene:
        scene.bring([PHOTO])
        await scene.until(lambda: len(scene.attempts) == 1)
    ((_, attempt, decision),) = scene.attempts
    assert isinstance(decision, Done)
    assert (attempt.number, attempt.note) == (1, "sent again without pictures, after HTTP 400: invalid_blocks")
    assert receiver.received == 2


async def test_the_next_message_is_tried_with_pictures_again(path: Path, receiver: Receiver) -> None:
    receiver.respond = refuses_pictures
    async with running(path, destination(receiver.url, format_=SlackFormat(), concurrency=1)) as scene:
        scene.bring([PHOTO])
        await scene.until(lambda: len(scene.attempts) == 1)
        receiver.respond = None
        scene.bring([decode_event(PHOTO.body.replace(b'"mid"', b'"again":1,"mid"'))])
        await scene.until(lambda: len(scene.attempts) == 2)
    assert b"image_url" in receiver.requests[2].body


async def test_a_message_that_would_be_the_same_is_not_sent_again(path: Path, receiver: Receiver) -> None:
    receiver.respond = lambda _received: Answer(status=400, body=b"invalid_blocks")
    async with running(path, destination(receiver.url, format_=SlackFormat(), retry=AT_ONCE)) as scene:
        scene.bring([event(1)])
        await scene.until(lambda: len(scene.attempts) == 1)
    assert receiver.received == 1
    assert isinstance(scene.attempts[0][2], Dead)


async def test_both_requests_count_towards_the_limits_of_the_service(path: Path, receiver: Receiver) -> None:
    receiver.respond = refuses_pictures
    quota = ServiceQuota(Allowance(key="slack", limits=(QuotaLimit(count=2, per=timedelta(hours=1)),)))
    async with running(path, destination(receiver.url, format_=SlackFormat()), quotas=[quota]) as scene:
        scene.bring([PHOTO])
        await scene.until(lambda: len(scene.attempts) == 1)
        limited_for_s = scene.lane.status().limited_for_s
        assert limited_for_s is not None
        assert limited_for_s > 3_000


async def test_a_request_that_is_sent_twice_over_two_connections_counts_twice(path: Path, receiver: Receiver) -> None:
    receiver.respond = lambda _received: Answer(action="close" if receiver.received == 2 else None)
    quota = ServiceQuota(Allowance(key="any", limits=(QuotaLimit(count=3, per=timedelta(hours=1)),)))
    async with running(path, destination(receiver.url, concurrency=1), quotas=[quota]) as scene:
        scene.bring([event(1)])
        await scene.until(lambda: len(scene.attempts) == 1)
        scene.bring([event(2)])
        await scene.until(lambda: len(scene.attempts) == 2)
        limited_for_s = scene.lane.status().limited_for_s
    assert [attempt.note for _, attempt, _ in scene.attempts] == ["", SENT_TWICE]
    assert limited_for_s is not None
    assert limited_for_s > 3_000


async def test_both_reasons_for_a_second_request_are_noted(path: Path, receiver: Receiver) -> None:
    def respond(received: Received) -> Answer:
        return Answer(action="close") if receiver.received == 2 else refuses_pictures(received)

    receiver.respond = respond
    async with running(path, destination(receiver.url, format_=SlackFormat(), concurrency=1)) as scene:
        scene.bring([PHOTO])
        await scene.until(lambda: len(scene.attempts) == 1)
    ((_, attempt, _),) = scene.attempts
    assert attempt.note == f"sent again without pictures, after HTTP 400: invalid_blocks; {SENT_TWICE}"


@pytest.mark.parametrize("new", [-100, True, "-5", None, 1 << 60])
async def test_a_new_chat_that_is_none_is_not_followed(path: Path, receiver: Receiver, new: object) -> None:
    said = {"ok": False, "description": "Bad Request: x", "parameters": {"migrate_to_chat_id": new}}
    receiver.respond = lambda _received: Answer(status=400, body=json.dumps(said).encode())
    format_ = TelegramFormat(target="/bot1:t/sendMessage", chat_id="-100")
    async with running(path, destination(receiver.url, format_=format_)) as scene:
        scene.bring([event(1)])
        await scene.until(lambda: len(scene.attempts) == 1)
    assert receiver.received == 1
    assert not scene.heard(AddressChanged)


async def test_many_attempts_at_once_follow_a_chat_that_moved_and_report_it_once(
    path: Path, receiver: Receiver
) -> None:
    moved = {"ok": False, "description": "Bad Request: x", "parameters": {"migrate_to_chat_id": -200}}

    def respond(received: Received) -> Answer:
        is_old = json.loads(received.body)["chat_id"] == -100
        return Answer(status=400, body=json.dumps(moved).encode(), delay_s=0.05) if is_old else Answer()

    receiver.respond = respond
    format_ = TelegramFormat(target="/bot1:t/sendMessage", chat_id="-100")
    target = destination(receiver.url, format_=format_, answers=AnswerRules(service="telegram"))
    async with running(path, target) as scene:
        scene.bring([event(number) for number in range(8)])
        await scene.until(lambda: len(scene.attempts) == 8)
        assert scene.heard(AddressChanged) == 1
        assert all(isinstance(decision, Done) for _, _, decision in scene.attempts)
        before = receiver.received
        scene.bring([event(number) for number in range(8, 12)])
        await scene.until(lambda: len(scene.attempts) == 12)
        assert receiver.received == before + 4
    last = scene.attempts[-1][1].outcome
    assert isinstance(last, Answered)
    assert last.note == ""


def says(said: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        await writer.drain()

    return answer


JSON = b'{"errcode":0}'


@pytest.mark.parametrize(
    ("written", "tail", "stays_open", "reason"),
    [
        ("ok", b"Content-Length: 2\r\n\r\nok", True, None),
        ("ok", b"\r\nok", False, None),
        ("ok", b"\r\nok", True, "HTTP 200, but its body is not complete: ok"),
        ("ok", b"Content-Length: 4\r\n\r\nok", False, "HTTP 200, but its body is not complete: ok"),
        ("ok", b"Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n", False, "HTTP 200, but its body is not complete: ok"),
        ("ok", b"Content-Length: 2\r\n\r\n", True, "HTTP 200, but its body did not come"),
        ("ok", b"Content-Length: 0\r\n\r\n", True, "HTTP 200, but its body is empty"),
        ("{errcode: 0}", b"\r\n" + JSON, False, None),
        ("{errcode: 0}", b"\r\n" + JSON, True, None),
        ("{errcode: 0}", b"Transfer-Encoding: chunked\r\n\r\nd\r\n" + JSON + b"\r\n", True, None),
        ("{errcode: 0}", b"\r\n" + JSON[:-1], False, 'HTTP 200, but its body is not JSON: {"errcode":0'),
        ("{errcode: 0}", b"\r\n" + JSON[:-1], True, 'HTTP 200, but its body is not complete: {"errcode":0'),
    ],
)
async def test_the_body_of_a_success_is_waited_for_and_must_be_complete(
    written: str, tail: bytes, stays_open: bool, reason: str | None
) -> None:
    success = compile_body(tree(written), lambda _path, _said: None, Names())
    async with raw_server(says(b"HTTP/1.1 200 OK\r\n" + tail), stays_open=stays_open) as url:
        target = destination(url, answers=AnswerRules(success=success))
        delivery = new_delivery(event(1), BOT, ("r",), event_seq=1, accepted_at=utc_now())
        async with sender_to(url) as sender:
            outcome = await Requests(target).make(sender, delivery, now=utc_now())
    assert isinstance(outcome, Answered)
    assert outcome.is_success is (reason is None)
    assert outcome.reason == (reason or "HTTP 200")


async def test_a_body_that_comes_in_pieces_after_the_headers_is_read_to_its_end() -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        for piece in (b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n", JSON[:5], JSON[5:]):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    success = compile_body(tree("{errcode: 0}"), lambda _path, _said: None, Names())
    async with raw_server(answer, stays_open=True) as url, sender_to(url) as sender:
        target = destination(url, answers=AnswerRules(success=success))
        delivery = new_delivery(event(1), BOT, ("r",), event_seq=1, accepted_at=utc_now())
        outcome = await Requests(target).make(sender, delivery, now=utc_now())
    assert isinstance(outcome, Answered)
    assert outcome.is_success
