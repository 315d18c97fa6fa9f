"""The content of a request: by default the event itself, and nothing of it in a log."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from forwarder.core.delivery import Delivery, DestinationName, new_delivery
from forwarder.core.destinations.content import Content, Editable, RenderElsewhereError, WithMethod, raw
from forwarder.core.templates.job import TemplateJob, Templates
from tests.support.conditions import event

DELIVERY = new_delivery(
    event({"text": "a"}), DestinationName("bot"), ("r",), event_seq=1, accepted_at=datetime(2026, 1, 1, tzinfo=UTC)
)


def test_raw_is_the_event_byte_for_byte_as_json() -> None:
    content = raw(DELIVERY)
    assert content.body is DELIVERY.body
    assert (content.method, content.content_type, content.target, content.headers) == (
        "POST",
        "application/json",
        None,
        {},
    )


def test_neither_body_nor_target_nor_headers_are_shown() -> None:
    content = Content(
        body=b"magpie", method="PUT", content_type="text/plain", target="/magpie", headers={"A": "magpie"}
    )
    assert repr(content) == "Content(PUT, text/plain, 6 bytes)"


def test_a_format_is_editable_only_if_it_can_edit() -> None:
    class Messages:
        def __call__(self, delivery: Delivery) -> Content:
            return raw(delivery)

        def receipt(self, _answer: bytes) -> str | None:
            return None

        def edit(self, content: Content, _receipt: str) -> Content:
            return content

        def is_settled(self, _status: int, _answer: bytes) -> bool:
            return False

    assert isinstance(Messages(), Editable)
    assert not isinstance(raw, Editable)


JOB = TemplateJob(templates=Templates(part="text", sources={"a": "b"}), event=b"", id="msg_1")


def elsewhere(_delivery: Delivery) -> Content:
    def resume(texts: Sequence[str]) -> Content:
        return Content(body=texts[0].encode())

    raise RenderElsewhereError(JOB, resume)


def test_a_format_may_have_another_method() -> None:
    assert WithMethod(format_=raw, method="PUT")(DELIVERY) == replace(raw(DELIVERY), method="PUT")
    with pytest.raises(RenderElsewhereError) as caught:
        WithMethod(format_=elsewhere, method="PATCH")(DELIVERY)
    assert caught.value.job is JOB
    assert caught.value.resume(["c"]) == Content(body=b"c", method="PATCH")


def test_what_is_rendered_elsewhere_may_need_that_more_than_once() -> None:
    def again(content: Content) -> Content:
        def resume(texts: Sequence[str]) -> Content:
            return replace(content, target=texts[0])

        raise RenderElsewhereError(JOB, resume)

    def with_header(content: Content) -> Content:
        return replace(content, headers={"a": "b"})

    with pytest.raises(RenderElsewhereError) as first:
        elsewhere(DELIVERY)
    with pytest.raises(RenderElsewhereError) as second:
        first.value.then(again).then(with_header).resume(["body"])
    assert second.value.resume(["/target"]) == Content(body=b"body", target="/target", headers={"a": "b"})
