"""Options that several commands share."""

import argparse
from pathlib import Path
from typing import Any, Protocol

from forwarder.configfile.locations import HERE, UNIT_CONFIG


class Commands(Protocol):
    """Where a module adds the parsers of its commands."""

    def add_parser(self, name: str, **settings: Any) -> argparse.ArgumentParser:  # noqa: ANN401 - those of argparse
        """Add the parser of a command and return it."""
        ...


def add_config(parser: argparse.ArgumentParser, *, default: object = None) -> None:
    """Add `-c` and `--env-file`. A parser below one that has it passes `argparse.SUPPRESS`, so that it does not undo what came before."""
    parser.add_argument(
        "-c",
        "--config",
        type=Path,
        default=default,
        help=f"default: {HERE}, or {UNIT_CONFIG} if there is none in this folder",
    )
    parser.add_argument(
        "--env-file",
        type=Path,
        default=default,
        metavar="FILE",
        help="read the variables of the config from this file, as systemd reads one (EnvironmentFile=)",
    )


def add_json(parser: argparse._ActionsContainer, *, default: object = False) -> None:
    """Add `--json`."""
    parser.add_argument("--json", action="store_true", default=default, help="JSON for scripts, one object per line")


def add_wide(parser: argparse.ArgumentParser) -> None:
    """Add `--wide`."""
    parser.add_argument(
        "--wide", action="store_true", help="whole ids and texts, and more columns, wider than 80 characters"
    )
