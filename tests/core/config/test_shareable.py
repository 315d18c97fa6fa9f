"""What of a config is shown to others."""

import json

from forwarder.core.config import load_config
from forwarder.core.config.shareable import secrets_of, shareable

TEXT = """\
streams:
  - {url: 'wss://scrape.st/ws?a=key-in-query', api_key: key-of-stream, max_frame: 1MiB, expect_event_within: 5m}
outbox: {keep_delivered: 3d}
destinations:
  bot:
    url: https://hooks.example/secret-path
    headers: {X-Note: secret-header, Other: '{{ event.source }} secret-template'}
    signing: {secret: whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0}
    rate_limit: 50/s
    success: {body: {text: {contains: secret-word}}}
    format: {type: template, body: '{"a": {{ "secret-word" | tojson }}}'}
    retry: {delays: [1s, 2s], max_age: 1h}
  chat: {url: 'https://api.telegram.org/bot1:secret-token/sendMessage', format: {type: telegram, chat_id: '-1001234567'}, order: sid}
lists: {whales: [secret-name]}
routes:
  - {name: r, match: {text: {contains: secret-word}}, to: [bot, chat], sample: 10%}
admin: {group: null}
"""


def test_settings_are_shown_and_neither_secrets_nor_addresses_nor_rules() -> None:
    config = load_config(TEXT.encode(), name="config.yaml", env={}, read_file=lambda _path: "")
    shown = shareable(config)
    text = json.dumps(shown)
    assert "secret" not in text.replace('"secret": "***', "").replace("secret", "secret") or '"secret-' not in text
    for each in ("1001234567", "key-in-query", "key-of-stream", "secret-", "whsec_"):
        assert each not in text, each
    assert isinstance(shown, dict)
    assert shown["streams"] == [
        {"url": "wss://scrape.st/***", "api_key": "***", "max_frame": 1_048_576, "expect_event_within": "5m"}
    ]
    assert shown["outbox"] == {"keep_delivered": "3d"}
    assert shown["lists"] == "*** (1)"
    assert shown["destinations"]["chat"]["order"] == "sid"  # type: ignore[index,call-overload]
    assert shown["destinations"]["bot"]["retry"]["delays"] == ["1s", "2s"]  # type: ignore[index,call-overload]
    assert {"key-of-stream", "https://hooks.example/secret-path", "secret-header"} <= set(secrets_of(config))
