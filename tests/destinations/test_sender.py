"""One attempt against real receivers of every temper: always an outcome, never an exception."""

from datetime import timedelta

import msgspec
import pytest

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.core.destinations.request import FixedHeaders, WebhookRequest
from forwarder.destinations.sender import MAX_ANSWER_BYTES
from forwarder.emulator.receiver import Answer, Received, Receiver
from tests.support.raw import REQUEST, raw_server, says, sender_to


async def test_the_body_and_the_headers_arrive_as_they_are() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        assert await sender.send(REQUEST) == Answered(status=200)
    assert receiver.requests[0].body == REQUEST.body
    assert receiver.requests[0].headers["webhook-id"] == "msg_1"


async def test_a_connection_reset_by_the_receiver_is_a_failure_when_it_was_a_fresh_one() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(action="reset")
        outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.NETWORK
    assert receiver.received == 1


async def test_a_knock_at_a_port_that_takes_connections_and_speaks_no_tls_asks_for_an_attempt() -> None:
    async with Receiver() as receiver, sender_to(receiver.url.replace("http:", "https:")) as sender:
        assert await sender.knock()
        outcome = await sender.send(REQUEST)
        assert isinstance(outcome, Unanswered)
        assert outcome.fault is Fault.TLS


async def test_no_answer_within_the_timeout() -> None:
    async with Receiver() as receiver, sender_to(receiver.url, timeout=0.2) as sender:
        receiver.respond = lambda _received: Answer(action="hang")
        outcome = await sender.send(REQUEST)
    assert outcome == Unanswered(fault=Fault.TIMEOUT, detail="no answer within 0.2 s")


async def test_an_address_that_was_silent_is_as_good_as_others_when_it_answers_again() -> None:
    async with Receiver() as receiver, sender_to(receiver.url, timeout=0.2) as sender:
        receiver.respond = lambda _received: Answer(action="hang")
        await sender.send(REQUEST)
        assert list(sender._pool.failed_addresses) == ["127.0.0.1"]
        receiver.respond = None
        while isinstance(await sender.send(REQUEST), Unanswered):  # a busy machine
            pass
        assert not sender._pool.failed_addresses


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("http://elsewhere.invalid/secret-path?token=1", "http://elsewhere.invalid"),
        ("/login", "another path of the same host"),
        ("/hook/", "the same URL with a slash at its end (write it so in the config)"),
        ("http://[::1", "an invalid address"),
    ],
)
async def test_a_redirect_is_a_failure_that_says_where_it_pointed_without_the_path(location: str, said: str) -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(status=302, headers={"Location": location})
        outcome = await sender.send(REQUEST)
    assert outcome.reason == f"HTTP 302, a redirect to {said}, not followed"
    assert receiver.received == 1


async def test_retry_after_is_read_and_an_unreadable_one_is_ignored() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(status=429, headers={"Retry-After": "7"})
        assert await sender.send(REQUEST) == Answered(status=429, retry_after=timedelta(seconds=7))
        receiver.respond = lambda _received: Answer(status=429, headers={"Retry-After": "soon"})
        assert await sender.send(REQUEST) == Answered(status=429)


async def test_an_answer_is_read_up_to_64_kib_and_kept_as_one_harmless_line() -> None:
    async with Receiver() as receiver, sender_to(receiver.url) as sender:
        receiver.respond = lambda _received: Answer(
            status=500, body=b"\x1b[2J no\nroom \xff" + b"x" * 3 * MAX_ANSWER_BYTES
        )
        outcome = await sender.send(REQUEST)
        assert isinstance(outcome, Answered)
        assert outcome.excerpt.startswith("[2J no room \ufffdxxx")
        assert outcome.excerpt.isprintable()
        receiver.respond = None
        assert await sender.send(REQUEST) == Answered(status=200)


