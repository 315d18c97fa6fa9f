"""What can go wrong with a stream: a sentence that says what to do, and how long to wait before the next try."""

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import aiohttp

from forwarder.core.destinations.response_hints import parse_date, parse_retry_after
from forwarder.core.streams.close_reason import CloseMeaning, close_meaning
from forwarder.core.streams.reconnect_policy import HEALTHY_AFTER_S, WaitKind
from forwarder.core.text import one_line
from forwarder.tls.reasons import why_failed, why_refused

LONGEST_RETRY_AFTER = timedelta(minutes=5)
"""The longest wait that a server can ask for, with `Retry-After` or with `retry` in an event stream. Events sent during a wait are lost, and
one try in five minutes is no burden. Rate limits are counted over about a minute, so a longer time is probably a mistake."""
_BUSY_WAIT = timedelta(seconds=30)
_POLICY_CLOSE_CODES = frozenset({1008, 4001, 4401, 4403})
"""Close codes that mean a bad key if they come at once. A connection that worked had a good key; if it is bad by now, the next handshake shows it."""
_PROVEN_AFTER = timedelta(seconds=HEALTHY_AFTER_S)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NO_CODE = frozenset({None, 0, 1005, 1006})
_LONGEST_REASON = 100
_PLAIN = "ws:// (http:// for sse)"
"""How the URL of a stream without TLS begins."""


class FaultKind(StrEnum):
    """Names each kind of fault, for logs and counters."""

    KEY_REFUSED = "key_refused"
    REDIRECTED = "redirected"
    BUSY = "busy"
    NO_UPGRADE = "no_upgrade"
    DNS = "dns"
    REFUSED = "refused"
    TLS = "tls"
    PROXY = "proxy"
    BLOCKED = "blocked"
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
    """Says why a connection could not be opened, or has ended. `sentence` is for a person and holds no secret."""

    kind: FaultKind
    sentence: str
    minimum_wait: timedelta = timedelta()
    """How long to wait at least before the next try."""
    is_reached: bool = True
    """Whether the server accepted the connection, even if nothing came of it."""
    connections: int = 1
    """How many connections the try needed: an event stream may need one for its token, too."""
    may_be_key: bool = False
    """Whether the cause may be an unknown key. scrape.st closes such a connection at once, without a code."""

    def __str__(self) -> str:
        return self.sentence

    @property
    def wait_kind(self) -> WaitKind:
        """What kind of wait it asks for."""
        match self.kind:
            case FaultKind.KEY_REFUSED:
                return WaitKind.REFUSED
            case FaultKind.REPLACED:
                return WaitKind.REPLACED
            case FaultKind.RATE_LIMITED:
                return WaitKind.RATE_LIMITED
            case FaultKind.TOO_LONG:
                return WaitKind.AT_ONCE
            case _:
                return WaitKind.SERVER if self.is_reached else WaitKind.PATH


def key_refused(detail: str) -> StreamFaultError:
    """Return the fault of an API key that the server refuses."""
    return StreamFaultError(
        FaultKind.KEY_REFUSED,
        f"the API key was refused ({detail}): check api_key, or api_key_file, of this stream",
    )


def public_refused() -> StreamFaultError:
    """Return the fault of a server that wants a key for the public stream."""
    return StreamFaultError(
        FaultKind.KEY_REFUSED,
        "the server does not open this stream without a key (HTTP 401 or 403), so it is no public stream: check url, which is "
        "https://scrape.st/stream by default, or write transport: websocket and an api_key",
    )


def is_web_page(headers: Mapping[str, str]) -> bool:
    """Return whether a response is a page for people: an API answers programs in JSON or plain text."""
    return headers.get("Content-Type", "").partition(";")[0].strip().lower() in {"text/html", "application/xhtml+xml"}


def blocked(status: int, headers: Mapping[str, str]) -> StreamFaultError:
    """Return the fault of a firewall or a proxy before the server that answers with a page of its own."""
    whose = " of Cloudflare" if "CF-RAY" in headers or headers.get("Server", "").lower() == "cloudflare" else ""
    return StreamFaultError(
        FaultKind.BLOCKED,
        f"a web page came (HTTP {status}) instead of an answer of the server: most likely a firewall{whose} in front of it blocks this "
        "machine's address, and the API key is not the cause. Connect from another address, or ask the operator of the server to allow "
        "this one",
        _BUSY_WAIT,
    )


