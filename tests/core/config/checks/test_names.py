"""Names that must differ or exist, and the files that hold secrets."""

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.config.checks.names import default_route_name, mappings, read_named_file, scalars_of, settings_of
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.parse import read_nodes
from forwarder.core.yaml.tree import Expanded, Scalar, Tree
from tests.core.config.support import CANARY, config_text, load
from tests.core.config.support import read_file as read


def test_secrets_may_come_from_files() -> None:
    config = load(
        """
streams: [{api_key_file: /run/credentials/key}]
destinations:
  bot: {url_file: /run/credentials/url, signing: {secret_file: /run/credentials/secret}}
routes: [{to: bot}]
"""
    )
    assert config.streams[0].api_key.reveal() == "magpie-key-of-a-file"
    assert config.streams[0].api_key_file == "/run/credentials/key"
    bot = config.destinations["bot"]
    assert bot.url is not None
    assert bot.url.reveal() == "https://example.com/magpie"
    assert bot.signing is not None
    assert [secret.reveal() for secret in bot.signing.secret] == ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"]


def test_names_are_text_too() -> None:
    text = config_text().replace("bot", "007")
    assert list(load(text).destinations) == ["007"]


def test_the_sources_of_unmatched_and_routes_may_be_one_destination() -> None:
    assert load(config_text(rest="unmatched: bot")).unmatched == "bot"


def test_an_on_failure_of_its_own_may_not_name_itself() -> None:
    text = config_text(destination="on_failure: {to: bot}", rest="defaults: {on_failure: {to: bot}}")
    with pytest.raises(
        ConfigError, match=r"^config.yaml:6:22: destinations.bot.on_failure.to: a destination cannot get notices"
    ):
        load(text)


def said_of(text: str) -> list[str]:
    """Return what is wrong with a config, without lines and columns."""
    try:
        load(text)
    except ConfigError as error:
        return [f"{problem.path}: {problem.message}" for problem in error.problems]
    return []


TWO = "streams: [{api_key: k}]\ndestinations:\n  a: {url: 'http://127.0.0.1/a'}\n  b: {url: 'http://127.0.0.1/b'%s}\n"


@pytest.mark.parametrize(
    ("rest", "said"),
    [
        ("routes: [{to: [a, b, a]}]", ['routes[0].to[2]: "a" is listed twice; remove one of them']),
        ("routes: [{to: 'a, b'}]", ['routes[0].to: "a, b" is not a destination; write a list: [a, b]']),
        ("routes: [{to: a b}]", ['routes[0].to: "a b" is not a destination; write a list: [a, b]']),
        ("routes: [{to: c}]", ['routes[0].to: "c" is not a destination']),
        ("groups: {all: [a, b]}\nroutes: [{to: c}]", ['routes[0].to: "c" is not a destination or a group']),
        (
            "routes: [{name: r, to: a}, {name: r, to: b}]",
            ['routes[1].name: "r" is already the name of another route; choose another name'],
        ),
        (
            "routes: [{name: route 2, to: a}, {to: b}]",
            ['routes[1]: "route 2", the default name, is already the name of another route; choose another name'],
        ),
        (
            "routes: [{to: a}]\nexpect: [{name: e, within: 1h}, {name: e, within: 2h}]",
            ['expect[1].name: "e" is already the name of another expectation; choose another name'],
        ),
        ("routes: [{to: a}]\nunmatched: bb", ['unmatched: "bb" is not a destination; did you mean "b"?']),
        ("routes: [{to: a}]\nunmatched: drop", []),
        (
            "groups: {all: [a, b]}\nroutes: [{to: all}]\nunmatched: all",
            ['unmatched: "all" is a group; name one destination'],
        ),
        (
            "routes: [{to: a, limit: {count: 1, per: 1m, summary: c}}]",
            ['routes[0].limit.summary: "c" is not a destination'],
        ),
        (
            "routes: [{to: a}]\ndefaults: {limit: {count: 1, per: 1m, summary: c}}",
            ['defaults.limit.summary: "c" is not a destination'],
        ),
    ],
)
def test_a_name_exists_and_is_used_once(rest: str, said: list[str]) -> None:
    assert said_of(TWO % "" + rest) == said


def test_a_destination_that_is_disabled_gets_no_notices_and_no_summaries_of_others() -> None:
    rest = "routes: [{to: a, limit: {count: 1, per: 1m, summary: b}}]\ndefaults: {on_failure: {to: b}}"
    assert said_of(TWO % ", enabled: false" + rest) == [
        'routes[0].limit.summary: "b" is disabled and gets no summaries; name another destination',
        'defaults.on_failure.to: "b" is disabled and gets no notices; name another destination',
    ]
    assert said_of(TWO % "" + rest) == []


