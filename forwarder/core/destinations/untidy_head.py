"""Reads the head of a response that breaks the rules of HTTP, and writes it again as a strict parser accepts it. Pure.

A receiver that says `200` has the event, however untidy its headers are. So everything that can be read is read (RFC 9112, 2.2, 4, 5.1,
5.2 and 6.3; RFC 9110, 5.5), and the rest is left out. Nobody knows for sure where such a response ends. What follows it could be taken for
the response to another request, so its connection must not be used again. For the same reason the status line must come first.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

_END = re.compile(rb"\n\r{0,2}\n")
_LONGEST_END = 4
_EMPTY_LINES = re.compile(rb"[\r\n]{0,100}")
_NAME = b"HTTP/"
_STATUS_LINE = re.compile(rb"HTTP/[1-3](?:\.[0-9]+)?[ \t]+([1-9][0-9][0-9])(?![0-9])", re.IGNORECASE)
"""A reason is not needed, and any version that exists will do."""
_FOLD = re.compile(rb"\r?\n[ \t]+")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_CONTROL_CHARACTERS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]+")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_OF_THE_CONNECTION = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"upgrade"})


def head_length(data: bytes | bytearray, *, since: int = 0) -> int | None:
    """Return how many bytes the head at the beginning of `data` has, with the empty line at its end. `None`: more must come.

    Empty lines may be in front of the status line. Raises `ValueError` if anything else is. `since`: so many bytes were looked at before.
    """
    begin = _begin_of(data)
    if not _NAME.startswith(data[begin : begin + len(_NAME)].upper()):
        raise ValueError
    if data.find(b"\n", begin) >= 0 and _STATUS_LINE.match(data, begin) is None:
        raise ValueError
    found = _END.search(data, max(begin, since - _LONGEST_END))
    return None if found is None else found.end()


def status_of(head: bytes | bytearray) -> int:
    """Return the status in a head that `head_length` has measured."""
    return int(_status_digits(head))


def tidy(head: bytes) -> bytes:
    """Return a head that `head_length` has measured, as a strict parser accepts it."""
    # A line that begins with a space continues the one before. It is ignored behind the status line, as its reason is.
    _, *lines = _FOLD.sub(b" ", head[_begin_of(head) :]).split(b"\n")
    fields = list(_fields(lines))
    kept = [(name, value) for name, value in fields if name.lower() not in _FRAMING | _OF_THE_CONNECTION]
    status = _status_digits(head)
    if not status.startswith(b"1"):
        kept += _framing(fields)
    return b"".join((b"HTTP/1.1 ", status, b" \r\n", *(b"%s: %s\r\n" % field for field in kept), b"\r\n"))


def _begin_of(data: bytes | bytearray) -> int:
    found = _EMPTY_LINES.match(data)
    return 0 if found is None else found.end()


def _status_digits(head: bytes | bytearray) -> bytes:
    found = _STATUS_LINE.match(head, _begin_of(head))
    if found is None:
        raise ValueError
    return bytes(found[1])


def _fields(lines: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and value of each field. A line that has no name and colon is left out."""
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.rstrip()
        if colon and _TOKEN.fullmatch(name) is not None:
            yield name, _clean(value)


def _clean(value: bytes) -> bytes:
    return _CONTROL_CHARACTERS.sub(b" ", value).strip()


def _framing(fields: Sequence[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return the field that says where the body ends. None: it ends with the connection. `Transfer-Encoding` overrides `Content-Length`."""
    codings = [each for each in _elements(fields, b"transfer-encoding") if each not in {b"", b"identity"}]
    if codings:
        return [(b"Transfer-Encoding", b"chunked")] if codings[-1] == b"chunked" else []
    lengths = _elements(fields, b"content-length")
    if not lengths or not all(_LENGTH.fullmatch(each) for each in lengths) or len({int(each) for each in lengths}) > 1:
        return []
    return [(b"Content-Length", lengths[0])]


def _elements(fields: Iterable[tuple[bytes, bytes]], wanted: bytes) -> list[bytes]:
    """Return the elements of the lists in all fields of that name, in lower case."""
    return [each.strip().lower() for name, value in fields if name.lower() == wanted for each in value.split(b",")]
