"""Shows what a config would change in the running daemon: `forwarder check --diff`."""

import argparse
import sys

from forwarder.cli import exit_codes
from forwarder.cli.locations import config_path, places, report_errors
from forwarder.cli.progress import waiting_for
from forwarder.cli.reload import READ_WITHIN, is_same_file, print_plan
from forwarder.control.client import control
from forwarder.core.commands import Diff, ReloadAnswer
from forwarder.core.history import Record


def _ask(arguments: argparse.Namespace) -> ReloadAnswer:
    found = places(arguments)
    with control(found.socket, outbox=found.outbox) as daemon:
        return daemon.ask_for(
            ReloadAnswer,
            Diff(file=str(config_path(arguments).absolute())),
            within=READ_WITHIN,
            waiting=waiting_for("the daemon checks the config"),
        )


def diff_as_json(arguments: argparse.Namespace) -> tuple[int, Record | None]:
    """Return the exit code and what would change; `None` after an error, which is on standard error."""
    answers: list[ReloadAnswer] = []

    @report_errors
    def ask(arguments: argparse.Namespace) -> int:
        answers.append(_ask(arguments))
        return exit_codes.FAILURE if answers[0].problems else exit_codes.OK

    code = ask(arguments)
    return code, answers[0].model_dump(mode="json", exclude={"applied"}) if answers else None


@report_errors
def print_diff(arguments: argparse.Namespace) -> int:
    """Print it; exit code 1 if the daemon would refuse the config."""
    answer = _ask(arguments)
    if answer.problems:
        print("the running daemon would refuse this config:", *answer.problems, sep="\n", file=sys.stderr)
        return exit_codes.FAILURE
    if not is_same_file(answer.file, arguments):
        print(f"note: the daemon's config is {answer.file}", file=sys.stderr)
    print("this would change:" if answer.changed else "this config is active already")
    print_plan(answer)
    return exit_codes.OK
