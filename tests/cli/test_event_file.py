"""An event from a file or from standard input, or a sentence."""

import io
import sys
from pathlib import Path

import pytest

from forwarder.cli.event_file import NoEventError, content_of, read_event
from tests.support.outbox import EVENTS


def test_an_event_is_read_from_a_file_or_from_standard_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "event.json").write_bytes(b"\n " + EVENTS[0].body + b"\n")
    assert read_event(str(tmp_path / "event.json")).id == EVENTS[0].id
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(EVENTS[1].body)))
    assert read_event("-").id == EVENTS[1].id


@pytest.mark.parametrize(
    ("content", "said"), [(b"pong", "not an event"), (b'{"mid": 1}', "not an event"), (None, "cannot be read: ")]
)
def test_what_is_no_event_is_a_sentence_with_the_name_of_the_file(
    tmp_path: Path, content: bytes | None, said: str
) -> None:
    path = tmp_path / "event.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(NoEventError, match=said) as caught:
        read_event(str(path))
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("around", [(b"\xef\xbb\xbf", b"\r\n"), (b"\xef\xbb\xbf\n", b"\n\n"), (b"\r\n", b"\r\n")])
def test_a_byte_order_mark_and_line_ends_are_no_part_of_the_event(
    tmp_path: Path, around: tuple[bytes, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = around[0] + EVENTS[0].body + around[1]
    (tmp_path / "event.json").write_bytes(content)
    assert read_event(str(tmp_path / "event.json")).body == EVENTS[0].body
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert content_of("-") == EVENTS[0].body
