"""What can go wrong with a stream, as a sentence that says what to do, and how long to leave the server alone after it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import aiohttp

from forwarder.core.close_reason import CloseMeaning, close_meaning
from forwarder.core.pace import HEALTHY_AFTER_S, Class
from forwarder.core.text import one_line
from forwarder.core.wishes import parse_retry_after

LONGEST_WISH = timedelta(minutes=5)
"""A server's `Retry-After`, and its `retry` in an event stream, are wishes: longer ones are cut to this. What is sent meanwhile is lost, and one
try in five minutes burdens no server; limits of rate are counted over a minute or so, and longer times are a mistake more often than meant."""
_BUSY_WAIT = timedelta(seconds=30)
_POLICY_CLOSE_CODES = frozenset({1008, 4001, 4401, 4403})
"""Said at once they mean the key. A connection that worked had a good one: if it is bad by now, the next handshake says so."""
_PROVEN_AFTER = timedelta(seconds=HEALTHY_AFTER_S)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_CODE = frozenset({None, 0, 1005, 1006})
_LONGEST_REASON = 100


class FaultKind(StrEnum):
    """Closed set of words for logs and counters."""

    KEY_REFUSED = "key_refused"
    REDIRECTED = "redirected"
    BUSY = "busy"
    NO_UPGRADE = "no_upgrade"
    DNS = "dns"
    REFUSED = "refused"
    TLS = "tls"
    NETWORK = "network"
    TIMEOUT = "timeout"
    SILENT = "silent"
    CLOSED = "closed"
    REPLACED = "replaced"
    RATE_LIMITED = "rate_limited"
    TOO_LONG = "too_long"
    INVALID = "invalid"
    ODD_ANSWER = "odd_answer"


@dataclass(eq=False)
class StreamFaultError(Exception):
    """A connection could not be made, or ended. `sentence` is for a person and holds no secret."""

    kind: FaultKind
    sentence: str
    minimum_wait: timedelta = timedelta()
    """Never come back sooner than this."""
    is_reached: bool = True
    """The server took the connection, whatever came of it."""
    connections: int = 1
    """So many it took: an event stream may need one for its token, too."""
    may_be_key: bool = False
    """A server may say no more than this of a key that it does not know; scrape.st closes at once, without a code."""

    def __str__(self) -> str:
        return self.sentence

    @property
    def pace(self) -> Class:
        """What kind of wait it asks for."""
        match self.kind:
            case FaultKind.KEY_REFUSED:
                return Class.REFUSED
            case FaultKind.REPLACED:
                return Class.REPLACED
            case FaultKind.RATE_LIMITED:
                return Class.RATE_LIMITED
            case FaultKind.TOO_LONG:
                return Class.AT_ONCE
            case _:
                return Class.SERVER if self.is_reached else Class.PATH


def key_refused(detail: str) -> StreamFaultError:
    """Return the fault of an API key that the server does not take."""
    return StreamFaultError(
        FaultKind.KEY_REFUSED,
        f"the API key was refused ({detail}): check api_key, or api_key_file, of this stream",
    )


def redirected() -> StreamFaultError:
    """Return the fault of a server that answers the upgrade with a redirect."""
    return StreamFaultError(
        FaultKind.REDIRECTED,
        "the server answers with a redirect, which is never followed because the API key would travel with it: "
        "write the final address under url",
        _BUSY_WAIT,
    )


def from_handshake(error: aiohttp.WSServerHandshakeError) -> StreamFaultError:
    """Return the fault behind an answer to the upgrade that is not 101."""
    return from_status(
        error.status,
        error.headers or {},
        wanted="does not open a WebSocket there",
        default="wss://scrape.st/ws",
    )


def from_status(
    status: int,
    headers: Mapping[str, str],
    body: bytes = b"",
    *,
    wanted: str,
    default: str = "https://scrape.st/stream",
) -> StreamFaultError:
    """Return the fault behind an answer that is not the one `wanted`, which ends the sentence "the server …".

    How long to wait may be in its headers, or in the JSON of its body; it is obeyed up to `LONGEST_WISH`.
    """
    if status in {401, 403}:
        return key_refused(f"HTTP {status}")
    if status in _REDIRECTS:
        return redirected()
    if status == 429 or status >= 500:
        wish = _retry_after(headers, body) or timedelta()
        wait = max(_BUSY_WAIT, min(wish, LONGEST_WISH))
        return StreamFaultError(FaultKind.BUSY, f"the server is busy or broken (HTTP {status})", wait)
    return StreamFaultError(
        FaultKind.NO_UPGRADE,
        f"the server {wanted} (HTTP {status}): check url, which is {default} by default",
        _BUSY_WAIT,
    )


def _retry_after(headers: Mapping[str, str], body: bytes) -> timedelta | None:
    written = headers.get("Retry-After")
    if written is not None:
        return parse_retry_after(written, now=datetime.now(UTC))
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    seconds = answer.get("retry_after") if isinstance(answer, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        return None
    return timedelta(seconds=seconds)


def not_wanted() -> StreamFaultError:
    """Return the fault of a server that answers 204: by the standard nobody is to come back, which is a wish as `Retry-After` is."""
    sentence = "the server answers HTTP 204, which tells clients to stay away: is the key meant for streams?"
    return StreamFaultError(FaultKind.NO_UPGRADE, sentence, LONGEST_WISH)


def wrong_type(what: str = "no event stream") -> StreamFaultError:
    """Return the fault of an answer that is something else than `text/event-stream`."""
    sentence = f"what the server answers is {what}: check url, which is https://scrape.st/stream by default"
    return StreamFaultError(FaultKind.NO_UPGRADE, sentence, _BUSY_WAIT)


def too_long(max_frame: int) -> StreamFaultError:
    """Return the fault of an event that is longer than allowed."""
    return StreamFaultError(
        FaultKind.TOO_LONG,
        f"an event was longer than max_frame ({max_frame:,} bytes), which ends a connection; it is lost. "
        "Raise max_frame of this stream if such events are wanted",
    )


def from_connect(error: aiohttp.ClientError | OSError, host: str | None, port: int | None) -> StreamFaultError:
    """Return the fault behind a connection that could not be made."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return StreamFaultError(
                FaultKind.DNS,
                f"the host name {host} cannot be resolved: check url, and this machine's DNS",
                is_reached=False,
            )
        case aiohttp.ClientConnectorCertificateError():
            said = getattr(error.certificate_error, "verify_message", "") or "not trusted"
            return StreamFaultError(FaultKind.TLS, f"the certificate of {host} was refused ({said})", _BUSY_WAIT)
        case aiohttp.ClientSSLError():
            return StreamFaultError(
                FaultKind.TLS, f"no TLS connection to {host} port {port}: is it wss:// or should it be ws://?"
            )
        case ConnectionRefusedError() | aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return StreamFaultError(
                FaultKind.REFUSED,
                f"{host} port {port} refuses the connection: nothing listens there; check url, or wait for the server",
                is_reached=False,
            )
        case OSError() if error.errno:
            reason = os.strerror(error.errno).lower()
            is_reached = not isinstance(error, aiohttp.ClientConnectorError)
            return StreamFaultError(FaultKind.NETWORK, f"{host} cannot be reached: {reason}", is_reached=is_reached)
        case _:
            return StreamFaultError(FaultKind.NETWORK, f"{host} ended the handshake ({type(error).__name__})")


