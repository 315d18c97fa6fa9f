"""Runs the tests of a config: its rules, and the request bodies of its formats."""

import json
from collections.abc import Iterable, Iterator

from msgspec.structs import replace

from forwarder.core.config import Config
from forwarder.core.config.model.rule_test import RuleTest
from forwarder.core.config.rule_tests.run import Mismatch, Result, run_test
from forwarder.core.config.runtime import router_of
from forwarder.core.delivery import DestinationName, new_delivery
from forwarder.core.destinations.content import CannotFormatError
from forwarder.core.matching import Subject
from forwarder.core.routing.router import Router
from forwarder.core.yaml.problems import printable
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


def failures_of(config: Config) -> list[str]:
    """Return a sentence for each difference that the tests in the config itself find."""
    if not config.tests:
        return []
    return [
        printable(f'tests: "{result.test.name}" (line {result.test.line}): {difference.said}')
        for result in run_tests(config, config.tests)
        for difference in result.differences
    ]


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
