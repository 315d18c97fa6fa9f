"""Errors of Discord, Slack and Telegram that concern every event and not one: the chat is gone, or closed to the sender.

A person must fix these. Until then nothing is sent, and everything is kept. The sources: docs.discord.com/developers/topics/opcodes-and-status-codes
(JSON error codes), docs.slack.dev/messaging/sending-messages-using-incoming-webhooks (handling errors), the texts of Telegram's
server (github.com/tdlib/telegram-bot-api, `fail_query_with_error` in Client.cpp, and the RPC errors that it passes on), and the ids
of Mattermost, whose webhooks accept Slack's messages (server/channels/app/webhook.go).
"""

import re

from forwarder.core.answer_words import json_object

_DISCORD_CODES = frozenset(
    {
        10003,  # unknown channel
        10004,  # unknown guild
        10015,  # unknown webhook
        50001,  # missing access
        50013,  # missing permissions
        50024,  # not possible in this type of channel
        50027,  # invalid webhook token
        50083,  # the thread is archived
        160005,  # the thread is locked
        220001,  # a forum needs thread_name or thread_id
        220002,  # not both of them
        220003,  # thread_name is for forums only
        220004,  # forums do not accept /slack and /github
    }
)
_DISCORD_INVALID_FORM = 50035
_DISCORD_SETTINGS = frozenset({"username", "avatar_url", "thread_id", "thread_name"})
"""The fields of a message that are the same for each event."""
_DISCORD_STATUSES = frozenset({400, 401, 403, 404})

_SLACK_WORDS = frozenset(
    {
        "account_inactive",
        "action_prohibited",
        "channel_is_archived",
        "channel_not_found",
        "invalid_auth",
        "invalid_token",
        "is_archived",
        "no_active_hooks",
        "no_service",
        "no_service_id",
        "no_team",
        "not_in_channel",
        "posting_to_general_channel_denied",
        "restricted_action",
        "team_disabled",
        "token_revoked",
        "user_not_found",
    }
)
_MATTERMOST_IDS = re.compile(
    r"web\.incoming_webhook\.(?:invalid|disabled|channel|channel_locked|user|permissions|general)\.app_error"
)
_ROCKET_CHAT_WORDS = frozenset({"invalid-channel", "error-invalid-channel", "error-invalid-room"})

_TELEGRAM_STATUSES = frozenset({401, 403, 404})
"""The token is wrong or was revoked; the bot was blocked, was removed from the chat, or may not write there."""
_TELEGRAM_WORDS = (
    "chat not found",
    "message thread not found",
    "topic_closed",
    "topic_deleted",
    "topic_id_invalid",
    "user not found",
    "peer_id_invalid",
    "chat_id is empty",
    "chat_id_invalid",
    "group chat was upgraded",
    "group chat was deactivated",
    "not enough rights",
    "have no rights",
    "need administrator rights",
    "chat_admin_required",
    "chat_restricted",
    "chat_write_forbidden",
    "chat_send_plain_forbidden",
    "channel_private",
    "bot is not a member",
    "bot was kicked",
    "bot was blocked",
    "user is deactivated",
    "user_deactivated",
    "logged out",
)


def concerns_every_event(service: str | None, status: int, body: bytes) -> bool:
    """Return whether this error of a service would be the answer to every event. Other answers (a proxy's page) are none of the service."""
    match service:
        case "discord":
            return status in _DISCORD_STATUSES and _is_discords(status, body)
        case "slack":
            return 400 <= status < 500 and _is_slacks(body)
        case "telegram":
            return _is_telegrams(status, body)
        case _:
            return False


def new_chat_of(body: bytes) -> str:
    """Return the number of the chat that a Telegram group has become, or nothing (core.telegram.org/bots/api#responseparameters)."""
    parameters = json_object(body).get("parameters")
    new = parameters.get("migrate_to_chat_id") if isinstance(parameters, dict) else None
    is_number = isinstance(new, int) and not isinstance(new, bool) and abs(new) < 1 << 52
    return str(new) if is_number else ""


def discord_form_errors(body: bytes) -> dict[str, object]:
    """Return which fields of a message Discord refuses; nothing for another error.

    A URL without the version of the API (`/api/webhooks/…`, as Discord shows it) gets the answers of an early version: the fields alone,
    each with a list of texts, such as `{"embeds": ["0"]}` (github.com/lovvskillz/python-discord-webhook/issues/16).
    """
    said = json_object(body)
    if said and all(isinstance(texts, list) for texts in said.values()):
        return said
    errors = said.get("errors")
    return errors if said.get("code") == _DISCORD_INVALID_FORM and isinstance(errors, dict) else {}


def _is_discords(status: int, body: bytes) -> bool:
    if fields := discord_form_errors(body).keys():
        return fields <= _DISCORD_SETTINGS
    code = json_object(body).get("code")
    return code in _DISCORD_CODES or (status == 401 and code == 0)


def _is_slacks(body: bytes) -> bool:
    said = json_object(body)
    error = said.get("error")
    if _MATTERMOST_IDS.fullmatch(str(said.get("id", ""))) or error in _ROCKET_CHAT_WORDS:
        return True
    word = error if isinstance(error, str) else body[:100].decode("utf-8", "replace")
    return word.strip() in _SLACK_WORDS


def _is_telegrams(status: int, body: bytes) -> bool:
    said = json_object(body)
    if said.get("ok") is not False:
        return False
    description = str(said.get("description", "")).lower()
    return status in _TELEGRAM_STATUSES or (status == 400 and any(words in description for words in _TELEGRAM_WORDS))
