"""The rules of Discord, Slack and Telegram for their clients: rate limits, and the meaning of statuses.

Their limits: discord.com/developers/docs/topics/rate-limits (and, not written there, 5 in 2 s for a webhook and 30 in a minute for a
channel), docs.slack.dev/apis/web-api/rate-limits, core.telegram.org/bots/faq.
"""

import re
from collections.abc import Mapping
from datetime import timedelta

from forwarder.core.dispatch.quota import Allowance, QuotaLimit
from forwarder.core.dispatch.retry import Rule
from forwarder.core.event import fingerprint
from forwarder.core.url import fixed_part, read_url, server_name_of

DISCORD_HOSTS = frozenset(
    {f"{part}{host}" for part in ("", "ptb.", "canary.") for host in ("discord.com", "discordapp.com")}
)
SLACK_HOSTS = frozenset({"hooks.slack.com", "hooks.slack-gov.com"})
TELEGRAM_HOSTS = frozenset({"api.telegram.org"})

_DISCORD_WEBHOOK = re.compile(r"/webhooks/([0-9]+)")
_TELEGRAM_BOT = re.compile(r"/bot([^/]+)")

_SECOND, _MINUTE = timedelta(seconds=1), timedelta(minutes=1)


def service_of(host: str, format_: str) -> str | None:
    """Return `discord`, `slack` or `telegram` by the host, or else by the format (for a compatible server); otherwise `None`."""
    for hosts, name in ((DISCORD_HOSTS, "discord"), (SLACK_HOSTS, "slack"), (TELEGRAM_HOSTS, "telegram")):
        if host in hosts:
            return name
    return format_ if format_ in {"discord", "slack", "telegram"} else None


def rules_of(service: str | None) -> Mapping[str, Rule]:
    """Return the statuses with a special meaning: a 404 of Discord or Slack means that the webhook was deleted."""
    return {"404": Rule.PAUSE} if service in {"discord", "slack"} else {}


def allowances_of(service: str | None, url: str, *, chat_id: str) -> tuple[Allowance, ...]:
    """Return the rate limits of the service for a destination at this URL; `chat_id` is the chat of a Telegram destination."""
    parts = read_url(fixed_part(url), "http", "https")
    host, path = server_name_of(parts.raw_host or ""), parts.path
    match service:
        case "discord":
            found = _DISCORD_WEBHOOK.search(path)
            webhook = found[1] if found else fingerprint(path)
            return (
                Allowance(
                    key=f"discord webhook {host} {webhook}",
                    limits=(QuotaLimit(count=5, per=2 * _SECOND), QuotaLimit(count=30, per=_MINUTE)),
                    is_reported=True,
                ),
                Allowance(
                    key=f"discord {host}",
                    limits=(QuotaLimit(count=50, per=_SECOND),),
                    is_global=True,
                    bad_answers=QuotaLimit(count=1_000, per=10 * _MINUTE),
                ),
            )
        case "slack":
            return (
                Allowance(
                    key=f"slack webhook {fingerprint(host + path)}",
                    limits=(QuotaLimit(count=1, per=_SECOND),),
                    is_reported=True,
                ),
            )
        case "telegram":
            found = _TELEGRAM_BOT.search(path)
            bot = fingerprint(f"{host} {found[1] if found else path}")
            is_group = chat_id.startswith("-")
            per_group = (QuotaLimit(count=20, per=_MINUTE),) if is_group else ()
            return (
                Allowance(
                    key=f"telegram chat {bot} {fingerprint(chat_id)}",
                    limits=(QuotaLimit(count=1, per=_SECOND), *per_group),
                    is_reported=True,
                ),
                Allowance(key=f"telegram bot {bot}", limits=(QuotaLimit(count=30, per=_SECOND),)),
            )
        case _:
            return ()
