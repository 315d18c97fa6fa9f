"""The notices that forwarder sends about itself: what they say, and the events that carry them."""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from forwarder.core.counted import counted
from forwarder.core.delivery import Delivery, DestinationName, new_delivery
from forwarder.core.event import Event, decode_event
from forwarder.core.monitoring import notices

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def delivery_of(event: Event) -> Delivery:
    return new_delivery(event, DestinationName("alerts"), ("r",), event_seq=1, accepted_at=NOW)


def test_a_notice_is_an_event_of_our_own() -> None:
    event = notices.as_event(notices.PAUSED.about("bot", reason="HTTP 410"), now=NOW, number=3)
    assert event.source == "forwarder"
    assert event.sid == "bot"
    assert json.loads(event.body)["payload"]["kind"] == "paused"
    assert "when an operator resumes bot" in json.loads(event.body)["payload"]["text"]
    assert delivery_of(event).is_own
    foreign = decode_event(b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{}}')
    assert not delivery_of(foreign).is_own


def test_two_notices_of_one_millisecond_are_two_events() -> None:
    notice = notices.RECOVERED.about("bot", time=timedelta(minutes=7))
    first, second = (notices.as_event(notice, now=NOW, number=number) for number in (1, 2))
    assert first.id != second.id


@pytest.mark.parametrize(
    ("notice", "level", "title", "text"),
    [
        (
            notices.FAILING.about("bot", time=timedelta(minutes=5), reason="HTTP 503"),
            "error",
            "bot is failing",
            (
                "Nothing was delivered to bot for 5 min. Last error: HTTP 503. New events are kept and will be sent when it recovers."
            ),
        ),
        (
            notices.PAUSED.about("bot", reason="HTTP 410"),
            "error",
            "bot is paused",
            "bot was paused: HTTP 410. New events are kept. They will be sent when an operator resumes bot.",
        ),
        (
            notices.RECOVERED.about("bot", time=timedelta(hours=3, minutes=20)),
            "ok",
            "bot recovered",
            "bot accepts deliveries again after 3 h 20 min. The events that were kept are being sent.",
        ),
        (
            notices.DEAD.about("bot", deliveries=counted(1, "delivery", "deliveries"), reason="HTTP 400"),
            "error",
            "events for bot could not be delivered",
            "forwarder gave up 1 delivery to bot. Last error: HTTP 400. They are kept, and an operator can send them again.",
        ),
        (
            notices.EXPIRED.about(
                "bot",
                events=counted(1_234, "event"),
                first=NOW,
                last=NOW + timedelta(seconds=3),
            ),
            "warning",
            "1,234 events expired",
            (
                "1,234 events for bot became too old before they could be delivered; received from 2026-01-01 12:00:00 UTC to "
                "2026-01-01 12:00:03 UTC. They are kept, and an operator can send them again."
            ),
        ),
        (
            notices.STREAM_AWAY.about("main", time=timedelta(minutes=2), reason="refused", retry=""),
            "error",
            "stream main is not connected",
            "Stream main has not been connected for 2 min: refused. No other stream is connected, so new events are missed.",
        ),
        (
            notices.STREAM_AWAY_COVERED.about(
                "main", time=timedelta(minutes=2), reason="replaced", retry=notices.YIELDED
            ),
            "warning",
            "stream main is not connected",
            (
                "Stream main has not been connected for 2 min: replaced. Another connection uses the same key. "
                "This one is tried again every 15 minutes. Another stream is connected and may bring the same events."
            ),
        ),
        (
            notices.STREAM_BACK.about("main", time=timedelta(minutes=2)),
            "ok",
            "stream main is connected again",
            "Stream main is connected again after 2 min.",
        ),
        (
            notices.STREAM_SILENT.about("main", time=timedelta(hours=2)),
            "warning",
            "stream main is silent",
            "Stream main is connected but received no event for 2 h. forwarder is reconnecting it.",
        ),
        (
            notices.STREAM_HEARD_AGAIN.about("main"),
            "ok",
            "stream main receives events again",
            "Stream main received an event again.",
        ),
        (
            notices.EXPECT_SILENT.about("coins", time=timedelta(hours=6)),
            "warning",
            "no events for coins",
            "No event for coins arrived for 6 h. forwarder is reconnecting all streams.",
        ),
        (
            notices.EXPECT_HEARD_AGAIN.about("coins"),
            "ok",
            "events for coins arrive again",
            "An event for coins arrived again.",
        ),
        (
            notices.CANARY.about("bot", time=timedelta(minutes=10)),
            "info",
            "test event for bot",
            "This is a test event. forwarder sends one every 10 min to check that bot receives events.",
        ),
        (
            notices.CANARY_MISSED.about("bot", time=timedelta(minutes=1), reason="HTTP 500"),
            "error",
            "a test event for bot is missing",
            "The test event for bot was not delivered within 60 s: HTTP 500.",
        ),
        (
            notices.CANARY_BACK.about("bot", duration_ms=1_240),
            "ok",
            "test events for bot arrive again",
            "The last test event for bot was delivered after 1,240 ms.",
        ),
    ],
    ids=lambda value: value.title if isinstance(value, notices.Notice) else "",
)
def test_what_a_notice_says(notice: notices.Notice, level: str, title: str, text: str) -> None:
    assert (str(notice.level), notice.title, notice.text) == (level, title, text)


@pytest.mark.parametrize(
    ("template", "kind", "key"),
    [
        (notices.FAILING, "failing", "destination"),
        (notices.PAUSED, "paused", "destination"),
        (notices.RECOVERED, "recovered", "destination"),
        (notices.DEAD, "dead", "destination"),
        (notices.BACKLOG, "backlog", "destination"),
        (notices.BACKLOG_OVER, "backlog_over", "destination"),
        (notices.EXPIRED, "expired", "destination"),
        (notices.LIMITED, "limited", "route"),
        (notices.STREAM_AWAY, "stream_away", "stream"),
        (notices.STREAM_AWAY_COVERED, "stream_away", "stream"),
        (notices.STREAM_BACK, "stream_back", "stream"),
        (notices.STREAM_SILENT, "silent", "stream"),
        (notices.STREAM_HEARD_AGAIN, "heard_again", "stream"),
        (notices.EXPECT_SILENT, "silent", "expect"),
        (notices.EXPECT_HEARD_AGAIN, "heard_again", "expect"),
        (notices.CANARY, "canary", "destination"),
        (notices.CANARY_MISSED, "canary", "destination"),
        (notices.CANARY_BACK, "canary", "destination"),
    ],
)
def test_receivers_read_the_kind_and_the_key_of_the_name(template: notices.NoticeTemplate, kind: str, key: str) -> None:
    assert (template.kind, str(template.subject)) == (kind, key)


def test_braces_in_a_reason_stay_as_they_are() -> None:
    assert "was paused: {name}." in notices.PAUSED.about("bot", reason="{name}").text


def test_notices_are_for_whoever_reads_the_channel() -> None:
    """They name no command, and none of the words of the config and of the documentation."""
    templates = [each for each in vars(notices).values() if isinstance(each, notices.NoticeTemplate)]
    assert len(templates) >= 16
    said = "\n".join([*(f"{each.title}\n{each.text}" for each in templates), notices.YIELDED])
    assert set(re.findall(r"forwarder (\w+)", said)) == {"gave", "is", "sends"}
    assert "--" not in said
    assert not re.search("canar|dead letter|expectation|outbox|lane|queue", said, re.IGNORECASE)
