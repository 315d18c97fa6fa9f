"""`forwarder reload`: has the running daemon read its config again, and shows what changes."""

import argparse
import os
import sys
from datetime import timedelta

from forwarder.cli import exit_codes
from forwarder.cli.listing import print_json
from forwarder.cli.locations import config_path, places, report_errors
from forwarder.cli.progress import waiting_for
from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.control.client import control
from forwarder.core.commands import Reload, ReloadAnswer
from forwarder.core.yaml.problems import ConfigError

READ_WITHIN = timedelta(minutes=2)
"""For a config with ten thousand routes the daemon takes some seconds to read it, check it and run its tests."""


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Return 0 if the config is active, 1 if it is refused, 69 if no daemon runs."""
    try:
        found = places(arguments)
    except (
        ConfigError,
        ConfigUnreadableError,
    ) as error:  # the daemon cannot be found with it, and would refuse it
        answer = ReloadAnswer(applied=False, problems=tuple(str(error).splitlines()))
    else:
        with control(found.socket, outbox=found.outbox) as daemon:
            waiting = waiting_for("the daemon checks the config")
            answer = daemon.ask_for(ReloadAnswer, Reload(), within=READ_WITHIN, waiting=waiting)
    if arguments.json:
        print_json(answer.model_dump(exclude_unset=True))
    else:
        _print(answer, arguments)
    return exit_codes.OK if answer.applied else exit_codes.FAILURE


def _print(answer: ReloadAnswer, arguments: argparse.Namespace) -> None:
    if not answer.applied:
        print(*answer.problems, "refused: the running config stays active", sep="\n", file=sys.stderr)
        return
    if not is_same_file(answer.file, arguments):
        print(f"note: the daemon's config is {answer.file}", file=sys.stderr)
    print_remarks(answer)
    print(f"{answer.file} ({answer.digest}): active" + ("" if answer.changed else " already"))
    print_plan(answer)


def is_same_file(file: str, arguments: argparse.Namespace) -> bool:
    """Return whether the daemon's config is the one that the arguments mean."""
    return os.path.realpath(file) == os.path.realpath(config_path(arguments))


def print_remarks(answer: ReloadAnswer) -> None:
    """Print the warnings about a config, and the tests that fail although none has to pass."""
    for warning in answer.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for test in answer.failing_tests:
        print(f"warning: test fails: {test}", file=sys.stderr)


def print_plan(answer: ReloadAnswer) -> None:
    """Print what changes."""
    if answer.changed:
        print(*(f"  {sentence}" for sentence in answer.plan or ["the daemon works as before"]), sep="\n")
