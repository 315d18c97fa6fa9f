"""Lines for people or for scripts, and an end where nobody reads them."""

import io
import json
import sys

import pytest
from rich.text import Text

from forwarder.cli.output import LineOutput, cannot_listen


@pytest.mark.parametrize("as_json", [False, True])
def test_lines_are_for_people_or_for_scripts(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    out = LineOutput(as_json=as_json, on_broken_pipe=lambda: None)
    out.say(Text("hello [bold]", style="red"))
    out.record("sent", text="é", at=1)
    said = capsys.readouterr().out
    if as_json:
        assert json.loads(said) == {"event": "sent", "text": "é", "at": 1}
    else:
        assert said == "hello [bold]\n"


@pytest.mark.parametrize("as_json", [False, True])
def test_no_line_acts_upon_the_terminal(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    out = LineOutput(as_json=as_json, on_broken_pipe=lambda: None)
    out.say(Text("\x1b[2J\x9b\u202e"))
    out.say("\x07")
    out.record("sent", text="\x9b\u202eé\udcff")
    said = capsys.readouterr().out
    assert said.replace("\n", "").isprintable()
    if as_json:
        assert json.loads(said)["text"] == "\x9b\u202eé\udcff"
    else:
        assert said == "\\u001b[2J\\u009b\\u202e\n\\u0007\n"


def test_a_broken_pipe_is_reported_once_and_later_lines_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def write(self, _text: str, /) -> int:
            raise BrokenPipeError

    broken: list[str] = []
    monkeypatch.setattr(sys, "stdout", Broken())
    out = LineOutput(as_json=True, on_broken_pipe=lambda: broken.append("broken"))
    for _ in range(3):
        out.record("sent")
    assert (broken, out.broken) == (["broken"], True)


def test_a_port_that_is_taken_is_a_sentence_with_advice() -> None:
    said = cannot_listen("127.0.0.1", 80, PermissionError(13, "Permission denied"))
    assert (
        said == "cannot listen on 127.0.0.1:80: permission denied; choose another with --port (0 takes any free port)"
    )
