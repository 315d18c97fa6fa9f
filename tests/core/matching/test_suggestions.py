"""The path that may have been meant."""

import pytest

from forwarder.core.event import JSONValue
from forwarder.core.matching.fields import field_of, path_within
from forwarder.core.matching.suggestions import nothing_at
from tests.support.conditions import subject

PAYLOAD: JSONValue = {"author": {"screen_name": "nova"}, "tags": [{"label": "a"}], "a.b": 1, "x" * 300: 1}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("payload.author.screenname", "the event has no payload.author.screenname; did you mean payload.author.screen_name?"),
        ("payload.tags.labl", "the event has no payload.tags.labl; did you mean payload.tags.label?"),
        ("payload.nothing.like.it", "the event has no payload.nothing.like.it"),
        ("title", "the event has no title"),
    ],
)  # fmt: skip
def test_the_nearest_path_is_suggested(name: str, said: str) -> None:
    field = field_of(name)
    assert field is not None
    assert nothing_at(field, subject(PAYLOAD)) == said


def test_within_an_object_paths_begin_there() -> None:
    field = path_within("labl")
    assert field is not None
    assert nothing_at(field, subject(PAYLOAD).within({"label": "a"})) == ("the object has no labl; did you mean label?")
