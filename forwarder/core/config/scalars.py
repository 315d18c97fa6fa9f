"""What the text of a scalar means, once it is known what its field holds: durations, switches, numbers, names, URLs.

Each `parse_…` takes what stands under a key, of whatever kind, and returns its value or raises `WrongValueError` with a
sentence that says what came and what is allowed. A value that came through a variable is shown as it is written in the
file, never as what it came to.
"""

import re
from datetime import timedelta

from forwarder.core.config.problems import did_you_mean, quote
from forwarder.core.config.secret import Secret
from forwarder.core.durations import read_duration
from forwarder.core.tree import Expanded, Scalar
from forwarder.core.url import NotAUrlError, UrlError, read_url

MAX_NAME_LENGTH = 64

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_YAML_1_1_BOOLEANS = frozenset({"y", "n", "yes", "no", "on", "off"})

_SIZE = re.compile(r"(?P<number>[0-9]{1,12})(?P<unit>[KMGT]i?B|B)")
_UNITS: dict[str, int] = {"B": 1} | {
    f"{letter}{kind}": int(base**power)
    for power, letter in enumerate("KMGT", start=1)
    for kind, base in (("B", 1000), ("iB", 1024))
}
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,17})")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name (RFC 9110, 5.6.2)."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_GROUP = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,31}")
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""What Python makes of bytes in the environment that are not UTF-8; they cannot be sent."""

_HIDDEN_URL = "(it is not shown: a webhook's URL is a secret)"
_OUR_HEADERS = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})


class WrongValueError(ValueError):
    """A value that its field cannot hold; the text is the sentence for the user."""


class FileLine(Expanded):
    """One of several lines of a secret file; `written` says which, and nothing else."""

    __slots__ = ()


def show(value: object) -> str:
    """Return how a message names a value."""
    return f"the value of {quote(value.written)}" if isinstance(value, Expanded) else quote(str(value))


def is_null(value: object) -> bool:
    """Return whether YAML calls this scalar null: nothing at all, `~` or a plain `null`."""
    return isinstance(value, Scalar) and not isinstance(value, Expanded) and not value.quoted and value in _NULLS


def kind(value: object) -> str:
    """Return what a piece of the file is, for a message."""
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else "a single value"


def text_of(value: object, expected: str) -> str:
    """Return the text of a scalar; `expected` names what else should have come."""
    if isinstance(value, Secret):
        return value.reveal()
    if is_null(value):
        raise WrongValueError(f"the value is missing; write {expected}")
    if not isinstance(value, str):
        raise WrongValueError(f"expected {expected}, got {kind(value)}")
    return value


def parse_bool(value: object) -> bool:
    """Return a switch. Only `true` and `false`, as in YAML 1.2; `yes` and `on` are refused rather than guessed at."""
    if isinstance(value, bool):
        return value
    text = text_of(value, "true or false")
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if text.lower() in _YAML_1_1_BOOLEANS:
        raise WrongValueError(f"{show(value)} is not a switch; write true or false")
    raise WrongValueError(f"expected true or false, got {show(value)}")


def parse_int(value: object, *, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`, written in decimal without leading zeros."""
    if isinstance(value, int):
        number = value
    else:
        text = text_of(value, f"a whole number from {low} to {high}")
        if not _WHOLE_NUMBER.fullmatch(text):
            raise WrongValueError(f"expected a whole number from {low} to {high}, got {show(value)}")
        number = int(text)
    if not low <= number <= high:
        raise WrongValueError(f"{show(value)} is out of range; {low} to {high} are allowed")
    return number


def parse_duration(value: object, *, low: str, high: str) -> timedelta:
    """Return a duration from `low` to `high`, which are written as the user would write them."""
    if isinstance(value, timedelta):
        duration = value
    else:
        text = text_of(value, "a duration such as 5s")
        try:
            duration = read_duration(text)
        except ValueError:
            if _NUMBER.fullmatch(text):
                raise WrongValueError(
                    f"{show(value)} has no unit; write a unit after the number: ms, s, m, h or d"
                ) from None
            raise WrongValueError(
                f"{show(value)} is not a duration; write one such as 250ms, 5s, 1h30m or 7d"
            ) from None
    if not read_duration(low) <= duration <= read_duration(high):
        raise WrongValueError(f"{show(value)} is out of range; {low} to {high} are allowed")
    return duration


