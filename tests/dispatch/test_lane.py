"""What a lane does with what its receiver answers: a real outbox, a real receiver, and the lane between them."""

import asyncio
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from forwarder.core.delivery import DeliveryStatus, Unanswered
from forwarder.core.destinations.content import CannotFormatError, RendererUnavailableError
from forwarder.core.dispatch.circuit_breaker import BreakerPolicy
from forwarder.core.dispatch.destination_state import DestinationState, FailureStretch, Pause, PausedBy
from forwarder.core.dispatch.lane_events import (
    BreakerClosed,
    BreakerOpened,
    ExpiredUnsent,
    FailedForLonger,
    PausedItself,
    StretchEnded,
    ThrottledByReceiver,
)
from forwarder.core.dispatch.retry import Dead, Done, Expired, Postponed, RetryAt, RetryPolicy
from forwarder.core.dispatch.token_bucket import Rate
from forwarder.core.templates.job import TemplateJob
from forwarder.destinations.build import destinations_of
from forwarder.destinations.formats.template import TemplateFormat
from forwarder.emulator.receiver import Action, Answer, Received, Receiver
from tests.core.config.support import config_text, load
from tests.support.lanes import AT_ONCE, destination, event, number, running, utc_now
from tests.support.process import look

NO_BREAKER = BreakerPolicy(is_on=False)


def seconds_between(receiver: Receiver) -> list[float]:
    return [later.at - earlier.at for earlier, later in pairwise(receiver.requests)]


def statuses(path: Path) -> dict[str, int]:
    return dict(look(path, "SELECT status, count(*) FROM deliveries GROUP BY status"))


@pytest.mark.alone
@pytest.mark.parametrize("asked", [{"Retry-After": "0.7"}, {"Retry-After": "1"}])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_receivers_retry_after_is_kept_to_within_a_tenth_of_a_second_by_the_whole_lane(
    path: Path, receiver: Receiver, status: int, asked: dict[str, str]
) -> None:
    receiver.respond = lambda _: Answer(status=status, headers=asked) if receiver.received == 1 else Answer()
    async with running(path, destination(receiver.url, retry=AT_ONCE)) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: len(scene.attempts) == 1)
        scene.bring([event(number) for number in range(1, 20)])
        await receiver.wait_for(20)
    refused = receiver.requests[0].at
    first = receiver.requests[1].at - refused
    assert float(asked["Retry-After"]) <= first <= float(asked["Retry-After"]) + 0.1


@pytest.mark.alone
async def test_the_body_of_a_429_is_obeyed_and_one_that_names_no_time_waits_longer_each_time(
    path: Path, receiver: Receiver
) -> None:
    bodies = [b'{"retry_after": 0.4}', b'{"parameters": {"retry_after": 1}}', b"", b""]
    receiver.respond = lambda _: (
        Answer(status=429, body=bodies[receiver.received - 1]) if receiver.received <= 4 else Answer()
    )
    async with running(path, destination(receiver.url, retry=AT_ONCE)) as scene:
        scene.bring([event(0)])
        await receiver.wait_for(1)
        assert not scene.heard(BreakerOpened)  # it answers: that it is busy is no failure
    waits = seconds_between(receiver)
    assert [round(wait, 0) for wait in waits] == [0, 1, 1, 2]
    assert all(wait >= least for wait, least in zip(waits, [0.4, 1, 1, 2], strict=True))


