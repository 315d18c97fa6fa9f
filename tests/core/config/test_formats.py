"""Formats as the config writes them, and what a destination is made of them."""

from pathlib import Path

import pytest

from forwarder.core.config import Config, ConfigError, DestinationConfig, Secret, load_config
from forwarder.core.config.format import FormatConfig
from forwarder.core.content import raw
from forwarder.core.retry import Rule
from forwarder.parts import destinations_of
from tests.core.config.support import ENV, config_text, load


def destination(lines: str) -> str:
    """The config of one destination, `bot`, with these lines in place of its URL."""
    return config_text().replace("url: http://127.0.0.1:9000/hook", "\n    ".join(lines.splitlines()))


@pytest.mark.parametrize(
    "lines",
    [
        "url: https://discord.com/api/webhooks/1/a\nformat: discord",
        "url: https://canary.discordapp.com/api/v10/webhooks/1/a-_b/?thread_id=5\nformat: {type: discord, thread_id: 12345678901234567}",
        "url: https://discord.com/api/webhooks/1/a/slack\nformat: slack",
        "url: https://discord.com/api/webhooks/1/a\nformat: {type: template, body: '{}'}",
        "url: https://hooks.slack.com/services/T1/B1/x\nformat: slack",
        "url: https://hooks.slack.com/workflows/T1/A1/1/x\nformat: {type: template, body: '{}'}",
        "url: https://hooks.slack-gov.com/services/T1/B1/x\nformat: {type: slack}",
        "url: https://api.telegram.org/bot1:a/sendMessage?chat_id=-100\nformat: telegram",
        "url: http://127.0.0.1:8081/bot1:a\nformat: {type: telegram, chat_id: '@news', topic: 3, silent: true, link_preview: off}",
        "url: https://relay.example/anything\nformat: discord",
        "url: 'https://a.example/{{ source }}?q={{ post.text }}'",
        "url: https://a.example/\nformat: {type: template, body: 'by {{ post.author.name }}', content_type: text/plain}",
        "url: https://a.example/\ncompression: zstd\ncompress_from: 0B",
        "url: https://a.example/\nformat:",
    ],
)  # fmt: skip
def test_what_is_right_is_taken(lines: str) -> None:
    config = load(destination(lines))
    assert destinations_of(config) == destinations_of(load(destination(lines)))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ("{type: discord, avatar_url: picture.png}", "expected the address of a picture, https://…"),
        ("{type: discord, username: ''}", "expected a name of 1 to 80 characters on one line"),
        ("{type: discord, thread_id: general}", '"general" is no id; it has digits only'),
        ("{type: template, body: 1, content_type: json}", '"json" is no content type'),
        ("{type: telegram, chat_id: 5, topic: 0}", "topic"),
        ("{type: telegram, chat_id: 5, link_preview: all}", "expected media, on or off"),
        ("[discord]", "expected a mapping, got a list"),
    ],
)
def test_what_is_wrong_is_told(settings: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(destination(f"url: http://a.example/bot1:a\nformat: {settings}"))
    assert said in str(caught.value)


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


def test_a_template_is_read_from_a_file_that_is_no_secret() -> None:
    asked = []

    def read_template(name: str) -> str:
        asked.append(name)
        return "{{ post.text | tojson }}\n"

    def read_file(name: str) -> str:
        raise AssertionError(name)

    text = destination("url: https://a.example/\nformat: {type: template, body_file: body.j2}")
    config = load_config(text.encode(), name="config.yaml", env=ENV, read_file=read_file, read_template=read_template)
    assert config.destinations["bot"].format.body == "{{ post.text | tojson }}\n"
    assert asked == ["body.j2"]


def test_a_program_can_build_one_without_a_file() -> None:
    format_ = FormatConfig.model_validate({"type": "telegram", "chat_id": -100})
    settings = DestinationConfig(url=Secret("https://a.example/"), format=format_)
    assert settings.format.chat_id == "-100"


def test_every_key_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "formats.md").read_text(encoding="utf-8")
    for key in FormatConfig.model_fields:
        assert f"`{key}" in page, key


@pytest.mark.parametrize(
    ("lines", "rule"),
    [
        ("url: 'https://a.example/{{ mid }}'", Rule.DEAD),
        ("url: 'https://a.example/?id={{ mid }}'\nretry: {statuses: {404: dead}}", Rule.DEAD),
        ("url: 'https://a.example/{{ mid }}'\nretry: {statuses: {410: pause}}", Rule.PAUSE),
        ("url: 'https://a.example/{{ mid }}'\nretry: {statuses: {4xx: retry}}", Rule.RETRY),
        ("url: https://a.example/", Rule.PAUSE),
        ("url: https://a.example/\nformat: {type: template, body: '{{ mid }}', content_type: text/plain}", Rule.PAUSE),
    ],
)
def test_gone_pauses_no_destination_whose_url_is_of_the_event_alone(lines: str, rule: Rule) -> None:
    (found,) = destinations_of(load(destination(lines)))
    assert found.retry.rule(410) is rule
