"""Reads and checks URLs, for `check` and for everything that connects.

A URL that was read here can be used everywhere: as the target of a request, in the `Host` header, as the name in a TLS handshake, for
a lookup, and as the base of other URLs. The host is normalized: lower case, IDNA, addresses in their usual form. Path and query stay as
written, because a receiver may have signed these characters (RFC 3986, 2.2): only what is not ASCII is percent-encoded.

yarl does most of the work, because aiohttp uses it. It accepts some URLs that cannot be connected to (`http://a..b/`,
`http://h:+80/`), so scheme, host and port are checked here first. No error text contains any part of the URL, which may be secret.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from urllib.parse import quote, unquote, urlencode

from yarl import URL

MAX_URL = 8_000
"""The longest URL, in characters as sent; many servers accept no longer ones."""
_MAX_HOST = 253
"""The longest host name, in characters without the final dot (from RFC 1035, 2.3.4)."""
_MAX_LABEL = 63

_PARTS = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:(?P<user>.*)@)?(?P<host>\[[^\[\]]*\]|[^\[\]:]*)(?::(?P<port>[^:]*))?", re.DOTALL)
_AUTHORITY_END = re.compile(r"[/?#]")
_PORT = re.compile(r"[0-9]+")
_NAME = re.compile(r"[a-z0-9_.-]+")
_ZONE = re.compile(r"[A-Za-z0-9_.~-]+")
_EXPRESSION = re.compile(r"\{\{.*?\}\}", re.DOTALL)
_NUMBER = re.compile(r"0x[0-9a-f]+|[0-9]+")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)(?P<separator>://|:?[/\\\\]+|[:;.,](?=[/\\\\])[/\\\\]*|:)")
_KNOWN_SCHEMES = frozenset(
    {"http", "https", "ws", "wss", "ftp", "sftp", "file", "socks", "socks5", "tcp", "unix", "mailto", "sqlite"}
)
_SHELL_VARIABLE = re.compile(r"\$[A-Za-z_(]")
_VARIABLE = "a variable is written with braces, as ${NAME}"
_QUOTES = "\"'`\u00b4\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"
"""Straight and typographic quotation marks."""
_INVISIBLE = {
    " ": "a space",
    "\t": "a tab",
    "\n": "a line break",
    "\r": "a line break",
    "\u00a0": "a no-break space",
    "\u200b": "a zero-width space",
    "\ufeff": "a byte order mark",
}
"""The characters that a URL gets by accident, with their names."""
_VISIBLE_ASCII = "".join(map(chr, range(0x21, 0x7F)))


class UrlError(ValueError):
    """A text cannot be used as a URL. The error says why and does not contain the text."""


@lru_cache(maxsize=1024)
def read_url(text: str, *schemes: str) -> URL:
    """Return the URL with its host in normal form. Raises `UrlError`."""
    _require_bare(text)
    _require_visible(text)
    parts = _PARTS.fullmatch(text)
    if parts is None or parts["scheme"].lower() not in schemes:
        raise UrlError(_why_no_scheme(text, schemes))
    authority, rest = parts["authority"], parts["rest"]
    _require_one_authority(authority, rest)
    found = _AUTHORITY.fullmatch(authority)
    if found is None:
        raise UrlError(_why_no_host(authority))
    port, user = _port(found["port"]), found["user"]
    if user is not None and ("[" in user or "]" in user):
        raise UrlError("the user name or password in the URL has a bracket in it; write %5B for [ and %5D for ]")
    host = f"[{_address(found['host'][1:-1])}]" if found["host"].startswith("[") else read_host(found["host"])
    before = "" if user is None else f"{as_sent(user)}@"
    after = "" if port is None else f":{port}"
    try:
        url = URL(f"{parts['scheme'].lower()}://{before}{host}{after}{as_sent(rest)}", encoded=True)
        _ = url.host, url.user, url.password  # decodes them, so that invalid ones raise here and not later
    except ValueError:  # UnicodeError among them
        raise UrlError("the URL's host is no possible name: what follows xn-- cannot be decoded") from None
    if url.raw_host != host.strip("[]"):
        raise UrlError("the URL's host cannot be told apart from the rest")
    if len(str(url)) > MAX_URL:
        raise UrlError(f"the URL is longer than {MAX_URL} characters")
    if ":" in (url.user or ""):
        raise UrlError("the user name in the URL has a colon in it, which HTTP cannot send")
    return url


def as_sent(text: str) -> str:
    """Return a part of a URL as it is sent: as written, with what is not ASCII percent-encoded. It has no spaces or control characters."""
    return text if text.isascii() else quote(text, safe=_VISIBLE_ASCII, errors="replace")


def request_target(text: str) -> str:
    """Return the path and query of a URL that `read_url` accepts, as they are sent: also dot segments, empty segments and a bare `?`.

    The fragment is not sent.
    """
    authority_and_rest = text.partition("://")[2]
    rest = authority_and_rest[len(_AUTHORITY_END.split(authority_and_rest, maxsplit=1)[0]) :]
    target = as_sent(rest.partition("#")[0])
    return target if target.startswith("/") else f"/{target}"


def with_parameters(url: URL, parameters: Mapping[str, str]) -> URL:
    """Return a URL with these query parameters at the end. They replace those of the same name; the others stay as written."""
    if not parameters:
        return url
    query = url.raw_query_string
    kept = [part for part in query.split("&") if _name_of(part) not in parameters] if query else []
    bare, hash_mark, fragment = str(url).partition("#")
    return URL(
        f"{bare.partition('?')[0]}?{'&'.join([*kept, urlencode(parameters)])}{hash_mark}{fragment}", encoded=True
    )


def _name_of(parameter: str) -> str:
    return unquote(parameter.partition("=")[0].replace("+", " "))


def is_url_template(url: str) -> bool:
    """Return whether a URL is a template that is filled for each event."""
    return "{{" in url or "{%" in url


def fixed_part(url: str, *, filled: str = "x") -> str:
    """Return the URL; in a URL template each `{{ … }}` is replaced by `filled`."""
    return _EXPRESSION.sub(filled, url) if is_url_template(url) else url


def has_user(url: str) -> bool:
    """Return whether a URL, valid or not, contains a user name or a password. It may be a template."""
    parts = _PARTS.match(url)
    return parts is not None and "@" in parts["authority"]


def read_host(text: str) -> str:
    """Return a host name or an IPv4 address in normal form: ASCII, in lower case. Raises `UrlError`."""
    if not text:
        raise UrlError("the URL has no host")
    if "$" in text:
        raise UrlError(f"the URL's host has a $ in it; {_VARIABLE}")
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
    """Return the value of the `Host` header: as in the URL, without a zone, which has a meaning only on this machine (RFC 6874)."""
    host = (url.raw_host or "").partition("%")[0]
    host = f"[{host}]" if ":" in host else host
    return host if url.explicit_port is None else f"{host}:{url.explicit_port}"


def _port(text: str | None) -> int | None:
    if not text:
        return None
    if not _PORT.fullmatch(text):
        raise UrlError("the URL's port, which is the text between the colon and the path, is not a number")
    digits = text.lstrip("0")
    if not digits or len(digits) > 5 or int(digits) > 65_535:
        raise UrlError("the URL's port is not in the range from 1 to 65535")
    return int(digits)


def _require_bare(text: str) -> None:
    """Raise `UrlError` for a text that has something around its URL, or a name in its place."""
    if not text:
        raise UrlError("the URL is empty")
    if text[0] in _QUOTES or text[-1] in _QUOTES.replace("'", ""):
        where = "beginning" if text[0] in _QUOTES else "end"
        raise UrlError(f"the URL has a quotation mark at its {where}, which is part of the text here; remove it")
    if text[0] == "<":
        raise UrlError("the URL is in angle brackets; remove them")
    if text[0] in "[!" and "](" in text:
        raise UrlError("the URL is written as a link of Markdown; write the address alone, without the brackets")
    if _SHELL_VARIABLE.match(text):
        raise UrlError(f"the URL begins with $; {_VARIABLE}")


def _require_visible(text: str) -> None:
    """Raise `UrlError` for a text with a space, or with a character that cannot be seen."""
    for at, mark in enumerate(text):
        if mark.isprintable() and not mark.isspace():
            continue
        name = _INVISIBLE.get(mark, "an invisible character")
        shown = name if mark == " " else f"{name} (U+{ord(mark):04X})"
        where = "at its beginning" if at == 0 else "at its end" if not text[at:].strip() else "in it"
        instead = "; remove it" if where != "in it" or mark != " " else "; remove it, or write %20"
        raise UrlError(f"the URL has {shown} {where}{instead}")


def _why_no_scheme(text: str, schemes: Sequence[str]) -> str:
    """Return why a text has none of the schemes. It shows no part of the text but a scheme that is well known."""
    instead = f"write {' or '.join(f'{scheme}://' for scheme in schemes)} at its beginning"
    found = _SCHEME.match(text)
    scheme, separator = (found["scheme"].lower(), found["separator"]) if found else ("", "")
    if scheme in schemes and "\\" in separator:
        return f"the URL has backslashes after its scheme; write {scheme}://"
    if scheme in schemes and separator:
        return f"the URL has no :// after its scheme; write {scheme}://"
    if separator != "://":
        return f"the URL has no scheme; {instead}"
    if scheme in _KNOWN_SCHEMES:
        return f"the URL begins with {scheme}://, which cannot be used here; {instead}"
    from difflib import get_close_matches  # noqa: PLC0415 - only mistakes need it

    if similar := get_close_matches(scheme, schemes, n=1):
        return f"the scheme of the URL is misspelt; did you mean {similar[0]}://?"
    return f"the URL has a scheme that cannot be used here; {instead}"


def _require_one_authority(authority: str, rest: str) -> None:
    """Raise `UrlError` where a character ends the host and port that cannot end them there."""
    if "\\" in authority:
        raise UrlError("the URL has a backslash in it; write / between its parts")
    if authority.rstrip(":").lower() in _KNOWN_SCHEMES and rest.startswith("//"):
        raise UrlError("the URL has its scheme twice")
    port = authority.rpartition(":")[2]
    has_odd_port = ":" in authority and not authority.endswith("]") and not _PORT.fullmatch(port)
    if "@" in rest and (rest[0] == "#" or ("@" not in authority and has_odd_port)):
        raise UrlError(
            f"the user name or password in the URL has a {rest[0]} in it, which ends the host; write %{ord(rest[0]):02X} instead"
        )


def _why_no_host(authority: str) -> str:
    """Return why host and port cannot be told apart."""
    after = authority.rpartition("@")[2]
    if after.count("[") != after.count("]"):
        return "the URL has a bracket of an IPv6 address without the other one; write [::1]:8080"
    if "[" in after:
        return "the URL's host and port cannot be told apart: in brackets is an IPv6 address, and a port follows after a colon"
    if "::" in after or after.count(":") >= 7:
        return "an IPv6 address in a URL needs brackets: [::1]:8080"
    return "the URL has more than one colon after its host; a port is one number"


def _address(text: str) -> str:
    """Return an IPv6 address in its usual form, with its zone if it has one (`%25eth0`, or `%eth0` as people write it)."""
    address, percent, zone = text.partition("%")
    zone = zone.removeprefix("25") if zone != "25" else zone
    try:
        normal = IPv6Address(address)
    except ValueError:
        raise UrlError("the text in the URL's brackets is not an IPv6 address") from None
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