PAST = "Thu, 01 Jan 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"Retry-After": "0"}, b""),
        ({"Retry-After": "-5"}, b""),
        ({"Retry-After": PAST}, b""),
        ({"Retry-After": PAST, "Date": PAST}, b""),
        ({"Retry-After": "soon"}, b""),
        ({"Retry-After": "0.001"}, b""),
        ({"Retry-After": "0", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "0"}, b'{"retry_after": 0}'),
        ({}, b'{"parameters": {"retry_after": 0}}'),
    ],
)
async def test_a_429_that_asks_for_no_wait_waits_longer_each_time(
    path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, headers: dict[str, str], body: bytes
) -> None:
    monkeypatch.setattr("forwarder.dispatch.admission._FIRST_HOLD_S", 0.1)
    receiver.respond = lambda _: Answer(status=429, headers=headers, body=body) if receiver.received <= 4 else Answer()
    async with running(path, destination(receiver.url, retry=AT_ONCE)) as scene:
        scene.bring([event(0)])
        await receiver.wait_for(1)
    waits = [wait for wait in seconds_between(receiver) if wait >= 0.1]
    assert all(wait >= least for wait, least in zip(waits, [0.1, 0.2, 0.4], strict=False))
    assert len(waits) >= 3


async def test_the_date_of_a_wait_counts_from_the_date_of_the_answer(path: Path, receiver: Receiver) -> None:
    dates = {"Date": "Wed, 01 Jan 2020 10:00:00 GMT", "Retry-After": "Wed, 01 Jan 2020 11:00:00 GMT"}
    receiver.respond = lambda _: Answer(status=429, headers=dates)
    async with running(path, destination(receiver.url)) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: scene.heard(ThrottledByReceiver) > 0)
        held_for_s = scene.lane.status().held_for_s
    assert held_for_s is not None
    assert 3_000 < held_for_s <= 3_600


async def test_a_long_wait_is_reported_and_holds_everything(path: Path, receiver: Receiver) -> None:
    receiver.respond = lambda _: Answer(status=429, headers={"Retry-After": "99999999"})
    async with running(path, destination(receiver.url)) as scene:
        scene.bring([event(number) for number in range(3)])
        await scene.until(lambda: scene.heard(ThrottledByReceiver) > 0)
        status = scene.lane.status()
        assert status.held_for_s is not None
        assert 86_000 < status.held_for_s <= 86_400  # cut to a day
        scene.bring([event(number) for number in range(3, 9)])
        await asyncio.sleep(0.2)
        assert receiver.received <= 3
    assert statuses(path) == {"pending": 9}


@pytest.mark.alone
async def test_a_rate_holds_over_ten_seconds(path: Path, receiver: Receiver) -> None:
    rate = Rate(count=50, per=timedelta(seconds=1), burst=5)
    async with running(path, destination(receiver.url, rate_limit=rate)) as scene:
        scene.bring([event(number) for number in range(600)])
        await receiver.wait_until(lambda receiver: receiver.received >= 550, timeout=90)
    times = [request.at for request in receiver.requests]
    steady = [at for at in times if times[0] + 0.5 <= at < times[0] + 10.5]
    assert 490 <= len(steady) <= 510
    for start in range(len(times) - 55):  # nowhere more than the rate and the burst
        assert times[start + 55] - times[start] > 0.95


@pytest.mark.alone
async def test_a_rate_leaves_room_for_fresh_events_before_the_backlog(path: Path, receiver: Receiver) -> None:
    rate = Rate(count=20, per=timedelta(seconds=1))
    async with running(path, destination(receiver.url, rate_limit=rate)) as scene:
        scene.bring([event(number) for number in range(100)], status=DeliveryStatus.PENDING)
        await receiver.wait_for(3)
        scene.bring([event(1000)])
        await receiver.wait_until(lambda receiver: any(number(request) == 1000 for request in receiver.requests))
        assert receiver.received <= 8


async def test_what_waits_has_a_quarter_of_the_concurrency(path: Path, receiver: Receiver) -> None:
    under_way, most = 0, 0

    def respond(_: Received) -> Answer:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        return Answer(delay_s=0.05)

    def done(_: Received) -> None:
        nonlocal under_way
        under_way -= 1

    receiver.respond, receiver.on_request = respond, done
    async with running(path, destination(receiver.url)) as scene:
        scene.bring([event(number) for number in range(40)], status=DeliveryStatus.PENDING)
        await receiver.wait_for(40)
        assert most == 4
        most = 0
        scene.bring([event(number) for number in range(40, 140)])
        await receiver.wait_for(140)
        assert most == 16


