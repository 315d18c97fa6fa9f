"""Formats as the config writes them."""

import pytest

from forwarder.core.config import ConfigError, DestinationConfig, Secret, load_config
from forwarder.core.config.model import format as format_model
from forwarder.core.config.model.format import FormatConfig
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.destinations.build import destinations_of
from tests.core.config.support import CANARY, ENV, config_text, load
from tests.support.paths import DOCS


def destination(lines: str) -> str:
    """The config of one destination, `bot`, with these lines in place of its URL."""
    return config_text().replace("url: http://127.0.0.1:9000/hook", "\n    ".join(lines.splitlines()))


@pytest.mark.parametrize(
    "lines",
    [
        "url: https://discord.com/api/webhooks/1/a\nformat: discord",
        "url: https://discord.com/api/webhooks/1/a\nformat: {type: discord, username: Here and there}",
        "url: https://canary.discordapp.com/api/v10/webhooks/1/a-_b/?thread_id=5\nformat: {type: discord, thread_id: 12345678901234567}",
        "url: https://discord.com/api/webhooks/1/a/slack\nformat: {type: template, body: '{}'}",
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
        ("{type: discord, username: ''}", "expected a name of 1 to 80 characters, without line breaks"),
        ("{type: discord, username: '  '}", "expected a name of 1 to 80 characters, not only spaces"),
        ("{type: discord, username: here}", 'Discord does not allow "here" as a name'),
        ("{type: discord, username: ' Everyone '}", 'Discord does not allow "everyone" as a name'),
        ("{type: discord, username: Mr CLYDE}", 'Discord does not allow "clyde" in a name'),
        ("{type: discord, username: 'a```b'}", 'Discord does not allow "```" in a name'),
        ("{type: discord, thread_name: ' '}", "expected a name of 1 to 100 characters, not only spaces"),
        (f"{{type: discord, thread_name: {'x' * 101}}}", "expected a name of 1 to 100 characters, without line breaks"),
        ("{type: discord, thread_name: a, thread_id: 5}", "thread_id and thread_name exclude each other"),
        ("{type: discord, thread_id: general}", '"general" is not an id; an id consists of digits'),
        ("{type: template, body: 1, content_type: json}", '"json" is not a content type'),
        ("{type: telegram, chat_id: 5, topic: 0}", "topic"),
        ("{type: telegram, chat_id: 5, link_preview: all}", "expected media, on or off"),
        ("[discord]", "expected a mapping, got a list"),
        (
            "{type: raw, pictures: false}",
            '"pictures" is a key of type: discord, slack or telegram; this format has type: raw',
        ),
    ],
)
def test_what_is_wrong_is_reported(settings: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(destination(f"url: http://a.example/bot1:a\nformat: {settings}"))
    assert said in str(caught.value)


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
    page = (DOCS / "formats.md").read_text(encoding="utf-8")
    for key in FormatConfig.model_fields:
        assert f"`{key}" in page, key


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (
            "nowhere",
            "expected the address of a picture, https://…; the URL has no scheme; write https:// or http:// at its beginning",
        ),
        (
            "https://a:99999/",
            "expected the address of a picture, https://…; the URL's port is not in the range from 1 to 65535",
        ),
    ],
)
def test_a_picture_has_an_address(picture: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(config_text(destination=f"format: {{type: discord, avatar_url: '{picture}'}}"))
    assert str(caught.value).endswith(said)


def test_a_picture_of_a_message() -> None:
    picture = "https://example.com/a.png"
    config = load(config_text(destination=f"format: {{type: discord, avatar_url: '{picture}'}}"))
    assert config.destinations["bot"].format.avatar_url == picture


def test_a_url_is_not_shown_where_a_variable_is_in_its_template() -> None:
    text = config_text().replace("http://127.0.0.1:9000/hook", "'http://127.0.0.1/{{ ${CANARY} }}'")
    with pytest.raises(ConfigError) as caught:
        load(text)
    assert "the text in {{ … }} is not valid (it is not shown, because the URL is a secret)" in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("name", ["My Discord", "CLYDE", "clyde2"])
def test_a_name_that_discord_does_not_allow_is_refused(name: str) -> None:
    with pytest.raises(WrongValueError, match="Discord does not allow"):
        format_model._parse_username(name)
    assert format_model._parse_username("News desk") == "News desk"