def test_drop_is_no_name_of_a_destination() -> None:
    text = config_text().replace("bot", "drop")
    assert said_of(text) == [
        'destinations.drop: "drop" cannot be a name, because "unmatched: drop" means no destination; choose another name'
    ]


def test_the_default_name_of_a_route_is_its_number_from_1() -> None:
    assert default_route_name(("routes", 0)) == "route 1"
    assert default_route_name(("routes", 11)) == "route 12"


def test_only_what_has_the_right_kind_is_looked_at() -> None:
    tree: dict[str, Tree] = {"destinations": {"a": {}, "b": Scalar("x")}, "routes": [{}, Scalar("x"), {}]}
    assert [path for path, _ in mappings(tree, "destinations")] == [("destinations", "a")]
    assert [path for path, _ in mappings(tree, "routes")] == [("routes", 0), ("routes", 2)]
    assert list(mappings(tree, "streams")) == []
    assert list(mappings({"destinations": [{}], "routes": {"a": {}}}, "destinations")) == []
    assert list(mappings({"routes": {"a": {}}}, "routes")) == []


def test_defaults_come_before_the_destinations() -> None:
    tree: dict[str, Tree] = {"destinations": {"a": {}}, "defaults": {}}
    assert [path for path, _ in settings_of(tree)] == [("defaults",), ("destinations", "a")]


def test_a_single_name_has_the_place_of_its_key_and_nulls_are_left_out() -> None:
    assert list(scalars_of(Scalar("a"), ("to",))) == [(("to",), "a")]
    names: Tree = [Scalar("a"), Scalar("~"), Scalar("~", quoted=True), {}]
    assert list(scalars_of(names, ("to",))) == [(("to", 0), "a"), (("to", 2), "~")]
    assert list(scalars_of(None, ("to",))) == []


def read_into(section: dict[str, Tree], *, is_list: bool = False, is_secret: bool = True) -> list[str]:
    """Read the file of `secret`; return what was reported."""
    findings = Findings(*read_nodes(b"secret: a\nsecret_file: b\n"))
    read_named_file(section, "secret", (), read, findings, is_list=is_list, is_secret=is_secret)
    return [problem.message for problem in findings.problems]


def test_a_file_of_one_line_is_a_text_and_of_several_a_list_where_one_is_allowed() -> None:
    one: dict[str, Tree] = {"secret_file": Scalar("/run/credentials/secret")}
    several: dict[str, Tree] = {"secret_file": Scalar("/run/credentials/two-secrets")}
    assert read_into(one, is_list=True) == []
    assert one["secret"] == "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
    assert read_into(several, is_list=True) == []
    assert [str(each)[:6] for each in several["secret"]] == ["whsec_", "whsk_M"]
    joined: dict[str, Tree] = {"secret_file": Scalar("/run/credentials/two-secrets")}
    assert read_into(joined) == []
    assert isinstance(joined["secret"], Expanded)
    assert joined["secret"].count("\n") == 1


def test_a_file_that_is_no_secret_is_taken_as_it_is_and_shown_in_messages() -> None:
    section: dict[str, Tree] = {"secret_file": Scalar("/run/credentials/key")}
    assert read_into(section, is_secret=False) == []
    assert section["secret"] == f"{CANARY}-key-of-a-file\n"
    assert not isinstance(section["secret"], Expanded)


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"secret_file": Scalar("none")}, ['cannot read "none": No such file or directory']),
        ({"secret_file": Scalar("/binary")}, ['"/binary" is not UTF-8 text']),
        ({"secret_file": [Scalar("a")]}, ["expected the path of a file, got a list"]),
        (
            {"secret_file": Scalar("/run/credentials/key"), "secret": Scalar("a")},
            ["secret and secret_file exclude each other; remove one of them"],
        ),
        ({"secret_file": Scalar("~")}, []),
        ({}, []),
    ],
)
def test_a_file_that_cannot_be_read_is_reported(section: dict[str, Tree], said: list[str]) -> None:
    assert read_into(section) == said


def test_a_secret_without_a_value_may_come_from_its_file() -> None:
    section: dict[str, Tree] = {"secret": Scalar(""), "secret_file": Scalar("/run/credentials/key")}
    assert read_into(section) == []
    assert section["secret"] == f"{CANARY}-key-of-a-file"