async def test_what_an_answer_repeats_of_the_requests_secrets_is_not_kept() -> None:
    shared = FixedHeaders({"Content-Type": "application/json", "X-Key": "canary-header", "x-forwarder-attempt": "1"})
    request = WebhookRequest(fixed=shared, id="msg_1", timestamp=1, more={"Title": "canary of an event"}, body=b"{}")
    echoed: list[bytes] = []

    def echo(received: Received) -> Answer:
        headers = "; ".join(f"{name}: {value}" for name, value in received.headers.items())
        echoed.append(f"no {received.path} here; {'x' * 420} {headers}".encode())
        return Answer(status=400, body=echoed[-1])

    async with Receiver(respond=echo) as receiver:
        url = receiver.url.replace("http://", "http://u:canary-password@") + "/canary-long-path?key=canary-long-query"
        async with sender_to(url) as sender:
            outcomes = [
                await sender.send(request),
                await sender.send(
                    msgspec.structs.replace(request, target="/canary-of-a-template?key=canary-long-query")
                ),
            ]
    for outcome, answer in zip(outcomes, echoed, strict=True):
        assert isinstance(outcome, Answered)
        assert b"canary" in answer
        assert outcome.excerpt.startswith("no *** here")
        assert "canary" not in outcome.excerpt
        assert "Host: 127.0.0.1" in outcome.excerpt


@pytest.mark.parametrize(
    ("echo", "kept"),
    [
        (b'{"sent":"\\/hook\\/canary-long-path?k=canary","by":"u:canary"}', '{"sent":"***","by":"***"}'),
        (b"user u, password canary", "user u, password ***"),
        (b"k=%63anary", "k=***"),
        (b"x" * 495 + b"/hook/canary-long-path?k=canary", "x" * 495 + "***"),
        (b"x" * 90_000, "x" * 500),
    ],
)
async def test_a_secret_is_not_kept_in_whatever_way_an_answer_writes_it(echo: bytes, kept: str) -> None:
    async with Receiver(respond=lambda _received: Answer(status=400, body=echo)) as receiver:
        url = receiver.url.replace("http://", "http://u:canary@") + "/canary-long-path?k=canary"
        async with sender_to(url) as sender:
            outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Answered)
    assert outcome.excerpt == kept


async def test_a_part_of_a_secret_at_the_end_of_what_is_read_is_not_kept() -> None:
    secret = "canary" * 50
    async with Receiver(respond=lambda _received: Answer(status=400, body=f"{secret} ".encode() * 9)) as receiver:
        async with sender_to(f"{receiver.url}/{secret}") as sender:
            outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Answered)
    assert "canary" not in outcome.excerpt


async def test_a_part_of_a_secret_at_the_end_of_an_answer_that_breaks_off_is_not_kept() -> None:
    async with raw_server(says(b"HTTP/1.1 400 Bad\r\nContent-Length: 99\r\n\r\nno /canary-lo")) as url:
        async with sender_to(f"{url}canary-long-path") as sender:
            outcome = await sender.send(REQUEST)
    assert isinstance(outcome, Answered)
    assert outcome.excerpt == "no ***"


async def test_a_header_of_one_request_takes_the_place_of_the_password_in_the_url() -> None:
    request = msgspec.structs.replace(REQUEST, more={"authorization": "Bearer of-this-event"})
    async with sender_to("http://u:canary@127.0.0.1:9/") as sender:
        head = sender.head_of(request)
    assert head.lower().count(b"authorization:") == 1
    assert b"Bearer of-this-event" in head


@pytest.mark.parametrize("target", ["/a b", "/a\r\nX: y", "/\ud800", "/\0"])
async def test_a_target_that_no_request_can_carry_is_a_failure_for_good(target: str) -> None:
    async with sender_to("http://127.0.0.1:9/") as sender:
        outcome = await sender.send(msgspec.structs.replace(REQUEST, target=target))
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.FORMAT


@pytest.mark.parametrize("value", ["a\r\nX: y", "a\nb", "a\rb", "a\0b"])
@pytest.mark.parametrize("place", ["fixed", "more"])
async def test_a_header_that_no_request_can_carry_is_a_failure_for_good(place: str, value: str) -> None:
    headers: dict[str, dict[str, str]] = {"fixed": {}, "more": {}, place: {"Title": value}}
    request = WebhookRequest(fixed=headers["fixed"], id="msg_1", timestamp=1, more=headers["more"], body=b"")
    async with sender_to("http://127.0.0.1:9/") as sender:
        outcome = await sender.send(request)
    assert isinstance(outcome, Unanswered)
    assert outcome.fault is Fault.FORMAT
