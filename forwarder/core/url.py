"""The one reader of URLs: `check` judges with it, and whatever connects uses what it returns.

A URL that is read here can be used everywhere: as the target of a request, in the `Host` header, as the name in a TLS handshake, for
a look-up, and as the base of other URLs. The host is normal: lower case, IDNA, an address in its usual form. Pure.

yarl does most of the work, because aiohttp uses it. It is more generous than a connection can be (`http://a..b/`, `http://h:+80/`),
so scheme, host and port are judged here first. No sentence of this module shows any part of the URL, which may be a secret.
"""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from yarl import URL

MAX_URL = 8_000
"""Characters of a URL as it is sent; many servers take no more."""
_MAX_HOST = 253
"""Characters of a name without the dot at its end (RFC 1035, 2.3.4, written out)."""
_MAX_LABEL = 63

_PARTS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(?P<user>.*)@)?(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[^:]*))?", re.DOTALL)
_PORT = re.compile(r"[0-9]{1,10}")
_NAME = re.compile(r"[a-z0-9_.-]+")
_ZONE = re.compile(r"[A-Za-z0-9_.~-]+")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+")


class UrlError(ValueError):
    """A text that cannot be used as a URL; the text of the error is a sentence about it, and shows nothing of it."""


class NotAUrlError(UrlError):
    """The text does not even look like a URL of the schemes that are expected."""


@lru_cache(maxsize=1024)
def read_url(text: str, *schemes: str) -> URL:
    """Return the URL that `text` is, with its host in normal form. Raises `UrlError`."""
    if not text.isprintable() or any(mark.isspace() for mark in text):
        raise NotAUrlError("a URL has no spaces, line breaks or invisible characters in it")
    parts = _PARTS.fullmatch(text)
    if parts is None or parts["scheme"].lower() not in schemes:
        raise NotAUrlError(f"a URL begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    authority = parts["authority"]
    if "\\" in authority:
        raise UrlError("the URL has a backslash in it; write / between its parts")
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise UrlError("the URL's host and port cannot be told apart; an IPv6 address stands in brackets: [::1]:8080")
    port, user = _port(found["port"]), found["user"]
    if user is not None and ("[" in user or "]" in user):
        raise UrlError("the user name or password in the URL has a bracket in it; write %5B for [ and %5D for ]")
    host = f"[{_address(found['host'][1:-1])}]" if found["host"].startswith("[") else read_host(found["host"])
    before = "" if user is None else f"{user}@"
    after = "" if port is None else f":{port}"
    try:
        url = URL(f"{parts['scheme'].lower()}://{before}{host}{after}{parts['rest']}")
        _ = url.host, url.user, url.password  # decoded: what cannot be raises here and nowhere else
    except ValueError:  # UnicodeError among them
        raise UrlError("the URL's host is no possible name: what follows xn-- cannot be decoded") from None
    if url.raw_host != host.strip("[]"):
        raise UrlError("the URL's host cannot be told apart from the rest")
    if len(str(url)) > MAX_URL:
        raise UrlError(f"the URL is longer than {MAX_URL} characters")
    if ":" in (url.user or ""):
        raise UrlError("the user name in the URL has a colon in it, which HTTP cannot send")
    return url


def is_url_template(url: str) -> bool:
    """Return whether a URL is one to fill for each event."""
    return "{{" in url or "{%" in url


def fixed_part(url: str, *, filled: str = "x") -> str:
    """Return a URL; of one that is filled for each event what stays as it is, with `filled` in the place of each `{{ … }}`."""
    return _EXPRESSION.sub(filled, url) if is_url_template(url) else url


def has_user(url: str) -> bool:
    """Return whether a user name or a password stands in a URL, be it one that is filled for each event, or no possible one."""
    parts = _PARTS.match(url)
    return parts is not None and "@" in parts["authority"]


def read_host(text: str) -> str:
    """Return a host name or an IPv4 address in normal form: ASCII, in lower case. Raises `UrlError`."""
    if not text:
        raise NotAUrlError("the URL has no host")
    if "%" in text:
        raise UrlError("the URL's host has a % in it; write the name itself")
    try:
        host = text.lower() if text.isascii() else URL.build(scheme="http", host=text).raw_host or ""
    except ValueError:  # UnicodeError among them
        raise UrlError("the URL's host is no possible name: a character in it is not allowed in names") from None
    if not host.isascii() or not _NAME.fullmatch(host):
        raise UrlError("the URL's host is no possible name: it has letters, digits, hyphens and dots only")
    name = host.removesuffix(".")
    labels = name.split(".")
    if not all(labels):
        raise UrlError("the URL's host is no possible name: a part of it between two dots is empty")
    if len(name) > _MAX_HOST or max(map(len, labels)) > _MAX_LABEL:
        raise UrlError(
            f"the URL's host is no possible name: it may have {_MAX_HOST} characters, and {_MAX_LABEL} between two dots"
        )
    if _NUMBER.fullmatch(labels[-1]):
        return str(_ipv4(labels))
    return host


def server_name_of(host: str) -> str:
    """Return the name to ask for in a TLS handshake: a host without the dot at its end and without a zone."""
    return host.partition("%")[0].removesuffix(".")


def host_header(url: URL) -> str:
    """Return the value of the header `Host`: as in the URL, without a zone, which means something on this machine alone (RFC 6874)."""
    host = (url.raw_host or "").partition("%")[0]
    host = f"[{host}]" if ":" in host else host
    return host if url.explicit_port is None else f"{host}:{url.explicit_port}"


def _port(text: str | None) -> int | None:
    if not text:
        return None
    if not _PORT.fullmatch(text) or not 1 <= int(text) <= 65_535:
        raise UrlError("the URL's port is no number from 1 to 65535")
    return int(text)


def _address(text: str) -> str:
    """Return an IPv6 address in its usual form, with the zone where there is one (`%25eth0`, or `%eth0` as people write it)."""
    address, percent, zone = text.partition("%")
    zone = zone.removeprefix("25") if zone != "25" else zone
    try:
        normal = IPv6Address(address)
    except ValueError:
        raise UrlError("what stands in the URL's brackets is no IPv6 address") from None
    if percent and not _ZONE.fullmatch(zone):
        raise UrlError("the zone of the URL's IPv6 address is no name of a network interface")
    return f"{normal.compressed}%{zone}" if percent else normal.compressed


def _ipv4(labels: list[str]) -> IPv4Address:
    """Return the address that a host is whose last part is a number, as inet_aton reads it: `127.1` is `127.0.0.1`."""
    wrong = UrlError("the URL's host ends with a number and is no IPv4 address")
    if len(labels) > 4 or not all(map(_NUMBER.fullmatch, labels)):
        raise wrong
    try:
        numbers = [_number(label) for label in labels]
        *first, last = numbers
        if any(number > 255 for number in first) or last >= 256 ** (5 - len(numbers)):
            raise wrong
        return IPv4Address(sum(number << 8 * (3 - at) for at, number in enumerate(first)) + last)
    except ValueError:
        raise wrong from None


def _number(label: str) -> int:
    if label.startswith("0x"):
        return int(label, 16)
    return int(label, 8 if label.startswith("0") else 10)
