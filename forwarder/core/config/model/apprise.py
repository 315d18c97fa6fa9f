"""`apprise` of a destination: a service that the library Apprise sends to, and the keys that such a destination cannot have."""

import re

from forwarder.core.config.values.scalars import WrongValueError, text_of
from forwarder.core.config.values.secret import Secret

NOT_WITH_APPRISE = (
    "method",
    "headers",
    "auth",
    "tls",
    "proxy",
    "socket",
    "max_connection_age",
    "compression",
    "compress_from",
    "signing",
    "batch",
    "success",
    "concurrency",
    "backlog_concurrency",
)
"""The keys of a destination that only requests of forwarder itself can follow. Apprise makes its own, one at a time."""
FORMATS_OF_APPRISE = frozenset({"raw", "text", "template"})

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S.*", re.DOTALL)
_EXAMPLE = "such as mailtos://… or pover://…"


def parse_apprise(value: object) -> Secret:
    """Return the URL of a service. No message shows it, because it contains what is needed to send there."""
    text = text_of(value, f"a URL of Apprise, {_EXAMPLE}")
    if not _URL.fullmatch(text):
        raise WrongValueError(f"not a URL of Apprise, which begins with the name of a service, {_EXAMPLE}")
    if not text.isprintable() or text != text.strip():
        raise WrongValueError("the URL for Apprise has a space at its end, or an invisible character in it; remove it")
    if "{{" in text:
        raise WrongValueError("apprise takes no {{ … }}, because an event must not choose the receiver")
    return Secret(text)
