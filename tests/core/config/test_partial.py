"""The part of a config that commands need to find the daemon, whatever is wrong with the rest."""

import pytest

from forwarder.core.config import ConfigError
from forwarder.core.config.partial import Names, load_names, load_outline
from tests.core.config.support import config_text


def test_the_rest_of_the_file_may_be_wrong_and_its_variables_may_be_missing() -> None:
    text = (
        "streams: [{api_key: '${NOT_SET}'}]\noutbox: {url: 'sqlite:${HERE}/my.db'}\nadmin: {socket: my.sock}\n"
        "destinations:\n  a: {url: '${NOT_SET}'}\n  b: {enabled: false}\n  c: {enabled: 'No'}\n  d: {enabled: soon}\n  e: 5\n"
        "routes: [{too: a}]\nnonsense: 1\n"
    )
    outline = load_outline(text.encode(), name="config.yaml", env={"HERE": "here"})
    assert (outline.outbox.url, outline.admin.socket) == ("sqlite:here/my.db", "my.sock")
    assert outline.destinations == {"a", "d", "e"}


def test_the_secrets_of_the_page_need_not_exist() -> None:
    text = "admin: {listen: '127.0.0.1:8787', token: '${NOT_SET}', tls: {cert_file: not-there.pem}}\n"
    admin = load_outline(text.encode(), name="config.yaml", env={}).admin
    assert (admin.listen, admin.token, admin.tls) == ("127.0.0.1:8787", None, None)


@pytest.mark.parametrize("text", ["destinations: [a]", "- a", "streams: []", "outbox: ~\nadmin:\ndestinations:\n"])
def test_what_is_left_out_has_its_default(text: str) -> None:
    outline = load_outline(text.encode(), name="config.yaml", env={})
    assert (outline.outbox.url, outline.admin.socket, outline.destinations) == (None, None, frozenset())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "outbox: {url: nowhere}",
            "config.yaml:1:15: outbox.url: expected sqlite:///absolute/path or sqlite:relative/path",
        ),
        ("admin: {sock: a}", 'config.yaml:1:9: admin.sock: unknown key; did you mean "socket"?'),
        ("outbox: []", "config.yaml:1:9: outbox: expected a mapping, got a list"),
        ("a: [", "config.yaml:2:1: not valid YAML: "),
    ],
)
def test_what_is_wrong_with_it_is_reported_at_its_place(text: str, said: str) -> None:
    text += "\n" if text.endswith("[") else ""
    with pytest.raises(ConfigError) as caught:
        load_outline(text.encode(), name="config.yaml", env={})
    assert str(caught.value).startswith(said)


def test_of_a_whole_config_it_is_what_the_config_says() -> None:
    outline = load_outline(config_text().encode(), name="config.yaml", env={})
    assert outline.destinations == {"bot"}


def test_the_names_in_a_config_that_may_be_wrong() -> None:
    text = (
        "streams: [{name: main}, {api_key: a}]\ndestinations: {bot: {}, off: {enabled: false}}\n"
        "routes: [{name: '${ROUTE}', to: nobody}, {to: bot}, 5]\n"
    )
    found = load_names(text.encode(), env={"ROUTE": "coins"})
    assert found.destinations == ("bot", "off")
    assert found.routes == ("coins", "route 2")
    assert found.streams[0] == "main"


@pytest.mark.parametrize("text", ["[]", "a: 1", "destinations: [a]\nroutes: {}\nstreams: 5"])
def test_a_config_without_names(text: str) -> None:
    assert load_names(text.encode(), env={}) == Names(destinations=(), routes=(), streams=())


def test_the_sources_in_conditions_and_tests_are_known() -> None:
    text = (
        "routes: [{match: {source: a, any: [{source: [b, {list: l}]}, {not: {source: {prefix: c}}}]}}]\n"
        "matchers: {m: {source: d}}\nexpect: [{match: {source: e}}]\ntests: [{event: {source: f}}]\ndestinations: {source: g}\n"
    )
    assert load_names(text.encode(), env={}).sources == ("a", "b", "d", "e", "f")