def redirected() -> StreamFaultError:
    """Return the fault of a server that responds with a redirect."""
    return StreamFaultError(
        FaultKind.REDIRECTED,
        "the server answers with a redirect, which is never followed because the API key would travel with it: "
        "write the final address under url",
        _BUSY_WAIT,
    )


def from_handshake(error: aiohttp.WSServerHandshakeError) -> StreamFaultError:
    """Return the fault of a response to the upgrade that is not 101."""
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
    """Return the fault of a response with another status than the expected one. `wanted` completes the sentence "the server …".

    How long to wait may be in its headers or in its JSON body; that is respected up to `LONGEST_RETRY_AFTER`.
    """
    if status == 403 and is_web_page(headers):
        return blocked(status, headers)
    if status in {401, 403}:
        return key_refused(f"HTTP {status}")
    if status in _REDIRECTS:
        return redirected()
    if status == 429 or status >= 500:
        asked_for = _retry_after(headers, body) or timedelta()
        wait = max(_BUSY_WAIT, min(asked_for, LONGEST_RETRY_AFTER))
        what = "the server's rate limit is reached" if status == 429 else "the server is busy or broken"
        return StreamFaultError(FaultKind.BUSY, f"{what} (HTTP {status})", wait)
    return StreamFaultError(
        FaultKind.NO_UPGRADE,
        f"the server {wanted} (HTTP {status}): check url, which is {default} by default",
        _BUSY_WAIT,
    )


