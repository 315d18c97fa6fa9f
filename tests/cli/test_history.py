"""`forwarder events` and `forwarder deliveries`: lists, and one with its details."""

import re
from collections import Counter
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.cli.history import _ends, _print_events, attempt_result, end_of
from forwarder.cli.listing import local
from forwarder.core.delivery import DeliveryStatus
from forwarder.core.event import decode_event
from forwarder.core.history import AWAITS_FULL, KEPT_BY_QUIET, KEPT_FOR_DIGEST
from forwarder.core.ledger import LedgerEntry
from forwarder.core.matching.post_search import heading_of
from forwarder.core.posts.samples import SAMPLES
from forwarder.outbox.open import open_outbox
from tests.support.history import fill, records
from tests.support.outbox import EVENTS, NOW, attempt, keep
from tests.support.process import command


async def test_events_are_listed_with_the_outcome_of_their_deliveries(config: Path) -> None:
    await fill(config)
    code, out, _ = await command("events", "-c", str(config))
    names, *rows = out.splitlines()
    assert code == exit_codes.OK
    assert re.fullmatch(r"ACCEPTED \([^)]+\) +EVENT +SOURCE +DELIVERIES +AUTHOR +TEXT", names)
    assert [re.split(r"  +", row)[3] for row in rows] == ["unmatched", "1 waiting", "1 dead", "1 delivered"]
    assert [each["event_seq"] for each in await records(config, "events", "--limit", "2")] == [4, 3]


async def test_a_delivery_is_shown_with_every_attempt_and_found_by_its_event(config: Path) -> None:
    await fill(config)
    (dead,) = await records(config, "deliveries", "--status", "dead")
    for id_ in (dead["delivery_id"], dead["event_id"]):
        code, out, _ = await command("deliveries", "show", id_, "-c", str(config))
        assert code == exit_codes.OK
        assert "attempt 1" in out
        assert "HTTP 503" in out
        assert "attempt 2" in out
        assert "answer: no" in out
    (event,) = await records(config, "events", "show", dead["event_id"][:12])
    assert event["deliveries"][0]["status"] == "dead"


async def test_what_failed_is_listed_with_its_last_reason_also_where_it_was_delivered_in_the_end(config: Path) -> None:
    await fill(config)
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        retried = keep(outbox, 5)
        outbox.reschedule(retried, attempt(503), at=retried.accepted_at, keep=True)
        outbox.complete(retried, attempt(200, 2))
    code, out, _ = await command("deliveries", "--failed", "-c", str(config))
    assert code == exit_codes.OK
    _, *rows = out.splitlines()
    assert [re.split(r"  +", row)[3:] for row in rows] == [["delivered", "HTTP 503: no"], ["dead", "HTTP 500: no"]]
    found = await records(config, "deliveries", "--failed", "--status", "delivered")
    assert [(each["reason"], each["last_failure"]) for each in found] == [(None, "HTTP 503: no")]


