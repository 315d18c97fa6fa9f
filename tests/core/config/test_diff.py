"""What another config changes, in sentences."""

from collections.abc import Mapping
from itertools import permutations

import pytest

from forwarder.core.config import Config
from forwarder.core.config.diff import needs_restart, plan, shortened
from forwarder.core.config.model.admin import ServerTlsConfig
from forwarder.core.config.values.secret import Secret
from tests.core.config.support import CANARY, load

BASE = """\
streams:
  - api_key: ${SCRAPEST_API_KEY}
destinations:
  bot:
    url: https://example.com/magpie
    headers: {X-Token: magpie}
  alerts:
    url: http://127.0.0.1:9/
routes:
  - name: first
    match: {source: x}
    to: bot
  - name: second
    match: {text: {regex: 'a+'}}
    to: alerts
  - name: third
    to: [bot, alerts]
"""


def said(*changes: tuple[str, str], waiting: Mapping[str, int] | None = None, started_with: str = BASE) -> list[str]:
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return plan(load(BASE), load(text), started_with=load(started_with), waiting=waiting or {})


BOT = "    headers: {X-Token: magpie}\n"
ALERTS = "  alerts:\n    url: http://127.0.0.1:9/\n"
SECOND = "  - name: second\n    match: {text: {regex: 'a+'}}\n    to: alerts\n"
THIRD = "  - name: third\n    to: [bot, alerts]\n"
SECRETS = "secret: [whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]"