def _retry_after(headers: Mapping[str, str], body: bytes) -> timedelta | None:
    written = headers.get("Retry-After")
    if written is not None:
        return parse_retry_after(written, now=parse_date(headers.get("Date", "")) or datetime.now(UTC))
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    seconds = answer.get("retry_after") if isinstance(answer, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        return None
    return timedelta(seconds=seconds)


def not_wanted() -> StreamFaultError:
    """Return the fault of a server that responds with 204, by which the standard tells clients not to reconnect."""
    sentence = "the server answers HTTP 204, which tells clients not to reconnect: is the key meant for streams?"
    return StreamFaultError(FaultKind.NO_UPGRADE, sentence, LONGEST_RETRY_AFTER)


def wrong_type(what: str = "no event stream") -> StreamFaultError:
    """Return the fault of a response that is not `text/event-stream`."""
    sentence = f"the response is {what}: check url, which is https://scrape.st/stream by default"
    return StreamFaultError(FaultKind.NO_UPGRADE, sentence, _BUSY_WAIT)


def too_long(max_frame: int) -> StreamFaultError:
    """Return the fault of an event that is longer than allowed."""
    return StreamFaultError(
        FaultKind.TOO_LONG,
        f"an event was longer than max_frame ({max_frame:,} bytes), which ends a connection; it is lost. "
        "Raise max_frame of this stream if such events are wanted",
    )


def from_connect(error: aiohttp.ClientError | OSError, host: str | None, port: int | None) -> StreamFaultError:
    """Return the fault behind a connection that could not be opened."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return StreamFaultError(
                FaultKind.DNS,
                f"the host name {host} cannot be resolved: check url, and this machine's DNS",
                is_reached=False,
            )
        case aiohttp.ClientConnectorCertificateError():
            refused = error.certificate_error
            why = (
                why_refused(refused, datetime.now(UTC))
                if isinstance(refused, ssl.SSLCertVerificationError)
                else "its certificate was rejected"
            )
            return _no_tls(host, port, why, _BUSY_WAIT)
        case aiohttp.ClientConnectorSSLError(os_error=ssl.SSLError() as failed):
            return _no_tls(host, port, why_failed(failed, plain=_PLAIN))
        case ConnectionRefusedError() | aiohttp.ClientConnectorError(os_error=ConnectionRefusedError()):
            return StreamFaultError(
                FaultKind.REFUSED,
                f"{host} port {port} refuses the connection: nothing listens there; check url, or wait for the server",
                is_reached=False,
            )
        case OSError() if (behind := _tls_error_behind(error)) is not None:
            return _no_tls(host, port, why_failed(behind, plain=_PLAIN))
        case OSError() if error.errno:
            reason = os.strerror(error.errno).lower()
            is_reached = not isinstance(error, aiohttp.ClientConnectorError)
            return StreamFaultError(FaultKind.NETWORK, f"{host} cannot be reached: {reason}", is_reached=is_reached)
        case _:
            return StreamFaultError(FaultKind.NETWORK, f"{host} ended the handshake ({type(error).__name__})")


def _no_tls(host: str | None, port: int | None, why: str, minimum_wait: timedelta = timedelta()) -> StreamFaultError:
    return StreamFaultError(FaultKind.TLS, f"no TLS connection to {host} port {port}: {why}", minimum_wait)


def _tls_error_behind(raised: Exception) -> ssl.SSLError | None:
    """Return the error of TLS that an error was made of: with TLS 1.3 a client certificate is refused only after the handshake."""
    error: BaseException | None = raised
    while error is not None:
        if isinstance(error, ssl.SSLError):
            return error
        error = error.__cause__ or error.__context__
    return None


def from_silence(after: timedelta) -> StreamFaultError:
    """Return the fault of a connection on which nothing complete came for that time."""
    return StreamFaultError(FaultKind.SILENT, f"nothing was received for {after.total_seconds():g} s")


def from_hang(host: str | None, within_s: float, *, is_reached: bool) -> StreamFaultError:
    """Return the fault of a connection, or a handshake, that takes too long."""
    what = "finish the handshake" if is_reached else "answer"
    sentence = f"{host} did not {what} within {within_s:g} s"
    return StreamFaultError(FaultKind.TIMEOUT, sentence, is_reached=is_reached)


def from_error(error: object, max_frame: int) -> StreamFaultError:
    """Return the fault for which our own side ended the connection: something came that is not a valid frame."""
    code = getattr(error, "code", None)
    if code == aiohttp.WSCloseCode.MESSAGE_TOO_BIG:
        return too_long(max_frame)
    said = f" (close code {int(code)})" if isinstance(code, int) else ""
    return StreamFaultError(FaultKind.INVALID, f"the server sent something that violates the WebSocket protocol{said}")


def from_close(code: int | None, reason: str = "", *, opened_for: timedelta, heard_anything: bool) -> StreamFaultError:
    """Return the fault of a connection that ended with close code `code`; 1006 and `None` mean that none came.

    `reason` is the text that came with the code.
    """
    is_at_once = opened_for < timedelta(seconds=1) and not heard_anything
    has_code = code is not None and code not in _NO_CODE
    said = f" ({one_line(reason, limit=_LONGEST_REASON)})" if reason else ""
    match close_meaning(code, reason) if code is not None and has_code else CloseMeaning.UNKNOWN:
        case CloseMeaning.REPLACED:
            return _replaced(f"close code {code}{said}")
        case CloseMeaning.RATE_LIMITED:
            sentence = f"the server asks for fewer messages or connections of this key (close code {code}{said})"
            return StreamFaultError(FaultKind.RATE_LIMITED, sentence)
        case CloseMeaning.UNKNOWN if is_at_once and code in _POLICY_CLOSE_CODES:
            return key_refused(f"close code {code}{said}")
        case CloseMeaning.UNKNOWN if is_at_once and (not has_code or code == 1000):
            # scrape.st opens the connection of an unknown key and closes it at once, without a code.
            return StreamFaultError(
                FaultKind.CLOSED,
                "the server closed the connection as soon as it was open, which scrape.st does when it does not know the key: "
                "if this continues, check api_key, or api_key_file, of this stream",
                may_be_key=True,
            )
        case CloseMeaning.UNKNOWN:
            may_be_key = code in _POLICY_CLOSE_CODES and opened_for < _PROVEN_AFTER and not heard_anything
        case CloseMeaning.ROUTINE:
            may_be_key = False
    named = f"with close code {code}" if has_code else "without a close code"
    return StreamFaultError(FaultKind.CLOSED, f"the connection ended {named}{said}", may_be_key=may_be_key)


def _replaced(said: str) -> StreamFaultError:
    return StreamFaultError(
        FaultKind.REPLACED,
        f"another connection with the same API key took its place, or there were too many ({said}): most likely another program, "
        "or another stream, uses the key. Give each its own key, or stop the other one",
    )