@pytest.mark.alone
async def test_a_receiver_that_is_down_is_probed_and_gets_everything_when_it_is_back(
    path: Path, receiver: Receiver
) -> None:
    receiver.status = 503
    slow = RetryPolicy(delays=(timedelta(hours=1),) * 9)
    async with running(path, destination(receiver.url, retry=slow)) as scene:
        scene.bring([event(number) for number in range(100)])
        await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        await receiver.wait_until(lambda receiver: receiver.received >= 16 + 2, timeout=90)
        at_opening = [request.at for request in receiver.requests[:16]]
        assert max(at_opening) - min(at_opening) < 0.5  # those that were under way together, and then probes
        assert scene.lane.status().breaker != "closed"
        receiver.status = 200
        await receiver.wait_until(lambda receiver: receiver.accepted == 100, timeout=90)
        assert scene.heard(BreakerClosed) == 1
        # every delivery was counted no more often than it was due
        assert max(delivery.attempts + 1 for delivery, _, decision in scene.attempts if isinstance(decision, Done)) <= 3
    assert statuses(path) == {"delivered": 100}
    probes = [request.at for request in receiver.requests[16:18]]
    assert 0.9 < probes[0] - max(at_opening) < 1.6
    assert probes[1] - probes[0] > 0.9


async def test_a_probe_with_what_is_not_due_is_not_counted(path: Path, receiver: Receiver) -> None:
    receiver.status = 500
    later = RetryPolicy(delays=(timedelta(seconds=0.1), timedelta(hours=1)), jitter=0)
    async with running(path, destination(receiver.url, retry=later)) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        await scene.until(lambda: sum(isinstance(decision, Postponed) for *_, decision in scene.attempts) >= 2)
        assert look(path, "SELECT attempts FROM deliveries") == [(2,)]
        receiver.status = 200
        await receiver.wait_for(1)
        await scene.until(lambda: scene.heard(BreakerClosed) == 1)
    assert statuses(path) == {"delivered": 1}


async def test_a_receiver_that_hangs_gets_probes_beside_the_one_that_has_no_answer(
    path: Path, receiver: Receiver
) -> None:
    """A probe that waits for its timeout does not hold up the next one, nor what follows when the receiver is back."""
    is_back = False
    receiver.respond = lambda _: Answer() if is_back else Answer(action=Action.HANG)
    target = destination(receiver.url, timeout=timedelta(seconds=60), concurrency=4)
    async with running(path, target, has_backlog=True, grace=timedelta()) as scene:
        scene.bring([event(number) for number in range(50)], status=DeliveryStatus.PENDING)
        await receiver.wait_until(lambda receiver: receiver.received >= 2, timeout=10)
        is_back = True
        await receiver.wait_until(lambda receiver: receiver.accepted >= 48, timeout=10)
        assert scene.heard(BreakerClosed) == 1
        assert not any(isinstance(attempt.outcome, Unanswered) for _, attempt, _ in scene.attempts)


async def test_a_probe_of_an_outage_that_has_ended_is_made_again_soon(path: Path, receiver: Receiver) -> None:
    """It was not due for an hour, and hung while another one was answered."""
    hanging: set[int] = set()

    def respond(received: Received) -> Answer:
        if receiver.received <= 2:
            return Answer(status=500)
        if not hanging:
            hanging.add(number(received))
            return Answer(action=Action.HANG)
        return Answer()

    receiver.respond = respond
    slow = RetryPolicy(delays=(timedelta(hours=1),) * 9)
    target = destination(receiver.url, retry=slow, timeout=timedelta(seconds=2), breaker=BreakerPolicy(in_a_row=2))
    async with running(path, target) as scene:
        scene.bring([event(0), event(1)])
        await receiver.wait_until(lambda receiver: receiver.accepted == 2, timeout=20)
        await scene.until(lambda: sum(isinstance(decision, Done) for *_, decision in scene.attempts) == 2)
    assert statuses(path) == {"delivered": 2}


