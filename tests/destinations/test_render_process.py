"""The process itself: what it reads, what it writes, and that nothing outlasts its limits."""

import os
import subprocess

import msgspec
import pytest

from forwarder.core.templates.job import LENGTH_BYTES, Part, Rendered, TemplateJob, Templates
from forwarder.destinations import render_process
from forwarder.destinations.render_once import COMMAND, environment, framed
from tests.destinations.hostile import LARGE


def render(*jobs: TemplateJob, rest: bytes = b"") -> list[Rendered]:
    """Return what a process answers to these jobs."""
    sent = b"".join(framed(msgspec.msgpack.encode(each)) for each in jobs) + rest
    done = subprocess.run(COMMAND, input=sent, capture_output=True, env=environment(), check=True)
    came, answers = done.stdout, []
    while came:
        end = LENGTH_BYTES + int.from_bytes(came[:LENGTH_BYTES], "big")
        answers.append(msgspec.msgpack.decode(came[LENGTH_BYTES:end], type=Rendered))
        came = came[end:]
    return answers


def job(source: str, part: Part = "text", event: bytes = b'{"mid":"1"}') -> TemplateJob:
    return TemplateJob(templates=Templates(part=part, sources={"key": source}), event=event, id="msg_1")


def test_each_job_has_an_answer_until_the_input_ends() -> None:
    for rest in (b"", b"\0", b"\0\0\0\7abc"):
        answers = render(job("{{ mid }}"), job("{{ nothing }}"), job("a", "json"), job("{{ mid }}", "url"), rest=rest)
        assert [answer.texts for answer in answers] == [["1"], [], [], ["/1"]]
        assert answers[1].error.startswith("key: there is no 'nothing'")
        assert answers[2].error.startswith("the result is not JSON")


def test_half_a_character_is_answered_too() -> None:
    (answer,) = render(job("{{ event.mid }}", event=b'{"mid":"a\\ud800"}'))
    assert answer.texts == ["a?"]


def test_what_python_cannot_stop_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Renderer:
        """Computes for hours within one operation of Python, as no template can."""

        def render(self, _fields: object) -> list[str]:
            return [str(sum(range(10**12)))]

    monkeypatch.setattr(render_process, "_renderer", lambda _templates: Renderer())
    asked = job("{{ mid }}", event=LARGE)
    assert render_process._render_in_child(asked).error == "key: this needs more than 50 ms of CPU time for this event"


def test_a_child_that_dies_otherwise_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Renderer:
        def render(self, _fields: object) -> list[str]:
            os.kill(os.getpid(), 9)
            return []

    monkeypatch.setattr(render_process, "_renderer", lambda _templates: Renderer())
    assert "ended unexpectedly" in render_process._render_in_child(job("a")).error


def test_too_little_memory_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Renderer:
        def render(self, _fields: object) -> list[str]:
            raise MemoryError

    monkeypatch.setattr(render_process, "_renderer", lambda _templates: Renderer())
    assert render_process._render_in_child(job("a")).error == "key: this needs too much memory for this event"
