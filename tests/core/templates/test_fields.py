"""The variables of templates."""

import pytest

from forwarder.core.posts.samples import SAMPLES
from forwarder.core.templates.fields import NAMES, fields_of


@pytest.mark.parametrize("name", SAMPLES)
def test_every_event_has_the_same_variables(name: str) -> None:
    assert sorted(fields_of(SAMPLES[name], id_="msg_1")) == sorted(NAMES)


def test_a_quoted_post_has_the_same_fields_as_the_post() -> None:
    post = fields_of(SAMPLES["x quote"], id_="msg_1")["post"]
    assert set(post["original"]) == set(post)
    assert post["original"]["text"] == "Снег и ветер, дороги закрыты"


def test_a_lone_surrogate_is_read_all_the_same() -> None:
    fields = fields_of(b'{"source":"x","mid":"1","payload":{"text":"\\ud800"}}', id_="msg_1")
    assert (fields["source"], fields["payload"], fields["sid"]) == ("x", {"text": "\ud800"}, None)


def test_of_a_cut_event_what_can_be_read_is_there() -> None:
    frame = b'{"source":"fast-x","timestamp":1,"payload":"{\\"id\\":\\"18\\",\\"text\\":\\"Markets op..."}'
    fields = fields_of(frame, id_="msg_1")
    assert (fields["mid"], fields["sid"], fields["payload"]) == ("18", None, {"id": "18", "text": "Markets op"})
    assert fields["post"]["text"] == "Markets op"


@pytest.mark.parametrize("body", [b"not json", b"[1]", b"[" * 100_000])
def test_what_is_no_event_has_no_fields(body: bytes) -> None:
    fields = fields_of(body, id_="msg_1")
    assert (fields["mid"], fields["payload"], fields["id"]) == (None, None, "msg_1")
