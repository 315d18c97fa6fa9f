"""Checks destinations at Discord, Slack and Telegram: whether the URL is one of a webhook, and whether the format fits it.

No message shows the URL, because it is a secret.
"""

import re
from urllib.parse import parse_qs

from forwarder.core.config.checks.names import ReadFile, mappings, read_named_file, settings_of
from forwarder.core.config.model.format import FORMATS
from forwarder.core.config.values.scalars import is_null
from forwarder.core.destinations.service_rules import DISCORD_HOSTS, SLACK_HOSTS, TELEGRAM_HOSTS
from forwarder.core.url import UrlError, fixed_part, read_url, server_name_of
from forwarder.core.yaml.findings import Findings
from forwarder.core.yaml.tree import Path, Scalar, Tree
from forwarder.core.yaml.words import known_word

_NAMES = {"discord": "Discord", "slack": "Slack", "telegram": "Telegram"}

_DISCORD_PATH = re.compile(r"/api(?:/v[0-9]+)?/webhooks/[0-9]+/[A-Za-z0-9_-]+(?P<suffix>/slack|/github)?/?")
_SLACK_PATH = re.compile(r"/services/[^/]+/[^/]+/[^/]+/?")
_SLACK_WORKFLOW = re.compile(r"/(?:workflows|triggers)/.+")
_TELEGRAM_PATH = re.compile(r"(?:/.*)?/bot[^/]+(?P<method>(?:/test)?(?:/[A-Za-z]+)?)/?")
_TELEGRAM_TOKEN = re.compile(r"/bot[0-9]+:[A-Za-z0-9_-]+(?:/|$)")


def read_template_files(tree: dict[str, Tree], read_file: ReadFile, findings: Findings) -> None:
    """Set the `body` of each template to the text of its `body_file`, where one is named."""
    for path, destination in settings_of(tree):
        settings = destination.get("format")
        if isinstance(settings, dict):
            read_named_file(settings, "body", (*path, "format"), read_file, findings, is_secret=False)


def check_services(tree: dict[str, Tree], findings: Findings) -> None:
    """Report each URL that is not one of a webhook, and each format that the service does not accept."""
    for path, destination in mappings(tree, "destinations"):
        url, settings = destination.get("url"), destination.get("format")
        fields = settings if isinstance(settings, dict) else {}
        type_ = fields.get("type") if isinstance(settings, dict) else settings
        format_ = "raw" if type_ is None or is_null(type_) else known_word(str(type_), FORMATS) or str(type_)
        if not isinstance(url, Scalar):
            continue
        try:
            parts = read_url(fixed_part(url, filled="0"), "http", "https")
            host, url_path = server_name_of(parts.raw_host or ""), parts.path
        except UrlError:  # the models report it
            continue
        place = (*path, "format") if findings.has((*path, "format")) else (*path, "url")
        if host in DISCORD_HOSTS:
            _check_discord(format_, url_path, path, place, findings)
        elif host in SLACK_HOSTS:
            _check_slack(format_, url_path, path, place, findings)
        elif format_ in {"discord", "slack"} and (found := _DISCORD_PATH.fullmatch(url_path)) and found["suffix"]:
            _check_suffix(format_, found["suffix"], place, findings)  # a server that passes messages on to Discord
        elif format_ == "telegram" or host in TELEGRAM_HOSTS:
            is_official = host in TELEGRAM_HOSTS
            has_chat = "chat_id" in fields or "chat_id" in parse_qs(parts.raw_query_string)
            _check_telegram(format_, url_path, path, place, findings, is_official=is_official, has_chat=has_chat)


def _check_discord(format_: str, url_path: str, path: Path, place: Path, findings: Findings) -> None:
    found = _DISCORD_PATH.fullmatch(url_path)
    suffix = found["suffix"] if found else None
    if found is None:
        findings.add(
            (*path, "url"),
            "not the URL of a Discord webhook, which ends with /webhooks/ID/TOKEN (it is not shown)",
        )
    elif suffix is not None:
        _check_suffix(format_, suffix, place, findings)
    else:
        _check_fits("discord", format_, place, findings)


def _check_suffix(format_: str, suffix: str, place: Path, findings: Findings) -> None:
    """Report a format at the addresses where Discord accepts messages of other services, except a template, which can be such a message."""
    if format_ == "template":
        return
    if suffix == "/github":
        why = "where Discord accepts events of GitHub only"
    elif format_ == "slack":
        why = "where Discord shows texts for Slack as its own Markdown, without pictures, and notifies people that they mention"
    else:
        why = "where Discord accepts messages in the format of Slack"
    findings.add(place, f'this URL ends with {suffix}, {why}; remove {suffix} and write "format: discord"')


def _check_slack(format_: str, url_path: str, path: Path, place: Path, findings: Findings) -> None:
    if _SLACK_WORKFLOW.fullmatch(url_path):
        if format_ != "template":
            findings.add(
                place, 'a Slack workflow accepts the variables that it defines; write "format: {type: template, …}"'
            )
    elif not _SLACK_PATH.fullmatch(url_path):
        findings.add(
            (*path, "url"), "not the URL of a Slack webhook, which ends with /services/T…/B…/… (it is not shown)"
        )
    else:
        _check_fits("slack", format_, place, findings)


def _check_telegram(
    format_: str, url_path: str, path: Path, place: Path, findings: Findings, *, is_official: bool, has_chat: bool
) -> None:
    found = _TELEGRAM_PATH.fullmatch(url_path)
    method = found["method"].removeprefix("/test").lower() if found else ""
    if format_ not in {"telegram", "template"}:
        _check_fits("telegram", format_, place, findings)
    elif found is None or (is_official and not _TELEGRAM_TOKEN.search(url_path)):
        findings.add(
            (*path, "url"),
            "not the URL of a Telegram bot, which ends with /botTOKEN/sendMessage (it is not shown)",
        )
    elif format_ == "telegram":
        if method not in {"", "/sendmessage"}:
            findings.add(
                (*path, "url"),
                "format: telegram calls sendMessage; end the URL with /botTOKEN/sendMessage or /botTOKEN",
            )
        if not has_chat:
            findings.add(
                place,
                'Telegram needs a chat; write "format: {type: telegram, chat_id: …}", or add ?chat_id=… to the URL',
            )


def _check_fits(service: str, format_: str, place: Path, findings: Findings) -> None:
    name = _NAMES[service]
    if format_ in {"raw", "text"}:
        what = "raw events" if format_ == "raw" else "plain texts"
        findings.add(place, f'{name} does not accept {what}; write "format: {service}"')
    elif format_ in _NAMES and format_ != service:
        findings.add(place, f'this is a URL of {name}; write "format: {service}", not {format_}')
