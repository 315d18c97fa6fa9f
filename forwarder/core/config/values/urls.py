"""Reads the URLs of streams, destinations and the outbox."""

from forwarder.core.config.values.scalars import CONTROL, WrongValueError, is_path, text_of
from forwarder.core.config.values.secret import Secret
from forwarder.core.url import UrlError, read_url
from forwarder.core.yaml.tree import Scalar

_HIDDEN_URL = "(it is not shown, because the URL of a webhook is a secret)"


def parse_stream_url(value: object) -> str:
    """Return the URL of a stream, or an empty text where it is left out. No message shows the URL, because some contain a key."""
    if value == "" and not isinstance(value, Scalar):
        return ""
    text = text_of(value, "a URL such as wss://scrape.st/ws")
    try:
        url = read_url(str(text), *_STREAM_SCHEMES["websocket"], *_STREAM_SCHEMES["sse"])
    except UrlError as error:
        raise WrongValueError(str(error)) from None
    if url.raw_user is not None or url.raw_password is not None:
        raise WrongValueError("a user name or password in this URL is not supported; write the key in api_key")
    return str(text)


_STREAM_SCHEMES = {"websocket": ("wss", "ws"), "sse": ("https", "http"), "public": ("https", "http")}
_STREAM_URLS = {
    "websocket": "wss://scrape.st/ws",
    "sse": "https://scrape.st/stream",
    "public": "https://scrape.st/stream",
}


def url_of_stream(url: str, transport: str) -> str:
    """Return the URL, or the default of the transport where it is left out. Raises `WrongValueError` for a scheme of another transport."""
    if not url:
        return _STREAM_URLS[transport]
    scheme = url.partition(":")[0].lower()
    if scheme in _STREAM_SCHEMES[transport]:
        return url
    first, second = _STREAM_SCHEMES[transport]
    other = next((name for name, schemes in _STREAM_SCHEMES.items() if scheme in schemes), None)
    if other is None:
        raise WrongValueError(f"transport: {transport} needs a URL with {first}:// or {second}://")
    raise WrongValueError(
        f"transport: {transport} needs a URL with {first}:// or {second}://; {scheme}:// needs transport: {other}"
    )


def parse_webhook_url(value: object) -> Secret:
    """Return the URL of a destination. It is a secret, because anyone who knows a URL of Discord or Slack can post there."""
    text = text_of(value, "a URL such as https://example.com/hook")
    try:
        read_url(str(text), "http", "https")
    except UrlError as error:
        raise WrongValueError(f"{error} {_HIDDEN_URL}") from None
    return Secret(text)


def parse_outbox_url(value: object) -> str:
    """Return `sqlite:///absolute/path` or `sqlite:relative/path`. The fourth slash of SQLAlchemy's absolute paths is removed."""
    text = text_of(value, "a URL such as sqlite:///var/lib/forwarder/outbox.db")
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "nats":
        raise WrongValueError("an outbox in NATS is not supported yet; write sqlite:///path/to/outbox.db")
    if rest.startswith("////"):
        rest = rest[1:]
    path = rest.removeprefix("//") if rest.startswith("///") else rest
    if (
        scheme != "sqlite"
        or not path.strip("/.")
        or path.startswith(("//", ":"))
        or CONTROL.search(path)
        or not is_path(path)
    ):
        raise WrongValueError("expected sqlite:///absolute/path or sqlite:relative/path")
    return f"{scheme}:{rest}"
