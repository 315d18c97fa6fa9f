"""The look-up of one host: a name server that does not answer holds up nobody else, and what it returns is kept for a while."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from forwarder.core.delivery import Answered, Fault, Unanswered
from forwarder.destinations.resolver import DNS_CACHE_S, Resolver
from forwarder.emulator.receiver import Receiver
from tests.support.raw import REQUEST, sender_to


async def test_a_name_server_that_says_nothing_holds_up_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    look_up, asked, may_end = socket.getaddrinfo, [], threading.Event()

    def hang(host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        if host == "silent.example" and options["flags"] != socket.AI_NUMERICHOST:
            asked.append(host)
            may_end.wait(30)
        return look_up(host, port, **options)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    try:
        async with Receiver() as receiver, sender_to("http://silent.example/", timeout=0.3) as silent:
            url = receiver.url.replace("127.0.0.1", "localhost")
            waiting = [asyncio.ensure_future(silent.send(REQUEST)) for _ in range(40)]
            await asyncio.sleep(0)
            async with sender_to(url) as sender:
                assert await sender.send(REQUEST) == Answered(status=200)
            ends = set(await asyncio.gather(*waiting))
            said = "the name server did not answer within 0.3 s"
            assert ends == {Unanswered(fault=Fault.DNS, detail=said, is_local_fault=True)}
            assert len(asked) == 1
    finally:
        may_end.set()


async def test_no_thread_for_a_look_up_is_our_fault_and_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async with sender_to("http://some.example/") as sender:
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", fail)
            outcome = await sender.send(REQUEST)
    assert outcome == Unanswered(
        fault=Fault.NETWORK, detail="this machine cannot start another thread or connection", is_local_fault=True
    )


class Names:
    """A name server of a test: it counts what it is asked, and answers when it may."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._look_up = socket.getaddrinfo
        self.asked: list[str] = []
        self.address = "127.0.0.1"
        self.fails = 0
        self.may_answer = threading.Event()
        self.may_answer.set()
        monkeypatch.setattr(socket, "getaddrinfo", self._answer)

    def _answer(self, host: str, port: int, **options: Any) -> Any:  # noqa: ANN401 - as getaddrinfo's
        if not host.endswith(".example"):
            return self._look_up(host, port, **options)
        if options["flags"] == socket.AI_NUMERICHOST:
            raise socket.gaierror(socket.EAI_NONAME, "not numeric")
        self.asked.append(threading.current_thread().name)
        self.may_answer.wait(30)
        if self.fails:
            raise socket.gaierror(self.fails, "fails")
        return self._look_up(self.address, port, **options)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names(monkeypatch)
    yield names
    names.may_answer.set()


async def addresses(resolver: Resolver) -> list[str]:
    return [str(each[4][0]) for each in await resolver.addresses()]


async def test_a_name_is_looked_up_in_a_thread_of_its_own_and_kept_for_half_a_minute(names: Names) -> None:
    resolver = Resolver("some.example", 80)
    assert await addresses(resolver) == ["127.0.0.1"]
    assert names.asked == ["resolver some.example"]
    names.address = "127.0.0.2"
    resolver._found_at -= DNS_CACHE_S - 20
    assert await addresses(resolver) == ["127.0.0.1"]
    resolver._found_at -= 21
    assert await addresses(resolver) == ["127.0.0.2"]
    assert len(names.asked) == 2


async def test_a_name_whose_address_may_have_changed_is_looked_up_again(names: Names) -> None:
    resolver = Resolver("some.example", 80)
    await addresses(resolver)
    resolver.forget()
    names.address = "127.0.0.3"
    assert await addresses(resolver) == ["127.0.0.3"]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_numeric_address_needs_no_thread(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", fail)
    assert await addresses(Resolver(host, 80)) == [host]


async def test_all_who_wait_share_one_look_up_and_one_who_gives_up_ends_it_for_nobody_else(names: Names) -> None:
    names.may_answer.clear()
    resolver = Resolver("some.example", 80)
    first, second, third = (asyncio.ensure_future(addresses(resolver)) for _ in range(3))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    names.may_answer.set()
    assert await second == await third == ["127.0.0.1"]
    assert first.cancelled()
    assert len(names.asked) == 1


async def test_a_failed_look_up_is_raised_to_all_who_wait_and_not_kept(names: Names) -> None:
    names.fails = socket.EAI_NONAME
    resolver = Resolver("some.example", 80)
    found = await asyncio.gather(addresses(resolver), addresses(resolver), return_exceptions=True)
    assert [type(each) for each in found] == [socket.gaierror] * 2
    assert len(names.asked) == 1
    names.fails = 0
    assert await addresses(resolver) == ["127.0.0.1"]


async def test_a_name_server_that_fails_changes_nothing_for_a_name_that_was_found(names: Names) -> None:
    resolver = Resolver("some.example", 80, cache_s=-1)
    assert await addresses(resolver) == ["127.0.0.1"]
    names.address, names.fails = "127.0.0.2", socket.EAI_AGAIN
    assert await addresses(resolver) == ["127.0.0.1"]
    names.may_answer.clear()
    assert await addresses(resolver) == ["127.0.0.1"]  # it does not answer at all
    names.fails = 0
    names.may_answer.set()
    await addresses(resolver)  # may be the look-up that began above
    assert await addresses(resolver) == ["127.0.0.2"]
    names.fails = socket.EAI_NONAME  # an answer: the name is gone
    with pytest.raises(socket.gaierror):
        await addresses(resolver)


async def test_addresses_of_yesterday_are_not_used(names: Names) -> None:
    resolver = Resolver("some.example", 80)
    await addresses(resolver)
    resolver._found_at -= 86_401
    names.fails = socket.EAI_AGAIN
    with pytest.raises(socket.gaierror):
        await addresses(resolver)


async def test_addresses_that_could_not_be_reached_are_not_used_again(names: Names) -> None:
    resolver = Resolver("some.example", 80)
    await addresses(resolver)
    resolver.forget()
    names.fails = socket.EAI_AGAIN
    with pytest.raises(socket.gaierror):
        await addresses(resolver)


async def test_who_gets_the_addresses_may_change_the_list(names: Names) -> None:
    resolver = Resolver("some.example", 80)
    (await resolver.addresses()).clear()
    assert await addresses(resolver) == ["127.0.0.1"]
    assert len(names.asked) == 1
