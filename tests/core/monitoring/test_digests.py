"""When deliveries that were given up are reported."""

from datetime import UTC, datetime, timedelta

from forwarder.core.delivery import Delivery, DestinationName, new_delivery
from forwarder.core.event import decode_event
from forwarder.core.monitoring.digests import DEAD_EVERY, DIGEST_AFTER, DIGEST_AT_LATEST, GivenUpDigests

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def delivery(number: int, *, accepted_at: datetime = NOW, to: str = "bot") -> Delivery:
    event = decode_event(b'{"mid":"%d","sid":"2","source":"x","timestamp":1,"payload":{}}' % number)
    return new_delivery(event, DestinationName(to), ("r",), event_seq=number, accepted_at=accepted_at)


def test_the_first_dead_letter_is_due_at_once_and_the_next_ones_together_after_an_hour() -> None:
    digests = GivenUpDigests({})
    digests.note_dead(delivery(1), "HTTP 400", NOW)
    ((name, first),) = digests.due_dead(NOW)
    assert (name, first.count, first.reason) == ("bot", 1, "HTTP 400")
    for number, reason in ((2, "HTTP 413"), (3, "HTTP 422")):
        digests.note_dead(delivery(number), reason, NOW)
    assert digests.due_dead(NOW + DEAD_EVERY - SECOND) == []
    ((_, rest),) = digests.due_dead(NOW + DEAD_EVERY)
    assert (rest.count, rest.reason) == (2, "HTTP 422")
    assert digests.due_dead(NOW + 2 * DEAD_EVERY) == []


def test_the_hour_goes_on_over_a_restart() -> None:
    digests = GivenUpDigests({DestinationName("bot"): NOW - SECOND})
    digests.note_dead(delivery(1), "HTTP 400", NOW)
    assert digests.due_dead(NOW) == []
    assert [name for name, _ in digests.due_dead(NOW - SECOND + DEAD_EVERY)] == ["bot"]


def test_dead_letters_of_another_destination_do_not_wait() -> None:
    digests = GivenUpDigests({})
    digests.note_dead(delivery(1), "HTTP 400", NOW)
    digests.due_dead(NOW)
    digests.note_dead(delivery(2, to="other"), "HTTP 400", NOW)
    assert [name for name, _ in digests.due_dead(NOW)] == ["other"]


def test_expired_events_are_due_once_no_more_of_them_expire() -> None:
    digests = GivenUpDigests({})
    for number, accepted in ((1, NOW - 8 * SECOND), (2, NOW - 9 * SECOND), (3, NOW - 7 * SECOND)):
        digests.note_expired(delivery(number, accepted_at=accepted), "1 h old", NOW + number * SECOND)
    last = NOW + 3 * SECOND
    assert digests.due_expired(last + DIGEST_AFTER - SECOND, is_last=False) == []
    ((name, digest),) = digests.due_expired(last + DIGEST_AFTER, is_last=False)
    assert (name, digest.count) == ("bot", 3)
    assert (digest.first, digest.last) == (NOW - 9 * SECOND, NOW - 7 * SECOND)


def test_expired_events_that_do_not_end_are_due_all_the_same() -> None:
    digests = GivenUpDigests({})
    now = NOW
    while not (due := digests.due_expired(now, is_last=False)):
        digests.note_expired(delivery(1), "1 h old", now)
        now += SECOND
    assert now - NOW == DIGEST_AT_LATEST
    assert due[0][1].count == DIGEST_AT_LATEST / SECOND


def test_the_end_of_the_process_makes_all_expired_events_due() -> None:
    digests = GivenUpDigests({})
    digests.note_expired(delivery(1), "1 h old", NOW)
    assert [digest.count for _, digest in digests.due_expired(NOW, is_last=True)] == [1]
    assert digests.due_expired(NOW, is_last=True) == []
