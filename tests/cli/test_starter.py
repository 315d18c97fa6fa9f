"""The text of a first config, which is always valid, and holds no secret."""

import pytest

from forwarder.cli.starter import Answers, NotValidError, service_of, starter_of
from forwarder.core.config import load_config

DISCORD = "https://discord.com/api/webhooks/1/canary"


def test_the_smallest_one() -> None:
    starter = starter_of(Answers(url="http://127.0.0.1:9000/hook"))
    assert starter.text.splitlines()[1:] == [
        "streams:",
        "  - api_key: ${SCRAPEST_API_KEY}",
        "",
        "destinations:",
        "  bot:",
        '    url: "http://127.0.0.1:9000/hook"',
        "",
        "routes:",
        "  - name: everything",
        "    to: bot",
        "",
        "admin:",
        "  listen: 127.0.0.1:8787  # the page: http://127.0.0.1:8787/ shows the posts to all users of this machine; without this line nothing listens",
    ]
    assert (starter.secrets, starter.destination) == ({}, "bot")


def test_one_of_the_public_stream_needs_no_key() -> None:
    starter = starter_of(Answers(url="http://127.0.0.1:9000/hook", is_public=True))
    config = load_config(starter.text.encode(), name="c", env={}, read_file=lambda name: starter.secrets[name])
    assert config.streams[0].is_public
    assert (starter.secrets, "SCRAPEST_API_KEY" in starter.text) == ({}, False)


def test_secrets_are_in_files_of_their_own_and_shown_nowhere() -> None:
    answers = Answers(url=DISCORD, api_key="canary-key", words=["btc", 'a "b" ${c} \U0001f680'], sources=["x"])
    starter = starter_of(answers, prefix="new-")
    assert starter.secrets == {"new-api-key": "canary-key", "new-webhook-url": DISCORD}
    assert "canary" not in starter.text + repr(starter) + repr(answers)
    config = load_config(starter.text.encode(), name="c", env={}, read_file=lambda name: starter.secrets[name])
    url = config.destinations["discord"].url
    assert url is not None
    assert url.reveal() == DISCORD
    assert config.streams[0].api_key.reveal() == "canary-key"
    assert 'word: ["btc", "a \\"b\\" $${c} \U0001f680"]' in starter.text


@pytest.mark.parametrize(
    ("url", "service"),
    [
        (DISCORD, "discord"),
        ("https://hooks.slack.com/services/a/b/c", "slack"),
        ("https://api.telegram.org/bot1:a/sendMessage?chat_id=5", "telegram"),
        ("https://example.com/", ""),
        ("nonsense", ""),
    ],
)
def test_the_service_sets_the_format(url: str, service: str) -> None:
    assert service_of(url) == service
    if service:
        assert (
            f'  {service}:\n    url_file: "webhook-url"\n    format: {service}\n' in starter_of(Answers(url=url)).text
        )


def test_telegram_has_its_chat_in_the_format() -> None:
    url = "https://api.telegram.org/bot1:a/sendMessage"
    assert 'format: {type: telegram, chat_id: "-5"}' in starter_of(Answers(url=url, chat="-5")).text
    with pytest.raises(NotValidError, match="Telegram needs a chat"):
        starter_of(Answers(url=url))


@pytest.mark.parametrize(
    "url",
    [
        "https://maker.ifttt.com/trigger/x/with/key/abcDEF123",
        "https://hooks.zapier.com/hooks/catch/123456/abcdef/",
        "https://example.com/hook/8f14e45fceea167a5a36dedd4bea2543",
        "http://10.0.0.5/?a=1",
        "https://example.com/a",
    ],
)
def test_the_url_of_another_machine_is_a_secret_where_it_has_a_path_or_a_query(url: str) -> None:
    starter = starter_of(Answers(url=url))
    assert starter.secrets == {"webhook-url": url}
    assert url not in starter.text


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://example.com/", "http://localhost:9/a?b=c", "http://[::1]:9/a"]
)
def test_a_url_without_a_path_and_one_of_this_machine_is_in_the_config(url: str) -> None:
    starter = starter_of(Answers(url=url))
    assert starter.secrets == {}
    assert f'url: "{url}"' in starter.text


def test_sources_are_written_as_scrapest_writes_them() -> None:
    assert 'source: ["x", "fast-x"]' in starter_of(Answers(url="http://127.0.0.1:9/", sources=["X", "Fast-X"])).text


@pytest.mark.parametrize(
    ("answers", "problem"),
    [
        (Answers(url="http://127.0.0.1:9/", sources=["twitter"]), '"twitter" is not a known source; did you mean "x"?'),
        (Answers(url="http://127.0.0.1:9/", sources=["fastx"]), 'known source; did you mean "fast-x"?'),
        (Answers(url="http://127.0.0.1:9/", sources=["All"]), '"All" is not a source; for all sources, name none'),
        (Answers(url="http://127.0.0.1:9/", sources=["zzzz"]), "the known ones are x, fast-x, "),
        (Answers(url="http://127.0.0.1:9/", chat="-5"), "a chat is only for a bot of Telegram"),
        (Answers(url="canary"), "the URL is not valid: "),
        (Answers(url="ftp://canary.example/"), "the URL is not valid: "),
        (Answers(url="http://127.0.0.1:9/", api_key="canary canary"), "streams[0].api_key_file: "),
        (Answers(url="http://127.0.0.1:9/", words=["a\u2028"]), ": the character U+2028 is not allowed here"),
    ],
)
def test_an_answer_that_is_not_valid_is_refused_and_not_shown(answers: Answers, problem: str) -> None:
    with pytest.raises(NotValidError) as caught:
        starter_of(answers)
    assert problem in f": {caught.value}"
    assert "canary" not in str(caught.value)