@pytest.mark.parametrize("what", ["events", "deliveries"])
async def test_an_id_that_is_not_there_is_one_sentence(config: Path, what: str) -> None:
    await fill(config)
    code, out, err = await command(what, "show", "f00d", "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE, "")
    assert "'f00d' in the outbox: it may be older" in err


@pytest.mark.parametrize(
    "words",
    [("events", "show"), ("deliveries", "show"), ("dead", "show"), ("explain", "--id"), ("events", "show", "--json")],
)
async def test_the_beginning_of_several_ids_names_them(config: Path, words: tuple[str, ...]) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        for number in range(40):  # more than there are digits
            outbox.bury(keep(outbox, number), attempt(400), reason="r")
    digits = Counter(event.id[0] for event in EVENTS[:40])
    ((digit, count),) = digits.most_common(1)
    code, out, err = await command(words[0], words[1], digit, *words[2:], "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE, "")
    assert f"{digit!r} is the beginning of {count} ids of events: " in err
    assert all(event.id in err for event in EVENTS[:40] if event.id.startswith(digit))
    whole = next(event.id for event in EVENTS if event.id.startswith(digit))
    code, out, _ = await command(words[0], words[1], whole, *words[2:], "-c", str(config))
    assert (code, whole in out) == (exit_codes.OK, True)


async def test_an_id_that_came_again_is_shown_twice(config: Path) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        for _ in range(2):
            keep(outbox, 0, DeliveryStatus.PENDING)
    assert len(await records(config, "events", "show", EVENTS[0].id)) == 2


async def test_dead_show_shows_dead_letters_alone(config: Path) -> None:
    await fill(config)
    for delivery in await records(config, "deliveries"):
        for id_ in (delivery["delivery_id"], delivery["event_id"]):
            code, out, err = await command("dead", "show", id_, "-c", str(config))
            if delivery["status"] == "dead":
                assert (code, err) == (exit_codes.OK, "")
                assert "attempt 2" in out
            else:
                assert (code, out) == (exit_codes.FAILURE, "")
                assert f"no dead letter {id_!r} (bot: {delivery['status']}). forwarder deliveries show" in err
    code, out, err = await command("dead", "show", "f00d", "-c", str(config))
    assert (code, out) == (exit_codes.FAILURE, "")
    assert "no dead letter 'f00d' in the outbox" in err


@pytest.mark.parametrize("arguments", [("--since", "tomorrow"), ("--limit", "0"), ("--status", "lost")])
async def test_wrong_arguments_are_reported(arguments: tuple[str, str]) -> None:
    code, _, err = await command("deliveries", *arguments)
    assert code == exit_codes.USAGE
    assert arguments[1] in err


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"status": "pending", "reason": None, "attempts_made": 2}, "waiting, due -, 2 attempts so far"),
        (
            {"status": "pending", "reason": None, "attempts_made": 1, "due_at": "2026-01-01T00:00:00+00:00"},
            f"waiting since {local('2026-01-01T00:00:00+00:00')}, 1 attempt so far (forwarder status shows",
        ),
        ({"status": "pending", "reason": AWAITS_FULL}, f"{AWAITS_FULL}, due -"),
        ({"status": "pending", "reason": KEPT_BY_QUIET}, f"{KEPT_BY_QUIET}, due -"),
        ({"status": "pending", "reason": KEPT_FOR_DIGEST}, f"{KEPT_FOR_DIGEST}, due -"),
        ({"status": "in_flight", "reason": None}, "waiting: being sent"),
        ({"status": "delivered", "reason": None, "http_status": 204}, "delivered - (HTTP 204)"),
        ({"status": "dead", "reason": "a\x1b"}, "dead -: a\\x1b"),
    ],
)
def test_the_state_of_a_delivery_is_said_in_words(fields: dict[str, object], text: str) -> None:
    assert end_of({"due_at": None, "closed_at": None, **fields}).startswith(text)


