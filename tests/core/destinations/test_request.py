"""The request of an attempt: headers, signatures, ids."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from forwarder.core.capacity import NOT_KEPT
from forwarder.core.delivery import Delivery, DestinationName, Trigger, new_delivery
from forwarder.core.destinations.content import CannotFormatError, Content, raw
from forwarder.core.destinations.request import Renderer
from forwarder.core.destinations.signing import PlainSigning, SecretKey, Signing, StandardSigning
from forwarder.core.dispatch.retry import NAMED_POLICIES
from forwarder.core.event import decode_event
from forwarder.destinations.formats.discord import DiscordFormat
from forwarder.destinations.formats.slack import SlackFormat
from forwarder.destinations.formats.telegram import TelegramFormat
from forwarder.emulator.script import packaged_events

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVENT = decode_event(packaged_events()[0])
BOT = DestinationName("bot")
STANDARD = StandardSigning((SecretKey(b"k" * 24),))


def headers(attempts: int = 0, *, own: dict[str, str] | None = None, signing: Signing | None = None) -> dict[str, str]:
    delivery = replace(new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW), attempts=attempts)
    renderer = Renderer(headers=own or {}, signing=signing, policy=NAMED_POLICIES["live"])
    request = renderer.render(delivery, now=NOW)
    assert renderer.render(delivery, now=NOW).fixed is request.fixed
    assert request.body is EVENT.body
    return request.headers


def test_every_attempt_of_a_canary_says_that_it_is_one() -> None:
    delivery = new_delivery(EVENT, BOT, ("canary",), event_seq=1, accepted_at=NOW, trigger=Trigger.CANARY)
    renderer = Renderer(headers={}, signing=None, policy=NAMED_POLICIES["live"])
    for attempts in range(3):
        request = renderer.render(replace(delivery, attempts=attempts), now=NOW)
        assert (request.headers["x-forwarder-trigger"], request.headers["x-forwarder-attempt"]) == (
            "canary",
            str(attempts + 1),
        )


def test_every_attempt_of_an_event_of_the_public_stream_says_that_it_is_cut() -> None:
    frame = b'{"source":"fast-x","timestamp":1767225600000,"payload":"{\\"id\\":\\"18\\",\\"mid\\":1,\\"te..."}'
    delivery = new_delivery(decode_event(frame), BOT, ("r",), event_seq=1, accepted_at=NOW)
    renderer = Renderer(headers={}, signing=None, policy=NAMED_POLICIES["live"])
    for attempts in range(2):
        request = renderer.render(replace(delivery, attempts=attempts), now=NOW)
        assert (request.headers["x-forwarder-truncated"], request.body) == ("true", frame)
    assert "x-forwarder-truncated" not in headers()
    nothing = replace(delivery, body=b'{"no":"event"}')
    assert "x-forwarder-truncated" not in renderer.render(nothing, now=NOW).headers


def test_every_attempt_of_a_recovered_event_says_so_and_the_first_one_was_made_for_that() -> None:
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW, is_recovered=True)
    renderer = Renderer(headers={}, signing=STANDARD, policy=NAMED_POLICIES["live"])
    pairs = []
    for each in (delivery, replace(delivery, attempts=1), replace(delivery, trigger=Trigger.REPLAY)):
        request = renderer.render(each, now=NOW)
        assert renderer.render(each, now=NOW).fixed is request.fixed
        pairs.append((request.headers["x-forwarder-trigger"], request.headers["x-forwarder-recovered"]))
    assert pairs == [("recovered", "true"), ("retry", "true"), ("replay", "true")]
    assert "x-forwarder-recovered" not in headers()
    own = Renderer(headers={"X-Forwarder-Recovered": "mine"}, signing=None, policy=NAMED_POLICIES["live"])
    assert own.render(delivery, now=NOW).headers["X-Forwarder-Recovered"] == "mine"
    assert "x-forwarder-recovered" not in own.render(delivery, now=NOW).headers


def test_the_body_of_a_response_is_needed_where_it_says_which_message_was_made() -> None:
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
    for format_, needs_body in (
        (raw, False),
        (SlackFormat(), False),
        (DiscordFormat(), True),
        (TelegramFormat(), True),
    ):
        renderer = Renderer(headers={}, signing=None, policy=NAMED_POLICIES["live"], format_=format_)
        assert renderer.render(delivery, now=NOW).needs_body is needs_body


def test_the_headers_that_a_receiver_gets() -> None:
    assert headers() == {
        "Content-Type": "application/json",
        "User-Agent": "forwarder/0.1.0",
        "Accept-Encoding": "identity",
        "x-forwarder-attempt": "1",
        "x-forwarder-trigger": "first",
        "x-forwarder-retry-in": "0.5",
        "webhook-id": new_delivery(EVENT, BOT, (), event_seq=1, accepted_at=NOW).id,
        "webhook-timestamp": str(int(NOW.timestamp())),
    }
    last = headers(attempts=11)
    assert (last["x-forwarder-attempt"], last["x-forwarder-trigger"]) == ("12", "retry")
    assert "x-forwarder-retry-in" not in last


def test_the_users_headers_stand_above_ours_but_not_above_the_webhook_ones() -> None:
    found = headers(own={"content-type": "text/x", "Authorization": "Bearer t", "webhook-id": "mine"})
    assert found["content-type"] == "text/x"
    assert "Content-Type" not in found
    assert found["Authorization"] == "Bearer t"
    assert found["webhook-id"].startswith("msg_")


def test_the_id_depends_on_the_destination_and_the_event_and_has_no_dot() -> None:
    other = decode_event(packaged_events()[1])
    ids = {
        new_delivery(event, DestinationName(name), ("r",), event_seq=1, accepted_at=NOW).id
        for event in (EVENT, other)
        for name in ("a", "b")
    }
    assert len(ids) == 4
    assert not any("." in id_ for id_ in ids)
    assert new_delivery(EVENT, BOT, ("x",), event_seq=2, accepted_at=NOW + timedelta(1)).id == headers()["webhook-id"]


def test_neither_the_users_headers_nor_a_format_nor_ours_stand_above_a_signature() -> None:
    for header in ("Webhook-Signature", "X-Hub-Signature-256", "x-forwarder-trigger", "Content-Encoding"):
        signing = STANDARD if header == "Webhook-Signature" else PlainSigning(keys=(b"k",), header=header)
        delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
        renderer = Renderer(
            headers={header.upper(): "mine"},
            signing=signing,
            policy=NAMED_POLICIES["live"],
            format_=lambda delivery: Content(
                body=delivery.body, headers={"content-encoding": "gzip", "WEBHOOK-ID": "x"}
            ),
        )
        request = renderer.render(delivery, now=NOW)
        assert not request.fixed.keys() & request.own.keys()
        named = [value for name, value in request.headers.items() if name.lower() == header.lower()]
        expected = signing.headers(message_id=delivery.id, timestamp=int(NOW.timestamp()), body=EVENT.body)
        assert named == list(expected.values())
        assert [value for name, value in request.headers.items() if name.lower() == "webhook-id"] == [delivery.id]


def test_each_attempt_is_signed_at_its_own_moment_under_one_id() -> None:
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
    renderer = Renderer(headers={}, signing=STANDARD, policy=NAMED_POLICIES["live"])
    first = renderer.render(delivery, now=NOW).headers
    second = renderer.render(replace(delivery, attempts=1), now=NOW + timedelta(hours=10)).headers
    assert first["webhook-id"] == second["webhook-id"]
    assert int(second["webhook-timestamp"]) - int(first["webhook-timestamp"]) == 36_000
    assert first["webhook-signature"] != second["webhook-signature"]


def test_the_representation_of_a_request_shows_neither_headers_nor_body() -> None:
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
    renderer = Renderer(headers={"Authorization": "Bearer t"}, signing=STANDARD, policy=NAMED_POLICIES["live"])
    assert repr(renderer.render(delivery, now=NOW)) == f"WebhookRequest({len(EVENT.body)} bytes)"


def test_an_event_whose_text_was_not_kept_cannot_be_rendered() -> None:
    delivery = replace(new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW), body=b"")
    with pytest.raises(CannotFormatError, match=f"^{NOT_KEPT}$"):
        Renderer(headers={}, signing=None, policy=NAMED_POLICIES["live"]).render(delivery, now=NOW)


class EditableFormat:
    """Renders messages that can be edited."""

    def __call__(self, delivery: Delivery) -> Content:
        return Content(body=delivery.id.encode())

    def receipt(self, _answer: bytes) -> str | None:
        return None

    def edit(self, content: Content, receipt: str) -> Content:
        return Content(body=content.body, method="PATCH", target=f"/messages/{receipt}")

    def is_settled(self, _status: int, _answer: bytes) -> bool:
        return False


def test_with_a_receipt_the_request_edits_the_message_if_the_format_can() -> None:
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
    editable = Renderer(headers={}, signing=STANDARD, policy=NAMED_POLICIES["live"], format_=EditableFormat())
    new, edit = editable.render(delivery, now=NOW), editable.render(delivery, now=NOW, receipt="77")
    assert (new.method, new.target) == ("POST", None)
    assert (edit.method, edit.target, edit.body) == ("PATCH", "/messages/77", new.body)
    assert edit.headers == new.headers
    plain = Renderer(headers={}, signing=None, policy=NAMED_POLICIES["live"])
    assert plain.render(delivery, now=NOW, receipt="77") == plain.render(delivery, now=NOW)


def test_headers_of_the_content_replace_ours_in_any_case_of_letters_but_not_the_users_and_the_signature() -> None:
    made = Content(body=b"", headers={"user-AGENT": "ntfy", "Title": "a", "Own": "no", "webhook-id": "no"})
    renderer = Renderer(
        headers={"own": "yes"}, signing=STANDARD, policy=NAMED_POLICIES["live"], format_=lambda _delivery: made
    )
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
    request = renderer.render(delivery, now=NOW)
    assert not {*map(str.lower, request.fixed)} & {*map(str.lower, request.own)}
    assert request.headers["user-AGENT"] == "ntfy"
    assert (request.headers["Title"], request.headers["own"], request.headers["webhook-id"]) == (
        "a",
        "yes",
        delivery.id,
    )


def test_content_that_was_rendered_elsewhere_is_sent_and_signed() -> None:
    def never(_delivery: Delivery) -> Content:
        raise AssertionError

    renderer = Renderer(headers={}, signing=STANDARD, policy=NAMED_POLICIES["live"], format_=never)
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
    request = renderer.render(delivery, now=NOW, content=Content(body=b"made", method="PUT"))
    assert (request.body, request.method) == (b"made", "PUT")
    same = Renderer(
        headers={}, signing=STANDARD, policy=NAMED_POLICIES["live"], format_=lambda _delivery: Content(body=b"made")
    ).render(delivery, now=NOW)
    assert same.headers == request.headers


def test_a_renderer_with_another_format_is_otherwise_the_same() -> None:
    delivery = new_delivery(EVENT, BOT, ("r",), event_seq=1, accepted_at=NOW)
    renderer = Renderer(headers={"X-Team": "a"}, signing=None, policy=NAMED_POLICIES["live"], format_=SlackFormat())
    other = renderer.with_format(DiscordFormat(username="Desk"))
    assert other.format_ == DiscordFormat(username="Desk")
    request = other.render(delivery, now=NOW)
    assert b'"username":"Desk"' in request.body
    assert request.headers["X-Team"] == "a"
