"""What a service answers, and what of a message goes into its edit."""

import json

import pytest

from forwarder.core.destinations.content import Content
from forwarder.destinations.formats.editing import message_to_edit


def test_an_edit_has_the_fields_of_the_message_that_can_be_edited() -> None:
    message = {"text": "new", "username": "Desk", "flags": 4}
    content = Content(body=json.dumps(message).encode(), target="/hook/1?thread_id=5&wait=true")
    assert message_to_edit(content, without={"username", "missing"}) == (
        "/hook/1",
        "thread_id=5&wait=true",
        {"text": "new", "flags": 4},
    )
    assert message_to_edit(Content(body=b"{}", target="/hook/1"), without=()) == ("/hook/1", "", {})


def test_content_without_a_target_cannot_be_edited() -> None:
    with pytest.raises(ValueError, match="no target to edit at"):
        message_to_edit(Content(body=b"{}"), without=())
