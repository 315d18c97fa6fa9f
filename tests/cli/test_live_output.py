"""What passes, as it is printed."""

import json

import msgspec
import pytest

from forwarder.cli.live_output import LiveOutput, read_line
from forwarder.core.monitoring.live import Lost
from tests.cli.test_live_lines import ATTEMPT, EVENT


@pytest.mark.parametrize("item", [EVENT, ATTEMPT, Lost(lost=3)])
def test_a_line_of_the_daemon_is_read(item: msgspec.Struct) -> None:
    assert read_line(msgspec.json.encode(item)) == item


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"event":"of a later version"}', b'{"event":"lost","lost":"many"}']
)
def test_a_line_that_is_not_understood_is_left_out(line: bytes) -> None:
    assert read_line(line) is None


def test_a_later_version_may_say_more() -> None:
    assert read_line(b'{"event":"lost","lost":3,"since":5}') == Lost(lost=3)


def test_json_has_no_body_and_people_get_lines(capsys: pytest.CaptureFixture[str]) -> None:
    LiveOutput(as_json=True, is_wide=False).show(msgspec.structs.replace(EVENT, body="the event"))
    assert "body" not in json.loads(capsys.readouterr().out)
    LiveOutput(as_json=False, is_wide=False).show(Lost(lost=3))
    assert capsys.readouterr().out == "… 3 lines lost: this output is too slow\n"
