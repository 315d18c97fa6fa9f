"""From the settings of a destination to its format, and to the URL that its connections go to."""

from forwarder.core.config.destination import DestinationConfig
from forwarder.core.config.format import FormatConfig
from forwarder.core.content import Format, raw
from forwarder.core.url import is_url_template, read_url


def format_of(settings: DestinationConfig) -> Format:
    """Return the format of a destination."""
    url = settings.url.reveal()
    is_filled = is_url_template(url)
    path, query = _target(url)
    format_ = message_format(settings.format, path, query)
    if is_filled:
        from forwarder.destinations.formats.template import ToFilledUrl  # noqa: PLC0415 - it brings Jinja2

        target = getattr(format_, "target", None) or f"{path}{'?' if query else ''}{query}"
        format_ = ToFilledUrl(format_=format_, source=target)
    if settings.compression is not None:
        from forwarder.destinations.formats.compression import Compressed  # noqa: PLC0415

        format_ = Compressed(format_=format_, compression=settings.compression, from_bytes=settings.compress_from)
    return format_


def url_of(settings: DestinationConfig) -> str:
    """Return the URL to connect to; of one that is filled for each event, without path and query."""
    url = settings.url.reveal()
    if not is_url_template(url):
        return url
    from forwarder.core.url_template import split_url  # noqa: PLC0415

    return split_url(url)[0] + "/"


def message_format(settings: FormatConfig, path: str = "", query: str = "") -> Format:
    """Return what makes the messages of a format; `path` and `query` are those of the URL it is for, empty for none."""
    match settings.type:
        case "raw":
            return raw
        case "discord":
            from forwarder.destinations.formats import discord  # noqa: PLC0415 - only what is used is loaded

            return discord.DiscordFormat(
                target=discord.target_of(path, query, thread_id=settings.thread_id or "") if path else None,
                username=settings.username or "",
                avatar_url=settings.avatar_url or "",
            )
        case "slack":
            from forwarder.destinations.formats.slack import SlackFormat  # noqa: PLC0415

            return SlackFormat()
        case "telegram":
            from forwarder.destinations.formats import telegram  # noqa: PLC0415

            target, chat = telegram.target_of(path, query) if path else (None, "")
            return telegram.TelegramFormat(
                target=target,
                chat_id=settings.chat_id or chat,
                topic=settings.topic,
                silent=settings.silent,
                link_preview=settings.link_preview,
            )
        case "template":
            from forwarder.destinations.formats.template import TemplateFormat  # noqa: PLC0415

            return TemplateFormat(
                source=str(settings.body), content_type=settings.content_type, is_json=settings.is_json
            )


def _target(url: str) -> tuple[str, str]:
    """Return path and query of a URL."""
    if is_url_template(url):
        from forwarder.core.url_template import split_url  # noqa: PLC0415

        path, _, query = split_url(url)[1].partition("?")
        return path or "/", query
    parts = read_url(url, "http", "https")
    return parts.raw_path, parts.raw_query_string
