"""`forwarder check`: checks a config, and on request compares it with the running daemon and connects to each stream."""

import argparse
import os
import sys

from forwarder.cli import exit_codes
from forwarder.cli.locations import config_path
from forwarder.cli.unit import warnings_of_service
from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.configfile.read import read_config, warnings_of_file
from forwarder.configfile.rule_test_files import read_tests, test_files
from forwarder.configfile.rule_tests import failures_of
from forwarder.core.config import Config
from forwarder.core.config.checks.exposure import warnings_of_environment
from forwarder.core.config.lint import warnings_of
from forwarder.core.counted import counted
from forwarder.core.yaml.problems import ConfigError


def run(arguments: argparse.Namespace) -> int:
    """Check the config, print what was found, and return the exit code."""
    try:
        file = config_path(arguments)
        config = read_config(file)
        for tests in test_files(file):
            read_tests(tests, config)
    except (ConfigError, ConfigUnreadableError) as error:
        print(error, file=sys.stderr)
        return exit_codes.FAILURE
    failing = failures_of(config, file)
    if failing and config.reload.require_tests:
        refused = "a reload refuses this config, because a test fails (reload.require_tests)"
        print(*(f"{file}: {test}" for test in failing), f"{file}: {refused}", sep="\n", file=sys.stderr)
        return exit_codes.FAILURE
    for test in failing:
        print(f"warning: test fails: {test}", file=sys.stderr)
    for warning in (
        *warnings_of(config),
        *warnings_of_environment(config, os.environ),
        *warnings_of_file(arguments.config, config),
        *warnings_of_service(config),
    ):
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{file}: valid: {_summary(config)}")
    code = exit_codes.OK
    if arguments.diff:
        from forwarder.cli.diff import print_diff  # only with --diff: it asks the daemon

        code = print_diff(arguments)
    if not arguments.connect:
        return code
    import asyncio  # only with --connect

    from forwarder.streams.probe import try_streams  # only with --connect: aiohttp takes 0.2 s to load

    faults = asyncio.run(try_streams(config))
    for name, fault in faults.items():
        print(f"stream {name}: " + ("connected" if fault is None else str(fault)))
    return exit_codes.FAILURE if any(faults.values()) else code


def _summary(config: Config) -> str:
    return ", ".join(
        counted(count, noun)
        for count, noun in (
            (len(config.streams), "stream"),
            (len(config.destinations), "destination"),
            (len(config.routes), "route"),
        )
    )
