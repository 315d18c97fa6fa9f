"""Which fields a condition may test, and what they read."""

import pytest

from forwarder.core.event import JSONValue
from forwarder.core.matching.fields import NAMED_FIELDS, field_of, path_within
from forwarder.core.matching.subject import Found
from forwarder.core.posts.common_fields import COMMON_FIELDS
from tests.support.conditions import NOW, subject

PAYLOAD: JSONValue = {"text": "to the moon", "author": {"screen_name": "nova"}, "a": {"b.c": [1, {"d": 2}]}}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("source", ("x",)),
        ("sid", ("2",)),
        ("mid", ("1",)),
        ("timestamp", (3.0,)),
        ("now", (NOW,)),
        ("text", ("to the moon",)),
        ("author", ("nova",)),
        ("payload.author.screen_name", ("nova",)),
        ('payload.a."b.c"', ([1, {"d": 2}],)),
        ('payload.a."b.c".d', (2,)),
        ("payload.nothing", ()),
    ],
)
def test_a_field_reads_the_envelope_the_post_or_a_path(name: str, values: tuple[Found, ...]) -> None:
    field = field_of(name)
    assert field is not None
    assert field.name == name
    assert subject(PAYLOAD).nodes(field) == values


@pytest.mark.parametrize("name", ["payload", "payload.", "payload..a", "txt", "author.id", "", 'payload."a'])
def test_any_other_name_is_no_field(name: str) -> None:
    assert field_of(name) is None


def test_a_path_within_an_element_needs_no_payload_before_it() -> None:
    field = path_within("author.screen_name")
    assert field is not None
    assert subject(PAYLOAD).nodes(field) == ("nova",)
    assert path_within("a..b") is None


def test_only_paths_may_have_arrays_as_values() -> None:
    path = field_of("payload.a")
    assert path is not None
    assert path.is_deep
    assert not any(field.is_deep for field in NAMED_FIELDS.values())


def test_the_common_fields_are_read_as_they_say_of_themselves() -> None:
    assert {"source", "sid", "mid", "timestamp", "truncated", "now"} | COMMON_FIELDS.keys() == NAMED_FIELDS.keys()
    for name, common in COMMON_FIELDS.items():
        field = NAMED_FIELDS[name]
        assert (field.ignores_case, field.marker, field.values) == (common.ignores_case, common.marker, common.values)
        assert field.is_single is not common.is_many
    assert NAMED_FIELDS["author"].ignores_case
    assert NAMED_FIELDS["author"].marker == "@"
    assert not NAMED_FIELDS["sid"].ignores_case
