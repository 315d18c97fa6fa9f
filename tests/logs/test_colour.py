"""Colours are for terminals, unless the person who sits there does not want them."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from forwarder.logs.colour import takes_colour

_SAY = "from forwarder.logs.setup import configure_logging\nimport structlog\nconfigure_logging(level='info', format_='auto')\nstructlog.get_logger().warning('daemon.ready', stream='main')\n"


def shown_on_a_terminal(**environment: str) -> str:
    """Return what a process writes to a terminal that is its log."""
    ours, its = pty.openpty()
    plain = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    subprocess.run([sys.executable, "-c", _SAY], stdout=its, check=True, env={**plain, "TERM": "xterm", **environment})
    os.close(its)
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        shown = terminal.read(1 << 16) or b""
    return shown.decode()


def test_the_log_on_a_terminal_has_colours() -> None:
    assert "\x1b[" in shown_on_a_terminal()
    assert "\x1b[" in shown_on_a_terminal(NO_COLOR="")


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "a dumb terminal"])
def test_the_log_has_none_where_they_are_not_wanted(environment: dict[str, str]) -> None:
    shown = shown_on_a_terminal(**environment)
    assert "\x1b" not in shown
    assert re.search(r"warn +daemon\.ready stream=main", shown)


def test_a_file_gets_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    with (tmp_path / "log").open("wb") as file:
        assert not takes_colour(file.fileno())
