"""The level of the log, which can change while the process runs.

All loggers are of one class, whose methods are replaced when the level changes. So a line that is not written costs what it cost before:
the call of a function that does nothing.
"""

import logging

import structlog


class LogLevel:
    """The level of this process."""

    def __init__(self) -> None:
        self.name = "debug"
        self.is_debug = True
        """Whether lines at debug are written. Whoever has work to do for such a line asks this first."""
        self.at_start = self.name
        """The level that the process was started with."""
        self.logger_class: type = type("LevelLogger", (structlog.make_filtering_bound_logger(logging.DEBUG),), {})
        """The class of all loggers."""

    def start(self, name: str) -> None:
        """Set the level that the process is started with."""
        self.at_start = name
        self.change(name)

    def change(self, name: str) -> None:
        """Have all loggers, also those that exist already, write the lines of this level and above."""
        self.name, self.is_debug = name, name == "debug"
        filtering = structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[name.upper()])
        for method, does in vars(filtering).items():
            if not method.startswith("__"):
                setattr(self.logger_class, method, does)


LEVEL = LogLevel()
"""The level of this process: a log has one, as the process has one standard output."""