@pytest.mark.alone
async def test_one_bad_event_does_not_keep_others_waiting_for_a_probe(path: Path, receiver: Receiver) -> None:
    receiver.respond = lambda received: Answer(status=500 if number(received) == 0 else 200)
    async with running(path, destination(receiver.url, breaker=BreakerPolicy(in_a_row=2))) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        began = asyncio.get_running_loop().time()
        scene.bring([event(1)])
        await receiver.wait_for(1)
        assert asyncio.get_running_loop().time() - began < 0.5


@pytest.mark.alone
async def test_after_an_outage_no_more_than_one_is_under_way_at_first(path: Path, receiver: Receiver) -> None:
    receiver.status = 503
    async with running(path, destination(receiver.url, backlog_concurrency=16)) as scene:
        scene.bring([event(number) for number in range(300)])
        await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        under_way: set[int] = set()
        most: list[tuple[float, int]] = []
        loop = asyncio.get_running_loop()

        def respond(received: Received) -> Answer:
            under_way.add(id(received))
            most.append((loop.time(), len(under_way)))
            return Answer(delay_s=0.02)

        receiver.respond = respond
        receiver.on_request = lambda received: under_way.discard(id(received))
        await receiver.wait_until(lambda receiver: receiver.accepted == 300, timeout=90)
    began = most[0][0]
    assert max(count for at, count in most if at < began + 0.2) == 1
    assert max(count for at, count in most if at < began + 0.45) <= 2
    assert max(count for _, count in most) == 16


async def test_gone_pauses_the_destination_until_a_person_resumes_it(path: Path, receiver: Receiver) -> None:
    receiver.status = 410
    async with running(path, destination(receiver.url, concurrency=1)) as scene:
        scene.bring([event(number) for number in range(5)])
        await scene.until(lambda: scene.heard(PausedItself) == 1)
        scene.bring([event(5)])
        await asyncio.sleep(0.1)
        assert receiver.received == 1
        await scene.outbox.settle()
        assert statuses(path) == {"pending": 6}
        receiver.status = 200
        scene.lane.resume()
        await receiver.wait_for(6)
    assert statuses(path) == {"delivered": 6}
    assert sorted({number(request) for request in receiver.requests}) == [0, 1, 2, 3, 4, 5]


async def test_gone_is_of_the_event_alone_where_its_url_is(path: Path, receiver: Receiver) -> None:
    receiver.respond = lambda received: Answer(status=410 if received.path.endswith("/of/1") else 200)
    url = f"'{receiver.url}/of/{{{{ mid }}}}'"
    (bot,) = destinations_of(load(config_text().replace("http://127.0.0.1:9000/hook", url)))
    async with running(path, bot) as scene:
        scene.bring([event(number) for number in range(4)])
        await scene.until(lambda: len(scene.attempts) == 4)
        assert not scene.heard(PausedItself)
    assert statuses(path) == {"delivered": 3, "dead": 1}


async def test_a_pause_outlasts_a_restart(path: Path, receiver: Receiver) -> None:
    paused = DestinationState(pause=Pause(since=utc_now(), by=PausedBy.PERSON))
    async with running(path, destination(receiver.url), state=paused, has_backlog=True) as scene:
        scene.bring([event(0)])
        await asyncio.sleep(0.1)
        assert not receiver.received
        scene.lane.resume()
        await receiver.wait_for(1)


async def test_a_destination_that_nothing_failed_at_is_not_shown_as_down(path: Path, receiver: Receiver) -> None:
    """After an edit, a start or a pause only a probe may be sent, and where nothing waits there is none for days."""
    async with running(path, destination(receiver.url), has_backlog=True) as scene:
        assert (scene.lane.status().breaker, scene.lane.status().next_probe_in_s) == ("closed", None)
        scene.lane.pause()
        scene.lane.resume()
        assert (scene.lane.status().breaker, scene.lane.status().next_probe_in_s) == ("closed", None)
        receiver.status = 503
        scene.bring([event(0)])
        await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        assert scene.lane.status().breaker != "closed"
        assert scene.lane.status().next_probe_in_s is not None


