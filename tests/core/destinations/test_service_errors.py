"""Errors that concern every event: what the services answer, as their documentation and bug reports have it."""

import json

import pytest

from forwarder.core.destinations.service_errors import concerns_every_event, discord_form_errors


def telegram(description: str, status: int = 400, **parameters: int) -> tuple[str, int, bytes]:
    said = {"ok": False, "error_code": status, "description": description}
    return "telegram", status, json.dumps(said | ({"parameters": parameters} if parameters else {})).encode()


def discord(code: int, status: int = 400, **errors: object) -> tuple[str, int, bytes]:
    return (
        "discord",
        status,
        json.dumps({"message": "…", "code": code} | ({"errors": errors} if errors else {})).encode(),
    )


EVERY_EVENT = [
    telegram("Bad Request: chat not found"),
    telegram("Bad Request: message thread not found"),
    telegram("Bad Request: TOPIC_CLOSED"),
    telegram("Bad Request: TOPIC_DELETED"),
    telegram("Bad Request: not enough rights to send text messages to the chat"),
    telegram("Bad Request: need administrator rights in the channel chat"),
    telegram("Bad Request: CHAT_WRITE_FORBIDDEN"),
    telegram("Bad Request: group chat was upgraded to a supergroup chat", migrate_to_chat_id=-1001),
    telegram("Forbidden: bot was kicked from the supergroup chat", 403),
    telegram("Forbidden: bot was blocked by the user", 403),
    telegram("Forbidden: bot is not a member of the channel chat", 403),
    telegram("Unauthorized", 401),
    telegram("Not Found", 404),
    discord(10003, 404),
    discord(10003),
    discord(10015, 404),
    discord(220001),
    discord(220002),
    discord(50027, 401),
    discord(50013, 403),
    discord(0, 401),
    discord(50035, username={"_errors": [{"code": "USERNAME_INVALID", "message": 'Username cannot be "here"'}]}),
    ("discord", 400, b'{"username": ["Username cannot be \\"here\\""]}'),
    ("discord", 400, b'{"thread_id": ["Value \\"x\\" is not snowflake."]}'),
    ("slack", 403, b"invalid_token"),
    ("slack", 403, b"action_prohibited\n"),
    ("slack", 404, b"channel_not_found"),
    ("slack", 410, b"channel_is_archived"),
    ("slack", 404, b"no_service"),
    ("slack", 400, b"user_not_found"),
    ("slack", 400, b'{"ok":false,"error":"channel_not_found"}'),
    ("slack", 400, b'{"id":"web.incoming_webhook.channel.app_error","message":"Couldn\'t find the channel.","status_code":400}'),
    ("slack", 400, b'{"success":false,"error":"invalid-channel"}'),
]  # fmt: skip
ONE_EVENT = [
    telegram("Bad Request: message is too long"),
    telegram("Bad Request: can't parse entities: Unsupported start tag"),
    telegram("Too Many Requests: retry after 5", 429, retry_after=5),
    telegram("Internal Server Error", 500),
    ("telegram", 403, b"<html>the proxy does not allow it</html>"),
    ("telegram", 404, b""),
    ("telegram", 400, b'{"description":"chat not found"}'),
    ("telegram", 200, b'{"ok":true,"result":{"text":"chat not found"}}'),
    discord(50035, embeds={"0": {"image": {"url": {"_errors": []}}}}),
    discord(50035, username={"_errors": []}, embeds={"0": {}}),
    discord(50035),
    ("discord", 400, b'{"embeds": ["0"]}'),
    ("discord", 400, b'{"username": ["too long"], "embeds": ["0"]}'),
    ("discord", 400, b"{}"),
    discord(50006),
    discord(10008, 404),
    discord(0, 500),
    ("discord", 403, b"<html>error 1015</html>"),
    ("slack", 400, b"invalid_blocks"),
    ("slack", 400, b"invalid_payload"),
    ("slack", 500, b"rollup_error"),
    ("slack", 500, b"channel_not_found"),
    ("slack", 400, b"the text said channel_not_found"),
    (None, 400, b"channel_not_found"),
    (None, 403, b'{"ok":false,"description":"bot was kicked"}'),
]


@pytest.mark.parametrize(("service", "status", "body"), EVERY_EVENT)
def test_these_concern_every_event(service: str, status: int, body: bytes) -> None:
    assert concerns_every_event(service, status, body)


@pytest.mark.parametrize(("service", "status", "body"), ONE_EVENT)
def test_these_do_not(service: str | None, status: int, body: bytes) -> None:
    assert not concerns_every_event(service, status, body)


def test_which_fields_discord_refuses() -> None:
    assert discord_form_errors(discord(50035, username={"_errors": []})[2]) == {"username": {"_errors": []}}
    assert discord_form_errors(discord(50006, username={"_errors": []})[2]) == {}
    assert discord_form_errors(b'{"embeds": ["0"]}') == {"embeds": ["0"]}
    assert discord_form_errors(b"{}") == {}
    assert discord_form_errors(b"[]") == {}
