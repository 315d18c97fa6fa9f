"""A hostile file is refused by its cost, before it is expanded."""

from collections.abc import Iterator

import pytest
import yaml

from forwarder.core.config import ConfigError
from forwarder.core.config import load as loading
from forwarder.core.yaml.node_builder import MAX_ALIASES, MAX_DEPTH, MAX_NODES
from forwarder.core.yaml.nodes import MapNode, RefusedError
from forwarder.core.yaml.parse import read_nodes
from forwarder.core.yaml.problems import MAX_REPORTED
from tests.core.config.support import load

BILLION_LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]\n" for level in range(1, 12)
)


MERGE_CHAIN = "a0: &a0 {x: 1}\n" + "".join(
    f"a{level}: &a{level} {{<<: [*a{level - 1}, *a{level - 1}]}}\n" for level in range(1, 30)
)


LONG_TEXT_MANY_TIMES = f"a: &a {'x' * 500_000}\nb: &b [{', '.join(['*a'] * 500)}]\nc: [{', '.join(['*b'] * 400)}]\n"


DEEP_BY_ALIASES = "a0: &a0 [x]\n" + "".join(f"a{level}: &a{level} [*a{level - 1}]\n" for level in range(1, 100))


BOMBS = {
    "billion laughs": (BILLION_LAUGHS, f"more than {MAX_NODES} values"),
    "chained merge keys": (MERGE_CHAIN, f"more than {MAX_NODES} values"),
    "a long text many times": (LONG_TEXT_MANY_TIMES, f"more than {MAX_NODES} values"),
    "many values": ("[" + "x," * MAX_NODES * 2 + "]", f"more than {MAX_NODES} values"),
    "a deep list": ("[" * 5_000, f"nested more than {MAX_DEPTH} deep"),
    "a deep block": ("".join(f"{' ' * depth}a:\n" for depth in range(1_000)), f"nested more than {MAX_DEPTH} deep"),
    "deep by aliases": (DEEP_BY_ALIASES, f"nested more than {MAX_DEPTH} deep"),
    "many aliases": ("- &a x\n" + "- *a\n" * MAX_ALIASES * 10, f"more than {MAX_ALIASES} aliases"),
    "an alias of itself": ("a: &a [*a]\n", "is inside its own anchor"),
    "a merge of itself": ("a: &a {<<: *a}\n", "is inside its own anchor"),
    "a mapping for a key": ("{[a]: b}", "a key must be a text"),
    "an alias for a key": ("a: &a [x]\n*a : b\n", "a key must be a text"),
    "nothing for a key": ("? \n: x\n", 'a key is missing before ":"'),
}


@pytest.fixture
def event_count(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts what is asked of the parser; the tree must not be touched."""
    count = [0]
    parse = yaml.parse

    def counted(text: str, **loader: type[yaml.CSafeLoader]) -> Iterator[yaml.Event]:
        for event in parse(text, **loader):
            count[0] += 1
            yield event

    def untouched(*_: object) -> None:
        pytest.fail("a refused file was expanded")

    monkeypatch.setattr(yaml, "parse", counted)
    monkeypatch.setattr(loading, "expand", untouched)
    return count


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_before_it_is_expanded(name: str, event_count: list[int]) -> None:
    text, message = BOMBS[name]
    with pytest.raises(ConfigError, match=message):
        load(text)
    # Each event costs a bounded step: what was done is bounded by this, whatever the bomb stands for.
    assert event_count[0] <= MAX_NODES + 5


def test_a_merge_chain_costs_a_few_events(event_count: list[int]) -> None:
    assert len(MERGE_CHAIN) < 1_100
    with pytest.raises(ConfigError):
        load(MERGE_CHAIN)
    assert event_count[0] < 150


def test_the_budget_counts_aliases_in_full() -> None:
    leaf = "a: &a [" + "x," * 999 + "]\n"  # 1,000 nodes
    assert read_nodes(f"{leaf}b: [{', '.join(['*a'] * (MAX_NODES // 1_000 - 2))}]\n".encode())
    with pytest.raises(RefusedError):
        read_nodes(f"{leaf}b: [{', '.join(['*a'] * (MAX_NODES // 1_000))}]\n".encode())


def test_depth_may_reach_its_bound() -> None:
    assert read_nodes(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(RefusedError):
        read_nodes(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_problems_that_do_not_stop_the_reading_are_kept_up_to_a_limit() -> None:
    root, problems = read_nodes(b"a: 1\n" * (MAX_REPORTED + 5))
    assert isinstance(root, MapNode)
    assert len(problems) == MAX_REPORTED
