"""What `check` warns of: rules without effect, and what does not go together."""

import pytest

from forwarder.core.config.lint import warnings_of
from tests.core.config.support import load

HEAD = """
streams: [{api_key: key}]
destinations: {bot: {url: http://127.0.0.1/}, alerts: {url: http://127.0.0.1/}, off: {url: http://127.0.0.1/, enabled: false}}
lists: {whales: [nova, orca]}
matchers: {from whales: {author: {list: whales}}}
unmatched: alerts
routes:
"""


def said(routes: str) -> list[str]:
    return [line for line in warnings_of(load(HEAD + routes)) if line.startswith(("routes", "and"))]


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        ("- {to: bot, match: {source: x}}", []),
        (
            "- {to: bot, match: {source: x}, stop: true}\n- {to: bot}\n- {to: off}",
            ['routes[2] "route 3": it sends nothing, because off is disabled'],
        ),
        (
            "- {to: bot, stop: true}\n- {to: alerts, match: {source: x}}",
            [
                'routes[1] "route 2": it gets no event, because routes[0] "route 1" matches all its events and has stop: true'
            ],
        ),
        (
            "- {to: bot, match: {matcher: from whales}, stop: true}\n- {to: alerts, match: {author: '@Orca', text: {word: btc}}}",
            [
                'routes[1] "route 2": it gets no event, because routes[0] "route 1" matches all its events and has stop: true'
            ],
        ),
        ("- {to: bot, match: {matcher: from whales}, stop: true}\n- {to: alerts, match: {author: [orca, moby]}}", []),
        (
            "- {to: bot, match: {source: x, not: {source: x}}}",
            ['routes[0] "route 1": it can never match: source must and must not be the same'],
        ),
        (
            "- {name: again, to: bot, match: {sid: [1, 2]}}\n- {to: [bot], match: {sid: [2, 1]}}",
            ['routes[1] "route 2": it repeats routes[0] "again"; remove one of them'],
        ),
        ("- {to: bot, match: {sid: 1}}\n- {to: alerts, match: {sid: 1}}", []),
        (
            "- {to: bot, match: {source: [telegrm, x]}}",
            ['routes[0] "route 1": "telegrm" is not a known source; did you mean "telegram"?'],
        ),
        ("- {to: bot, match: {text: {equals: btc}, author: orca}}", []),
        ("- {to: bot, match: {not: {text: ''}}}", []),
    ],
)
def test_rules_without_effect(routes: str, expected: list[str]) -> None:
    assert said(routes) == expected


@pytest.mark.parametrize("routes", [3, 700])
def test_however_many_routes_there_are(routes: int) -> None:
    rules = [
        f"- {{to: bot, stop: true, match: {{sid: {number}, text: {{contains: k{number}}}}}}}"
        for number in range(routes)
    ]
    rules.append("- {to: alerts, match: {sid: 1, text: {contains: ak1b}}}")
    assert said("\n".join(rules)) == [
        f'routes[{routes}] "route {routes + 1}": it gets no event, because routes[1] "route 2" matches all its events and has stop: true'
    ]


def test_a_thousand_of_a_kind_are_reported_in_few_lines() -> None:
    found = said("- {to: bot, stop: true}\n" + "- {to: alerts, match: {source: x}}\n" * 1_000)
    assert len(found) == 21
    assert found[-1] == "and 980 more warnings like the last one"


def test_settings_without_effect() -> None:
    config = load(
        "streams: [{api_key: key}]\nroutes: [{to: bot}]\n"
        "destinations:\n  bot: {url: http://127.0.0.1/, concurrency: 4, backlog_concurrency: 8, compress_from: 1KiB, canary: {every: 1m, within: 1s}}\n"
        "  spare: {url: http://127.0.0.1/}\n"
    )
    assert warnings_of(config) == [
        "destinations.bot.backlog_concurrency: larger than concurrency (4), which is the limit",
        "destinations.bot.compress_from: has no effect without compression; add compression, or remove it",
        "destinations.bot.canary.within: shorter than timeout, so a slow response counts as a missing one",
        "destinations.spare: no route sends anything there",
    ]


