"""A hostile file is refused by what it would cost, before it costs it."""

from collections.abc import Collection, Iterator

import pytest
import yaml

from forwarder.core.config import ConfigError
from forwarder.core.config import load as loading
from forwarder.core.config.nodes import MAX_ALIASES, MAX_BYTES, MAX_DEPTH, MAX_NODES, RefusedError, read_nodes
from forwarder.core.config.problems import MAX_TOLD
from tests.core.config.support import config_text, load

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
    "an alias of itself": ("a: &a [*a]\n", "stands within what it names"),
    "a merge of itself": ("a: &a {<<: *a}\n", "stands within what it names"),
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


def test_a_file_one_byte_too_long_is_not_even_decoded() -> None:
    with pytest.raises(ConfigError, match=f"{MAX_BYTES + 1} bytes long"):
        load(b"\xff" * (MAX_BYTES + 1))


def test_the_largest_file_is_read() -> None:
    text = config_text().encode()
    assert load(text + b"#" * (MAX_BYTES - len(text))) == load(text)


def test_many_mistakes_do_not_each_look_for_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = []
    monkeypatch.setattr("difflib.get_close_matches", lambda *_, **__: looked.append(1))
    destinations = "".join(f"  d{index}: {{url: http://a/, key{index}: x}}\n" for index in range(500))
    routes = "".join(f"  - to: e{index}\n" for index in range(500))
    with pytest.raises(ConfigError) as caught:
        load(f"streams: [{{api_key: k}}]\ndestinations:\n{destinations}routes:\n{routes}")
    assert len(caught.value.problems) == 1_000
    assert len(looked) < 150


def test_many_wrong_names_are_not_each_compared_with_many_right_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[int] = []

    def compare(_word: str, known: Collection[str], **_: int) -> list[str]:
        compared.append(len(known))
        return []

    monkeypatch.setattr("difflib.get_close_matches", compare)
    destinations = "".join(f"  d{index}: {{url: http://a/}}\n" for index in range(3_000))
    routes = "".join(f"  - to: e{index}\n" for index in range(90))
    with pytest.raises(ConfigError) as caught:
        load(f"streams: [{{api_key: k}}]\ndestinations:\n{destinations}routes:\n{routes}")
    assert len(caught.value.problems) == 90
    assert 0 < sum(compared) <= 100_000


def test_mistakes_without_end_are_told_up_to_a_bound() -> None:
    wrong = ", ".join(f"key{index}: x" for index in range(MAX_TOLD))
    tags = "x-a: [" + "!!x x, " * MAX_TOLD + "]"
    for text in (config_text(destination=f"headers: {{{wrong.replace('x', '[]')}}}"), tags):
        with pytest.raises(ConfigError) as caught:
            load(text + "\nunmatched: nobody")
        assert len(caught.value.problems) == MAX_TOLD


def test_depth_may_reach_its_bound() -> None:
    assert read_nodes(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
    with pytest.raises(RefusedError):
        read_nodes(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))


def test_a_byte_order_mark_is_accepted() -> None:
    assert load(b"\xef\xbb\xbf" + config_text().encode()) == load(config_text())


def test_columns_count_characters() -> None:
    text = config_text(rest='x-a: {ключ: "😀", b: !!int 1}')
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert str(caught.value).startswith("config.yaml:8:21: x-a.b: the tag")


@pytest.mark.parametrize(
    "text",
    ["", "\n", "---\n", "~", "[]", "x", "%YAML 1.2\n---\na: b", "\x00", "&a", "*a", "? a", "- - - -", "{", "!!x"],
)
def test_a_file_that_is_no_config_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        load(text)
