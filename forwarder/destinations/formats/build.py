"""Builds the format of a destination, and the URL to connect to, from its settings."""

from forwarder.core.config.model.destination import DestinationConfig
from forwarder.core.config.model.format import FormatConfig
from forwarder.core.destinations.content import POST, Format, WithMethod, raw
from forwarder.core.url import is_url_template, request_target


def format_of(settings: DestinationConfig) -> Format:
    """Return the format of a destination."""
    if settings.url is None:
        return _text_format(settings.format)
    url = settings.url.reveal()
    is_filled = is_url_template(url)
    target = _target(url)
    path, _, query = target.partition("?")
    format_ = message_format(settings.format, path, query)
    if is_filled:
        from forwarder.destinations.formats.template import ToFilledUrl  # it brings Jinja2

        format_ = ToFilledUrl(format_=format_, source=getattr(format_, "target", None) or target)
    if templates := {name: value.reveal() for name, value in settings.headers.items() if value.is_template}:
        from forwarder.destinations.formats.template import WithHeaders

        format_ = WithHeaders(format_=format_, headers=templates)
    if settings.method not in {None, POST}:
        format_ = WithMethod(format_=format_, method=settings.method)
    if settings.compression is not None:
        from forwarder.destinations.formats.compression import Compressed

        format_ = Compressed(format_=format_, compression=settings.compression, from_bytes=settings.compress_from)
    return format_


def fixed_url(url: str) -> str:
    """Return the URL to connect to. A URL that is filled for each event is returned without path and query."""
    if not is_url_template(url):
        return url
    from forwarder.core.templates.url import split_url

    return split_url(url)[0] + "/"


def _text_format(settings: FormatConfig) -> Format:
    """Return the format of what Apprise sends: a text, with a title of its own unless the config gives the whole text."""
    if "type" in settings.model_fields_set and settings.type != "text":
        return message_format(settings)
    from forwarder.destinations.formats.text import TextFormat

    return TextFormat(has_title=True)


def message_format(settings: FormatConfig, path: str = "", query: str = "") -> Format:
    """Return the format for these settings; `path` and `query` are those of the destination's URL, or empty without one."""
    match settings.type:
        case "raw":
            return raw
        case "text":
            from forwarder.destinations.formats.text import TextFormat

            return TextFormat()
        case "discord":
            from forwarder.destinations.formats import discord  # only what is used is loaded

            return discord.DiscordFormat(
                target=discord.target_of(path, query, thread_id=settings.thread_id or "") if path else None,
                username=settings.username or "",
                thread_name=settings.thread_name or "",
                avatar_url=settings.avatar_url or "",
                pictures=settings.pictures,
            )
        case "slack":
            from forwarder.destinations.formats.slack import SlackFormat

            return SlackFormat(pictures=settings.pictures)
        case "telegram":
            from forwarder.destinations.formats import telegram

            target, chat = telegram.target_of(path, query) if path else (None, "")
            return telegram.TelegramFormat(
                target=target,
                chat_id=settings.chat_id or chat,
                topic=settings.topic,
                silent=settings.silent,
                link_preview=settings.link_preview,
                pictures=settings.pictures,
            )
        case "template":
            from forwarder.destinations.formats.template import TemplateFormat

            return TemplateFormat(
                source=str(settings.body), content_type=settings.content_type, is_json=settings.is_json
            )


def _target(url: str) -> str:
    """Return what follows the host in a URL, as it is sent; in a URL that is filled for each event, as it is written."""
    if not is_url_template(url):
        return request_target(url)
    from forwarder.core.templates.url import split_url

    target = split_url(url)[1]
    return target if target.startswith("/") else f"/{target}"
