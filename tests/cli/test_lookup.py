"""What a person writes for an event: the link of a post, its id, an event's id or the beginning of one, a webhook-id."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from forwarder.cli.locations import UsageError
from forwarder.cli.lookup import find, said
from forwarder.core.delivery import delivery_id
from forwarder.core.event import decode_event
from forwarder.core.history import History
from forwarder.core.ledger import LedgerEntry
from forwarder.core.posts.samples import SAMPLES
from forwarder.outbox.open import open_history, open_outbox
from tests.support.outbox import BOT, NOW

KINDS = ("x", "fast-x", "telegram", "discord", "rss")
EVENTS = {kind: decode_event(SAMPLES[kind]) for kind in KINDS}


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    """Return an outbox with an event of each source."""
    path = tmp_path / "outbox.db"
    async with open_outbox(path) as outbox:
        for event in EVENTS.values():
            seq = outbox.new_seq()
            outbox.enqueue(event, seq, {}, entry=LedgerEntry.UNMATCHED, now=NOW, read_at=0.0)
    return path


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    with open_history(path) as history:
        yield history


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("https://x.com/novadesk/status/2006700000000918273", ("x", "fast-x")),
        ("https://discord.com/channels/900000000000000001/900000000000000042/1300000003774873600", ("discord",)),
        ("https://t.me/c/1234567890/4801", ("telegram",)),
        ("https://t.me/c/77/4801", ()),
        ("https://example.com/p/1", ("rss",)),
        ("https://example.com/p/1/", ("rss",)),
        ("https://example.com/p/2", ()),
        ("2006700000000918273", ("x", "fast-x")),
        ("4801", ("telegram",)),
        (EVENTS["x"].id, ("x",)),
        (EVENTS["x"].id[:14], ("x",)),
        (delivery_id(EVENTS["x"].id, BOT), ("x",)),
        ("nothing", ()),
    ],
)
def test_a_text_means_the_events_that_it_names(history: History, text: str, kinds: tuple[str, ...]) -> None:
    assert [event["source"] for event in find(history, text).events] == list(kinds)


def test_one_source_may_be_meant(history: History) -> None:
    link = "https://x.com/novadesk/status/2006700000000918273"
    assert [event["source"] for event in find(history, link, source="x").events] == ["x"]
    assert find(history, EVENTS["x"].id, source="rss").events == []


def test_a_channel_of_which_the_event_has_only_the_id_is_uncertain(history: History) -> None:
    found = find(history, "https://t.me/novadesk/4801")
    assert (found.events, [event["source"] for event in found.uncertain]) == ([], ["telegram"])


def test_a_link_that_names_no_post_is_a_usage_error(history: History) -> None:
    with pytest.raises(UsageError, match=r"'https://x\.com/novadesk': this link names no post"):
        find(history, "https://x.com/novadesk")


def test_the_start_of_a_text_is_one_line(history: History) -> None:
    (found,) = find(history, EVENTS["x"].id).events
    assert said(found) == 'Rates "on hold" 🎉 A \\ B & C < D'
    assert said(found, limit=10) == 'Rates "on…'


def test_nothing_means_no_event(history: History) -> None:
    for text in ("", "msg_"):
        with pytest.raises(UsageError, match="is neither a webhook-id"):
            find(history, text)


def test_what_is_sent_is_named_by_four_digits_of_its_id(history: History) -> None:
    id_ = EVENTS["x"].id
    assert [event["event_id"] for event in find(history, id_[:4], is_to_send=True).events] == [id_]
    assert [event["source"] for event in find(history, "4801", is_to_send=True).events] == ["telegram"]
    assert [event["event_id"] for event in find(history, f"msg_{id_[:3]}").events] == [id_]  # only shown
    for text in ("abc", f"msg_{id_}", f"msg_{id_[:8]}"):
        with pytest.raises(UsageError, match=r"the beginning of one \(at least 4\)"):
            find(history, text, is_to_send=True)
    assert find(history, "123", is_to_send=True).events == []  # may be a post's id
