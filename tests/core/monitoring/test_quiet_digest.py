"""The digest of what quiet hours kept."""

import json

from forwarder.core.delivery import DestinationName, KeptDelivery
from forwarder.core.monitoring.notices import as_event
from forwarder.core.monitoring.quiet_digest import digest_of
from forwarder.core.text import units
from tests.support.outbox import NOW

BOT = DestinationName("bot")


def kept(seq: int, text: str, *, mid: str | None = None, source: str = "x", author: str = "nova") -> KeptDelivery:
    payload = {"text": text, "author": {"screen_name": author, "name": author, "id": "1"}}
    if mid is not None:
        payload["id"] = mid
    body = {"mid": mid or str(seq), "sid": "1", "source": source, "timestamp": 1, "payload": payload}
    return KeptDelivery(
        event_seq=seq, post=(source, "1", mid or str(seq)), accepted_at=NOW, body=json.dumps(body).encode()
    )


def test_it_lists_who_wrote_what() -> None:
    digest = digest_of(BOT, [kept(1, "gm\nall"), kept(2, "listing", author="orca")])
    assert digest.title == "2 posts in the quiet hours"
    lines = digest.text.splitlines()
    assert lines[0].startswith("• nova: gm all")
    assert lines[1].startswith("• orca: listing")
    payload = json.loads(as_event(digest, now=NOW, number=1).body)["payload"]
    assert (payload["kind"], payload["count"], payload["destination"]) == ("quiet_digest", 2, "bot")
    assert [post["author"] for post in payload["posts"]] == ["nova", "orca"]
    assert payload["posts"][0]["accepted_at"] == "2026-01-01T00:00:00.000+00:00"


def test_a_post_that_came_twice_is_listed_once_as_it_came_last() -> None:
    digest = digest_of(BOT, [kept(1, "first words", mid="123"), kept(2, "the full text", mid="123")])
    assert digest.title == "1 post in the quiet hours"
    assert "the full text" in digest.text
    assert "first words" not in digest.text


def test_a_long_night_is_cut_and_counted() -> None:
    digest = digest_of(BOT, [kept(seq, "word " * 200) for seq in range(500)])
    assert units(digest.text) < 3_100
    shown = len(digest.text.splitlines()) - 1
    assert digest.text.endswith(f"… and {500 - shown} more")
    assert len(digest.details["posts"]) == 100  # type: ignore[arg-type] # a list


def test_a_repost_is_listed_with_the_words_of_the_original() -> None:
    body = {
        "mid": "5", "sid": "1", "source": "x", "timestamp": 1,
        "payload": {"text": "", "author": {"screen_name": "nova"}, "retweeted_status": {"text": "said before", "author": {"screen_name": "orca"}}},
    }  # fmt: skip
    event = KeptDelivery(event_seq=1, post=("x", "1", "5"), accepted_at=NOW, body=json.dumps(body).encode())
    nothing = KeptDelivery(event_seq=2, post=("x", "1", "6"), accepted_at=NOW, body=b"{}")
    assert digest_of(BOT, [event, nothing]).title == "2 posts in the quiet hours"
