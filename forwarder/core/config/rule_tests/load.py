"""Loads the tests of a config, and those in a file of their own."""

from collections.abc import Callable, Mapping

from forwarder.core.config.checks.names import ReadFile, default_route_name
from forwarder.core.config.matchers import ListFiles
from forwarder.core.config.model.root import Config
from forwarder.core.config.model.rule_test import RuleTest
from forwarder.core.config.rule_tests.event import ReportMistake
from forwarder.core.config.rule_tests.read import KnownNames, read_tests
from forwarder.core.config.values.scalars import WrongValueError, is_null, parse_file_path, show
from forwarder.core.matching import Names
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.nodes import RefusedError
from forwarder.core.yaml.parse import read_nodes
from forwarder.core.yaml.problems import ConfigError, did_you_mean
from forwarder.core.yaml.tree import Path, Scalar, Tree
from forwarder.core.yaml.variables import expand


def tests_of(tree: dict[str, Tree], names: Names, read_file: ReadFile, findings: Findings) -> tuple[RuleTest, ...]:
    """Return the tests of a config that is being loaded."""
    destinations, routes = tree.get("destinations"), tree.get("routes")
    known = KnownNames(
        destinations=destinations if isinstance(destinations, dict) else (),
        routes=[_name_of(each, index) for index, each in enumerate(routes)] if isinstance(routes, list) else [],
        names=names,
        read_file=_reader(read_file),
    )
    return read_tests(tree.get("tests"), known, _reporting(findings), findings)


def load_tests(
    text: bytes, *, name: str, config: Config, env: Mapping[str, str], read_file: ReadFile, read_list: ReadFile
) -> tuple[RuleTest, ...]:
    """Return the tests in a file of their own. Raises `ConfigError` with all problems.

    `read_list` reads the list files that a condition on a body may name, `read_file` files with events.
    """
    try:
        root, problems = read_nodes(text)
    except RefusedError as refused:
        raise ConfigError(name, [refused.problem]) from None
    findings = Findings(root, problems)
    tree = expand(root, env, findings)
    tests: tuple[RuleTest, ...] = ()
    if not isinstance(tree, dict):
        findings.add((), "expected a mapping with the key tests")
    else:
        for key in tree:
            if key != "tests":
                hint = did_you_mean(key, ["tests"]) or "; a test file has the key tests and no other"
                findings.add_at_key((key,), f"unknown key{hint}")
        known = KnownNames(
            destinations=config.destinations,
            routes=[route.name for route in config.routes],
            names=Names(
                lists={key: tuple(map(Scalar, each)) for key, each in config.lists.items()},
                matchers=config.matchers,
                read_list=ListFiles(read_list).lines,
                exact=config.exact,
            ),
            read_file=_reader(read_file),
        )
        tests = read_tests(tree.get("tests"), known, _reporting(findings), findings)
    if findings.problems:
        raise ConfigError(name, findings.problems)
    return tests


def _name_of(route: Tree, index: int) -> str:
    name = route.get("name") if isinstance(route, dict) else None
    return str(name) if isinstance(name, Scalar) and not is_null(name) else default_route_name(("routes", index))


def _reporting(findings: Findings) -> ReportMistake:
    def report(path: Path, message: str) -> None:
        (findings.add_at_key if message.startswith("unknown") else findings.add)(path, message)

    return report


def _reader(read_file: ReadFile) -> Callable[[Scalar], str]:
    def read(written: Scalar) -> str:
        try:
            return read_file(parse_file_path(written))
        except OSError as error:
            raise WrongValueError(f"cannot read {show(written)}: {error.strerror or type(error).__name__}") from None
        except UnicodeDecodeError:
            raise WrongValueError(f"{show(written)} is not UTF-8 text") from None

    return read
