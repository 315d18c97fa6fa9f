"""`forwarder test`: runs the tests of the config, and those of test files."""

import argparse
import json
import sys
from collections.abc import Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from time import perf_counter

from forwarder.cli import exit_codes
from forwarder.cli.locations import config_path
from forwarder.cli.rule_test_report import Suite, as_json, difference_text, junit
from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.configfile.read import read_config
from forwarder.configfile.rule_test_files import read_tests, test_files
from forwarder.configfile.rule_tests import run_tests
from forwarder.core.config import Config
from forwarder.core.config.model.rule_test import RuleTest
from forwarder.core.yaml.problems import ConfigError, no_such, printable


def run(arguments: argparse.Namespace) -> int:
    """Run the tests and return the exit code: 0 if all pass, else 1."""
    try:
        path = config_path(arguments)
        config = read_config(path)
        files = arguments.files or test_files(path)
        tests = [*_of_config(path, config), *((str(file), read_tests(file, config)) for file in files)]
    except (ConfigError, ConfigUnreadableError) as error:
        print(error, file=sys.stderr)
        return exit_codes.BAD_CONFIG
    if arguments.k is not None and (problem := _nothing_chosen(tests, arguments.k)):
        print(problem, file=sys.stderr)
        return exit_codes.USAGE
    suites = [_run(config, file, _chosen(of_file, arguments.k)) for file, of_file in tests]
    if arguments.junit is not None:
        try:
            arguments.junit.write_bytes(junit(suites))
        except OSError as error:
            print(f"{arguments.junit}: cannot be written: {error.strerror}", file=sys.stderr)
            return exit_codes.FAILURE
    if arguments.json:
        print(
            json.dumps(
                [as_json(suite.file, result) for suite in suites for result in suite.results], ensure_ascii=False
            )
        )
    else:
        _print(suites, is_verbose=arguments.verbose)
    has_failed = any(result.differences for suite in suites for result in suite.results)
    return exit_codes.FAILURE if has_failed else exit_codes.OK


def _of_config(path: Path, config: Config) -> list[tuple[str, list[RuleTest]]]:
    """Return the tests of a config by the names of their files: the config itself, and those that it includes."""
    of_file: dict[str, list[RuleTest]] = {"": []}
    for test in config.tests:
        of_file.setdefault(test.file, []).append(test)
    return [(name or str(path), found) for name, found in of_file.items()]


def _nothing_chosen(tests: Sequence[tuple[str, Sequence[RuleTest]]], pattern: str) -> str:
    """Return a sentence if the pattern chooses no test: nobody runs some of the tests where there are none."""
    if any(_chosen(of_file, pattern) for _, of_file in tests):
        return ""
    return no_such("test", pattern, [test.name for _, of_file in tests for test in of_file])


def _chosen(tests: Sequence[RuleTest], pattern: str | None) -> list[RuleTest]:
    if pattern is None:
        return list(tests)
    return [test for test in tests if fnmatchcase(test.name.casefold(), f"*{pattern.casefold()}*")]


def _run(config: Config, file: str, tests: Sequence[RuleTest]) -> Suite:
    began = perf_counter()
    return Suite(file=file, results=list(run_tests(config, tests)), took_s=perf_counter() - began)


def _print(suites: Sequence[Suite], *, is_verbose: bool) -> None:
    total = failed = 0
    for suite in suites:
        for result in suite.results:
            total += 1
            place = f"{suite.file}:{result.test.line}"
            if result.differences:
                failed += 1
                print(f"FAIL {place}: {printable(result.test.name)}\n{difference_text(result)}")
            elif is_verbose:
                print(f"ok   {place}: {printable(result.test.name)}")
    if not total:
        print(
            'no tests; write them under "tests:" in the config, or in a file next to it whose name ends in _test.yaml'
        )
    else:
        print(f"{total - failed} passed, {failed} failed")
