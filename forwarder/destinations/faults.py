"""What went wrong on the way, as an outcome with a sentence of ours: whose fault it was, and what would help.

No sentence has a URL or a header in it, which may be secret. What a receiver's certificate says is cut and made printable.
"""

import errno
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from forwarder.core.delivery import Fault, Unanswered
from forwarder.destinations.tls import chain_of

_SHOWN_NAMES = 3
_SHOWN_CHARACTERS = 60


class Stage(Enum):
    """How far a connection had come."""

    LOOKUP = auto()
    CONNECT = auto()
    TUNNEL = auto()
    """The proxy was asked to connect to the receiver."""
    TLS = auto()


class NotConnectedError(Exception):
    """There is no connection; `outcome` says why."""

    def __init__(self, outcome: Unanswered) -> None:
        self.outcome = outcome
        super().__init__(outcome.detail)


class ProxyRefusedError(OSError):
    """The proxy did not connect us; `status` is its answer, 0 where it was none."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__("the proxy did not connect us")


_OURS = {
    errno.ENETUNREACH: "no network here leads to its address",
    errno.ENETDOWN: "the network here is down",
    errno.EADDRNOTAVAIL: "no address or port is free here to connect from",
    errno.EMFILE: "too many connections and files are open in this process (LimitNOFILE= raises the limit)",
    errno.ENFILE: "too many files are open on this machine",
    errno.ENOBUFS: "no memory for a connection is left here",
    errno.ENOMEM: "no memory for a connection is left here",
    errno.EAGAIN: "no thread or connection can be started here",
    errno.EACCES: "this machine does not let us connect there: permission denied",
    errno.EPERM: "this machine does not let us connect there (a firewall, or IPAddressDeny= of the unit)",
}
"""Errors that tell of this machine, not of the receiver."""

_LOOKUP = {
    socket.EAI_AGAIN: "our name server gives no answer for its host name",
    socket.EAI_FAIL: "our name server refuses to answer",
    socket.EAI_MEMORY: "no memory for a look-up of its host name is left here",
    socket.EAI_SYSTEM: "its host name cannot be looked up here",
}
"""The same of look-ups; whatever else they end with means that there is no such name."""


def not_connected(error: Exception, stage: Stage, *, timeout_s: float, is_proxied: bool, now: datetime) -> Unanswered:
    """Return what an attempt came to that has no connection. `is_proxied`: whoever was looked up and dialled is a proxy."""
    if isinstance(error, ProxyRefusedError):
        return _refused_by_proxy(error.status)
    if isinstance(error, TimeoutError) and error.errno is None:
        found = _too_late(stage, timeout_s)
    elif isinstance(error, ssl.SSLCertVerificationError):
        found = Unanswered(fault=Fault.CERTIFICATE, detail=_why_refused(error, now))
    elif isinstance(error, ssl.SSLError):
        found = _tls(error)
    elif isinstance(error, socket.gaierror):
        ours = _LOOKUP.get(error.errno or 0)
        found = Unanswered(fault=Fault.DNS, detail=ours or "its host name does not exist", is_ours=ours is not None)
    elif isinstance(error, UnicodeError):
        found = Unanswered(fault=Fault.DNS, detail="its host name cannot be looked up: it is no possible name")
    elif stage is Stage.TLS:
        found = _network(error, fault=Fault.TLS, otherwise="the receiver cut the TLS handshake off")
    else:
        found = _network(error, fault=Fault.NETWORK, otherwise="it could be reached at none of its addresses")
    if is_proxied and stage in {Stage.LOOKUP, Stage.CONNECT}:
        return Unanswered(fault=Fault.PROXY, detail=f"the proxy: {found.detail}", is_ours=True)
    if stage is Stage.TUNNEL and found.fault is not Fault.TIMEOUT:
        return Unanswered(fault=Fault.PROXY, detail="the proxy cut the connection off", is_ours=True)
    return found


def broken(error: Exception | None) -> Unanswered:
    """Return what an attempt came to whose connection ended before an answer came."""
    if isinstance(
        error, ssl.SSLError
    ):  # with TLS 1.3 a receiver says only now that it wants another client certificate
        return _tls(error)
    return _network(error, fault=Fault.NETWORK, otherwise="the receiver closed the connection without an answer")


def cut_short(status: int, *, timeout_s: float | None) -> Unanswered:
    """Return what an attempt came to that was answered before the receiver had it, and then broke off, or ran out of time."""
    early = f"the receiver answered HTTP {status} before it had the whole request"
    if timeout_s is None:
        return Unanswered(fault=Fault.NETWORK, detail=f"{early}, and then closed the connection")
    return Unanswered(fault=Fault.TIMEOUT, detail=f"{early}, and did not read the rest within {timeout_s:g} s")


def refused_by_proxy(*, has_password: bool) -> Unanswered:
    """Return what a 407 means."""
    detail = (
        "the proxy does not take our user name and password"
        if has_password
        else "the proxy asks for a user name and a password; write them into its URL"
    )
    return Unanswered(fault=Fault.PROXY, detail=detail, is_ours=True)


def _refused_by_proxy(status: int) -> Unanswered:
    if status in {502, 503, 504}:
        return Unanswered(fault=Fault.PROXY, detail=f"the proxy could not reach the receiver (HTTP {status})")
    how = f"it answers HTTP {status}" if status else "its answer is not valid HTTP"
    return Unanswered(fault=Fault.PROXY, detail=f"the proxy does not let us through: {how}", is_ours=True)


def _too_late(stage: Stage, timeout_s: float) -> Unanswered:
    match stage:
        case Stage.LOOKUP:
            return Unanswered(
                fault=Fault.DNS, detail=f"our name server gave no answer within {timeout_s:g} s", is_ours=True
            )
        case Stage.CONNECT:
            detail = f"no connection within {timeout_s:g} s"
        case Stage.TUNNEL:
            detail = f"the proxy did not reach the receiver within {timeout_s:g} s"
        case Stage.TLS:
            detail = f"the TLS handshake was not done within {timeout_s:g} s"
    return Unanswered(fault=Fault.TIMEOUT, detail=detail)


def _network(error: Exception | None, *, fault: Fault, otherwise: str) -> Unanswered:
    number = error.errno if isinstance(error, OSError) else None
    if number in _OURS:
        return Unanswered(fault=Fault.NETWORK, detail=_OURS[number], is_ours=True)
    match number:
        case None:
            return Unanswered(fault=fault, detail=otherwise)
        case errno.ECONNREFUSED | errno.ENOENT:  # of a unix socket the file may not be there
            return Unanswered(fault=Fault.REFUSED, detail="connection refused: nothing listens there")
        case errno.ETIMEDOUT:
            return Unanswered(fault=Fault.TIMEOUT, detail="the connection timed out")
        case errno.ENOTCONN:  # what a unix socket with a full queue comes to
            return Unanswered(fault=Fault.REFUSED, detail="connection refused: its queue of connections is full")
        case errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED if fault is Fault.TLS:
            return Unanswered(fault=fault, detail=otherwise)
        case _:
            return Unanswered(fault=Fault.NETWORK, detail=f"network error: {os.strerror(number).lower()}")


def _tls(error: ssl.SSLError) -> Unanswered:
    return Unanswered(fault=Fault.TLS, detail=_why_failed(error))


def _why_failed(error: ssl.SSLError) -> str:
    """Return why a handshake failed. What stands behind ALERT_ is what the receiver said."""
    reason = error.reason or ""
    _, is_alert, alert = reason.partition("ALERT_")
    match alert if is_alert else reason:
        case "WRONG_VERSION_NUMBER" | "HTTP_REQUEST" | "PACKET_LENGTH_TOO_LONG" | "RECORD_LAYER_FAILURE":
            return "it does not speak TLS at this port; should the URL begin with http://?"
        case "PROTOCOL_VERSION" | "UNSUPPORTED_PROTOCOL" | "WRONG_SSL_VERSION" | "NO_PROTOCOLS_AVAILABLE":
            return "it speaks no TLS that is still safe; 1.2 is the least"
        case "CERTIFICATE_REQUIRED":
            return "it wants a client certificate; name one in tls.cert_file"
        case "HANDSHAKE_FAILURE" | "INSUFFICIENT_SECURITY":
            return "it refuses the TLS handshake: it takes none of our ciphers, or wants a client certificate (tls.cert_file)"
        case (
            "BAD_CERTIFICATE"
            | "UNKNOWN_CA"
            | "CERTIFICATE_UNKNOWN"
            | "UNSUPPORTED_CERTIFICATE"
            | "CERTIFICATE_REVOKED"
            | "CERTIFICATE_EXPIRED"
            | "ACCESS_DENIED"
        ) as said if is_alert:
            return f"it refuses our client certificate: {_words(said)}"
        case "UNRECOGNIZED_NAME" | "TLSV1_UNRECOGNIZED_NAME":
            return "it has no certificate for this host name; tls.server_name asks for another"
        case "DH_KEY_TOO_SMALL" | "EE_KEY_TOO_SMALL" | "CA_KEY_TOO_SMALL" | "UNSAFE_LEGACY_RENEGOTIATION_DISABLED":
            return f"its TLS is too weak to be used: {_words(reason)}"
        case "" | "UNEXPECTED_EOF_WHILE_READING":
            return "the receiver cut the TLS handshake off"
        case said:
            return f"the TLS handshake failed: {_words(said)}"


def _words(reason: str) -> str:
    return reason.replace("_", " ").lower()


def _why_refused(error: ssl.SSLCertVerificationError, now: datetime) -> str:
    """Return why a certificate was refused; the codes are those of X509_verify_cert (openssl/x509_vfy.h)."""
    chain = chain_of(error)
    own = chain[0] if chain else {}
    issuer = _text(next((value for ((key, value), *_) in own.get("issuer", ()) if key == "commonName"), ""))
    by = f" ({issuer})" if issuer else ""
    match error.verify_code:
        case 9:
            times = [_time(each["notBefore"]) for each in chain]
            when = f"before {max(times):%Y-%m-%d %H:%M} UTC" if times and max(times) > now else "yet"
            return f"its certificate is not valid {when}; is the clock of this machine right?"
        case 10:
            times = [_time(each["notAfter"]) for each in chain]
            if not times or min(times) > now:
                return "its certificate, or that of its issuer, has expired"
            whose = "its certificate" if times[0] <= now else "the certificate of its issuer"
            return f"{whose} expired {_span(now - min(times))} ago, on {min(times):%Y-%m-%d}"
        case 18:
            return "its certificate is self-signed; name it in tls.ca_file to trust it"
        case 19:
            return f"its certificate comes from an authority that is not trusted here{by}; name that in tls.ca_file to trust it"
        case 2 | 20 | 21:
            return f"its certificate comes from an authority that is not known here{by}, or it does not send its whole chain; tls.ca_file names an authority"
        case 62 | 64:
            names = [_text(name) for _, name in own.get("subjectAltName", ())]
            for_ = f": it is for {', '.join(names[:_SHOWN_NAMES])}" if names else ""
            more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
            return f"its certificate is not for this host name{for_}{more}"
        case 23:
            return "its certificate has been revoked"
        case 26:
            return "its certificate is not made for servers"
        case 66 | 67 | 68:
            return "its certificate has too short a key or too weak a signature"
        case _:
            return f"its certificate was refused: {_text(str(error.verify_message))}"


def _text(said: str) -> str:
    return "".join(mark for mark in said[:_SHOWN_CHARACTERS] if mark.isprintable())


def _time(written: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(written), UTC)


def _span(time: timedelta) -> str:
    if time.days:
        return "1 day" if time.days == 1 else f"{time.days} days"
    hours = time.seconds // 3600
    return "less than an hour" if not hours else "1 hour" if hours == 1 else f"{hours} hours"
