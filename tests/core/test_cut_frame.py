"""What can be read of a frame of the public stream: everything that is complete, and the beginning of what a person wrote."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.cut_frame import HAS_ID, cut_mid, is_cut, is_cut_body, read_cut
from tests.support.paths import DATA

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(max_size=8), below, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["text", "id", "message", "author"]) | st.text(max_size=5), JSON, max_size=5)


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ('{"id":"18","text":"gm all...', {"id": "18", "text": "gm all"}),
        ('{"id":"18","text":"gm", "li', {"id": "18", "text": "gm"}),
        ('{"id":"18","text":"gm"}', {"id": "18", "text": "gm"}),
        ('{"id":"18","text":"gm"}...', {"id": "18", "text": "gm"}),
        ('{"id":"18', {}),
        ('{"id":4801', {}),
        ('{"id":4801,"date":17', {"id": 4801}),
        ('{"id":4801,"out":tru', {"id": 4801}),
        ('{"a":[1,2,{"b":12', {"a": [1, 2, {}]}),
        ('{"a":{"text":"hel', {"a": {"text": "hel"}}),
        ('{"a":{"b":1},"text":"x', {"a": {"b": 1}, "text": "x"}),
        ('{"link":"https://t.me/a', {}),
        ('{"text":"', {"text": ""}),
        ('{"text', {}),
        ('{"id":1,"text":', {"id": 1}),
        (r'{"text":"say \"hi\" to', {"text": 'say "hi" to'}),
        (r'{"text":"one\nt', {"text": "one\nt"}),
        ('{"text":"a\\', {"text": "a"}),
        ('{"text":"a\\\\', {"text": "a\\"}),
        ('{"text":"a\\u00e', {"text": "a"}),
        ('{"text":"a\\ud83d', {"text": "a"}),
        ('{"text":"a\\ud83d\\ude0', {"text": "a"}),
        ('{"text":"a\\ud83d\\ude00', {"text": "a\U0001f600"}),
        ('{"text":"a\\\\ud83d', {"text": "a\\ud83d"}),
        ('{"text":"a\ud83d...', {"text": "a"}),
        ("", {}),
        ("[1,2", {}),
        ('"text', {}),
        ("}]", {}),
        ('{"a":NaN,"b":1', {}),
        ('{"a":' * 101, {}),
        ('{"n":' + "9" * 5_000 + ",", {}),
    ],
)
def test_what_is_complete_is_read_and_of_texts_the_beginning(text: str, payload: dict[str, Any]) -> None:
    assert read_cut(text) == payload


@given(OBJECTS, st.integers(0, 100), st.booleans(), st.booleans())
def test_any_cut_of_any_object_gives_a_part_of_it(
    value: dict[str, Any], length: int, is_ascii: bool, has_dots: bool
) -> None:
    text = json.dumps(value, ensure_ascii=is_ascii)[:length] + "..." * has_dots
    for key, read in read_cut(text).items():
        assert key in value
        if key not in {"text", "message"} and not isinstance(read, list | dict):
            assert read == value[key]


@given(st.text())
def test_no_text_raises_an_error(text: str) -> None:
    assert isinstance(read_cut(text), dict)
    assert isinstance(read_cut(text + "{" * 5_000), dict)


@pytest.mark.parametrize(
    ("payload", "mid"), [({"id": "18"}, "18"), ({"id": 4801}, "4801"), ({"id": True}, ""), ({"id": [1]}, ""), ({}, "")]
)
def test_the_id_of_the_post_is_used_where_it_is_there(payload: dict[str, Any], mid: str) -> None:
    assert cut_mid(payload) == mid


FRAME: dict[str, Any] = {"source": "fast-x", "timestamp": 1767225600000, "payload": '{"id":...'}


@pytest.mark.parametrize(
    "other",
    [
        {"mid": "1"},
        {"sid": "1"},
        {"payload": {}},
        {"source": 1},
        {"source": ""},
        {"timestamp": "now"},
        {"timestamp": True},
    ],
)
def test_a_frame_of_another_form_is_not_cut(other: dict[str, Any]) -> None:
    assert is_cut(FRAME)
    assert not is_cut(FRAME | other)
    assert is_cut_body(json.dumps(FRAME).encode())
    assert not is_cut_body(json.dumps(FRAME | other).encode())


@pytest.mark.parametrize("body", [b"pong", b"[1]", b"\xff", b"[" * 100_000, b""])
def test_what_is_no_object_is_not_cut(body: bytes) -> None:
    assert not is_cut_body(body)


@pytest.mark.parametrize("path", sorted((DATA / "events").glob("*.json")), ids=lambda path: path.stem)
def test_every_other_event_has_an_id_and_a_cut_one_has_none(path: Any) -> None:  # noqa: ANN401 - a Path, as pytest gives it
    body = path.read_bytes()
    assert (HAS_ID in body) is not is_cut_body(body)
