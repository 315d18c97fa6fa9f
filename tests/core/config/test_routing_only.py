"""The routing part of a config: from a file, into a revision, and back to the same routes."""

import pytest

from forwarder.core.config import Config, ConfigError, load_config
from forwarder.core.config.model.routing import RoutingConfig
from forwarder.core.config.revision import NotARevisionError, Revision, packed, unpacked
from forwarder.core.config.routing_only import Compared, compared, load_draft, load_revision, load_routing
from forwarder.core.config.runtime import disabled_in, on_full_of, router_of
from forwarder.core.yaml.tree import Scalar
from tests.support.conditions import NOW, event

TEXT = """
streams: [{api_key: "${KEY}"}]
destinations:
  bot: {url: "https://example.com/magpie", headers: {Authorization: magpie}, on_full: send}
  alerts: {url: "https://discord.com/api/webhooks/1/magpie", format: discord, on_full: edit, limit: 5/10m}
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


FILES = {"words.txt": "# words\nsol\n\n  #eth \n"}


def load(text: str = TEXT) -> Config:
    return load_config(text.encode(), name="config.yaml", env=ENV, read_file=FILES.__getitem__)


def test_a_revision_routes_as_the_config_did_and_holds_nothing_of_the_destinations() -> None:
    config = load()
    assert config.revision is not None
    assert config.revision.is_sound
    again = load_revision(config.revision.data)
    assert (again.routes, again.unmatched, again.revision) == (config.routes, config.unmatched, config.revision)
    assert (disabled_in(again), on_full_of(again)) == (disabled_in(config), on_full_of(config))
    assert router_of(again).destination_limits == router_of(config).destination_limits != {}
    assert [each.condition for each in router_of(again).routes] == [each.match for each in config.routes]
    kept = unpacked(config.revision.data)
    assert "magpie" not in repr(kept)
    assert "example.com" not in repr(kept)
    assert kept.files == {"words.txt": ("sol", "#eth")}  # a text is searched for them


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
        chosen = router_of(each).select(event(payload, sid=sid), NOW).chosen  # type: ignore[arg-type] # the payloads above are values of JSON
        assert set(chosen) == expected


@pytest.mark.parametrize("exact", ["", "exact: false", "exact: true"])
def test_texts_are_folded_as_the_config_did(exact: str) -> None:
    config = load(TEXT + exact)
    assert config.revision is not None
    is_found = not config.exact
    again = load_revision(config.revision.data)
    assert (again.exact, again.revision) == (config.exact, config.revision)
    for each in (config, again):
        chosen = router_of(each).select(event({"text": "\uff42tc"}), NOW).chosen
        assert ("alerts" in chosen) is is_found


def test_a_revision_of_a_version_that_folded_no_texts_folds_none() -> None:
    config = load()
    assert config.revision is not None
    kept = unpacked(config.revision.data)
    del kept.tree["exact"]
    older = load_revision(packed(kept.tree, kept.files, salt=kept.salt).data)
    assert older.exact
    assert router_of(older).select(event({"text": "\uff42tc"}), NOW).chosen.keys() == {"off"}
    assert "alerts" in router_of(older).select(event({"text": "BTC"}), NOW).chosen


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


@pytest.mark.parametrize("data", [b"", b"nonsense", packed({}, {}).data, packed({"routes": Scalar("x")}, {}).data])
def test_what_is_no_revision_is_reported_and_raises_nothing_else(data: bytes) -> None:
    assert not Revision("0" * 12, data).is_sound
    with pytest.raises(NotARevisionError):
        load_revision(data)


def said(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_routing(text.encode(), name="config.yaml", env={}, read_list=FILES.__getitem__)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: [",
            [
                "config.yaml:2:1: not valid YAML: while parsing a flow node that begins on line 2: did not find expected node content"
            ],
        ),
        ("[a]", ["config.yaml:1:1: expected a mapping"]),
        ("routes: [{to: bot}]", ['config.yaml:1:1: the key "destinations" is missing']),
        (
            "destinations: [bot]\nroutes: [{to: bot}]",
            ["config.yaml:1:15: destinations: expected a mapping, got a list"],
        ),
        (
            "destinations: {bot: 5}\nroutes: [{to: bot}]",
            ["config.yaml:1:21: destinations.bot: expected a mapping, got a single value"],
        ),
        (
            "destinations: {bot: }\nroutes: [{to: bot}]",
            ["config.yaml:1:21: destinations.bot: the value is missing; write a mapping"],
        ),
        (
            "destinations: {bot: {on_full: now}}\nroutes: []",
            [
                'config.yaml:1:31: destinations.bot.on_full: expected ignore, edit or send, got "now"',
                "config.yaml:2:9: routes: it is empty; write at least one element",
            ],
        ),
    ],
)
def test_what_is_wrong_with_the_routing_part_is_reported_at_its_place(text: str, expected: list[str]) -> None:
    assert said(text) == expected


def test_nothing_but_the_routing_part_is_looked_at() -> None:
    text = "nonsense: 1\nstreams: 5\ndefaults: {on_full: edit, timeout: never}\ndestinations: {bot: {colour: red}}\nroutes: [{to: bot}]"
    config = load_routing(text.encode(), name="config.yaml", env={}, read_list=FILES.__getitem__)
    assert [(name, each.enabled, each.on_full) for name, each in config.destinations.items()] == [("bot", True, "edit")]


def test_a_revision_without_one_of_its_list_files_is_none() -> None:
    revision = load().revision
    assert revision is not None
    tree = unpacked(revision.data).tree
    with pytest.raises(NotARevisionError, match=r"words\.txt"):
        load_revision(packed(tree, {}).data)


@pytest.mark.parametrize(("exact", "found"), [(None, False), (False, True), (True, False)])
def test_a_file_is_read_as_if_it_said_exact_or_did_not(exact: bool | None, found: bool) -> None:
    text = "exact: true\ndestinations: {bot: {url: 'https://example.com'}}\nroutes: [{match: {text: {word: btc}}, to: bot}]\n"
    config = load_routing(text.encode(), name="config.yaml", env={}, read_list=FILES.__getitem__, exact=exact)
    assert router_of(config).select(event({"text": "\uff22\uff34\uff23"}), NOW).is_matched is found


def drafted(text: str) -> RoutingConfig:
    base = load().revision
    assert base is not None
    return load_draft(text.encode(), base.data, name="rules")


@pytest.mark.parametrize(
    "text",
    [
        "routes: [{name: new, match: {text: {contains: {list: mine}}}, to: bot}]",
        "- {name: new, match: {text: {contains: sol}}, to: bot}",
        "routes: [{name: new, match: {text: {contains: {file: words.txt}}}, to: bot}]",
        "streams: [{api_key: '${NOT_SET}'}]\nroutes: [{name: new, match: {matcher: mine}, to: bot}]\nmatchers: {mine: {text: {contains: sol}}}",
    ],
)
def test_a_draft_takes_what_it_leaves_out_from_the_active_config(text: str) -> None:
    config = drafted(text)
    assert [route.name for route in config.routes] == ["new"]
    assert router_of(config).select(event(payload={"text": "buy SOL"}), NOW).chosen == {"bot": ("new",)}
    assert config.unmatched == "off"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("routes: [{to: nobody}]", 'rules:1:15: routes[0].to: "nobody" is not a destination'),
        ("routes: [{match: {text: {contains: {file: /etc/passwd}}}, to: bot}]", "rules that are tried read no files"),
        ("routes: [{match: {text: '${HOME}'}, to: bot}]", "the variable HOME is not set"),
        ("include: /etc/passwd\nroutes: [{to: bot}]", "no file can be included here"),
        ("nothing", "expected routes, and the lists and matchers that they need"),
        ("{}", "expected routes, and the lists and matchers that they need"),
        ("routes: [", "rules:"),
    ],
)
def test_a_draft_reads_no_files_and_no_variables(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        drafted(text)
    assert said in str(refused.value)


def test_a_config_without_a_file_is_compared_with_nothing() -> None:
    revision = load().revision
    assert revision is not None
    assert compared(None, revision) == compared(revision, None) == Compared(is_same=False, is_same_routes=None)
    assert compared(revision, revision) == Compared(is_same=True, is_same_routes=True)