@pytest.mark.parametrize("status", [200, 503])
async def test_what_a_probe_as_a_precaution_came_to_is_reported_as_that(
    path: Path, receiver: Receiver, status: int
) -> None:
    receiver.status = status
    async with running(path, destination(receiver.url), has_backlog=True) as scene:
        scene.bring([event(0)])
        await receiver.wait_for(1) if status == 200 else await scene.until(lambda: scene.heard(BreakerOpened) == 1)
        if status == 503:
            receiver.status = 200
        await scene.until(lambda: scene.heard(BreakerClosed) == 1)
        (closed,) = [each for each in scene.events if isinstance(each, BreakerClosed)]
        assert (closed.after is None) == (status == 200)


async def test_nothing_but_failures_for_days_pauses_it(path: Path, receiver: Receiver) -> None:
    receiver.status = 500
    now = utc_now()
    stretch = FailureStretch(began=now - timedelta(days=5), last=now - timedelta(minutes=1), attempts=14_000)
    failing = DestinationState(failing_since=now - timedelta(days=5), stretch=stretch)
    async with running(path, destination(receiver.url), state=failing) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: scene.heard(PausedItself) == 1)
        (paused,) = [each for each in scene.events if isinstance(each, PausedItself)]
        assert paused.pause.by is PausedBy.FAILURES
        assert "nothing but failures for 5 d, 14,001 attempts; the last: HTTP 500" in paused.pause.why
    assert statuses(path) == {"pending": 1}


@pytest.mark.parametrize("sign", [400, 429])
async def test_an_answer_that_shows_it_lives_ends_the_days_of_failures(
    path: Path, receiver: Receiver, sign: int
) -> None:
    receiver.respond = lambda _: Answer(status=sign if receiver.received == 1 else 503, headers={"Retry-After": "0"})
    now = utc_now()
    stretch = FailureStretch(began=now - timedelta(days=6), last=now - timedelta(minutes=1), attempts=14_000)
    failing = DestinationState(failing_since=now - timedelta(days=6), stretch=stretch)
    async with running(path, destination(receiver.url, concurrency=1), state=failing) as scene:
        scene.bring([event(0), event(1)])
        await scene.until(lambda: scene.heard(FailedForLonger) == 1)
        assert scene.heard(StretchEnded) == 1
        assert not scene.heard(PausedItself)


@pytest.mark.parametrize("kept", [None, timedelta(days=6)])
async def test_a_failure_long_after_another_one_pauses_nothing(
    path: Path, receiver: Receiver, kept: timedelta | None
) -> None:
    """A stop in the middle of an outage and a start days later; or nothing sent for a week."""
    receiver.status = 503
    began = utc_now() - timedelta(days=6)
    stretch = None if kept is None else FailureStretch(began=began, last=began + timedelta(hours=1), attempts=1000)
    failing = DestinationState(failing_since=began, stretch=stretch)
    async with running(path, destination(receiver.url), state=failing) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: len(scene.attempts) >= 2)
        assert not scene.heard(PausedItself)
        assert [each.stretch.attempts for each in scene.events if isinstance(each, FailedForLonger)] == [1]


@pytest.mark.parametrize("headers", [{"Retry-After": "-1"}, {"webhook-delivery": "abort-message"}])
async def test_a_receiver_can_end_the_tries(path: Path, receiver: Receiver, headers: dict[str, str]) -> None:
    receiver.respond = lambda _: Answer(status=500, headers=headers)
    async with running(path, destination(receiver.url)) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: bool(scene.attempts))
        assert isinstance(scene.attempts[0][2], Dead)
    assert receiver.received == 1


