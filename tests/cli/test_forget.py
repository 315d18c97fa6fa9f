"""`forwarder forget`, on the file alone and through a daemon that holds it."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path

import pytest

from forwarder.cli import exit_codes, main
from forwarder.control.server import open_control_socket
from forwarder.core.commands import Change, Changed, Forget, Request, RequestRefusedError, StatusRequest, Vacuum
from forwarder.core.delivery import DeliveryStatus, KeptDelivery, new_delivery
from forwarder.core.event import Event, decode_event
from forwarder.core.ledger import LedgerEntry
from forwarder.core.monitoring.notices import FAILING, as_event
from forwarder.core.monitoring.quiet_digest import digests_of
from forwarder.outbox.open import open_outbox
from forwarder.outbox.store import OutboxStore
from tests.support.history import records
from tests.support.outbox import BOT, NOW, attempt
from tests.support.process import command, look
from tests.support.watching import unwatched

SECRET_WORDS = "words that nobody may find again"


def post(mid: int, *, handle: str, id_: str, name: str, source: str = "x") -> Event:
    author = {"id": id_, "screen_name": handle, "name": name}
    payload = {"id": str(mid), "text": f"{SECRET_WORDS} {mid} " + "z" * 3000, "author": author}
    frame = {"source": source, "mid": str(mid), "sid": id_, "timestamp": 1.0, "payload": payload}
    return decode_event(json.dumps(frame).encode())


def store(outbox: OutboxStore, event: Event, status: DeliveryStatus = DeliveryStatus.IN_FLIGHT) -> None:
    seq = outbox.new_seq()
    delivery = new_delivery(event, BOT, ("all",), event_seq=seq, accepted_at=NOW)
    outbox.enqueue(event, seq, {status: [delivery]}, entry=LedgerEntry.MATCHED, now=NOW, read_at=0.0)
    if status is DeliveryStatus.IN_FLIGHT:
        outbox.complete(delivery, attempt(200))


async def fill(config: Path) -> None:
    """Three posts of one author, one of which waits, one of another who is displayed by the same name, and one of a third."""
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        store(outbox, post(1, handle="novadesk", id_="7", name="Nova"))
        store(outbox, post(2, handle="NovaDesk", id_="7", name="Nova", source="fast-x"))
        store(outbox, post(3, handle="other", id_="8", name="Nova"))
        store(outbox, post(4, handle="third", id_="9", name="Third"))
        store(outbox, post(5, handle="novadesk", id_="7", name="Nova"), DeliveryStatus.PENDING)


async def mids(config: Path) -> list[str]:
    return [event["mid"] for event in await records(config, "events")]


def traces(config: Path) -> int:
    """Return how often the files of the outbox hold the words of a post."""
    return sum(
        path.read_bytes().count(SECRET_WORDS.encode()) for path in config.parent.glob("outbox.db*") if path.is_file()
    )


@pytest.mark.parametrize("name", ["novadesk", "@NOVADESK", "7"])
async def test_without_a_daemon_all_of_an_author_is_gone_from_the_file(config: Path, name: str) -> None:
    await fill(config)
    before = traces(config)
    assert await records(config, "forget", "--author", name, "--yes") == [done(3)]
    assert await mids(config) == ["4", "3"]
    assert look(config.with_name("outbox.db"), "SELECT count(*) FROM deliveries") == [(2,)]
    assert before >= 5
    assert traces(config) == 2
    (audit,) = await records(config, "audit")
    assert audit["balanced"]


async def test_a_dry_run_says_what_would_go_and_which_copies_stay(config: Path) -> None:
    await fill(config)
    code, out, err = await command("forget", "--author", "novadesk", "--dry-run", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    assert out == (
        "3 events (2 of x, 1 of fast-x) and 3 deliveries would be deleted. Not deleted: copies made by forwarder outbox backup or "
        "export, posts of others that quote this author, the log, and what was delivered to receivers.\n"
    )
    assert await records(config, "forget", "--author", "novadesk", "--source", "x", "--dry-run") == [
        {"would_delete": 2, "sources": {"x": 2}, "listings": 0}
    ]
    assert len(await mids(config)) == 5


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("--author", "nova", "--yes"),
            exit_codes.USAGE,
            "2 authors are displayed as 'nova'; name one by its handle or id: 7 (x), 8 (x)",
        ),
        (("--author", "nobody", "--yes"), exit_codes.FAILURE, "no event of 'nobody' in the outbox"),
        (("--author", "novadesk"), exit_codes.USAGE, "add --yes, or --dry-run"),
        (("--author", " ", "--yes"), exit_codes.USAGE, "must not be empty"),
        (("--author", "novadesk", "--source", "telegramm", "--yes"), exit_codes.USAGE, "telegramm"),
    ],
)
async def test_nothing_is_deleted_of_an_author_who_is_not_certain(
    config: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    await fill(config)
    found, out, err = await command("forget", *words, "-c", str(config))
    assert (found, out) == (code, "")
    assert said in err
    assert len(await mids(config)) == 5


async def test_a_name_that_one_author_has_finds_all_of_their_posts(config: Path) -> None:
    await fill(config)
    assert await records(config, "forget", "--author", "third", "--yes") == [done(1)]
    assert await mids(config) == ["5", "3", "2", "1"]


@pytest.mark.parametrize(("answer", "is_deleted"), [("yes\n", True), ("y\n", False), ("", False)])
def test_a_person_is_asked_first(
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    *,
    is_deleted: bool,
) -> None:
    asyncio.run(fill(config))
    monkeypatch.setattr("sys.stdin", _Terminal(answer))
    code = main(["forget", "--author", "third", "-c", str(config)])
    assert "1 event (1 of x) and 1 delivery will be deleted for good." in capsys.readouterr().out
    assert code == (exit_codes.OK if is_deleted else exit_codes.FAILURE)
    assert ("4" in asyncio.run(mids(config))) is not is_deleted


class _Terminal:
    def __init__(self, answer: str) -> None:
        self.answer = answer

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self.answer


async def add_digest(config: Path, status: DeliveryStatus) -> None:
    """Keep a digest of quiet hours that lists a post of the author and one of somebody else, and a summary that names nobody."""
    posts = (post(6, handle="novadesk", id_="7", name="Nova"), post(7, handle="other", id_="8", name="Nova"))
    kept = [
        KeptDelivery(event_seq=n, post=(each.source, each.sid, each.mid), accepted_at=NOW, body=each.body)
        for n, each in enumerate(posts)
    ]
    (digest,) = digests_of(BOT, kept)
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        store(outbox, as_event(digest.notice, now=NOW, number=1), status)
        store(outbox, as_event(FAILING.about(BOT, time=timedelta(hours=1), reason="no"), now=NOW, number=2))


def done(deleted: int, *, waiting: int = 0, rewritten: int = 0) -> dict[str, int]:
    """Return the result of the command."""
    return {"deleted": deleted, "waiting": waiting, "rewritten": rewritten}


async def test_a_digest_that_lists_a_post_of_the_author_goes_too(config: Path) -> None:
    await fill(config)
    await add_digest(config, DeliveryStatus.IN_FLIGHT)
    code, out, err = await command("forget", "--author", "novadesk", "--dry-run", "-c", str(config))
    assert (code, err) == (exit_codes.OK, "")
    assert (
        "4 events (2 of x, 1 of fast-x, 1 of forwarder) and 4 deliveries would be deleted. With them 1 message" in out
    )
    assert await records(config, "forget", "--author", "novadesk", "--yes") == [done(4)]
    assert [event["source"] for event in await records(config, "events")] == ["forwarder", "x", "x"]
    assert traces(config) == 2
    (audit,) = await records(config, "audit")
    assert audit["balanced"]


async def test_a_digest_is_found_when_nothing_else_of_the_author_is_left(config: Path) -> None:
    await add_digest(config, DeliveryStatus.IN_FLIGHT)
    assert await records(config, "forget", "--author", "novadesk", "--yes") == [done(1)]
    assert traces(config) == 0


async def test_of_a_digest_that_is_still_to_be_sent_only_the_author_goes(config: Path) -> None:
    await add_digest(config, DeliveryStatus.PENDING)
    db = config.with_name("outbox.db")
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute("UPDATE deliveries SET excerpt = 'words of novadesk' WHERE status = 'pending'")
    assert traces(config) >= 4  # each in the lines and in the list
    assert await records(config, "forget", "--author", "novadesk", "--yes") == [done(0, rewritten=1)]
    (digest,) = [event for event in await records(config, "events", "--json") if "post" in event["text"]]
    assert [each["status"] for each in digest["deliveries"]] == ["pending"]
    (shown,) = await records(config, "events", "show", digest["event_id"])
    payload = json.loads(shown["body"])["payload"]
    assert (payload["title"], payload["count"]) == ("1 post in the quiet hours", 1)
    assert [each["author"] for each in payload["posts"]] == ["other"]
    assert decode_event(shown["body"].encode()).id == digest["event_id"]
    assert payload["text"].startswith("• other: ")
    assert traces(config) == 2
    assert b"novadesk" not in db.read_bytes()
    (audit,) = await records(config, "audit")
    assert audit["balanced"]


async def test_a_daemon_keeps_a_digest_that_it_has_still_to_send(config: Path) -> None:
    await add_digest(config, DeliveryStatus.PENDING)
    async with beside(config):
        code, out, _ = await asyncio.wait_for(command("forget", "--author", "novadesk", "--yes", "-c", str(config)), 60)
    assert code == exit_codes.FAILURE
    assert "0 events deleted." in out
    assert "1 event is still to be delivered, and stays until then" in out


@pytest.fixture
async def beside_a_daemon(config: Path) -> AsyncIterator[list[Request]]:
    """Hold an outbox with posts as a daemon does; give the requests."""
    await fill(config)
    async with beside(config) as asked:
        yield asked


@asynccontextmanager
async def beside(config: Path) -> AsyncIterator[list[Request]]:
    """Hold the outbox and carry out changes, as a daemon does; give the requests."""
    asked: list[Request] = []
    async with AsyncExitStack() as stack:
        outbox = await stack.enter_async_context(open_outbox(config.with_name("outbox.db")))

        async def handle(request: Request, person: str) -> Changed | dict[str, object]:
            if isinstance(request, StatusRequest):
                raise RequestRefusedError("it has no status")
            asked.append(request)
            if isinstance(request, Vacuum):
                return {"freed_bytes": await outbox.vacuum_slice()}
            assert isinstance(request, Change)
            return await outbox.change(request, person=person)

        await stack.enter_async_context(
            open_control_socket(config.with_name("outbox.db.sock"), handle, open_watch=unwatched)
        )
        yield asked


async def test_a_daemon_keeps_what_it_has_still_to_deliver(config: Path, beside_a_daemon: list[Request]) -> None:
    code, out, err = await asyncio.wait_for(command("forget", "--author", "novadesk", "--yes", "-c", str(config)), 60)
    assert (code, err) == (exit_codes.FAILURE, "")
    assert out.startswith("2 events deleted. Not deleted: copies made by")
    assert "1 event is still to be delivered, and stays until then: run the command again later." in out
    assert await mids(config) == ["5", "4", "3"]
    assert isinstance(beside_a_daemon[0], Forget)
    assert isinstance(beside_a_daemon[-1], Vacuum)
    assert traces(config) == 3


def test_a_request_to_forget_names_events() -> None:
    with pytest.raises(ValueError, match="seqs"):
        Forget(seqs=(), now_ms=0)
