"""`forwarder test`: runs the tests of the config, and of files of tests beside it."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree as ET

from forwarder.cli import exit_codes
from forwarder.cli.config_file import ConfigError, ConfigUnreadableError, read_config, read_text
from forwarder.cli.traces import of_trace
from forwarder.core.config import Config
from forwarder.core.config.rule_tests.load import load_tests
from forwarder.core.config.rule_tests.model import RuleTest
from forwarder.core.config.rule_tests.run import Result
from forwarder.core.matching import Subject
from forwarder.core.matching.explain import explain
from forwarder.rule_tests import run_tests


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suite:
    file: str
    results: Sequence[Result]
    took_s: float


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "test",
        help="run the tests of the rules",
        description="Run the tests that stand under `tests:` in the config, and in files that end in _test.yaml beside it or in tests/.",
    )
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="files of tests, in place of those beside the config"
    )
    parser.add_argument("-c", "--config", type=Path, default=Path("config.yaml"), help="default: config.yaml")
    parser.add_argument(
        "-k", metavar="PATTERN", help="only tests with this in their name, or that have the shape of it (*)"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="also name the tests that pass")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write a report as JUnit XML")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.set_defaults(handler=run)


def run(arguments: argparse.Namespace) -> int:
    """Run them and return the exit code: 0 where all pass, 1 where one does not."""
    try:
        config = read_config(arguments.config)
        files = arguments.files or test_files(arguments.config)
        tests = [(str(arguments.config), config.tests), *((str(file), read_tests(file, config)) for file in files)]
    except (ConfigError, ConfigUnreadableError) as error:
        print(error, file=sys.stderr)
        return exit_codes.BAD_CONFIG
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
                [_as_json(suite.file, result) for suite in suites for result in suite.results], ensure_ascii=False
            )
        )
    else:
        _print(suites, is_verbose=arguments.verbose)
    has_failed = any(result.differences for suite in suites for result in suite.results)
    return exit_codes.FAILURE if has_failed else exit_codes.OK


def test_files(config: Path) -> list[Path]:
    """Return the files of tests beside a config, and in the folder `tests` there."""
    return sorted(
        file
        for folder in (config.parent, config.parent / "tests")
        for pattern in ("*_test.yaml", "*_test.yml")
        for file in folder.glob(pattern)
    )


def read_tests(file: Path, config: Config) -> tuple[RuleTest, ...]:
    """Return the tests of a file of its own. Raises `ConfigError`, `ConfigUnreadableError`."""

    def read_plain(name: str) -> str:
        return (file.parent / name).read_text(encoding="utf-8")

    return load_tests(
        read_text(file), name=str(file), config=config, env=os.environ, read_file=read_plain, read_list=read_plain
    )


def _chosen(tests: Sequence[RuleTest], pattern: str | None) -> list[RuleTest]:
    if pattern is None:
        return list(tests)
    return [test for test in tests if fnmatchcase(test.name.casefold(), f"*{pattern.casefold()}*")]


def _run(config: Config, file: str, tests: Sequence[RuleTest]) -> _Suite:
    began = perf_counter()
    return _Suite(file=file, results=list(run_tests(config, tests)), took_s=perf_counter() - began)


def _print(suites: Sequence[_Suite], *, is_verbose: bool) -> None:
    total = failed = 0
    for suite in suites:
        for result in suite.results:
            total += 1
            place = f"{suite.file}:{result.test.line}"
            if result.differences:
                failed += 1
                print(f"FAIL {place}: {result.test.name}\n{_told(result)}")
            elif is_verbose:
                print(f"ok   {place}: {result.test.name}")
    if not total:
        print('no tests; they stand under "tests:" in the config, or in files that end in _test.yaml beside it')
    else:
        print(f"{total - failed} passed, {failed} failed")


def _told(result: Result) -> str:
    """Return what was expected, what came, and why, a line each."""
    expected = result.test.expected
    told: list[str] = []
    for name in sorted({*expected, *result.got}):
        wanted, got = expected.get(name, ()), result.got.get(name)
        if name in expected and got is not None and (wanted is None or wanted == got):
            told.append(f"    {name}{_by(got)}")
            continue
        if name in expected:
            told.append(f"  - {name}{_by(wanted)}")
        if got is not None:
            told.append(f"  + {name}{_by(got)}")
    if not told:
        told.append("    nowhere")
    return "\n".join(["  (-) expected, (+) what comes of it", *told, *_why(result)])


def _why(result: Result) -> Iterator[str]:
    subject = Subject(result.test.event, result.test.at)
    for each in result.differences:
        yield f"  {each.said}"
        if each.missing is not None:
            yield from (f"  {line}" for line in of_trace(explain(each.missing.condition, subject), is_all=False))


def _by(routes: Sequence[str] | None) -> str:
    return "" if not routes else f"  by {', '.join(routes)}"


def _as_json(file: str, result: Result) -> dict[str, object]:
    return {
        "file": file,
        "line": result.test.line,
        "name": result.test.name,
        "passed": not result.differences,
        "expected": {name: None if routes is None else list(routes) for name, routes in result.test.expected.items()},
        "got": {name: list(routes) for name, routes in result.got.items()},
        "differences": [each.said for each in result.differences],
    }


def junit(suites: Sequence[_Suite]) -> bytes:
    """Return a report that CI systems read."""
    root = ET.Element("testsuites", name="forwarder test")
    for suite in suites:
        failed = sum(bool(result.differences) for result in suite.results)
        within = ET.SubElement(
            root, "testsuite", name=suite.file, tests=str(len(suite.results)), failures=str(failed), errors="0",
            skipped="0", time=f"{suite.took_s:.6f}",
        )  # fmt: skip
        for result in suite.results:
            case = ET.SubElement(
                within, "testcase", classname=suite.file, name=_xml(result.test.name), file=suite.file,
                line=str(result.test.line), time=f"{suite.took_s / len(suite.results):.6f}",
            )  # fmt: skip
            if result.differences:
                failure = ET.SubElement(case, "failure", message=_xml(result.differences[0].said), type="difference")
                failure.text = _xml(_told(result))
    ET.indent(root)
    report: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return report + b"\n"


def _xml(text: str) -> str:
    """Return a text without the characters that XML 1.0 has none for."""
    return "".join(mark if mark in "\t\n" or mark.isprintable() else "\ufffd" for mark in text)