def from_silence(after: timedelta) -> StreamFaultError:
    """Return the fault of a connection on which nothing complete was heard for so long."""
    return StreamFaultError(FaultKind.SILENT, f"nothing was heard for {after.total_seconds():g} s")


def from_hang(host: str | None, within_s: float, *, is_reached: bool) -> StreamFaultError:
    """Return the fault of a connection, or of a handshake, that takes too long."""
    what = "finish the handshake" if is_reached else "answer"
    sentence = f"{host} did not {what} within {within_s:g} s"
    return StreamFaultError(FaultKind.TIMEOUT, sentence, is_reached=is_reached)


def from_error(error: object, max_frame: int) -> StreamFaultError:
    """Return the fault that made our own side end the connection: something came that is no proper frame."""
    code = getattr(error, "code", None)
    if code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
        return too_long(max_frame)
    said = f" (close code {int(code)})" if isinstance(code, int) else ""
    return StreamFaultError(FaultKind.INVALID, f"what the server sent breaks the rules of WebSocket{said}")


def from_close(code: int | None, reason: str = "", *, opened_for: timedelta, heard_anything: bool) -> StreamFaultError:
    """Return the fault behind a connection that ended with close code `code`; 1006 and `None` mean that none came.

    `reason` is what the server said beside it.
    """
    is_at_once = opened_for < timedelta(seconds=1) and not heard_anything
    has_code = code is not None and code not in _NO_CODE
    said = f" ({one_line(reason, limit=_LONGEST_REASON)})" if reason else ""
    match close_meaning(code, reason) if code is not None and has_code else CloseMeaning.NOTHING:
        case CloseMeaning.REPLACED:
            return _replaced(f"close code {code}{said}")
        case CloseMeaning.RATE_LIMITED:
            sentence = f"the server asks for fewer messages or connections of this key (close code {code}{said})"
            return StreamFaultError(FaultKind.RATE_LIMITED, sentence)
        case CloseMeaning.NOTHING if is_at_once and code in _POLICY_CLOSE_CODES:
            return key_refused(f"close code {code}{said}")
        case CloseMeaning.NOTHING if is_at_once and (not has_code or code == 1000):
            # scrape.st opens the connection of an unknown key and closes it at once, without a code.
            return StreamFaultError(
                FaultKind.CLOSED,
                "the server closed the connection as soon as it was open, which scrape.st does when it does not know the key: "
                "if this goes on, check api_key, or api_key_file, of this stream",
                may_be_key=True,
            )
        case CloseMeaning.NOTHING:
            may_be_key = code in _POLICY_CLOSE_CODES and opened_for < _PROVEN_AFTER and not heard_anything
        case CloseMeaning.ROUTINE:
            may_be_key = False
    named = f"with close code {code}" if has_code else "without a close code"
    return StreamFaultError(FaultKind.CLOSED, f"the connection ended {named}{said}", may_be_key=may_be_key)


def _replaced(said: str) -> StreamFaultError:
    return StreamFaultError(
        FaultKind.REPLACED,
        f"another connection with the same API key took its place, or it was one too many ({said}): most likely another program, "
        "or another stream, uses the key. Give each its own key, or stop the other one",
    )
