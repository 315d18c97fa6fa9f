"""The full text changes the message that the first word made: at receivers that act as Discord and Telegram do."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec import structs

from forwarder.core import commands
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.ordering import Order
from forwarder.core.dispatch.retry import Dead, Done, RetryPolicy, Rule
from forwarder.core.event import Event
from forwarder.emulator.receiver import Answer, Received, Receiver
from tests.support.chats import SERVICES, Chat, Service
from tests.support.lanes import destination, event, running
from tests.support.process import look

QUICK = RetryPolicy(delays=(timedelta(milliseconds=50),) * 20, statuses={"404": Rule.PAUSE})


def post(mid: int, word: str, *, sid: str = "7") -> Event:
    """Return one of the two events of a post; its text says which."""
    source = "fast-x" if word == "first" else "x"
    made = event(mid, sid=sid, source=source)
    text = f'"text":"{word} text of {mid}"'
    return structs.replace(made, body=made.body.replace(f'"text":"{mid}"'.encode(), text.encode()))


def target_at(receiver: Receiver, chat: Chat, **settings: object) -> Destination:
    url = receiver.url.removesuffix("/hook") + chat.target
    return destination(url, **({"format_": chat.format_(), "retry": QUICK} | settings))


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("service", SERVICES)
async def test_an_edit_waits_for_its_message_however_often_that_fails(
    tmp_path: Path, service: Service, order: Order
) -> None:
    chat = Chat(service, fails_first=3, delay_s=0.02)
    async with Receiver(respond=chat.respond) as receiver:
        target = target_at(receiver, chat, order=order, breaker=BreakerPolicy(is_on=False))
        async with running(tmp_path / "outbox.db", target) as scene:
            (first,) = scene.bring([post(1, "first")])
            scene.bring([post(1, "full")], edits=first.event_seq)
            await scene.until(lambda: [type(each[2]) for each in scene.attempts].count(Done) == 2)
    assert chat.read() == [["first", "full"]]
    edits = [request for request in receiver.requests if b"full text" in request.body]
    assert len(edits) == 1  # it was not tried before its time
    assert look(tmp_path / "outbox.db", "SELECT status, attempts, receipt FROM deliveries ORDER BY event_seq") == [
        ("delivered", 4, "1"),
        ("delivered", 1, "1"),
    ]


@pytest.mark.parametrize("service", SERVICES)
async def test_the_edit_of_a_message_under_way_waits_for_its_answer(tmp_path: Path, service: Service) -> None:
    chat = Chat(service, delay_s=0.3)
    async with (
        Receiver(respond=chat.respond) as receiver,
        running(tmp_path / "outbox.db", target_at(receiver, chat)) as scene,
    ):
        (first,) = scene.bring([post(1, "first")])
        await receiver.wait_until(lambda receiver: receiver.received == 1)
        (full,) = scene.bring([post(1, "full")], edits=first.event_seq)
        scene.bring([post(1, "full")], edits=full.event_seq)  # and one that waits for an edit
        await receiver.wait_for(3)
    assert chat.read() == [["first", "full", "full"]]


@pytest.mark.parametrize("order", Order)
@pytest.mark.parametrize("service", SERVICES)
async def test_restarts_between_the_two_change_nothing(tmp_path: Path, service: Service, order: Order) -> None:
    """Ended, open and unknown ones: each run knows of the one before only what the outbox knows."""
    path, chat = tmp_path / "outbox.db", Chat(service)
    async with Receiver(respond=chat.respond) as receiver:
        target = target_at(receiver, chat, order=order)
        async with running(path, target) as scene:
            (done,) = scene.bring([post(1, "first")])
            await receiver.wait_for(1)
        async with running(path, target, has_backlog=True) as scene:
            scene.lane.pause()
            (waiting,) = scene.bring([post(2, "first")])
            scene.bring([post(1, "full")], edits=done.event_seq)
        assert receiver.accepted == 1
        async with running(path, target, has_backlog=True) as scene:
            scene.lane.pause()
            scene.bring([post(2, "full")], edits=waiting.event_seq)
        async with running(path, target, has_backlog=True):
            await receiver.wait_for(4)
    assert chat.read() == [["first", "full"], ["first", "full"]]


async def test_an_edit_is_claimed_and_waits_while_its_message_waits_for_a_late_retry(tmp_path: Path) -> None:
    path, chat = tmp_path / "outbox.db", Chat("discord", fails_first=1)
    policy = RetryPolicy(delays=(timedelta(hours=2),))
    async with Receiver(respond=chat.respond) as receiver:
        async with running(path, target_at(receiver, chat, retry=policy)) as scene:
            (first,) = scene.bring([post(1, "first")])
            await scene.until(lambda: len(scene.attempts) == 1)
            scene.bring([post(1, "full"), post(1, "full")], edits=first.event_seq)
            scene.bring([post(2, "first")])
            await receiver.wait_for(1)
            await _until(lambda: _waiting(path) == [first.event_seq, first.event_seq + 1, first.event_seq + 2])
        assert chat.read() == [["first"]]
        due = look(path, "SELECT due_ms, reason FROM deliveries WHERE status = 'pending' ORDER BY event_seq")
        assert [ms for ms, _ in due] == [due[0][0]] * 3
        assert due[1][1] == "waits for the message that it changes"
        async with running(path, target_at(receiver, chat, retry=policy), has_backlog=True):
            await receiver.wait_for(4)  # a start tries one at once, and all follow when it gets through
    assert sorted(chat.read()) == [["first"], ["first", "full", "full"]]


def _waiting(path: Path) -> list[int]:
    return [row[0] for row in look(path, "SELECT event_seq FROM deliveries WHERE status = 'pending' ORDER BY 1")]


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(90):
        while True:
            if holds():
                return
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("service", SERVICES)
async def test_where_no_message_was_made_the_full_text_makes_one(tmp_path: Path, service: Service) -> None:
    path, chat = tmp_path / "outbox.db", Chat(service, fails_first=1)
    async with Receiver(respond=chat.respond) as receiver:
        target = target_at(receiver, chat, retry=RetryPolicy(delays=(), statuses={}))
        async with running(path, target) as scene:
            (dead,) = scene.bring([post(1, "first")])
            await scene.until(lambda: len(scene.attempts) == 1)
            assert isinstance(scene.attempts[0][2], Dead)
            (full,) = scene.bring([post(1, "full")], edits=dead.event_seq)
            scene.bring([post(1, "full")], edits=full.event_seq)  # which can be changed in its turn
            scene.bring([post(3, "full")], edits=10_000)  # nothing is known of that one any more
            await receiver.wait_for(3)
    assert sorted(chat.read()) == [["full"], ["full", "full"]]


async def test_an_answer_without_an_id_leaves_nothing_to_edit(tmp_path: Path) -> None:
    path, chat = tmp_path / "outbox.db", Chat("discord", answers_without_id=True)
    async with Receiver(respond=chat.respond) as receiver, running(path, target_at(receiver, chat)) as scene:
        (first,) = scene.bring([post(1, "first")])
        (full,) = scene.bring([post(1, "full")], edits=first.event_seq)
        scene.bring([post(1, "full")], edits=full.event_seq)
        await receiver.wait_for(3)
    assert chat.read() == [["first"], ["full"], ["full"]]


@pytest.mark.parametrize(
    ("service", "status", "body"),
    [
        ("discord", 404, b'{"message": "Unknown Message", "code": 10008}'),
        ("discord", 404, b""),
        ("telegram", 400, b'{"ok":false,"error_code":400,"description":"Bad Request: message to edit not found"}'),
        (
            "telegram",
            400,
            b'{"ok":false,"error_code":400,"description":"Bad Request: message is not modified: specified new message content"}',
        ),
        ("telegram", 400, b'{"ok":false,"error_code":400,"description":"Bad Request: message can\'t be edited"}'),
    ],
)
async def test_an_edit_that_has_nothing_left_to_do_is_done(
    tmp_path: Path, service: Service, status: int, body: bytes
) -> None:
    path, chat = tmp_path / "outbox.db", Chat(service, refuses_edits=Answer(status=status, body=body))
    async with Receiver(respond=chat.respond) as receiver, running(path, target_at(receiver, chat)) as scene:
        (first,) = scene.bring([post(1, "first")])
        scene.bring([post(1, "full")], edits=first.event_seq)
        await scene.until(lambda: len(scene.attempts) == 2)
        assert not scene.lane.admission.is_paused
        scene.bring([post(2, "first")])
        await receiver.wait_for(2)
    assert look(path, "SELECT status, attempts FROM deliveries WHERE http_status >= 400") == [("delivered", 1)]


@pytest.mark.parametrize(
    ("service", "status", "body", "expected"),
    [
        ("discord", 404, b'{"message": "Unknown Webhook", "code": 10015}', "pending"),
        ("discord", 400, b'{"message": "Cannot send an empty message", "code": 50006}', "dead"),
        ("telegram", 400, b'{"ok":false,"error_code":400,"description":"Bad Request: can\'t parse entities"}', "dead"),
    ],
)
async def test_any_other_refusal_of_an_edit_is_one(
    tmp_path: Path, service: Service, status: int, body: bytes, expected: str
) -> None:
    path, chat = tmp_path / "outbox.db", Chat(service, refuses_edits=Answer(status=status, body=body))
    async with Receiver(respond=chat.respond) as receiver, running(path, target_at(receiver, chat)) as scene:
        (first,) = scene.bring([post(1, "first")])
        scene.bring([post(1, "full")], edits=first.event_seq)
        await scene.until(lambda: len(scene.attempts) == 2)
        assert scene.lane.admission.is_paused == (expected == "pending")
    assert look(path, "SELECT status FROM deliveries WHERE http_status >= 400") == [(expected,)]


async def test_many_posts_at_once_at_a_receiver_that_fails_now_and_then(tmp_path: Path) -> None:
    """Every post is one message in the end, and shows its full text; with a breaker that opens, and two restarts."""
    path, chat, count = tmp_path / "outbox.db", Chat("discord", delay_s=0.005), 60
    failing: deque[bool] = deque([True, False, False, True, True, False, True] * 40)
    inner = chat.respond

    def respond(received: Received) -> Answer:
        return Answer(status=503) if failing and failing.popleft() else inner(received)

    async with Receiver(respond=respond) as receiver:
        target = target_at(receiver, chat, concurrency=4)
        for run in range(3):
            async with running(path, target, has_backlog=run > 0) as scene:
                for mid in range(run * 20, run * 20 + 20):
                    (first,) = scene.bring([post(mid, "first")])
                    scene.bring([post(mid, "full")], edits=first.event_seq)
                    await asyncio.sleep(0.002)
                if run == 2:
                    await receiver.wait_for(2 * count, timeout=90)
    assert chat.read() == [["first", "full"]] * count
    assert look(path, "SELECT status, count(*) FROM deliveries GROUP BY 1") == [("delivered", 2 * count)]


async def test_what_a_person_asks_for_again_is_still_the_edit_that_it_was(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    chat = Chat("telegram", refuses_edits=Answer(status=401))
    async with Receiver(respond=chat.respond) as receiver:
        target = target_at(receiver, chat, retry=RetryPolicy(delays=(), statuses={"401": Rule.DEAD}))
        async with running(path, target) as scene:
            (first,) = scene.bring([post(1, "first")])
            (full,) = scene.bring([post(1, "full")], edits=first.event_seq)
            await scene.until(lambda: len(scene.attempts) == 2)
            chat.refuses_edits = None
            again = commands.DeadLetterChange(
                verb="dead_replay", keys=((full.event_seq, "bot"),), since_ms=0, until_ms=1 << 50, start_ms=0, rate=100
            )
            await scene.outbox.change(again)
            scene.lane.queue.look()
            await receiver.wait_for(2)
    assert chat.read() == [["first", "full"]]
