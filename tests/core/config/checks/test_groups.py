"""Groups: names for several destinations."""

import re

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.config.runtime import router_of
from forwarder.core.event import decode_event
from forwarder.core.routing.router import Router
from forwarder.core.yaml.node_builder import MAX_DEPTH, MAX_NODES
from tests.core.config.support import load
from tests.support.conditions import NOW
from tests.support.paths import DOCS

PAGE = DOCS / "reuse.md"


EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)


STREAM = "streams: [{api_key: k}]\n"


def destinations(*names: str) -> str:
    return "destinations:\n" + "".join(f"  {name}: {{url: 'http://127.0.0.1/{name}'}}\n" for name in names)


def chosen(router: Router, text: str = "", *, sid: str = "1") -> dict[str, tuple[str, ...]]:
    body = f'{{"source":"x","sid":"{sid}","mid":"2","timestamp":0,"payload":{{"text":"{text}"}}}}'
    return {str(name): routes for name, routes in router.select(decode_event(body.encode()), NOW).chosen.items()}


def to_of(text: str) -> list[list[str]]:
    return [route.to for route in load(text).routes]


def test_a_group_is_its_destinations_each_once_in_the_order_written() -> None:
    groups = "groups: {desk: [b, c], all: [desk, a, night], night: [c, a]}\n"
    text = STREAM + destinations("a", "b", "c") + groups
    assert to_of(text + "routes: [{to: desk}, {to: [c, desk]}, {to: all}, {to: [night, b]}]") == [
        ["b", "c"],
        ["c", "b"],
        ["b", "c", "a"],
        ["c", "a", "b"],
    ]


def test_what_the_file_says_of_groups_is_kept() -> None:
    config = load(STREAM + destinations("a", "b") + "groups: {desk: [a, b], night: desk}\nroutes: [{to: night}]")
    assert config.groups == {"desk": ["a", "b"], "night": ["desk"]}


def test_an_event_goes_once_to_what_it_reaches_by_two_groups() -> None:
    router = router_of(load(EXAMPLES[1]))
    assert chosen(router, "urgent") == {
        "bot": ("urgent", "rest"),
        "alerts": ("urgent", "rest"),
        "archive": ("rest",),
    }


def test_groups_that_come_to_too_much_are_refused_before_they_are_made() -> None:
    names = [f"d{number}" for number in range(2_000)]
    groups = f"groups:\n  all: [{', '.join(names)}]\n" + "".join(f"  g{number}: all\n" for number in range(2_000))
    text = STREAM + destinations(*names) + groups + "routes: [{to: all}]\n"
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert [problem.message for problem in caught.value.problems] == [
        f"more than {MAX_NODES} destinations, where a group counts each time it is named"
    ]


def test_a_chain_of_groups_may_be_as_deep_as_anything_else() -> None:
    chain = "".join(f"  g{number}: g{number + 1}\n" for number in range(49))
    text = STREAM + destinations("a") + f"groups:\n{chain}  g49: a\nroutes: [{{to: g0}}]"
    assert to_of(text) == [["a"]]
    with pytest.raises(ConfigError, match="nested more than 50 deep"):
        load(text.replace("groups:", "groups:\n  g: g0"))


def test_a_chain_that_is_too_deep_is_reported_once_in_whatever_order_it_is_written() -> None:
    groups = "groups:\n  g0: bot\n" + "".join(f"  g{level}: g{level - 1}\n" for level in range(1, 60))
    with pytest.raises(ConfigError) as caught:
        load(STREAM + destinations("bot") + groups + "routes: [{to: bot}]")
    assert [problem.message for problem in caught.value.problems] == [
        f"groups are nested more than {MAX_DEPTH} deep here"
    ]
