"""Runs the tests of a config: its rules, and the request bodies of its formats."""

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec.structs import replace

from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.configfile.rule_test_files import read_tests, test_files
from forwarder.configfile.snapshot import Files
from forwarder.core.config import Config
from forwarder.core.config.model.rule_test import RuleTest
from forwarder.core.config.rule_tests.run import Mismatch, Result, run_test
from forwarder.core.config.runtime import router_of
from forwarder.core.delivery import DestinationName, new_delivery
from forwarder.core.destinations.content import CannotFormatError
from forwarder.core.matching import Subject
from forwarder.core.routing.router import Router
from forwarder.core.yaml.findings import Place
from forwarder.core.yaml.problems import ConfigError, printable
from forwarder.core.yaml.remarks import Remark
from forwarder.destinations.formats.build import format_of
from forwarder.destinations.render_once import render_content


def run_tests(config: Config, tests: Iterable[RuleTest]) -> Iterator[Result]:
    """Yield the result of each test with a config."""
    whole = router_of(config)
    routes = [replace(route, sample=None, limit=None) for route in whole.routes]
    router = Router(routes=routes, unmatched=whole.unmatched)
    for test in tests:
        result = run_test(router, test)
        bodies = tuple(
            difference
            for name in test.bodies
            if name in result.got
            for difference in _body_differences(config, test, name)
        )
        yield replace(result, differences=(*result.differences, *bodies))


def failures_of(config: Config, file: Path | None = None, files: Files | None = None) -> list[str]:
    """Return a sentence for each difference that the tests of a config find; see `failing_tests`."""
    return list(map(str, failing_tests(config, file, files)))


def failing_tests(config: Config, file: Path | None = None, files: Files | None = None) -> Iterator[str]:
    """Yield a sentence with its place for each difference that the tests of a config find.

    These are the tests in the config itself and, with `file`, the place of the config, those in `*_test.yaml` files next to it. A
    file of tests that is not valid is such a difference too. `files` reads them.
    """
    yield from _failures("tests", str(file or ""), config, config.tests)
    for tests in test_files(file) if file is not None else ():
        name = os.path.relpath(tests, file.parent) if file is not None else ""
        try:
            yield from _failures(name, str(tests), config, read_tests(tests, config, files))
        except ConfigError as error:
            yield from str(error).splitlines()
        except ConfigUnreadableError as error:
            yield printable(error.reason)


def _failures(where: str, file: str, config: Config, tests: Sequence[RuleTest]) -> Iterator[Remark]:
    for result in run_tests(config, tests) if tests else ():
        test = result.test
        for difference in result.differences:
            message = printable(f'"{test.name}" (line {test.line}): {difference.said}')
            place = Place(test.file or file, test.line, 0, "tests")
            yield Remark((), message, shown=printable(test.file or where), place=place)


def _body_differences(config: Config, test: RuleTest, name: str) -> Iterator[Mismatch]:
    settings = config.destinations[name].model_copy(update={"compression": None})
    delivery = new_delivery(test.event, DestinationName(name), (), event_seq=1, accepted_at=test.at)
    try:
        body = render_content(format_of(settings), delivery).body.decode("utf-8", "replace")
    except CannotFormatError as error:
        yield Mismatch(said=f"the event cannot be sent to {name}: {error}")
        return
    wanted = test.bodies[name]
    if isinstance(wanted, tuple):
        for part in wanted:
            if part not in body:
                yield Mismatch(said=f"the body for {name} does not contain {part!r}: {body[:500]}")
        return
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = {}
    if not wanted.matches(Subject(test.event, test.at, root=value if isinstance(value, dict) else {})):
        yield Mismatch(said=f"the body for {name} is not as expected: {body[:500]}")
