"""The digest of what quiet hours kept."""

import json

from forwarder.core.delivery import DestinationName, KeptDelivery
from forwarder.core.monitoring.notices import Notice, as_event
from forwarder.core.monitoring.quiet_digest import QuietDigest, digests_of
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


def only_digest(those: list[KeptDelivery]) -> Notice:
    (digest,) = digests_of(BOT, those)
    assert digest.kept == those
    return digest.notice


def test_it_lists_who_wrote_what() -> None:
    digest = only_digest([kept(1, "gm\nall"), kept(2, "listing", author="orca")])
    assert digest.title == "2 posts in the quiet hours"
    lines = digest.text.splitlines()
    assert lines[0].startswith("• nova: gm all")
    assert lines[1].startswith("• orca: listing")
    payload = json.loads(as_event(digest, now=NOW, number=1).body)["payload"]
    assert (payload["kind"], payload["count"], payload["destination"]) == ("quiet_digest", 2, "bot")
    assert [post["author"] for post in payload["posts"]] == ["nova", "orca"]
    assert payload["posts"][0]["accepted_at"] == "2026-01-01T00:00:00.000+00:00"


def test_a_post_that_came_twice_is_listed_once_as_it_came_last() -> None:
    digest = only_digest([kept(1, "first words", mid="123"), kept(2, "the full text", mid="123")])
    assert digest.title == "1 post in the quiet hours"
    assert "the full text" in digest.text
    assert "first words" not in digest.text


def listed(digests: list[QuietDigest]) -> list[str]:
    return [line for digest in digests for line in digest.notice.text.splitlines()]


def test_a_long_night_is_several_messages_that_list_every_post_once() -> None:
    those = [kept(seq, f"{seq} " + "word " * 200) for seq in range(500)]
    digests = digests_of(BOT, those)
    assert len(digests) > 1
    assert all(units(digest.notice.text) <= 3_000 for digest in digests)
    assert [line.split()[2] for line in listed(digests)] == [str(seq) for seq in range(500)]
    assert [each for digest in digests for each in digest.kept] == those
    first = digests[0].notice
    count = len(first.text.splitlines())
    assert first.title == f"{count} posts in the quiet hours, part 1 of {len(digests)}"
    assert first.details["part"] == 1
    assert first.details["parts"] == len(digests)
    assert len(first.details["posts"]) == count  # type: ignore[arg-type] # a list


def test_short_posts_are_a_hundred_in_a_message() -> None:
    digests = digests_of(BOT, [kept(seq, "", author="") for seq in range(150)])
    assert [len(digest.kept) for digest in digests] == [100, 50]


def test_the_two_events_of_a_post_are_replaced_by_the_message_that_lists_it() -> None:
    words = "word " * 200
    those = [kept(1, "first", mid="7"), *(kept(seq, words) for seq in range(2, 60)), kept(99, "full", mid="7")]
    digests = digests_of(BOT, those)
    assert {each.event_seq for each in digests[0].kept} >= {1, 99}
    assert sum(len(digest.kept) for digest in digests) == len(those)


def test_a_repost_is_listed_with_the_words_of_the_original() -> None:
    body = {
        "mid": "5", "sid": "1", "source": "x", "timestamp": 1,
        "payload": {"text": "", "author": {"screen_name": "nova"}, "retweeted_status": {"text": "said before", "author": {"screen_name": "orca"}}},
    }  # fmt: skip
    event = KeptDelivery(event_seq=1, post=("x", "1", "5"), accepted_at=NOW, body=json.dumps(body).encode())
    nothing = KeptDelivery(event_seq=2, post=("x", "1", "6"), accepted_at=NOW, body=b"{}")
    assert only_digest([event, nothing]).title == "2 posts in the quiet hours"
