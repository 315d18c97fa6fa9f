"""The line break at the end of a block is no part of a value of a rule."""

import pytest

from forwarder.core.config.hints.blocks import strip_blocks
from forwarder.core.config.routing_only import load_revision
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.parse import read_nodes
from forwarder.core.yaml.tree import Expanded, Tree
from forwarder.core.yaml.variables import expand
from tests.core.config.support import load
from tests.support.conditions import subject


def read(text: str) -> dict[str, Tree]:
    root, _ = read_nodes(text.encode())
    tree = expand(root, {"WORD": "btc"}, Findings(root, []))
    assert isinstance(tree, dict)
    strip_blocks(tree)
    return tree


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("|\n   btc\n", "btc"),
        (">\n   btc\n   eth\n", "btc eth"),
        ("|+\n   btc\n\n", "btc\n"),
        ("|-\n   btc\n", "btc"),
        ("|+\n\n", "\n"),
        ('"btc\\n"', "btc\n"),
        ("btc", "btc"),
    ],
)
def test_one_line_break_of_a_block_is_removed(written: str, value: str) -> None:
    assert read(f"lists:\n - {written}") == {"lists": [value]}
    assert read(f"matchers:\n a: {written}") == {"matchers": {"a": value}}


def test_a_block_with_a_variable_is_still_shown_by_its_name() -> None:
    value = read("lists: |\n  ${WORD}\n")["lists"]
    assert isinstance(value, Expanded)
    assert (value, value.written, value.quoted) == ("btc", "${WORD}", True)


def test_conditions_of_all_kinds_are_read_and_nothing_else() -> None:
    tree = read(
        """
routes:
- match: {text: {word: ['${WORD} ', btc]}}
- name: |
    a
- b
expect: [{match: {any: [{text: a}]}}, {name: a}]
defaults:
  success:
    body: |
      ok
  template: |
    {}
destinations:
  bot: {success: {status: a}}
  other: {success: a}
  none: a
"""
    )
    assert tree["defaults"] == {"success": {"body": "ok"}, "template": "{}\n"}
    assert isinstance(tree["routes"], list)
    assert tree["routes"][1] == {"name": "a\n"}


@pytest.mark.parametrize("text", ["a: b", "routes: a\nexpect: {a: b}\ndestinations: [a]"])
def test_what_is_no_config_stays_as_it_is(text: str) -> None:
    assert read(text)


def test_a_list_in_blocks_is_that_of_the_rules_and_of_their_revision() -> None:
    config = load(
        """
streams: [{api_key: key}]
destinations: {bot: {url: http://127.0.0.1/}}
lists:
  whales:
  - |
    nova
routes:
- to: bot
  match:
    author: {list: whales}
    text:
      word: |
        btc
"""
    )
    assert list(config.lists["whales"]) == ["nova"]
    assert config.hints == ()
    assert config.revision is not None
    first, second = config.routes[0].match, load_revision(config.revision.data).routes[0].match
    for text, expected in (("buy btc", True), ("btcs", False)):
        event = subject({"author": {"screen_name": "Nova"}, "text": text})
        assert (first.matches(event), second.matches(event)) == (expected, expected)
