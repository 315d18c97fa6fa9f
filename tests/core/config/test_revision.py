"""The routing part of a config: out of a file, into a revision, and back to the same routes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.config import Config, ConfigError, load_config
from forwarder.core.config.routing import load_revision, load_routing
from forwarder.core.revision import NotARevisionError, Revision, packed, unpacked
from forwarder.core.tree import Expanded, Scalar, Tree
from forwarder.parts import disabled_in, on_full_of, router_of
from tests.support.conditions import NOW, event

TEXT = """
streams: [{api_key: "${KEY}"}]
destinations:
  bot: {url: "https://example.com/magpie", headers: {Authorization: magpie}, on_full: send}
  alerts: {url: "https://discord.com/api/webhooks/1/magpie", format: discord, on_full: edit}
  off: {url: "https://example.com/magpie", enabled: false}
lists:
  mine: [btc, {file: words.txt}]
matchers:
  whale: {sid: ["007", 12], payload.rich: true}
routes:
  - {match: {matcher: whale}, to: [bot, off], stop: true}
  - {name: words, match: {text: {contains: [{list: mine}, "${WORD}"]}}, to: alerts, prefer: first}
  - {name: numbers, match: {payload.n: ["1", 2], payload.age: {gt: "${AGE}"}}, to: bot}
unmatched: off
"""
ENV = {"KEY": "magpie", "WORD": "from $ 3: a variable", "AGE": "5"}
FILES = {"words.txt": "\ufeff# words\nsol\n\n  #eth \n"}


def load(text: str = TEXT) -> Config:
    return load_config(text.encode(), name="config.yaml", env=ENV, read_file=FILES.__getitem__)


def test_a_revision_routes_as_the_config_did_and_holds_nothing_of_the_destinations() -> None:
    config = load()
    assert config.revision is not None
    assert config.revision.is_sound
    again = load_revision(config.revision.data)
    assert (again.routes, again.unmatched, again.revision) == (config.routes, config.unmatched, config.revision)
    assert (disabled_in(again), on_full_of(again)) == (disabled_in(config), on_full_of(config))
    assert [each.condition for each in router_of(again).routes] == [each.match for each in config.routes]
    tree, files = unpacked(config.revision.data)
    assert "magpie" not in repr((tree, files))
    assert "example.com" not in repr(tree)
    assert files == {"words.txt": ["sol", "#eth"]}


@pytest.mark.parametrize(
    ("payload", "sid", "expected"),
    [
        ({"rich": True}, "007", {"bot", "off"}),
        ({"rich": True}, "7", {"off"}),
        ({"text": "buy SOL"}, "1", {"alerts"}),
        ({"text": "From $ 3: A variable"}, "1", {"alerts"}),
        ({"n": "1", "age": 6}, "1", {"bot"}),
        ({"n": 1, "age": 6}, "1", {"off"}),  # quoted, it is a text alone
        ({"n": 2, "age": 6}, "1", {"bot"}),
        ({"n": 2, "age": 5}, "1", {"off"}),
    ],
)
def test_what_is_quoted_and_what_variables_held_decide_as_before(
    payload: dict[str, object], sid: str, expected: set[str]
) -> None:
    config = load()
    assert config.revision is not None
    for each in (config, load_revision(config.revision.data)):
        chosen = router_of(each).select(event(payload, sid=sid), NOW).chosen  # type: ignore[arg-type]
        assert set(chosen) == expected


def test_the_digest_is_that_of_what_routes_alone() -> None:
    first = load().revision
    assert (
        load(TEXT.replace("magpie", "other").replace("on_full: send", "on_full: send, timeout: 7s")).revision == first
    )
    for old, new in (("prefer: first", "prefer: all"), ('"1", 2', "1, 2"), ("enabled: false", "enabled: true")):
        assert load(TEXT.replace(old, new)).revision != first
    FILES["words.txt"] += "more\n"
    try:
        assert load().revision != first
    finally:
        FILES["words.txt"] = FILES["words.txt"].removesuffix("more\n")


def test_the_routing_of_a_file_is_read_without_its_secrets() -> None:
    env = {"WORD": ENV["WORD"], "AGE": "5"}
    config = load_routing(TEXT.encode(), name="config.yaml", env=env, read_list=FILES.__getitem__)
    assert config.revision == load().revision
    text = TEXT.replace("to: alerts", "to: alert").encode()
    with pytest.raises(ConfigError) as caught:
        load_routing(text, name="config.yaml", env={"WORD": "w"}, read_list=FILES.__getitem__)
    assert str(caught.value).splitlines() == [
        'config.yaml:13:77: routes[1].to: "alert" is not a destination; did you mean "alerts"?',
        'config.yaml:14:68: routes[2].match."payload.age".gt: the variable AGE is not set',
    ]


SCALARS = st.builds(Scalar, st.text(), quoted=st.booleans()) | st.builds(
    Expanded, st.text(), quoted=st.booleans(), written=st.text()
)
TREES: st.SearchStrategy[Tree] = st.recursive(
    SCALARS, lambda below: st.lists(below, max_size=3) | st.dictionaries(st.text(), below, max_size=3), max_leaves=20
)


def exact(tree: Tree) -> object:
    """Return the tree with all that tells one scalar from another."""
    if isinstance(tree, dict):
        return {key: exact(below) for key, below in tree.items()}
    if isinstance(tree, list):
        return [exact(below) for below in tree]
    return type(tree), str(tree), tree.quoted, tree.written if isinstance(tree, Expanded) else None


@given(st.dictionaries(st.text(), TREES, max_size=3), st.dictionaries(st.text(), st.lists(st.text()), max_size=2))
def test_every_tree_comes_back_as_it_was(tree: dict[str, Tree], files: dict[str, list[str]]) -> None:
    revision = packed(tree, files)
    found, held = unpacked(revision.data)
    assert (exact(found), held) == (exact(tree), files)
    assert packed(found, held) == revision


@pytest.mark.parametrize("data", [b"", b"nonsense", packed({}, {}).data, packed({"routes": Scalar("x")}, {}).data])
def test_what_is_no_revision_is_told_and_raises_nothing_else(data: bytes) -> None:
    assert not Revision("0" * 12, data).is_sound
    with pytest.raises(NotARevisionError):
        load_revision(data)