@pytest.mark.parametrize(
    ("signing", "packages"),
    [
        ("{secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz}", "the official packages of Standard Webhooks"),
        (
            "{secret: [whsk_c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=, whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz]}",
            "the official packages of Standard Webhooks",
        ),
        ("{scheme: hmac, timestamped: true, secret: s}", "Stripe's packages"),
        ("{scheme: hmac, secret: s}", None),
        ("~", None),
        ("{secret: whsk_c3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3Nzc3M=}", None),
    ],
)
@pytest.mark.parametrize("place", ["bot", "defaults"])
def test_signatures_of_compressed_bodies_that_packages_cannot_verify(
    signing: str, packages: str | None, place: str
) -> None:
    settings = f"compression: gzip, signing: {signing}"
    if place == "bot":
        text = HEAD.replace("bot: {url: http://127.0.0.1/}", f"bot: {{url: http://127.0.0.1/, {settings}}}")
    else:
        text = f"defaults: {{{settings}}}\n{HEAD}"
    found = [each for each in warnings_of(load(f"{text}\n  - to: [bot, alerts, off]")) if "bot.compression" in each]
    warning = (
        f"destinations.bot.compression: {packages} cannot verify the signature of a compressed body, because they decode the body "
        "as UTF-8 text first; remove compression, or let the receiver verify the bytes itself (docs/signing.md)"
    )
    assert found == ([] if packages is None else [warning])
    without = text.replace("compression: gzip, ", "")
    assert not [each for each in warnings_of(load(f"{without}\n  - to: [bot, alerts, off]")) if "UTF-8" in each]


@pytest.mark.parametrize(
    ("url", "settings"),
    [
        ("https://oapi.dingtalk.com/robot/send?access_token=x", "success: {body: {errcode: 0}}"),
        ("https://slack.com/api/chat.postMessage", "success: {body: {ok: true}}"),
        ("https://open.larksuite.com/open-apis/bot/v2/hook/x", "success: {body: [{code: 0}, {StatusCode: 0}]}"),
        ("https://acme.webhook.office.com/webhookb2/x", 'success: {body: "1"}'),
        ("https://script.google.com/macros/s/x/exec", "retry: {statuses: {302: delivered}}"),
    ],
)
def test_services_whose_answers_the_settings_do_not_read(url: str, settings: str) -> None:
    def found(more: str) -> list[str]:
        text = HEAD.replace("bot: {url: http://127.0.0.1/}", f"bot: {{url: '{url}'{more}}}")
        return [each for each in warnings_of(load(f"{text}\n  - to: [bot, alerts, off]")) if " answers with " in each]

    (warning,) = found("")
    assert warning.startswith(f"destinations.bot: {url.split('/')[2]} answers with ")
    assert warning.endswith(f"; write {settings}")
    assert found(f", {settings}") == []
    assert found(", enabled: false") == []


def test_a_webhook_of_slack_answers_with_the_status_that_it_means() -> None:
    url = "https://hooks.slack.com/services/T/B/x"
    text = HEAD.replace("bot: {url: http://127.0.0.1/}", f"bot: {{url: '{url}', format: slack}}")
    assert not [each for each in warnings_of(load(f"{text}\n  - to: [bot, alerts, off]")) if " answers with " in each]


def test_what_stands_behind_a_fragment_is_sent_to_nobody() -> None:
    text = HEAD.replace("bot: {url: http://127.0.0.1/}", "bot: {url: 'http://127.0.0.1/a#/b'}")
    warning = "destinations.bot.url: the part after # is not sent; write %23 to send the character #"
    assert warning in warnings_of(load(f"{text}\n  - to: [bot, alerts]"))
    assert warning not in warnings_of(load(f"{HEAD}\n  - to: [bot, alerts]"))


