"""The process that tries rules for a running daemon, on one event or on the history. The daemon starts it; it is no command of its own.

It reads what to do from standard input, writes the result to standard output, and ends. It has limits of CPU time and memory, and makes way
for everything else.
"""

import os
import resource
import sys
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from forwarder.cli.backtest import as_json, compare
from forwarder.core.config.model.routing import RoutingConfig
from forwarder.core.config.problem_places import problem_of
from forwarder.core.config.routing_only import load_draft, load_revision
from forwarder.core.event import NotAnEventError, decode_event
from forwarder.core.past_routing import disabled_of, walk
from forwarder.core.yaml.problems import ConfigError
from forwarder.outbox.open import open_history
from forwarder.outbox.problems import OutboxUnusableError
from forwarder.web.rule_trials import BacktestResult, RuleRun, TrialResult

_MAX_MEMORY_BYTES = 2 * 1024**3
_NAME = "rules"
"""The name of the text in messages."""


def main() -> None:
    """Do what standard input asks for."""
    os.nice(10)
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=RuleRun)
    for kind, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, _MAX_MEMORY_BYTES),
        (resource.RLIMIT_CPU, wanted.cpu_s),
    ):
        with suppress(OSError, ValueError):  # the unit may have a lower limit
            resource.setrlimit(kind, (most, most))
    sys.stdout.buffer.write(msgspec.json.encode(run(wanted)))


def run(wanted: RuleRun) -> TrialResult | BacktestResult:
    """Return the result."""
    try:
        config = _config_of(wanted)
    except ConfigError as error:
        problems = [problem_of(line) for line in str(error).splitlines()]
        return TrialResult(problems=problems) if wanted.trial is not None else BacktestResult(problems=problems)
    if wanted.trial is not None:
        return _try(config, wanted.trial.event, wanted.trial.at or datetime.now(UTC))
    return _backtest(config, wanted)


def _config_of(wanted: RuleRun) -> RoutingConfig:
    asked = wanted.trial or wanted.backtest
    rules = None if asked is None else asked.rules
    return load_revision(wanted.base) if rules is None else load_draft(rules.encode(), wanted.base, name=_NAME)


def _try(config: RoutingConfig, text: str, at: datetime) -> TrialResult:
    try:
        event = decode_event(text.encode())
    except NotAnEventError as error:
        return TrialResult(event_problem=f"this is no event: {error.detail}")
    found = walk(config, event, at)
    return TrialResult(event_id=event.id, explanation=found, disabled=disabled_of(found, config))


def _backtest(config: RoutingConfig, wanted: RuleRun) -> BacktestResult:
    asked = wanted.backtest
    assert asked is not None  # noqa: S101 - one of both is asked for
    try:
        with open_history(Path(wanted.outbox)) as history:
            comparison, span = compare(
                config, history, since_ms=asked.since_ms, limit=asked.most, examples=asked.examples
            )
    except OutboxUnusableError as error:
        return BacktestResult(unavailable=f"the outbox cannot be read now: {error.detail}")
    return BacktestResult(result=as_json(comparison, span))


if __name__ == "__main__":
    main()
