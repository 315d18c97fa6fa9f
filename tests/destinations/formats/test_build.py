"""The settings of a destination become its format, and the URL to connect to."""

import re

import pytest

from forwarder.core.config import Config, DestinationConfig
from forwarder.core.config.model.format import FormatConfig
from forwarder.core.destinations.content import Format, raw
from forwarder.destinations.build import destinations_of
from forwarder.destinations.formats.build import fixed_url, format_of, message_format
from forwarder.destinations.formats.compression import Compressed
from forwarder.destinations.formats.discord import DiscordFormat
from forwarder.destinations.formats.slack import SlackFormat
from forwarder.destinations.formats.telegram import TelegramFormat
from forwarder.destinations.formats.template import TemplateFormat, ToFilledUrl
from tests.core.config.support import config_text, load
from tests.destinations.formats.limits import CHECKS
from tests.destinations.formats.support import NAMES, delivery, example


def destination(lines: str) -> str:
    """The config of one destination, `bot`, with these lines in place of its URL."""
    return config_text().replace("url: http://127.0.0.1:9000/hook", "\n    ".join(lines.splitlines()))


def made(lines: str) -> Config:
    return load(destination(lines))


def test_raw_is_the_event_itself_and_nothing_around_it() -> None:
    for lines in ("url: https://a.example/", "url: https://a.example/\nformat: raw"):
        assert destinations_of(made(lines))[0].format_ is raw


def test_another_setting_is_another_destination() -> None:
    base = "url: https://a.example/\n"
    different = [
        "url: https://a.example/{{ source }}",
        base,
        base + "format: slack",
        base + "format: {type: slack, pictures: false}",
        base + "format: {type: discord, pictures: false}",
        base + "format: discord",
        base + "format: {type: discord, username: Desk}",
        base + "format: {type: template, body: '1'}",
        base + "format: {type: template, body: '2'}",
        base + "compression: gzip",
        base + "compression: zstd",
        base + "compression: zstd\ncompress_from: 1KiB",
    ]
    parts = [destinations_of(made(lines))[0] for lines in different]
    assert all(one != two for number, one in enumerate(parts) for two in parts[:number])


def test_a_filled_url_connects_to_its_host_alone() -> None:
    (found,) = destinations_of(made("url: 'https://u:p@a.example:8443/secret/{{ source }}'"))
    assert found.url == "https://u:p@a.example:8443/"
    assert "secret" not in repr(found)


def settings(lines: str) -> DestinationConfig:
    return made(lines).destinations["bot"]


@pytest.mark.parametrize(
    ("lines", "format_"),
    [
        (
            "url: https://discord.com/api/webhooks/1/a?thread_id=5\nformat: {type: discord, username: Desk}",
            DiscordFormat(target="/api/webhooks/1/a?thread_id=5&wait=true", username="Desk"),
        ),
        (
            "url: https://discord.com/api/webhooks/1/a\nformat: {type: discord, thread_name: Posts of the day}",
            DiscordFormat(target="/api/webhooks/1/a?wait=true", thread_name="Posts of the day"),
        ),
        ("url: https://hooks.slack.com/services/T1/B1/x\nformat: slack", SlackFormat()),
        (
            "url: https://api.telegram.org/bot1:a?chat_id=-7\nformat: {type: telegram, topic: 3}",
            TelegramFormat(target="/bot1:a/sendMessage", chat_id="-7", topic=3),
        ),
        (
            "url: https://a.example/\nformat: {type: template, body: 'hi', content_type: text/plain}",
            TemplateFormat(source="hi", content_type="text/plain", is_json=False),
        ),
    ],
    ids=["discord", "a forum", "slack", "telegram", "template"],
)
def test_each_format_has_its_settings_and_the_target_that_the_url_names(lines: str, format_: Format) -> None:
    assert format_of(settings(lines)) == format_


def test_a_chat_in_the_settings_comes_before_one_in_the_url() -> None:
    lines = "url: https://relay.example/bot1:a?chat_id=1\nformat: {type: telegram, chat_id: 2}"
    found = format_of(settings(lines))
    assert isinstance(found, TelegramFormat)
    assert found.chat_id == "2"


def test_a_url_that_is_filled_is_around_the_format_and_compression_is_around_both() -> None:
    found = format_of(settings("url: 'https://a.example/{{ source }}?q=1'\ncompression: gzip\ncompress_from: 1KiB"))
    assert found == Compressed(
        format_=ToFilledUrl(format_=raw, source="/{{ source }}?q=1"), compression="gzip", from_bytes=1024
    )


def test_a_service_at_a_filled_url_keeps_its_own_target() -> None:
    found = format_of(settings("url: 'https://relay.example/hook/{{ source }}'\nformat: discord"))
    assert found == ToFilledUrl(
        format_=DiscordFormat(target="/hook/{{ source }}?wait=true"), source="/hook/{{ source }}?wait=true"
    )


def test_the_url_to_connect_to_is_that_of_the_config_unless_it_is_filled() -> None:
    assert fixed_url("https://a.example/secret?x=1") == "https://a.example/secret?x=1"
    assert fixed_url("https://a.example:444/{{ mid }}") == "https://a.example:444/"


def test_a_format_needs_no_url_to_be_shown() -> None:
    assert message_format(FormatConfig.model_validate({"type": "discord"})) == DiscordFormat()
    telegram = FormatConfig.model_validate({"type": "telegram", "chat_id": "5"})
    assert message_format(telegram) == TelegramFormat(chat_id="5")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("type_", ["discord", "slack", "telegram"])
def test_without_pictures_no_address_of_one_is_left_and_the_limits_hold(type_: str, name: str) -> None:
    settings = {"type": type_, "pictures": False} | ({"chat_id": -100} if type_ == "telegram" else {})
    body = message_format(FormatConfig.model_validate(settings))(delivery(example(name))).body
    CHECKS[type_](body)
    assert not re.search(rb'"image|icon_url|avatar|"url":"[^"]*[.](?:jpg|png)', body)


def test_without_pictures_telegram_may_still_preview_a_link_of_the_text() -> None:
    settings = {"type": "telegram", "chat_id": -100, "pictures": False, "link_preview": "on"}
    message = message_format(FormatConfig.model_validate(settings))(delivery(example("x-photo"))).body
    assert b'"link_preview_options":{"is_disabled":false}' in message