CASES: dict[str, tuple[list[tuple[str, str]], list[str]]] = {
    "nothing": ([], []),
    "a comment": ([("streams:", "# magpie\nstreams:")], []),
    "stream key": (
        [("${SCRAPEST_API_KEY}", "magpie2")],
        ["stream main: api_key changed; an open connection is used until the new one is open"],
    ),
    "stream switch": (
        [("${SCRAPEST_API_KEY}", "${SCRAPEST_API_KEY}\n    use_fast_x: true")],
        ["stream main: use_fast_x false → true; an open connection is used until the new one is open"],
    ),
    "stream added": (
        [("${SCRAPEST_API_KEY}", "${SCRAPEST_API_KEY}\n  - name: other\n    api_key: magpie")],
        ["stream other added: connects"],
    ),
    "stream renamed": (
        [("- api_key", "- name: other\n    api_key")],
        ["stream main removed: disconnects", "stream other added: connects"],
    ),
    "url": ([("com/magpie", "com/magpie2")], ["destination bot: url changed"]),
    "host": ([("example.com", "magpie.example.com")], ["destination bot: url changed"]),
    "several": (
        [(BOT, BOT + "    timeout: 1m30s\n    concurrency: 3\n    rate_limit: 20/m\n    order: sid\n")],
        ["destination bot: timeout 5s → 1m30s, concurrency 16 → 3, order none → sid, rate_limit none → 20/m"],
    ),
    "headers": (
        [("{X-Token: magpie}", "{X-Token: magpie2, X-More: magpie}")],
        ["destination bot: headers.X-Token changed, headers.X-More added"],
    ),
    "secret added": ([(BOT, BOT + f"    signing: {{{SECRETS}}}\n")], ["destination bot: signing added"]),
    "auth": ([(BOT, "    auth: {bearer: magpie}\n")], ["destination bot: headers.X-Token removed, auth added"]),
    "format": (
        [(BOT, BOT + "    format: {type: template, body: '\"magpie\"'}\n")],
        ["destination bot: format.type raw → template, format.body added"],
    ),
    "retry": ([(BOT, BOT + "    retry: svix\n")], ["destination bot: retry changed"]),
    "size": (
        [(BOT, BOT + "    compression: gzip\n    compress_from: 1KiB\n")],
        ["destination bot: compression none → gzip, compress_from 8KiB → 1KiB"],
    ),
    "never": ([(BOT, BOT + "    pause_after: never\n")], ["destination bot: pause_after 5d → none"]),
    "disabled": (
        [(BOT, BOT + "    enabled: false\n    timeout: 6s\n")],
        ["destination bot disabled: its events are skipped and counted", "destination bot: timeout 5s → 6s"],
    ),
    "destination added": ([(ALERTS, ALERTS + "  more: {url: 'http://magpie/'}\n")], ["destination more added"]),
    "destination added, disabled": (
        [(ALERTS, ALERTS + "  more: {url: 'http://magpie/', enabled: false}\n")],
        ["destination more added, disabled"],
    ),
    "destination removed": (
        [(ALERTS, ""), (SECOND, ""), ("[bot, alerts]", "bot")],
        ["destination alerts removed", 'route "second" removed', 'route "third": to bot, alerts → bot'],
    ),
    "route added": (
        [(THIRD, THIRD + "  - name: fourth\n    match: {text: magpie}\n    to: [alerts, bot]\n")],
        ['route "fourth" added after "third", to alerts, bot'],
    ),
    "route added first": (
        [("routes:\n", "routes:\n  - {name: zero, to: bot}\n")],
        ['route "zero" added at the top, to bot'],
    ),
    "route removed": ([(SECOND, "")], ['route "second" removed']),
    "route renamed": ([("second", "zweite")], ['route "second" renamed to "zweite"']),
    "condition": ([("'a+'", "'magpie'")], ['route "second": match changed']),
    "stop and prefer": (
        [("    to: alerts\n", "    to: alerts\n    stop: true\n    prefer: first\n")],
        ['route "second": prefer all → first, stop false → true'],
    ),
    "sample and limit": (
        [("    to: alerts\n", "    to: alerts\n    sample: 12.5%\n    limit: {count: 2, per: 1m, by: author}\n")],
        ['route "second": sample none → 12.5%, limit added'],
    ),
    "route moved up": (
        [(THIRD, ""), ("routes:\n", "routes:\n" + THIRD)],
        ['route "third" moved: it is at the top now'],
    ),
    "two routes change places": (
        [(SECOND, ""), (THIRD, THIRD + SECOND)],
        ['route "third" moved: it is after "first" now'],
    ),
    "route moved and changed": (
        [(SECOND, ""), (THIRD, THIRD + SECOND.replace("alerts", "bot"))],
        ['route "third" moved: it is after "first" now', 'route "second": to alerts → bot'],
    ),
    "unmatched": ([("routes:", "unmatched: bot\nroutes:")], ["unmatched drop → bot"]),
    "networks": (
        [("routes:", "networks: {deny: 10.0.0.0/8}\nroutes:")],
        ["networks changed: all destinations get new connections"],
    ),
    "rest": (
        [("routes:", "grace_period: 3s\noutbox: {keep_dead: 1h}\nreload: {watch: false}\nroutes:")],
        ["outbox.keep_dead 30d → 1h", "reload.watch true → false", "grace_period 10s → 3s"],
    ),
    "lists": ([("routes:", "lists: {names: [magpie]}\nroutes:")], ["lists.names added"]),
    "at the next start": (
        [("routes:", "outbox: {url: 'sqlite:magpie.db', keep_dead: 1h}\nadmin: {socket: magpie}\nroutes:")],
        [
            "outbox.keep_dead 30d → 1h",
            "outbox.url changed: takes effect at the next start",
            "admin.socket changed: takes effect at the next start",
        ],
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_change_is_reported_in_words_and_shows_nothing_secret(name: str) -> None:
    changes, expected = CASES[name]
    found = said(*changes)
    assert found == expected
    assert CANARY not in "".join(found)


def test_a_test_that_is_only_on_another_line_has_not_changed() -> None:
    tests = "tests:\n  - {name: gm, event: {payload: {text: gm}}, expect: {bot: [first]}, body: {bot: {text: gm}}}\n"
    before = load(BASE + tests)

    def found(text: str) -> list[str]:
        return plan(before, load(text), started_with=before, waiting={})

    assert found("# a comment\n\n" + BASE + tests) == []
    assert load("# a comment\n\n" + BASE + tests) == before
    assert found(BASE + "  - {name: fourth, to: bot}\n" + tests) == ['route "fourth" added after "third", to bot']
    assert found(BASE + tests.replace("text: gm}}, e", "text: gn}}, e")) == ["tests changed"]


def test_a_setting_that_is_again_what_the_daemon_started_with_needs_no_start() -> None:
    started_with = BASE + "outbox: {durability: normal}\n"
    found = said(("routes:", "outbox: {durability: normal}\nroutes:"), started_with=started_with)
    assert found == ["outbox.durability is again the value that the daemon started with"]


WAITING: list[tuple[list[tuple[str, str]], int, str | None]] = [
    ([("example.com", "example.org")], 14, "14 waiting deliveries of destination bot keep their destination, with its new URL"),
    ([(BOT, BOT + "    timeout: 6s\n")], 1, "1 waiting delivery of destination bot keeps its destination"),
    (
        [(BOT, BOT + "    enabled: false\n")],
        1234,
        "1,234 waiting deliveries of destination bot have no destination now; kept until the destination is back",
    ),
    ([("  bot:", "  robot:"), ("to: bot", "to: robot"), ("[bot", "[robot")], 1, "1 waiting delivery of destination bot has no destination now; kept until the destination is back"),
    ([("'a+'", "'b+'")], 14, None),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "count", "expected"), WAITING)
def test_the_effect_on_queued_deliveries_is_reported_where_their_destination_changes(
    changes: list[tuple[str, str]], count: int, expected: str | None
) -> None:
    found = [sentence for sentence in said(*changes, waiting={"bot": count}) if "waiting" in sentence]
    assert found == ([] if expected is None else [expected])


def test_what_waits_has_a_destination_again() -> None:
    without = load(BASE.replace(BOT, BOT + "    enabled: false\n"))
    found = plan(without, load(BASE), started_with=without, waiting={"bot": 2})
    assert found == ["destination bot enabled", "2 waiting deliveries of destination bot have a destination again"]


def test_as_few_routes_as_possible_are_reported_as_moved() -> None:
    names = "abcd"
    text = BASE[: BASE.index("routes:")] + "routes:\n"
    of = {name: f"  - {{name: {name}, to: bot}}\n" for name in names}
    old = load(text + "".join(of.values()))
    for order in permutations(names):
        found = plan(old, load(text + "".join(of[name] for name in order)), started_with=old, waiting={})
        longest = max(
            len(part)
            for bits in range(1 << len(names))
            for part in ["".join(name for place, name in enumerate(order) if bits >> place & 1)]
            if list(part) == sorted(part)
        )
        assert len(found) == len(names) - longest
        assert all("moved" in sentence for sentence in found)


def test_a_great_many_new_routes_are_fifty_sentences_and_a_count() -> None:
    many = "".join(f"  - {{name: r{number}, to: bot}}\n" for number in range(362))
    found = said((THIRD, THIRD + many))
    assert len(found) == 362
    assert shortened(found)[50:] == ["and 312 more"]
    assert shortened(found[:50]) == found[:50]


def test_many_renamed_routes_are_not_each_compared_with_each_other() -> None:
    def many(word: str) -> str:
        return BASE + "".join(f"  - {{name: {word} {number}, to: bot}}\n" for number in range(101))

    found = plan(load(many("a")), load(many("b")), started_with=load(BASE), waiting={})
    assert found[:101] == [f'route "a {number}" removed' for number in range(101)]
    assert found[101:] == [
        f'route "b {number}" added after "{f"b {number - 1}" if number else "third"}", to bot' for number in range(101)
    ]


def test_expected_events() -> None:
    def with_expect(written: str) -> Config:
        return load(BASE + f"expect: {written}\n")

    one = with_expect("[{name: a, within: 1h}, {name: b, within: 1h}]")
    other = with_expect("[{name: a, within: 2h}, {name: c, within: 1h}]")
    assert plan(one, other, started_with=one, waiting={}) == [
        'expect "a": within 1h → 2h',
        'expect "b" removed',
        'expect "c" added',
    ]
    assert plan(one, one, started_with=one, waiting={}) == []


def test_a_route_that_is_disabled() -> None:
    off = [("    to: alerts", "    to: alerts\n    enabled: false")]
    assert said(*off) == ['route "second" disabled']
    text = BASE.replace(*off[0])
    assert plan(load(text), load(BASE), started_with=load(BASE), waiting={}) == ['route "second" enabled']


def test_a_url_that_is_read_from_a_file_now_changes_nothing_and_nothing_waits_for_it() -> None:
    same = ("url: https://example.com/magpie", "url_file: /run/credentials/url")
    assert said(same, waiting={"bot": 5}) == []


def test_what_needs_a_restart() -> None:
    started = load(BASE)
    assert needs_restart(load(BASE), started) == []
    assert needs_restart(load(BASE + "outbox: {durability: normal}\nadmin: {group: adm}\n"), started) == [
        "outbox.durability",
        "admin.group",
    ]


def test_the_settings_of_the_page_and_the_api_are_listed_and_a_renewed_certificate_too() -> None:
    def with_admin(**settings: object) -> Config:
        config = load(BASE)
        return config.model_copy(update={"admin": config.admin.model_copy(update=settings)})

    def said_of(old: Config, new: Config) -> list[str]:
        return plan(old, new, started_with=old, waiting={})

    first, renewed = (
        ServerTlsConfig(cert=Secret(f"-----BEGIN magpie {number}"), key=Secret("-----BEGIN magpie"))
        for number in (1, 2)
    )
    assert said_of(with_admin(tls=first), with_admin(tls=renewed)) == ["admin.tls.cert changed"]
    assert said_of(with_admin(), with_admin(tls=first)) == ["admin.tls changed: takes effect at the next start"]
    assert said_of(with_admin(), with_admin(listen="127.0.0.1:1", hosts=["a"], behind_proxy=True)) == [
        "admin.behind_proxy false → true",
        "admin.hosts changed",
        "admin.listen changed: takes effect at the next start",
    ]
    assert said_of(with_admin(token=Secret("magpie 1")), with_admin(token=Secret("magpie 2"))) == [
        "admin.token changed"
    ]
