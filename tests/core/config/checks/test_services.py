"""Formats and the URLs of services that they fit."""

import pytest

from forwarder.core.config import ConfigError
from tests.core.config.support import config_text, load

TELEGRAM = "url: https://api.telegram.org/bot1:abc/sendMessage"


@pytest.mark.parametrize(
    "destination",
    [
        f"{TELEGRAM}\nformat: {{type: template, body: '{{{{ post.text | tojson }}}}'}}",
        f"{TELEGRAM}?chat_id=1\nformat: telegram",
        f"{TELEGRAM.replace('abc', '%61bc')}?chat_id=%2D1\nformat: telegram",
        f"{TELEGRAM.replace('1:', '1%3A')}?chat_id=1\nformat: telegram",
        "url: https://hooks.slack.com/workflows/a/b\nformat: {type: template, body: '{}'}",
        "url: https://discord.com/api/webhooks/1/x/slack\nformat: {type: template, body: '{}'}",
        "url: https://discord.com/api/webhooks/1/x/github\nformat: {type: template, body: '{}'}",
    ],
)
def test_a_format_that_the_service_accepts(destination: str) -> None:
    text = config_text().replace(
        "    url: http://127.0.0.1:9000/hook", "\n".join(f"    {line}" for line in destination.splitlines())
    )
    url = load(text).destinations["bot"].url
    assert url is not None
    assert url.reveal().startswith("https://")


@pytest.mark.parametrize("host", ["https://discord.com", "https://ptb.discord.com", "https://relay.example"])
@pytest.mark.parametrize(
    ("suffix", "format_", "why"),
    [
        (
            "/slack",
            "slack",
            "where Discord shows texts for Slack as its own Markdown, without pictures, and notifies people that they mention",
        ),
        ("/slack/", "discord", "where Discord accepts messages in the format of Slack"),
        ("/github", "slack", "where Discord accepts events of GitHub only"),
        ("/github?thread_id=5", "discord", "where Discord accepts events of GitHub only"),
    ],
)
def test_the_addresses_of_discord_for_other_services_are_refused(
    host: str, suffix: str, format_: str, why: str
) -> None:
    text = config_text().replace(
        "url: http://127.0.0.1:9000/hook", f"url: {host}/api/v10/webhooks/1/x{suffix}\n    format: {format_}"
    )
    with pytest.raises(ConfigError) as caught:
        load(text)
    ending = suffix.partition("?")[0].rstrip("/")
    assert f'this URL ends with {ending}, {why}; remove {ending} and write "format: discord"' in str(caught.value)
