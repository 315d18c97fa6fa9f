"""Runs the tests of a config: its rules, and what its formats make of the events."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from forwarder.core.config import Config
from forwarder.core.config.rule_tests.model import RuleTest
from forwarder.core.config.rule_tests.run import Difference, Result, run_test
from forwarder.core.content import CannotFormatError
from forwarder.core.delivery import DestinationName, new_delivery
from forwarder.core.matching import Subject
from forwarder.destinations.formats.build import format_of
from forwarder.parts import router_of


def run_tests(config: Config, tests: Iterable[RuleTest]) -> Iterator[Result]:
    """Yield what comes of each test under the config."""
    whole = router_of(config)
    router = replace(whole, routes=[replace(route, sample=None, limit=None) for route in whole.routes])
    for test in tests:
        result = run_test(router, test)
        bodies = tuple(
            difference
            for name in test.bodies
            if name in result.got
            for difference in _body_differences(config, test, name)
        )
        yield replace(result, differences=(*result.differences, *bodies))


def failures_of(config: Config) -> list[str]:
    """Return what fails of the tests that stand in the config itself, a sentence each."""
    if not config.tests:
        return []
    return [
        f'tests: "{result.test.name}" (line {result.test.line}): {difference.said}'
        for result in run_tests(config, config.tests)
        for difference in result.differences
    ]


def _body_differences(config: Config, test: RuleTest, name: str) -> Iterator[Difference]:
    settings = config.destinations[name].model_copy(update={"compression": None})
    delivery = new_delivery(test.event, DestinationName(name), (), event_seq=1, accepted_at=test.at)
    try:
        body = format_of(settings)(delivery).body.decode("utf-8", "replace")
    except CannotFormatError as error:
        yield Difference(said=f"{name} cannot be sent it: {error}")
        return
    wanted = test.bodies[name]
    if isinstance(wanted, tuple):
        for part in wanted:
            if part not in body:
                yield Difference(said=f"the body for {name} has no {part!r} in it: {body[:500]}")
        return
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = {}
    if not wanted.matches(Subject(test.event, test.at, root=value if isinstance(value, dict) else {})):
        yield Difference(said=f"the body for {name} is not as expected: {body[:500]}")
