"""Who may read and who may change what."""

import pytest

from forwarder.core.config.model.admin import AdminConfig, ServerTlsConfig
from forwarder.core.config.values.secret import Secret
from forwarder.web import access
from forwarder.web.access import (
    AccessRules,
    RulesOf,
    Sessions,
    bearer_of,
    is_of_another_page,
    is_same_origin,
    is_token,
    rules_of,
)

TOKEN = b"0123456789abcdef"
RULES = AccessRules(hosts=frozenset({"127.0.0.1:8787", "localhost:8787"}))


def test_on_loopback_reading_needs_nothing() -> None:
    rules = rules_of(AdminConfig(), "127.0.0.1:8787")
    assert (rules.token, rules.reading_needs_token, rules.is_encrypted) == (None, False, False)
    assert rules.hosts == {"127.0.0.1:8787", "localhost:8787", "[::1]:8787"}
    assert rules.cookie == "forwarder-8787"


@pytest.mark.parametrize("listen", ["192.0.2.7:8787", "0.0.0.0:8787", "[::]:8787"])
def test_at_another_address_reading_needs_the_token(listen: str) -> None:
    tls = ServerTlsConfig(cert=Secret("-----BEGIN CERTIFICATE-----"))
    admin = AdminConfig(token=Secret(TOKEN.decode()), tls=tls, hosts=["forwarder.example.com", "other.example.com:443"])
    rules = rules_of(admin, listen)
    assert (rules.token, rules.reading_needs_token, rules.is_encrypted) == (TOKEN, True, True)
    assert {"forwarder.example.com", "forwarder.example.com:8787", "other.example.com:443"} <= rules.hosts
    assert "other.example.com" not in rules.hosts
    assert rules.schemes == {"https"}
    assert rules.cookie.startswith("__Host-")


def test_behind_a_proxy_reading_needs_the_token_and_the_names_are_those_of_the_proxy() -> None:
    rules = rules_of(AdminConfig(behind_proxy=True, hosts=["forwarder.example.com"]), "127.0.0.1:8787")
    assert rules.reading_needs_token
    headers = {"Host": "127.0.0.1:8787", "Origin": "https://forwarder.example.com"}
    assert is_same_origin(headers, rules)
    assert not is_same_origin({**headers, "Origin": "https://evil.example"}, rules)


def test_the_rules_are_made_once_for_each_config() -> None:
    configs = [AdminConfig(), AdminConfig(token=Secret(TOKEN.decode()))]
    rules_of_active = RulesOf("127.0.0.1:8787", lambda: configs[0])
    assert rules_of_active.rules() is rules_of_active.rules()
    del configs[0]
    assert rules_of_active.rules().token == TOKEN


@pytest.mark.parametrize(
    ("headers", "is_same"),
    [
        ({}, True),
        ({"Origin": "http://127.0.0.1:8787"}, True),
        ({"Origin": "HTTP://127.0.0.1:8787"}, True),
        ({"Origin": "http://localhost:8787"}, False),  # another of our names is another origin
        ({"Origin": "https://127.0.0.1:8787"}, False),
        ({"Origin": "http://127.0.0.1:9999"}, False),
        ({"Origin": "http://127.0.0.1:8787.evil.example"}, False),
        ({"Origin": "null"}, False),
        ({"Origin": ""}, False),
        ({"Sec-Fetch-Site": "same-origin"}, True),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, False),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:8787"}, False),
    ],
)
def test_only_our_own_pages_are_of_the_same_origin(headers: dict[str, str], is_same: bool) -> None:
    assert is_same_origin({"Host": "127.0.0.1:8787", **headers}, RULES) == is_same


def test_a_person_who_follows_a_link_is_no_page() -> None:
    assert not is_of_another_page({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"})
    assert is_of_another_page({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"})


def test_a_session_holds_until_it_ends_its_token_changes_or_time_is_over() -> None:
    now_s = 0.0
    sessions = Sessions(lambda: now_s)
    id_ = sessions.begin(TOKEN)
    assert sessions.holds(id_, TOKEN)
    assert not sessions.holds("another", TOKEN)
    assert not sessions.holds("\udcff", TOKEN)
    now_s = access.SESSION_S - 1
    assert sessions.holds(id_, TOKEN)
    now_s += access.SESSION_S - 1
    assert sessions.holds(id_, TOKEN)  # each request makes it longer
    now_s += access.SESSION_S
    assert not sessions.holds(id_, TOKEN)
    other = sessions.begin(TOKEN)
    assert not sessions.holds(other, b"another-token-now")
    third = sessions.begin(TOKEN)
    sessions.end(third)
    assert not sessions.holds(third, TOKEN)


def test_of_too_many_sessions_the_oldest_ends() -> None:
    sessions = Sessions()
    first = sessions.begin(TOKEN)
    rest = [sessions.begin(TOKEN) for _ in range(access._MOST_SESSIONS)]
    assert not sessions.holds(first, TOKEN)
    assert all(sessions.holds(each, TOKEN) for each in rest)


def test_a_token_is_read_from_its_header() -> None:
    assert bearer_of({"Authorization": "Bearer  abc "}) == "abc"
    assert bearer_of({"Authorization": "bearer abc"}) == "abc"
    assert bearer_of({"Authorization": "Basic abc"}) is None
    assert bearer_of({}) is None
    assert is_token(TOKEN.decode(), TOKEN)
    assert not is_token(TOKEN.decode() + " ", TOKEN)
    assert not is_token("\udcff", TOKEN)
