"""Compiles a condition that stands on its own, in the language of `match:` in a route: an option of a command has one."""

import msgspec

from forwarder.core.config.checks.names import ReadFile
from forwarder.core.config.matchers import ListFiles
from forwarder.core.config.model.routing import RoutingConfig
from forwarder.core.config.values.scalars import is_null
from forwarder.core.matching import NOTHING, Condition, Names, compile_condition
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.nodes import RefusedError
from forwarder.core.yaml.parse import EMPTY, read_nodes
from forwarder.core.yaml.problems import ConfigError, Problem
from forwarder.core.yaml.tree import Scalar
from forwarder.core.yaml.variables import expand

_MISSING = 'the condition is missing; write a field and its value, as "source: x"'


def condition_of(text: str, config: RoutingConfig, *, name: str, read_list: ReadFile) -> Condition:
    """Return the condition that `text` describes: YAML as below `match:`, or the name of a matcher of the config.

    It may use the lists and matchers of the config. `name` says in messages where it is written. Raises `ConfigError` with all problems.
    """
    try:
        root, problems = read_nodes(text.encode())
    except RefusedError as refused:
        problem = refused.problem
        if problem.message == EMPTY:
            problem = Problem(1, 1, "", _MISSING)
        lines = text.splitlines() or [""]
        if problem.line > len(lines):  # the end of the text, which the parser has on a line that follows
            problem = msgspec.structs.replace(problem, line=len(lines), column=len(lines[-1]) + 1)
        raise ConfigError(name, [problem]) from None
    findings = Findings(root, problems)
    tree = expand(root, {}, findings)
    if isinstance(tree, Scalar) and str(tree) in config.matchers:
        return config.matchers[str(tree)]
    condition: Condition = NOTHING
    if is_null(tree):
        findings.add((), _MISSING)
    elif isinstance(tree, Scalar):
        hint = findings.did_you_mean(str(tree), config.matchers)
        findings.add((), f'expected a condition such as "source: x", or the name of a matcher of the config{hint}')
    else:
        names = Names(
            lists={key: tuple(map(Scalar, each)) for key, each in config.lists.items()},
            matchers=config.matchers,
            read_list=ListFiles(read_list).lines,
            exact=config.exact,
        )
        condition = compile_condition(tree, findings.add, names)
    if findings.problems:
        raise ConfigError(name, findings.problems)
    return condition
