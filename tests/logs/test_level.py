"""The level of the log changes for all loggers, also for those that exist already."""

import logging

import pytest
import structlog

from forwarder.logs.level import LogLevel
from tests.support.logs import Run, records


def test_the_level_decides_which_lines_are_written_and_changes_for_loggers_that_exist(run: Run) -> None:
    done = run(
        """
        from forwarder.logs.level import LEVEL
        bound = log.bind()
        for level in ("info", "error", "debug", "warning"):
            LEVEL.change(level)
            for logger in (log, bound, structlog.get_logger("another")):
                for method in ("debug", "info", "warning", "error"):
                    getattr(logger, method)("said", at=level, method=method)
        """
    )
    said = [(line["at"], line["method"]) for line in records(done.stdout)]
    expected = {
        "info": ["info", "warning", "error"],
        "error": ["error"],
        "debug": ["debug", "info", "warning", "error"],
        "warning": ["warning", "error"],
    }
    assert said == [(level, method) for level, methods in expected.items() for _ in range(3) for method in methods]


@pytest.mark.parametrize(("name", "is_debug"), [("debug", True), ("info", False), ("error", False)])
def test_whoever_has_work_to_do_for_a_line_can_ask_first(name: str, is_debug: bool) -> None:
    level = LogLevel()
    assert level.is_debug
    level.start(name)
    level.change("warning")
    level.change(name)
    assert (level.name, level.at_start, level.is_debug) == (name, name, is_debug)
    logger = structlog.wrap_logger(structlog.PrintLogger(), wrapper_class=level.logger_class).bind()
    assert logger.is_enabled_for(logging.DEBUG) is is_debug