async def test_old_news_is_not_sent(path: Path, receiver: Receiver) -> None:
    receiver.status = 503
    policy = RetryPolicy(delays=(timedelta(seconds=0.2),) * 9, max_age=timedelta(seconds=1), jitter=0)
    async with running(path, destination(receiver.url, retry=policy, breaker=NO_BREAKER)) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: any(isinstance(decision, Expired) for *_, decision in scene.attempts))
        scene.lane.pause()
        scene.bring([event(1)])
        await asyncio.sleep(2.1)
        tried = receiver.received
        scene.lane.resume()
        await scene.until(lambda: scene.heard(ExpiredUnsent) == 1)
        assert receiver.received == tried
    assert statuses(path) == {"expired": 2}


async def test_attempts_that_the_stop_cuts_short_are_not_counted(path: Path, receiver: Receiver) -> None:
    receiver.respond = lambda _: Answer(action=Action.HANG)
    async with running(path, destination(receiver.url), grace=timedelta(seconds=0.1)) as scene:
        scene.bring([event(number) for number in range(20)])
        await receiver.wait_until(lambda receiver: receiver.received == 16)
    assert look(path, "SELECT DISTINCT status, attempts FROM deliveries") == [("pending", 0)]
    assert not scene.attempts


async def test_refusals_are_tried_slowly(path: Path, receiver: Receiver) -> None:
    receiver.status = 404
    async with running(path, destination(receiver.url)) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: bool(scene.attempts))
        decision = scene.attempts[0][2]
        assert isinstance(decision, RetryAt)
        assert decision.at - utc_now() > timedelta(seconds=40)
    assert look(path, "SELECT refusals FROM deliveries") == [(1,)]


class Worker:
    """Renders what costs too much for the event loop, or says that it cannot, as often as it is told."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.jobs: list[TemplateJob] = []

    async def render(self, job: TemplateJob) -> list[str]:
        self.jobs.append(job)
        if self.failures:
            raise self.failures.pop(0)
        return ["made"]


COSTLY = TemplateFormat(
    source="{% for a in range(9999) %}{% endfor %}", content_type="text/plain", is_json=False
)  # nothing of it depends on the event


async def test_what_costs_too_much_for_the_event_loop_is_rendered_by_the_worker(path: Path, receiver: Receiver) -> None:
    worker = Worker()
    async with running(path, destination(receiver.url, format_=COSTLY), template_worker=worker) as scene:
        scene.bring([event(0), event(1)])
        await receiver.wait_for(2)
    assert [request.body for request in receiver.requests] == [b"made", b"made"]
    assert {job.templates.part for job in worker.jobs} == {"text"}


async def test_what_the_worker_refuses_is_dead_with_its_reason(path: Path, receiver: Receiver) -> None:
    worker = Worker(CannotFormatError("this needs more than 50 ms"))
    async with running(path, destination(receiver.url, format_=COSTLY), template_worker=worker) as scene:
        scene.bring([event(0), event(1)])
        await receiver.wait_for(1)
        await scene.until(lambda: len(scene.attempts) == 2)
    assert statuses(path) == {"dead": 1, "delivered": 1}
    assert [decision.reason for _, _, decision in scene.attempts if isinstance(decision, Dead)] == [
        "this needs more than 50 ms"
    ]


async def test_a_worker_that_cannot_be_started_is_a_fault_of_this_machine(path: Path, receiver: Receiver) -> None:
    worker = Worker(RendererUnavailableError("cannot be started: Resource temporarily unavailable"))
    async with running(path, destination(receiver.url, format_=COSTLY), template_worker=worker) as scene:
        scene.bring([event(0)])
        await receiver.wait_for(1)
        await scene.until(lambda: len(scene.attempts) == 2)
    assert statuses(path) == {"delivered": 1}
    first = scene.attempts[0][1].outcome
    assert isinstance(first, Unanswered)
    assert first.is_local_fault


async def test_without_a_worker_such_an_event_is_dead(path: Path, receiver: Receiver) -> None:
    async with running(path, destination(receiver.url, format_=COSTLY)) as scene:
        scene.bring([event(0)])
        await scene.until(lambda: len(scene.attempts) == 1)
    assert statuses(path) == {"dead": 1}
