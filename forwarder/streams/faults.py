"""What can go wrong with a stream, as a sentence that says what to do, and how long to leave the server alone after it."""

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

import aiohttp

from forwarder.core.retry import MAX_RETRY_AFTER
from forwarder.core.wishes import parse_retry_after

REFUSED_KEY_WAIT = timedelta(minutes=1)
"""A refused key does not get better by itself: doubled each time, up to `MAX_REFUSED_KEY_WAIT`."""
MAX_REFUSED_KEY_WAIT = timedelta(minutes=15)
_BUSY_WAIT = timedelta(seconds=30)
_AUTH_CLOSE_CODES = frozenset({1008, 4001, 4401, 4403})


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


@dataclass(eq=False)
class StreamFaultError(Exception):
    """A connection could not be made, or ended. `sentence` is for a person and holds no secret."""

    kind: FaultKind
    sentence: str
    minimum_wait: timedelta = timedelta()
    """Never come back sooner than this."""

    def __str__(self) -> str:
        return self.sentence


def key_refused(detail: str) -> StreamFaultError:
    """Return the fault of an API key that the server does not take."""
    return StreamFaultError(
        FaultKind.KEY_REFUSED,
        f"the API key was refused ({detail}): check api_key, or api_key_file, of this stream",
        REFUSED_KEY_WAIT,
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
    status = error.status
    if status in {401, 403}:
        return key_refused(f"HTTP {status}")
    if status == 429 or status >= 500:
        retry_after = None if error.headers is None else error.headers.get("Retry-After")
        wish = None if retry_after is None else parse_retry_after(retry_after, now=datetime.now(UTC))
        wait = max(_BUSY_WAIT, min(wish or timedelta(), MAX_RETRY_AFTER))
        return StreamFaultError(FaultKind.BUSY, f"the server is busy or broken (HTTP {status})", wait)
    return StreamFaultError(
        FaultKind.NO_UPGRADE,
        f"the server does not open a WebSocket there (HTTP {status}): check url, which is wss://scrape.st/ws by default",
        _BUSY_WAIT,
    )


def from_connect(error: aiohttp.ClientError | OSError, host: str | None, port: int | None) -> StreamFaultError:
    """Return the fault behind a connection that could not be made."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return StreamFaultError(
                FaultKind.DNS, f"the host name {host} cannot be resolved: check url, and this machine's DNS"
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
            )
        case OSError() if error.errno:
            reason = os.strerror(error.errno).lower()
            return StreamFaultError(FaultKind.NETWORK, f"{host} cannot be reached: {reason}")
        case _:
            return StreamFaultError(FaultKind.NETWORK, f"{host} ended the handshake ({type(error).__name__})")


def from_close(code: int | None, *, opened_for: timedelta, heard_anything: bool) -> StreamFaultError:
    """Return the fault behind a connection that ended with close code `code`; 1006 and `None` mean that none came."""
    if code in _AUTH_CLOSE_CODES:
        return key_refused(f"close code {code}")
    if code in {None, 0, 1000, 1005, 1006} and opened_for < timedelta(seconds=1) and not heard_anything:
        # scrape.st opens the connection of an unknown key and closes it at once, without a code.
        return StreamFaultError(
            FaultKind.CLOSED,
            "the server closed the connection as soon as it was open, which scrape.st does when it does not know the key: "
            "if this goes on, check api_key, or api_key_file, of this stream",
        )
    named = "without a close code" if code in {None, 0, 1005, 1006} else f"with close code {code}"
    return StreamFaultError(FaultKind.CLOSED, f"the connection ended {named}")
