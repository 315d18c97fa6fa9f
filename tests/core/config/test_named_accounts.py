"""Which accounts the rules name, and which of them are tracked."""

import pytest

from forwarder.core.config import Config, load_config
from forwarder.core.config.named_accounts import NamedAccount, compare, named_accounts
from forwarder.core.gaps.history_api import Account

HEAD = """\
streams: [{url: 'wss://scrape.st/ws', api_key: k}]
destinations: {bot: {url: 'https://bot.example/'}}
"""


def config_of(*matches: str, more: str = "") -> Config:
    routes = "".join(f"  - {{name: r{number}, to: bot, match: {match}}}\n" for number, match in enumerate(matches))
    text = f"{HEAD}{more}routes:\n{routes}"
    return load_config(text.encode(), name="config.yaml", env={"WHO": "hidden"}, read_file=lambda _path: "")


def names(*matches: str, more: str = "") -> dict[str, list[str]]:
    found = named_accounts(config_of(*matches, more=more))
    return {f"{'id ' if each.is_id else ''}{each.name}": routes for each, routes in found.items()}


@pytest.mark.parametrize(
    ("match", "expected"),
    [
        ("{author: [NovaDesk, '@other']}", ["novadesk", "other"]),
        ("{author_id: '12', sid: '13'}", ["id 12", "id 13"]),
        ("{sid: novadesk}", []),  # no id
        ("{author: {prefix: nova}}", []),
        ("{not: {author: nova}}", []),
        ("{any: [{author: a}, {all: [{author: b}, {text: {word: btc}}]}]}", ["a", "b"]),
        ("{source: telegram, author: nova}", []),
        ("{source: [telegram, x], author: nova}", ["nova"]),
        ("{author: '${WHO}'}", []),
        ("{text: {word: btc}}", []),
    ],
)
def test_a_rule_names_the_accounts_that_it_asks_for(match: str, expected: list[str]) -> None:
    assert list(names(match)) == expected


def test_an_account_has_the_routes_that_name_it_also_by_a_matcher() -> None:
    more = "matchers: {nova: {author: nova}, tele: {source: telegram}}\n"
    assert names("{matcher: nova}", "{author: nova}", "{all: [{matcher: nova}, {matcher: tele}]}", more=more) == {
        "nova": ["r0", "r1"]
    }
    config = config_of("{author: nova}")
    config.routes[0] = config.routes[0].model_copy(update={"enabled": False})
    assert named_accounts(config) == {}


TRACKED = [Account(id="c1", sid="1", name="NovaDesk"), Account(id="c2", sid="2", name="other")]


def sides(config: Config, accounts: list[Account], seen: dict[str, str]) -> list[list[str]]:
    found = compare(config, named_accounts(config), accounts, seen)
    parts: list[list[NamedAccount]] = [found.tracked, found.untracked, found.unknown]
    return [*([each.name for each in part] for part in parts), found.unnamed]


def test_a_handle_is_tracked_by_its_name_and_an_id_by_its_id_or_by_the_handle_that_events_had() -> None:
    config = config_of("{author: [novadesk, nobody], sid: ['2', '3', '4']}")
    assert sides(config, TRACKED, {"3": "NOVADESK"}) == [["novadesk", "2", "3"], ["nobody", "4"], [], []]
    without_ids = [Account(id="c1", sid="", name="NovaDesk"), Account(id="c2", sid="2", name="other")]
    assert sides(config, without_ids, {"3": "gone"}) == [["novadesk", "2"], ["nobody", "3"], ["4"], []]


@pytest.mark.parametrize(
    ("matches", "unnamed"),
    [
        (["{author: novadesk}"], ["other"]),
        (["{author: novadesk}", "{source: telegram}"], ["other"]),
        (["{author: novadesk}", "{text: {word: btc}}"], []),
        (["{any: [{author: novadesk}, {author_id: '2'}]}"], []),
        (["{any: [{author: novadesk}, {has_link: true}]}"], []),
        (["{author: {prefix: nova}}"], []),
        (["{not: {author: nova}}"], []),
    ],
)
def test_a_tracked_account_is_unnamed_if_all_rules_ask_for_others(matches: list[str], unnamed: list[str]) -> None:
    assert sides(config_of(*matches), TRACKED, {})[3] == unnamed


def test_a_matcher_binds_a_rule() -> None:
    more = "matchers: {nova: {author: novadesk}}\n"
    assert sides(config_of("{matcher: nova}", more=more), TRACKED, {})[3] == ["other"]
