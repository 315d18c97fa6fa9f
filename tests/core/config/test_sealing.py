"""A revision has digests of variables and of listed values that are only compared as a whole, and routes as the config did."""

import json
import zlib

import pytest

from forwarder.core.config import Config, load_config, routing_only
from forwarder.core.config.routing_only import load_revision
from forwarder.core.config.runtime import router_of
from forwarder.core.config.sealing import with_digests
from forwarder.core.matching import Subject
from forwarder.core.matching.explain import explain
from forwarder.core.yaml.tree import Scalar, Sealed
from tests.support.conditions import NOW, event

TEXT = """
streams: [{api_key: k}]
destinations: {bot: {url: "https://example.com/"}}
lists:
  accounts: [magpie_a, "@Magpie_B", {file: accounts.txt}]
  ids: ["007", 4711, 12345678901234567890, 1.5, true]
  words: [kept_word]
  both: [kept_both]
  cases: [Kept_Case]
  names: [magpie_name, magpie_n2]
  unused: [magpie_unused, {list: words}]
matchers:
  vip: {author: {list: accounts}}
  other: {all: [{matcher: vip}, {not: {matcher: vip}}, {any: [{sid: "${ID}"}]}]}
routes:
  - {name: vip, match: {matcher: vip}, to: bot}
  - {name: again, match: {matcher: other}, to: bot}
  - {name: ids, match: {payload.id: {list: ids}}, to: bot}
  - {name: variable, match: {payload.tag: ["${TAG}", plain]}, to: bot}
  - {name: words, match: {text: {word: [{list: words}, {list: both}, "${WORD}"]}}, to: bot}
  - {name: both, match: {payload.both: {list: both}}, to: bot}
  - {name: cases, match: {payload.c: {list: cases}, author: {list: cases}}, to: bot}
  - {name: kind, match: {kind: "${KIND}"}, to: bot}
  - {name: where, match: {payload.all: {where: {name: {list: names, ignore_case: true}, other: {list: names}}}}, to: bot}
  - {name: exists, match: {payload.id: {exists: true}}, to: bot}
  - {name: length, match: {text: {length: {gte: 4000}}}, to: bot}
  - {name: everything, match: {text: {prefix: zzz}}, to: bot}
"""
ENV = {"ID": "magpie-id", "TAG": "magpie-tag", "WORD": "kept_variable", "KIND": "reply"}
FILES = {"accounts.txt": "magpie_c\nMAGPIE_D\n"}


def load(text: str = TEXT) -> Config:
    return load_config(text.encode(), name="config.yaml", env=ENV, read_file=FILES.__getitem__)


def contents(config: Config) -> str:
    assert config.revision is not None
    return zlib.decompress(config.revision.data).decode()


def test_what_is_compared_as_a_whole_is_a_digest_and_what_is_looked_for_stays() -> None:
    held = contents(load()).lower()
    assert "magpie" not in held
    assert "4711" not in held
    kept = ("kept_word", "kept_both", "kept_case", "kept_variable", "reply", "1.5")
    assert [each for each in kept if each not in held] == []
    assert "${tag}" in held  # by that name it is explained


def post(author: str = "somebody", text: str = "", source: str = "x", sid: str = "1", **payload: object) -> object:
    body = {"author": {"screen_name": author, "name": author}, "text": text, **payload}
    return event(body, source=source, sid=sid)  # type: ignore[arg-type] # values of JSON


IDS: list[object] = ["007", 7, "4711", 4711, 4711.0, 4711.5, 1.5, "1.5", True, "true", 1, None, [4711], {}]
EVENTS = [
    post("magpie_a"),
    post("MAGPIE_A"),
    post("magpie_b"),
    post("magpie_c"),
    post("magpie_d"),
    post("magpie_e"),
    post("magpie_unused"),
    post("kept_case", c="kept_case"),
    post("kept_case", c="Kept_Case"),
    post(sid="magpie-id"),
    post(source="discord"),
    post(text="a kept_word and kept_both"),
    post(text="kept_variable"),
    post(both="kept_both"),
    post(all=[{"name": "Magpie_Name", "other": "magpie_n2"}]),
    post(all=[{"name": "Magpie_Name", "other": "Magpie_n2"}]),
    *[post(id=value) for value in IDS],
    post(id=12345678901234567890),
    post(id="12345678901234567890"),
    post(id=10**60),
    post(id=1e60),
    *[post(tag=value) for value in ("magpie-tag", "Magpie-Tag", "plain", "")],
]


