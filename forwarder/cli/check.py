"""`forwarder check`: whether a config is right, what it would change, and whether each stream takes us."""

import argparse
import asyncio
import sys
from pathlib import Path

from forwarder.admin.client import control
from forwarder.cli import exit_codes
from forwarder.cli.config_file import ConfigError, ConfigUnreadableError, read_config
from forwarder.cli.places import places, told
from forwarder.cli.progress import waiting_for
from forwarder.cli.reload import READ_WITHIN, is_same_file, print_plan
from forwarder.cli.test import read_tests, test_files
from forwarder.cli.unit import warnings_of_service
from forwarder.core.changes import Diff
from forwarder.core.config import Config
from forwarder.core.config.advice import warnings_of
from forwarder.daemon import try_streams


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("check", help="check a config: every mistake with its place")
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), help="default: config.yaml")
    parser.add_argument("--diff", action="store_true", help="also say what it would change of what the daemon does now")
    parser.add_argument("--connect", action="store_true", help="also open each stream once: is the key taken?")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Check, say what was found, and return the exit code."""
    try:
        config = read_config(arguments.config)
        for file in test_files(arguments.config):
            read_tests(file, config)
    except (ConfigError, ConfigUnreadableError) as error:
        print(error, file=sys.stderr)
        return exit_codes.FAILURE
    for warning in (*warnings_of(config), *warnings_of_service(config)):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{arguments.config}: valid: {_summary(config)}")
    code = exit_codes.OK
    if arguments.diff:
        code = told(_diff)(arguments)
    if not arguments.connect:
        return code
    faults = asyncio.run(try_streams(config))
    for name, fault in faults.items():
        print(f"stream {name}: " + ("connected" if fault is None else str(fault)))
    return exit_codes.FAILURE if any(faults.values()) else code


def _diff(arguments: argparse.Namespace) -> int:
    with control(places(arguments).socket) as daemon:
        answer = daemon.ask(
            Diff(file=str(arguments.config.absolute())),
            within=READ_WITHIN,
            waiting=waiting_for("the daemon checks the config"),
        )
    if answer["problems"]:
        print("the running daemon would refuse it:", *answer["problems"], sep="\n", file=sys.stderr)
        return exit_codes.FAILURE
    if not is_same_file(answer["file"], arguments):
        print(f"note: the daemon runs with {answer['file']}", file=sys.stderr)
    print("it would change:" if answer["changed"] else "it is in force already")
    print_plan(answer)
    return exit_codes.OK


def _summary(config: Config) -> str:
    return ", ".join(
        f"{count} {noun if count == 1 else noun + 's'}"
        for count, noun in (
            (len(config.streams), "stream"),
            (len(config.destinations), "destination"),
            (len(config.routes), "route"),
        )
    )