@pytest.mark.parametrize(
    ("path", "is_odd"), [("/a/$BOT_TOKEN", True), ("/a?b=$TOKEN", True), ("/a/$b/$1?c=$&d=$US", False)]
)
def test_a_variable_of_a_shell_in_a_url_is_no_variable(path: str, is_odd: bool) -> None:
    text = HEAD.replace("bot: {url: http://127.0.0.1/}", f"bot: {{url: 'http://127.0.0.1{path}'}}")
    warning = "destinations.bot.url: it has a $ before a name, which is sent as it is; a variable is written ${NAME}"
    assert (warning in warnings_of(load(f"{text}\n  - to: [bot, alerts]"))) is is_odd


@pytest.mark.parametrize(
    ("url", "is_odd"),
    [
        ("sqlite:///box.db", True),
        ("sqlite:////box.db", True),
        ("sqlite:///var/box.db", False),
        ("sqlite:box.db", False),
    ],
)
def test_a_relative_path_of_sqlalchemy_is_absolute_here(url: str, is_odd: bool) -> None:
    warning = "outbox.url: this is the file /box.db at the top of the file system; sqlite:box.db is a file in the folder of the config"
    found = warnings_of(load(f"{HEAD}\n  - to: [bot, alerts]\noutbox: {{url: '{url}'}}"))
    assert (warning in found) is is_odd


def test_parameters_of_sqlalchemy_are_a_part_of_the_name_of_the_outbox() -> None:
    warning = (
        "outbox.url: the ? and what follows it are a part of the file's name; parameters are not supported: remove them"
    )
    for url, is_odd in (("sqlite:////var/box.db?timeout=5", True), ("sqlite:////var/box.db", False)):
        found = warnings_of(load(f"{HEAD}\n  - to: [bot, alerts]\noutbox: {{url: '{url}'}}"))
        assert (warning in found) is is_odd


def test_streams_that_differ_and_duplicates_that_are_kept() -> None:
    streams = (
        "streams: [{api_key: key, gap_repair: true}, {name: b, api_key: key, use_fast_x: true, max_connection_age: 1h}]"
    )
    text = HEAD.replace("streams: [{api_key: key}]", streams) + "  - to: [bot, alerts, off]"
    differs = (
        'streams[1] "b": use_fast_x differs from that of "main": events that only one of the streams gets are missed '
        "while that one is disconnected"
    )
    assert [each for each in warnings_of(load(text)) if "streams" in each] == [differs]
    kept = "with outbox.dedupe_window: 0s, an event that arrives on two connections at the same time is delivered twice"
    assert [each for each in warnings_of(load(f"outbox: {{dedupe_window: 0s}}\n{text}")) if "streams" in each] == [
        differs,
        "outbox.dedupe_window: 0s: an event that arrives on several streams is delivered several times; write 30m",
        f'streams[0] "main": gap_repair: {kept}',
        f'streams[1] "b": max_connection_age: {kept}',
    ]


def test_one_stream_that_keeps_duplicates_is_fine_unless_it_opens_two_connections() -> None:
    text = f"outbox: {{dedupe_window: 0s}}\n{HEAD}  - to: [bot, alerts, off]"
    assert not [each for each in warnings_of(load(text)) if "dedupe" in each]


def test_a_route_without_a_value_is_found_among_many_too() -> None:
    routes = "".join(f"- {{to: bot, match: {{sid: {number}}}, stop: true}}\n" for number in range(1_000))
    many = f"- {{to: alerts, match: {{lang: {{exists: true}}}}, stop: true}}\n{routes}- {{to: bot, match: {{lang: {{exists: true}}, has_media: true}}}}"
    assert said(many)[-1] == (
        'routes[1001] "route 1002": it gets no event, because routes[0] "route 1" matches all its events and has stop: true'
    )


def test_a_priority_has_no_effect_where_everything_keeps_one_order() -> None:
    destinations = (
        "destinations: {bot: {url: http://127.0.0.1/, order: strict}, chat: {url: http://127.0.0.1/, order: sid}}"
    )
    routes = "routes: [{name: urgent, to: [bot, chat], priority: high}, {to: bot}]"
    said = warnings_of(load(f"streams: [{{api_key: key}}]\n{destinations}\n{routes}\n"))
    why = (
        "because order: strict keeps the order of everything there; write order: sid or none there, or remove priority"
    )
    assert said == [f"routes.urgent.priority: high: has no effect at bot, {why}"]