@pytest.mark.parametrize("each", EVENTS, ids=range(len(EVENTS)))
def test_the_revision_decides_as_the_config(each: object) -> None:
    config = load()
    assert config.revision is not None
    again = load_revision(config.revision.data)
    assert again.revision == config.revision
    subject = Subject(each, NOW)  # type: ignore[arg-type] # an event
    for before, after in zip(config.routes, again.routes, strict=True):
        assert before.match.matches(subject) == after.match.matches(subject) == explain(after.match, subject).holds
    assert router_of(config).select(each, NOW).chosen == router_of(again).select(each, NOW).chosen  # type: ignore[arg-type] # an event


def test_a_revision_of_an_older_version_is_that_of_the_same_config(monkeypatch: pytest.MonkeyPatch) -> None:
    config = load()
    with monkeypatch.context() as patched:
        patched.setattr(routing_only, "with_digests", lambda tree, lists, *_, **_salt: (tree, lists))
        value = json.loads(contents(load()))
    files = {name: [line[1:] for line in lines] for name, lines in value["lists"].items()}
    older = json.dumps({"routing": value["routing"], "files": files})
    assert "magpie_c" in older
    assert load_revision(zlib.compress(older.encode())).revision == config.revision


def test_an_explanation_names_a_variable_and_shows_the_value_of_the_event() -> None:
    config = load()
    assert config.revision is not None
    routes = {route.name: route.match for route in load_revision(config.revision.data).routes}
    trace = explain(routes["variable"], Subject(post(tag="magpie-tag"), NOW))  # type: ignore[arg-type] # an event
    assert (trace.label, trace.hit) == ('payload.tag is "${TAG}", "plain"', '"${TAG}"')
    trace = explain(routes["variable"], Subject(post(tag="plain"), NOW))  # type: ignore[arg-type] # an event
    assert trace.hit == '"plain"'
    (trace,) = explain(routes["vip"], Subject(post("magpie_c"), NOW)).children  # type: ignore[arg-type] # an event
    assert (trace.label, trace.hit) == ("author is one of 4 values of lists, kept as digests", '"magpie_c"')
    trace = explain(routes["ids"], Subject(post(id=1.5), NOW))  # type: ignore[arg-type] # an event
    assert (trace.label, trace.hit) == ("payload.id is 1.5, true, one of 3 values of lists, kept as digests", "1.5")


def test_a_single_digest_needs_no_hit() -> None:
    config = load(TEXT.replace('ids: ["007", 4711, 12345678901234567890, 1.5, true]', "ids: [4711]"))
    assert config.revision is not None
    routes = {route.name: route.match for route in load_revision(config.revision.data).routes}
    trace = explain(routes["ids"], Subject(post(id=4711), NOW))  # type: ignore[arg-type] # an event
    assert (trace.label, trace.holds, trace.hit) == ("payload.id is one of 1 value of lists, kept as digests", True, "")


def test_lists_and_routes_that_are_none_are_left_to_the_checks() -> None:
    tree = {"lists": Scalar("x"), "routes": Scalar("y")}
    assert with_digests(dict(tree), {}, [], salt="s") == (tree, {})
    kept, files = with_digests({"lists": {"one": Scalar("a")}, "routes": Scalar("y")}, {}, [], salt="s")
    assert (kept["routes"], files) == ("y", {})
    kept, files = with_digests(
        {"lists": {"one": Scalar("a")}, "routes": [Scalar("z")]}, {"f": [Scalar("b")]}, [], salt="s"
    )
    assert isinstance(kept["lists"], dict)
    assert isinstance(kept["lists"]["one"], Sealed)
    assert isinstance(files["f"][0], Sealed)
    assert kept["routes"] == ["z"]


def test_a_source_in_another_case_routes_as_the_config_did() -> None:
    text = """
streams: [{api_key: k}]
destinations: {bot: {url: "https://example.com/"}}
lists: {sources: [X, telegram]}
routes: [{name: all, match: {source: {list: sources}}, to: bot}]
"""
    config = load(text)
    assert config.revision is not None
    past = router_of(load_revision(config.revision.data))
    assert [bool(past.select(event(source=source), NOW).chosen) for source in ("x", "telegram", "discord")] == [
        True,
        True,
        False,
    ]
