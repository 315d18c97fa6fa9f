"""Reads the names and values of headers, and the keys and secrets that requests are authenticated with."""

import re

from forwarder.core.config.values.scalars import CONTROL, WrongValueError, text_of
from forwarder.core.config.values.secret import Secret
from forwarder.core.yaml.tree import Expanded

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""The name of a header (RFC 9110, 5.6.2)."""
_HALF_CHARACTER = re.compile("[\ud800-\udfff]")
"""A lone surrogate: how Python reads bytes of the environment that are not UTF-8. It cannot be sent."""
_BYTE_ORDER_MARK = "\ufeff"
_TEMPLATE_MARK = re.compile(r"\{\{|\{%")
_OUR_HEADERS = frozenset({"webhook-id", "webhook-timestamp", "webhook-signature"})
_FRAMING_HEADERS = frozenset({"content-length", "transfer-encoding", "connection"})


def parse_api_key(value: object) -> Secret:
    """Return the API key of a stream, which is sent in a header."""
    text = text_of(value, "the key, for example ${SCRAPEST_API_KEY}")
    if not text:
        raise WrongValueError("the key is empty")
    if CONTROL.search(text) or any(mark.isspace() for mark in text):
        raise WrongValueError("the key contains a space, a line break or a control character (it is not shown)")
    if any(ord(mark) > 0xFF for mark in text):
        raise WrongValueError("the key contains a character that is not allowed in a header (it is not shown)")
    return Secret(text)


def parse_plain_secret(value: object) -> Secret:
    """Return the secret of a plain HMAC: any text without line breaks."""
    text = text_of(value, "the secret, for example ${NAME}")
    if not text:
        raise WrongValueError("the secret is empty")
    if _BYTE_ORDER_MARK in text:
        raise WrongValueError("the secret contains a byte order mark, U+FEFF (it is not shown)")
    if CONTROL.search(text) or _HALF_CHARACTER.search(text):
        raise WrongValueError(
            "the secret contains a line break or a control character, or is not UTF-8 (it is not shown)"
        )
    return Secret(text)


def parse_header_name(value: object) -> str:
    """Return the name of a header that the user may set."""
    text = text_of(value, "the name of a header")
    if not _TOKEN.fullmatch(text):
        raise WrongValueError("not the name of a header; a name consists of letters, digits and hyphens")
    if text.lower() in _OUR_HEADERS:
        raise WrongValueError("this header is part of the signature and cannot be set")
    if text.lower() in _FRAMING_HEADERS:
        raise WrongValueError("this header is derived from the request and cannot be set")
    return str(text)


def is_header_template(value: object) -> bool:
    """Return whether a value of a header is written as a template. A variable's value does not make it one."""
    written = value.written if isinstance(value, Expanded) else value
    return isinstance(written, str) and bool(_TEMPLATE_MARK.search(written))


def parse_header_value(value: object) -> Secret:
    """Return the value of a header that is the same for all events."""
    text = text_of(value, 'a text, or "" for an empty one')
    if _BYTE_ORDER_MARK in text:
        raise WrongValueError("the value contains a byte order mark, U+FEFF (it is not shown)")
    if CONTROL.search(text) or _HALF_CHARACTER.search(text):
        raise WrongValueError(
            "the value contains a line break or a control character, or is not UTF-8 (it is not shown)"
        )
    return Secret(text)
