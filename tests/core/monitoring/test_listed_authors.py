"""Which of forwarder's own messages have posts or the name of an author."""

import json
from datetime import timedelta

import pytest

from forwarder.core.delivery import DestinationName, KeptDelivery
from forwarder.core.matching.fields import NAMED_FIELDS
from forwarder.core.monitoring.listed_authors import ListedAuthor
from forwarder.core.monitoring.notices import CANARY, as_event, limited
from forwarder.core.monitoring.quiet_digest import digests_of
from forwarder.core.posts import read_post
from forwarder.core.routing.limiter import HeldBack, RouteLimit
from tests.support.outbox import NOW


def body(source: str = "x", text: str = "gm", **author: str) -> bytes:
    frame = {"source": source, "mid": "1", "sid": "1", "timestamp": 1, "payload": {"text": text, "author": author}}
    return json.dumps(frame).encode()


NOVA = body(id="7", screen_name="NovaDesk", name="Nova")


def digest(*bodies: bytes) -> bytes:
    kept = [
        KeptDelivery(event_seq=n, post=("x", "1", str(n)), accepted_at=NOW, body=each) for n, each in enumerate(bodies)
    ]
    (made,) = digests_of(DestinationName("bot"), kept)
    return as_event(made.notice, now=NOW, number=1).body


def summary(*top: tuple[str, int], by: str = "author") -> bytes:
    limit = RouteLimit(count=1, per=timedelta(minutes=1), by=(NAMED_FIELDS[by],))
    held = HeldBack(route="a; b (limit", limit=limit, count=sum(n for _, n in top) + 1, first=NOW, last=NOW, top=top)
    return as_event(limited(held), now=NOW, number=1).body


def author(name: str, *written: bytes, is_handle: bool = True) -> ListedAuthor:
    return ListedAuthor(name, map(read_post, written), is_handle=is_handle)


@pytest.mark.parametrize(
    ("who", "message", "expected"),
    [
        (author("novadesk", NOVA), digest(body(screen_name="orca"), NOVA), True),
        (author("novadesk", NOVA), digest(body(screen_name="novadesk", text="older")), True),
        (author("novadesk", NOVA), digest(body("fast-x", screen_name="novadesk", text="older")), True),
        (author("novadesk", NOVA), digest(body("telegram", screen_name="novadesk", text="of another person")), False),
        (author("novadesk", NOVA), digest(body(screen_name="orca")), False),
        (author("@novadesk"), digest(body(screen_name="NOVADESK")), True),
        (author("Nova", NOVA, is_handle=False), digest(NOVA), True),
        (author("Nova", body(name="Nova"), is_handle=False), digest(body(name="Nova")), True),
        (author("Nova", body(name="Nova"), is_handle=False), digest(body(name="Nova", text="of another one")), False),
        (author("novadesk", NOVA), summary(("orca", 2), ("novadesk", 1)), True),
        (author("novadesk", NOVA), summary(("orca", 2), ("novadeska", 1)), False),
        (author("novadesk", NOVA), summary(("Nova", 1), by="author_name"), True),
        (author("12"), summary(("channel 12", 1)), True),
        (
            author("novadesk", NOVA),
            as_event(CANARY.about("novadesk", time=timedelta(1)), now=NOW, number=1).body,
            False,
        ),
        (author("novadesk", NOVA), NOVA, False),
        (author("novadesk", NOVA), b"\xff", False),
    ],
)
def test_a_message_is_of_an_author_whose_posts_or_name_it_has(
    who: ListedAuthor, message: bytes, *, expected: bool
) -> None:
    assert who.is_in(message) is expected


def test_a_digest_without_the_author_has_all_else() -> None:
    orca = body(screen_name="orca")
    found = author("novadesk", NOVA)
    left = found.left_of(digest(NOVA, orca, body(screen_name="novadesk", text="older")))
    assert left is not None
    assert not found.is_in(left)
    assert json.loads(left) == json.loads(digest(orca))
    assert found.left_of(digest(NOVA)) is None
    assert found.left_of(digest(orca)) is None
    assert found.left_of(summary(("novadesk", 1))) is None
    assert found.left_of(digest(NOVA, orca), source="telegram") is None


def test_with_a_source_only_posts_of_it_count() -> None:
    assert author("novadesk", NOVA).is_in(digest(NOVA), source="x")
    assert not author("novadesk", NOVA).is_in(digest(NOVA), source="telegram")
