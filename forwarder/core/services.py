"""What Discord, Slack and Telegram ask of whoever sends to them, for a destination of each. Pure.

Their limits: discord.com/developers/docs/topics/rate-limits (and, not written there, 5 in 2 s for a webhook and 30 in a minute for a
channel), docs.slack.dev/apis/web-api/rate-limits, core.telegram.org/bots/faq.
"""

import re
from collections.abc import Mapping
from datetime import timedelta

from forwarder.core.budget import Allowance, Limit
from forwarder.core.event import fingerprint
from forwarder.core.retry import Rule
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
    """Return `discord`, `slack` or `telegram`: by the host, or by the format where somebody runs a stand-in; else `None`."""
    for hosts, name in ((DISCORD_HOSTS, "discord"), (SLACK_HOSTS, "slack"), (TELEGRAM_HOSTS, "telegram")):
        if host in hosts:
            return name
    return format_ if format_ in {"discord", "slack", "telegram"} else None


def rules_of(service: str | None) -> Mapping[str, Rule]:
    """Return what its statuses mean where that is not the usual: a 404 says that the webhook was deleted."""
    return {"404": Rule.PAUSE} if service in {"discord", "slack"} else {}


def allowances_of(service: str | None, url: str, *, chat_id: str) -> tuple[Allowance, ...]:
    """Return what the service allows a destination at this URL; `chat_id` is Telegram's, wherever it stands."""
    parts = read_url(fixed_part(url), "http", "https")
    host, path = server_name_of(parts.raw_host or ""), parts.raw_path
    match service:
        case "discord":
            found = _DISCORD_WEBHOOK.search(path)
            webhook = found[1] if found else fingerprint(path)
            return (
                Allowance(
                    key=f"discord webhook {host} {webhook}",
                    limits=(Limit(count=5, per=2 * _SECOND), Limit(count=30, per=_MINUTE)),
                    is_told=True,
                ),
                Allowance(
                    key=f"discord {host}",
                    limits=(Limit(count=50, per=_SECOND),),
                    is_global=True,
                    bad_answers=Limit(count=1_000, per=10 * _MINUTE),
                ),
            )
        case "slack":
            return (
                Allowance(
                    key=f"slack webhook {fingerprint(host + path)}",
                    limits=(Limit(count=1, per=_SECOND),),
                    is_told=True,
                ),
            )
        case "telegram":
            found = _TELEGRAM_BOT.search(path)
            bot = fingerprint(f"{host} {found[1] if found else path}")
            is_group = chat_id.startswith("-")
            per_group = (Limit(count=20, per=_MINUTE),) if is_group else ()
            return (
                Allowance(
                    key=f"telegram chat {bot} {fingerprint(chat_id)}",
                    limits=(Limit(count=1, per=_SECOND), *per_group),
                    is_told=True,
                ),
                Allowance(key=f"telegram bot {bot}", limits=(Limit(count=30, per=_SECOND),)),
            )
        case _:
            return ()
