"""The level of the log changes when a person asks for it, and back by itself."""

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from forwarder.core.commands import LogLevelChange
from forwarder.daemon.log_level import LogLevelControl
from forwarder.logs.level import LEVEL


@pytest.fixture(autouse=True)
def info() -> Iterator[None]:
    LEVEL.start("info")
    yield
    LEVEL.start("debug")


async def test_it_is_only_shown_where_no_level_is_named() -> None:
    with capture_logs() as lines:
        answer = LogLevelControl().change(LogLevelChange())
    assert answer.model_dump() == {"level": "info", "until": None, "at_start": "info"}
    assert lines == []


async def test_it_is_changed_and_the_log_says_by_whom() -> None:
    control = LogLevelControl()
    with capture_logs() as lines:
        assert control.change(LogLevelChange(level="debug"), "anna").level == "debug"
    assert LEVEL.is_debug
    (line,) = lines
    assert (line["event"], line["level_before"], line["level_now"], line["by"]) == (
        "log.level_changed",
        "info",
        "debug",
        "anna",
    )
    assert control.change(LogLevelChange()).model_dump() == {"level": "debug", "until": None, "at_start": "info"}


async def test_after_its_time_it_is_that_of_the_start_again() -> None:
    control = LogLevelControl()
    answer = control.change(LogLevelChange(level="debug", for_s=0.1))
    assert answer.until is not None
    async with asyncio.timeout(30):
        while LEVEL.is_debug:  # noqa: ASYNC110 - nothing else says it
            await asyncio.sleep(0.02)
    assert control.change(LogLevelChange()).model_dump() == {"level": "info", "until": None, "at_start": "info"}


async def test_another_change_takes_the_place_of_the_end_that_was_planned() -> None:
    control = LogLevelControl()
    control.change(LogLevelChange(level="error", for_s=0.1))
    control.change(LogLevelChange(level="warning"))
    await asyncio.sleep(0.3)
    assert (LEVEL.name, control.change(LogLevelChange()).until) == ("warning", None)
