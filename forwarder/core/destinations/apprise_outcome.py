"""What an attempt through Apprise came to, by what Apprise logged: it returns only whether a message was sent.

Its plugins log a refusal as `…error=401.`, the answer to it as `Response Details:`, and a broken connection as `Socket Exception:`. The texts
are Apprise's, and may contain parts of the URL, so each is masked.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from urllib.parse import unquote

from forwarder.core.delivery import Answered, Fault, Outcome, Unanswered
from forwarder.core.masking import masked

SENT = Answered(status=200)
"""Apprise has sent the message. Not every service has a status; this one stands for all."""
_MAX_DETAIL = 200
_STATUS = re.compile(r"error=([1-5][0-9]{2})\b")
_DETAILS = re.compile(r"Response Details:\s*(?P<body>.*)", re.DOTALL)
_CAUSE = re.compile(r"Exception:? ?(?P<cause>.*)", re.DOTALL)
_BETWEEN_PARTS = re.compile(r"[/@:?&=+,;#]+")
_AFTER_HOST = re.compile(r"[/?#]")
_SHORTEST = 3
"""Shorter parts of a URL are hidden only where they are a user name or a password."""
_IN_BRACKETS = re.compile(r"\s*\([^()]*\)")
_KNOWN: Sequence[tuple[re.Pattern[str], Unanswered]] = tuple(
    (re.compile(pattern, re.IGNORECASE), outcome)
    for pattern, outcome in (
        (
            r"temporary failure in name resolution|errno -3\b",
            Unanswered(
                fault=Fault.DNS, detail="the name server does not answer for its host name", is_local_fault=True
            ),
        ),
        (
            r"nameresolutionerror|name or service not known|no address associated|getaddrinfo failed|failed to resolve",
            Unanswered(fault=Fault.DNS, detail="its host name does not exist"),
        ),
        (
            r"network is unreachable|errno 101\b",
            Unanswered(fault=Fault.NETWORK, detail="this machine has no route to its network", is_local_fault=True),
        ),
        (r"connection refused", Unanswered(fault=Fault.REFUSED, detail="connection refused: nothing listens there")),
        (r"proxyerror|proxy", Unanswered(fault=Fault.PROXY, detail="the proxy of the environment does not connect")),
        (
            r"certificate.verify.failed|certificateerror",
            Unanswered(fault=Fault.CERTIFICATE, detail="its certificate is not valid, or of an unknown CA"),
        ),
        (r"ssl", Unanswered(fault=Fault.TLS, detail="the TLS handshake failed")),
        (r"timed? ?out|timeout", Unanswered(fault=Fault.TIMEOUT, detail="the service did not answer in time")),
    )
)


def outcome_of(lines: Sequence[str], secrets: Sequence[str]) -> Outcome:
    """Return the outcome of a message that was not sent, by the lines that Apprise logged about it."""
    status = next((int(found[1]) for line in reversed(lines) if (found := _STATUS.search(line))), None)
    said = _shown(next(_answers(lines), ""), secrets)
    if status is not None and status >= 300:
        return Answered(status=status, excerpt=said)
    for cause in (found["cause"] for line in lines if (found := _CAUSE.search(line))):
        for pattern, outcome in _KNOWN:
            if pattern.search(cause):
                return outcome
    if status is not None:
        detail = f"the service refused the message with HTTP {status}" + (f": {said}" if said else "")
        return Unanswered(fault=Fault.PROTOCOL, detail=detail)
    if any("connection error" in line.lower() for line in lines):
        return Unanswered(fault=Fault.NETWORK, detail="the service could not be reached")
    warned = next((line for line in reversed(lines) if not _DETAILS.match(line) and not _CAUSE.search(line)), "")
    shown = _shown(warned, secrets)
    return Unanswered(
        fault=Fault.PROTOCOL, detail=f"Apprise: {shown}" if shown else "Apprise did not send it, and does not say why"
    )


def may_say_why(line: str) -> bool:
    """Return whether a line that is no warning may still say why a message was not sent."""
    return _DETAILS.match(line) is not None or _CAUSE.search(line) is not None


def secrets_in(url: str) -> tuple[str, ...]:
    """Return the texts to hide wherever Apprise repeats a part of its URL, the longest first: in many of them the host is a token."""
    _, _, rest = url.partition("://")
    user, at, _ = _AFTER_HOST.split(rest)[0].rpartition("@")
    parts = [part for part in _BETWEEN_PARTS.split(rest) if len(part) >= _SHORTEST]
    credentials = [part for part in user.split(":") if part] if at else []
    found = {form for part in (rest, *parts, *credentials) for form in (part, unquote(part))}
    return tuple(sorted(found, key=len, reverse=True))


def without_values(message: str, secrets: Sequence[str]) -> str:
    """Return a message of Apprise about its URL: it shows the values that it does not accept in brackets."""
    return _shown(_IN_BRACKETS.sub("", message), secrets).rstrip(" .:")


def _answers(lines: Iterable[str]) -> Iterator[str]:
    """Yield the bodies of answers, which are logged as Python writes bytes."""
    for line in lines:
        if found := _DETAILS.match(line):
            body: object = found["body"]
            with suppress(ValueError, SyntaxError):
                body = ast.literal_eval(found["body"])
            yield body.decode("utf-8", "replace") if isinstance(body, bytes) else str(body)


def _shown(text: str, secrets: Sequence[str]) -> str:
    line = " ".join(masked(text, secrets).split())
    return line if len(line) <= _MAX_DETAIL else f"{line[: _MAX_DETAIL - 1]}…"