def read_size(text: str) -> int:
    """Return bytes from a size such as `64KiB`, `2GiB` or `500MB`. Raises `ValueError` for any other text."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError("not a size")
    return int(found["number"]) * _UNITS[found["unit"]]


def parse_size(value: object, *, low: str, high: str) -> int:
    """Return bytes, from `low` to `high`, which are written as the user would write them."""
    if isinstance(value, int):
        size = value
    else:
        text = text_of(value, "a size such as 2GiB")
        try:
            size = read_size(text)
        except ValueError:
            if _NUMBER.fullmatch(text):
                raise WrongValueError(
                    f"{show(value)} has no unit; write one after the number: KiB, MiB or GiB"
                ) from None
            raise WrongValueError(f"{show(value)} is not a size; write one such as 64MiB or 2GiB") from None
    if not read_size(low) <= size <= read_size(high):
        raise WrongValueError(f"{show(value)} is out of range; {low} to {high} are allowed")
    return size


def parse_choice(value: object, *allowed: str) -> str:
    """Return one of the allowed words."""
    words = " or ".join([", ".join(allowed[:-1]), allowed[-1]] if len(allowed) > 1 else allowed)
    text = text_of(value, words)
    if text in allowed:
        return str(text)
    hint = "" if isinstance(value, Expanded) else did_you_mean(text, allowed)
    raise WrongValueError(f"expected {words}, got {show(value)}{hint}")


def parse_name(value: object) -> str:
    """Return the name of a stream, destination or route."""
    text = text_of(value, "a name")
    if not 1 <= len(text) <= MAX_NAME_LENGTH:
        raise WrongValueError(f"a name has 1 to {MAX_NAME_LENGTH} characters, this one has {len(text)}")
    if not text.isprintable() or text != text.strip():
        raise WrongValueError(
            f"{show(value)} is not a name; it has invisible characters, or a space at its beginning or end"
        )
    return str(text)


def parse_file_path(value: object) -> str:
    """Return the path of a file to read. Shown in messages as it is written."""
    text = text_of(value, "the path of a file")
    if not text or _CONTROL.search(text):
        raise WrongValueError("expected the path of a file; it is empty or has a control character in it")
    if not _is_path(text):
        raise WrongValueError(f"{show(value)} cannot be the path of a file: it is not UTF-8 text")
    return str(text)


def parse_group(value: object) -> str:
    """Return the name of a group of users. Whether this machine has it is not looked at here."""
    text = text_of(value, "the name of a group")
    if not _GROUP.fullmatch(text):
        raise WrongValueError(f"expected the name of a group of this machine's users, such as adm, got {show(value)}")
    return str(text)


def _is_path(text: str) -> bool:
    """Return whether a text can be a path: half a character can where it stands for a byte, as Python has it."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def parse_stream_url(value: object) -> str:
    """Return the URL of a stream. No message shows it: some people put a key into it. Empty: it was left out."""
    if value == "" and not isinstance(value, Scalar):
        return ""
    text = text_of(value, "a URL such as wss://scrape.st/ws")
    try:
        url = read_url(text, *_STREAM_SCHEMES["websocket"], *_STREAM_SCHEMES["sse"])
    except NotAUrlError:
        raise WrongValueError(
            "expected a URL of the form wss://host/path or ws://host:port/path without spaces, "
            "for transport: sse https:// or http://"
        ) from None
    except UrlError as error:
        raise WrongValueError(str(error)) from None
    if url.raw_user is not None or url.raw_password is not None:
        raise WrongValueError("a user name or password in this URL is not supported; the key belongs into api_key")
    return str(text)


_STREAM_SCHEMES = {"websocket": ("wss", "ws"), "sse": ("https", "http")}
_STREAM_URLS = {"websocket": "wss://scrape.st/ws", "sse": "https://scrape.st/stream"}


PUBLIC_STREAM = (
    "scrape.st's public stream cannot be forwarded: its events have another shape, are cut after 100 characters, and have no ids to "
    "know doubles by; forwarder tail --public shows it"
)