def test_at_80_columns_the_outcome_is_whole_and_the_text_is_cut(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    event = {
        "accepted_at": "2026-01-01T00:00:00+00:00",
        "event_id": "ab" * 16,
        "source": "telegram",
        "author": "an author with a long name",
        "deliveries": [{"status": "delivered"}],
        "recovered": False,
        "text": "a post that is long " * 10,
    }
    _print_events([event, event | {"deliveries": [{"status": "delivered"}, {"status": "pending"}]}], is_wide=False)
    _, one, two = capsys.readouterr().out.splitlines()
    assert "  1 delivered  " in one
    assert "  1 waiting, 1 deliv" in two
    assert max(map(len, (one, two))) <= 80


@pytest.mark.parametrize(
    ("http_status", "reason", "text"),
    [
        (403, "HTTP 403", "HTTP 403"),
        (403, "HTTP 403: no", "HTTP 403: no"),
        (200, None, "HTTP 200"),
        (None, "timeout", "no answer: timeout"),
        (200, "the answer is cut", "HTTP 200: the answer is cut"),
    ],
)
def test_an_attempt_has_its_status_once(http_status: int | None, reason: str | None, text: str) -> None:
    assert attempt_result({"http_status": http_status, "reason": reason}) == text


async def test_waiting_is_a_status_to_ask_for_and_what_is_not_delivered_comes_first(config: Path) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        keep(outbox, 0, DeliveryStatus.PENDING)
        keep(outbox, 1, DeliveryStatus.IN_FLIGHT)
        outbox.bury(keep(outbox, 2), attempt(400), reason="r")
    assert len(await records(config, "deliveries", "--status", "waiting")) == 2
    _, out, _ = await command("deliveries", "--status", "waiting", "-c", str(config))
    assert out.count("waiting") >= 2
    assert "in_flight" not in out
    ends = [{"status": status} for status in ("delivered", "skipped", "in_flight", "delivered", "pending", "dead")]
    assert _ends({"deliveries": ends, "recovered": False}) == "2 waiting, 1 dead, 1 skipped, 2 delivered"


async def test_lists_show_who_wrote_a_post_and_how_it_begins(config: Path) -> None:
    await fill(config)
    shown = heading_of(EVENTS[0].body)
    for what in ("events", "deliveries"):
        code, out, _ = await command(what, "--wide", "-c", str(config))
        last = out.splitlines()[-1]
        assert code == exit_codes.OK
        assert re.search(rf"  {shown.author}  +{re.escape(shown.text[:20])}", last)
        code, out, _ = await command(what, "-c", str(config))
        assert max(map(len, out.splitlines())) <= 80
        assert EVENTS[0].id[:8] in out
        assert EVENTS[0].id not in out
    assert (await records(config, "events"))[-1]["author"] == shown.author
    code, out, _ = await command("deliveries", "show", EVENTS[0].id, "-c", str(config))
    assert f"  {shown.author}: {shown.text}\n" in out


@pytest.mark.parametrize("what", ["events", "deliveries"])
async def test_a_list_is_narrowed_by_post_author_and_text(config: Path, what: str) -> None:
    await fill(config)
    shown = heading_of(EVENTS[0].body)
    for words, seqs in (
        (("--mid", EVENTS[0].mid), [2, 1]),
        (("--author", f"@{shown.author.upper()}"), [2, 1]),
        (("--text", shown.text[3:20].upper()), [2, 1]),
        (("--author", shown.author, "--text", "no such words"), []),
        (("--text", shown.text, "--limit", "1"), [2]),
    ):
        assert [each["event_seq"] for each in await records(config, what, *words)] == seqs, words
    assert [each["event_seq"] for each in await records(config, "dead", "list", "--text", shown.text)] == [2]
    assert [each["event_seq"] for each in await records(config, "outbox", "export", "--mid", EVENTS[0].mid)] == [2, 1]


async def test_a_posts_link_or_id_shows_all_of_its_events(config: Path) -> None:
    await fill(config)
    mid = EVENTS[0].mid
    for text in (mid, f"https://x.com/i/status/{mid}", f"twitter.com/novadesk/status/{mid}?s=20"):
        assert [each["event_seq"] for each in await records(config, "events", "show", text)] == [1, 2]
        assert [each["event_seq"] for each in await records(config, "deliveries", "show", text)] == [1, 2]
        assert [each["event_seq"] for each in await records(config, "dead", "show", text)] == [2]
        for option in ("--mid", "--id"):
            explained = await records(config, "explain", option, text)
            assert [each["event_id"] for each in explained] == [event.id for event in EVENTS[:2]]
    assert await records(config, "dead", "replay", f"https://x.com/i/status/{mid}") == [{"changed": 1}]


@pytest.mark.parametrize(
    "words", [("events", "show"), ("deliveries", "show"), ("dead", "show"), ("dead", "replay"), ("explain", "--id")]
)
async def test_a_link_that_is_no_posts_or_not_sure_is_said(config: Path, words: tuple[str, ...]) -> None:
    async with open_outbox(config.with_name("outbox.db")) as outbox:
        event = decode_event(SAMPLES["telegram"])
        outbox.enqueue(event, outbox.new_seq(), {}, entry=LedgerEntry.UNMATCHED, now=NOW, read_at=0.0)
    code, out, err = await command(*words, "https://t.me/novadesk", "-c", str(config))
    assert (code, out, "this link names no post" in err) == (exit_codes.USAGE, "", True)
    code, out, err = await command(*words, "https://t.me/novadesk/4801", "-c", str(config))
    assert (code in {exit_codes.FAILURE, exit_codes.USAGE}, out) == (True, "")
    assert "names a channel by its name, and the events have only its id" in err
    assert event.id[:8] in err
    code, _, err = await command(*words, "https://t.me/c/1234567890/4801", "-c", str(config))
    assert "names a channel" not in err


@pytest.mark.parametrize(
    "words",
    [
        ("events", "show", ""),
        ("events", "show", " "),
        ("deliveries", "show", ""),
        ("dead", "show", ""),
        ("dead", "replay", ""),
        ("explain", "--id", ""),
        ("explain", "--mid", " "),
        ("events", "--text", ""),
        ("deliveries", "--author", " "),
        ("dead", "list", "--mid", ""),
    ],
)
async def test_an_empty_argument_does_not_mean_everything(config: Path, words: tuple[str, ...]) -> None:
    await fill(config)
    code, out, err = await command(*words, "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert "must not be empty" in err


@pytest.mark.parametrize(
    "words",
    [
        ("events",),
        ("deliveries",),
        ("gaps",),
        ("dead", "list"),
        ("dead", "drop"),
        ("outbox", "export"),
        ("replay", "--to", "bot"),
    ],
)
async def test_a_time_that_ends_before_it_begins_is_refused(config: Path, words: tuple[str, ...]) -> None:
    await fill(config)
    code, out, err = await command(*words, "--since", "1h", "--until", "3d", "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert re.fullmatch(
        r"--until \([0-9-]+ [0-9:]+ [^)]+\) must be later than --since \(.+\): nothing lies between them\n", err
    )
