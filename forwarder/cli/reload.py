"""`forwarder reload`: has the running daemon read its config again, and says what it comes to."""

import argparse
import os
import sys
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from forwarder.admin.client import control
from forwarder.cli import exit_codes
from forwarder.cli.config_file import ConfigError, ConfigUnreadableError
from forwarder.cli.places import add_config, config_path, places, told
from forwarder.cli.progress import waiting_for
from forwarder.cli.records import add_json, print_json
from forwarder.core.changes import Reload

READ_WITHIN = timedelta(minutes=2)
"""The daemon reads a config, checks it and runs its tests: seconds, for ten thousand routes."""


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "reload",
        help="have the running daemon read its config again, and say what changes",
        description="Have the running daemon read its config again, and say what changes. It gets 2 minutes for that.",
    )
    add_config(parser)
    add_json(parser)
    parser.set_defaults(handler=told(run))


def run(arguments: argparse.Namespace) -> int:
    """Return 0 where the config is in force, 1 where it is refused, 69 where no daemon runs."""
    try:
        found = places(arguments)
    except (
        ConfigError,
        ConfigUnreadableError,
    ) as error:  # it does not even say where the daemon is; it would be refused
        problems = str(error).splitlines()
        answer = {"applied": False, "problems": problems}
    else:
        with control(found.socket) as daemon:
            answer = daemon.ask(Reload(), within=READ_WITHIN, waiting=waiting_for("the daemon checks the config"))
    if arguments.json:
        print_json(answer)
    else:
        _print(answer, arguments)
    return exit_codes.OK if answer["applied"] else exit_codes.FAILURE


def _print(answer: Mapping[str, Any], arguments: argparse.Namespace) -> None:
    if not answer["applied"]:
        print(*answer["problems"], "refused: the config in force goes on", sep="\n", file=sys.stderr)
        return
    if not is_same_file(answer["file"], arguments):
        print(f"note: the daemon runs with {answer['file']}", file=sys.stderr)
    print_remarks(answer)
    print(f"{answer['file']} ({answer['digest']}): in force" + ("" if answer["changed"] else " already"))
    print_plan(answer)


def is_same_file(file: str, arguments: argparse.Namespace) -> bool:
    """Return whether the daemon's config is the one that is meant here."""
    return os.path.realpath(file) == os.path.realpath(config_path(arguments))


def print_remarks(answer: Mapping[str, Any]) -> None:
    """Print what a config allows and had better not, and the tests that fail and need not pass."""
    for warning in answer["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    for test in answer["failing_tests"]:
        print(f"warning: test fails: {test}", file=sys.stderr)


def print_plan(answer: Mapping[str, Any]) -> None:
    """Print what changes."""
    if answer["changed"]:
        print(*(f"  {sentence}" for sentence in answer["plan"] or ["nothing works differently"]), sep="\n")