def refuse_public(value: object) -> object:
    """Return the value, unless it asks for the public stream."""
    if isinstance(value, str) and "public" in value.lower():
        raise WrongValueError(f"{PUBLIC_STREAM}. Write websocket or sse, with an api_key")
    return value


def url_of_stream(url: str, transport: str) -> str:
    """Return the URL, or the usual one of the transport where it was left out; it must have the transport's scheme."""
    if not url:
        return _STREAM_URLS[transport]
    scheme = url.partition(":")[0].lower()
    if scheme in _STREAM_SCHEMES[transport]:
        return url
    first, second = _STREAM_SCHEMES[transport]
    other = next((name for name, schemes in _STREAM_SCHEMES.items() if scheme in schemes), None)
    if other is None:
        raise WrongValueError(f"transport: {transport} has a URL with {first}:// or {second}://")
    raise WrongValueError(
        f"transport: {transport} has a URL with {first}:// or {second}://; {scheme}:// goes with transport: {other}"
    )


def parse_webhook_url(value: object) -> Secret:
    """Return the URL of a destination: secret, because those of Discord or Slack let anybody post who knows them."""
    text = text_of(value, "a URL such as https://example.com/hook")
    try:
        read_url(text, "http", "https")
    except NotAUrlError:
        raise WrongValueError(
            f"expected a URL of the form https://host/path or http://host:port/path without spaces {_HIDDEN_URL}"
        ) from None
    except UrlError as error:
        raise WrongValueError(f"{error} {_HIDDEN_URL}") from None
    return Secret(str(text))


def parse_outbox_url(value: object) -> str:
    """Return `sqlite:///absolute/path` or `sqlite:relative/path`."""
    text = text_of(value, "a URL such as sqlite:///var/lib/forwarder/outbox.db")
    scheme, colon, rest = text.partition(":")
    if colon and scheme == "nats":
        raise WrongValueError("an outbox in NATS is not supported yet; write sqlite:///path/to/outbox.db")
    path = rest.removeprefix("//") if rest.startswith("///") else rest
    if (
        scheme != "sqlite"
        or not path.strip("/.")
        or path.startswith(("//", ":"))
        or _CONTROL.search(path)
        or not _is_path(path)
    ):
        raise WrongValueError("expected sqlite:///absolute/path or sqlite:relative/path")
    return str(text)


def parse_api_key(value: object) -> Secret:
    """Return the key of a stream, which goes into a header."""
    text = text_of(value, "the key, best as ${SCRAPEST_API_KEY}")
    if not text:
        raise WrongValueError("the key is empty")
    if _CONTROL.search(text) or any(mark.isspace() for mark in text):
        raise WrongValueError("the key has a space, a line break or a control character in it (it is not shown)")
    if any(ord(mark) > 0xFF for mark in text):
        raise WrongValueError("the key has a character in it that no header can carry (it is not shown)")
    return Secret(str(text))


def parse_plain_secret(value: object) -> Secret:
    """Return the secret of a plain HMAC: any text on one line."""
    text = text_of(value, "the secret, best as ${NAME}")
    if not text:
        raise WrongValueError("the secret is empty")
    if _CONTROL.search(text) or _HALF_CHARACTER.search(text):
        raise WrongValueError(
            "the secret has a line break or a control character in it, or is not UTF-8 (it is not shown)"
        )
    return Secret(str(text))


def parse_header_name(value: object) -> str:
    """Return the name of a header that the user may set."""
    text = text_of(value, "the name of a header")
    if not _TOKEN.fullmatch(text):
        raise WrongValueError("not the name of a header; it has letters, digits and hyphens")
    if text.lower() in _OUR_HEADERS:
        raise WrongValueError("this header belongs to the signature and cannot be set")
    if text.lower() in _FRAMING_HEADERS:
        raise WrongValueError("this header follows from the request and cannot be set")
    return str(text)


def parse_header_value(value: object) -> Secret:
    """Return the value of a header."""
    text = text_of(value, 'a text, or "" for an empty one')
    if _CONTROL.search(text) or _HALF_CHARACTER.search(text):
        raise WrongValueError(
            "the value has a line break or a control character in it, or is not UTF-8 (it is not shown)"
        )
    return Secret(str(text))
