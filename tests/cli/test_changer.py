"""A change is made in the file where no daemon runs, otherwise by the daemon that holds the file; what goes wrong comes out as it is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from forwarder.cli import changer as changer_module
from forwarder.cli.changer import SLICE_WITHIN, changer
from forwarder.cli.locations import Places, UsageError, places_of
from forwarder.control.client import Control
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.control.server import open_control_socket
from forwarder.core.commands import Change, Changed, DeadLetterChange, PauseChange, Replay, Request, RequestRefusedError
from forwarder.outbox.open import open_outbox
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from forwarder.outbox.sqlite.file.lock import locked
from tests.support.history import fill
from tests.support.process import look
from tests.support.watching import unwatched

PAUSE = PauseChange(verb="pause", destination="bot", why="moving", now_ms=1)
REPLAY = Replay(to="other", start_ms=0, rate=50, since_ms=0, until_ms=1 << 50)
DROP = DeadLetterChange(verb="dead_drop", since_ms=0, until_ms=1 << 50, start_ms=0, rate=50)
PAUSED = "SELECT paused_why FROM destinations WHERE paused_why IS NOT NULL"


@pytest.fixture
async def found(config: Path) -> Places:
    """Give the places of a config with an outbox that has something in it, and that nobody uses."""
    await fill(config)
    return places_of(config)


async def change(found: Places, *changes: Change) -> list[Changed]:
    """Make changes as a command does, in a thread; return what each of them did."""

    def work() -> list[Changed]:
        with changer(found) as make:
            return [make(each) for each in changes]

    return await asyncio.to_thread(work)


def done(number: int) -> Changed:
    """Return what the daemon answers to a request of this number."""
    return Changed(changed=number, left_alone=7, destinations=("bot",), last_seq=number, is_last=False)


@asynccontextmanager
async def daemon(found: Places, *, refuses: str = "") -> AsyncIterator[list[Request]]:
    """Hold the outbox and answer at the control socket, as a daemon does; give the requests that come."""
    asked: list[Request] = []

    async def handle(request: Request, _person: str) -> Changed:
        asked.append(request)
        if refuses:
            raise RequestRefusedError(refuses)
        return done(len(asked))

    async with open_outbox(found.outbox), open_control_socket(found.socket, handle, open_watch=unwatched):
        yield asked


# Without a daemon


async def test_without_a_daemon_the_file_is_changed(found: Places) -> None:
    paused, replayed, dropped = await change(found, PAUSE, REPLAY, DROP)
    assert (paused.changed, replayed.changed, dropped.changed) == (1, 4, 1)
    assert look(found.outbox, PAUSED) == [("moving",)]


@pytest.mark.parametrize(
    "asked", [PAUSE.model_copy(update={"destination": "bott"}), REPLAY.model_copy(update={"to": "bott"})]
)
async def test_in_the_file_a_destination_must_be_in_the_config(found: Places, asked: Change) -> None:
    with pytest.raises(UsageError, match='no enabled destination is called "bott"; did you mean "bot"'):
        await change(found, asked)
    assert look(found.outbox, PAUSED) == []


async def test_dead_letters_of_a_destination_that_the_config_does_not_have_any_more_can_be_changed(
    found: Places,
) -> None:
    gone = Places(config=Path("config.yaml"), outbox=found.outbox, socket=found.socket, destinations=frozenset())
    (dropped,) = await change(gone, DROP.model_copy(update={"destination": "bot"}))
    assert dropped.changed == 1


async def test_the_file_is_locked_while_it_is_changed_and_free_afterwards(found: Places) -> None:
    with changer(found), ExitStack() as other:
        with pytest.raises(OutboxUnusableError) as raised:
            other.enter_context(locked(found.outbox))
        assert raised.value.problem is OutboxProblem.IN_USE_BY_COMMAND
    with locked(found.outbox):
        pass


# Through a daemon


async def test_a_daemon_that_holds_the_file_makes_the_changes(found: Places) -> None:
    unknown = PAUSE.model_copy(update={"destination": "of the daemon's config"})
    async with daemon(found) as asked:
        changed = await change(found, PAUSE, DROP, unknown)
    assert asked == [PAUSE, DROP, unknown]  # which destinations there are, the daemon knows
    assert changed == [done(number) for number in (1, 2, 3)]
    assert look(found.outbox, PAUSED) == []


async def test_what_the_daemon_refuses_comes_out(found: Places) -> None:
    async with daemon(found, refuses="not that one"):
        with pytest.raises(DaemonRefusedError, match="not that one"):
            await change(found, PAUSE)


async def test_a_slice_may_take_longer_than_a_pause_and_shows_that_it_is_waited_for(
    found: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[dict[str, object]] = []
    ask = Control.ask

    def noted(control: Control, request: Request, **limit: object) -> object:
        limits.append(limit)
        return ask(control, request, **limit)  # type: ignore[arg-type] # as they came

    monkeypatch.setattr(Control, "ask", noted)
    monkeypatch.setattr(changer_module, "waiting_for", lambda what: what)
    async with daemon(found):
        await change(found, PAUSE, REPLAY, DROP)
    slice_ = {"within": SLICE_WITHIN, "waiting": "the daemon writes into its outbox"}
    assert limits == [{"within": None, "waiting": None}, slice_, slice_]


# What goes wrong


async def test_a_file_in_use_by_a_daemon_that_does_not_answer_is_no_daemon(found: Places) -> None:
    async with open_outbox(found.outbox):
        with pytest.raises(NoDaemonError) as raised:
            await change(found, PAUSE)
    assert str(found.socket) in str(raised.value)


async def test_a_file_that_may_not_be_opened_is_what_is_wrong_where_no_daemon_answers(
    found: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    unwritable = forbid(found, monkeypatch, OutboxProblem.UNWRITABLE)
    with pytest.raises(OutboxUnusableError) as raised:
        await change(found, PAUSE)
    assert raised.value is unwritable
    assert raised.value.__suppress_context__  # that there is no daemon is no news


async def test_a_daemon_changes_the_file_for_a_user_who_may_not_open_it(
    found: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    forbid(found, monkeypatch, OutboxProblem.UNWRITABLE)
    async with daemon(found) as asked:
        await change(found, PAUSE)
    assert asked == [PAUSE]


@pytest.mark.parametrize("problem", sorted(set(OutboxProblem) - {OutboxProblem.IN_USE, OutboxProblem.UNWRITABLE}))
async def test_no_daemon_is_asked_about_a_file_with_any_other_problem(
    found: Places, monkeypatch: pytest.MonkeyPatch, problem: OutboxProblem
) -> None:
    unusable = forbid(found, monkeypatch, problem)
    async with daemon(found) as asked:
        with pytest.raises(OutboxUnusableError) as raised:
            await change(found, PAUSE)
    assert raised.value is unusable
    assert asked == []


async def test_an_outbox_that_is_not_there_is_not_made(found: Places) -> None:
    nowhere = Places(
        config=Path("config.yaml"),
        outbox=found.outbox.with_name("no.db"),
        socket=found.socket,
        destinations=found.destinations,
    )
    with pytest.raises(OutboxUnusableError) as raised:
        await change(nowhere, PAUSE)
    assert raised.value.problem is OutboxProblem.MISSING
    assert not nowhere.outbox.exists()


def forbid(found: Places, monkeypatch: pytest.MonkeyPatch, problem: OutboxProblem) -> OutboxUnusableError:
    """Have the file not be opened for this reason: for root, who runs the tests, every file can be opened."""
    error = OutboxUnusableError(problem, found.outbox, "it is so", "Do this.")

    def fail(_location: Path) -> None:
        raise error

    monkeypatch.setattr(changer_module, "open_for_change", fail)
    return error
