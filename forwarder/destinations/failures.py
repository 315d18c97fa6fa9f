"""Turns the errors of a connection into outcomes: what went wrong, whether it is a local fault, and what would help.

No text contains a URL or a header, because they may be secret. Names from a receiver's certificate are cut and made printable.
"""

import errno
import os
import socket
import ssl
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from forwarder.core.counted import counted
from forwarder.core.delivery import Fault, Unanswered
from forwarder.destinations.tls import chain_of

_SHOWN_NAMES = 3
_SHOWN_CHARACTERS = 60


class Stage(Enum):
    """The step of connecting at which an error occurred."""

    LOOKUP = auto()
    CONNECT = auto()
    TUNNEL = auto()
    """The proxy connects to the receiver."""
    TLS = auto()


class NotConnectedError(Exception):
    """No connection could be made; `outcome` says why."""

    def __init__(self, outcome: Unanswered) -> None:
        self.outcome = outcome
        super().__init__(outcome.detail)


class ProxyRefusedError(OSError):
    """The proxy refused to connect to the receiver; `status` is its response, or 0 if it was not HTTP."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__("the proxy refused to connect to the receiver")


_LOCAL_FAULTS = {
    errno.ENETUNREACH: "this machine has no route to its network",
    errno.ENETDOWN: "the network of this machine is down",
    errno.EADDRNOTAVAIL: "this machine has no free address or port to connect from",
    errno.EMFILE: "this process has too many connections and files open (LimitNOFILE= raises the limit)",
    errno.ENFILE: "this machine has too many files open",
    errno.ENOBUFS: "this machine has no memory left for a connection",
    errno.ENOMEM: "this machine has no memory left for a connection",
    errno.EAGAIN: "this machine cannot start another thread or connection",
    errno.EACCES: "this machine does not allow the connection: permission denied",
    errno.EPERM: "this machine does not allow the connection (a firewall, or IPAddressDeny= in the unit)",
}
"""Errors of this machine, which do not count against the receiver."""

LOCAL_LOOKUP_FAULTS = {
    socket.EAI_AGAIN: "the name server does not answer for its host name",
    socket.EAI_FAIL: "the name server refuses to answer",
    socket.EAI_MEMORY: "this machine has no memory left to look up its host name",
    socket.EAI_SYSTEM: "this machine cannot look up its host name",
}
"""Lookup errors of this machine. All other lookup errors mean that the name does not exist."""


def not_connected(error: Exception, stage: Stage, *, timeout_s: float, is_proxied: bool, now: datetime) -> Unanswered:
    """Return the outcome of an attempt that could not connect. `is_proxied`: the host that was looked up and dialled is a proxy."""
    if isinstance(error, ProxyRefusedError):
        return _refused_by_proxy(error.status)
    if isinstance(error, TimeoutError) and error.errno is None:
        found = _too_late(stage, timeout_s)
    elif isinstance(error, ssl.SSLCertVerificationError):
        found = Unanswered(fault=Fault.CERTIFICATE, detail=_why_refused(error, now))
    elif isinstance(error, ssl.SSLError):
        found = _tls(error)
    elif isinstance(error, socket.gaierror):
        local = LOCAL_LOOKUP_FAULTS.get(error.errno or 0)
        detail = local or "its host name does not exist"
        found = Unanswered(fault=Fault.DNS, detail=detail, is_local_fault=local is not None)
    elif isinstance(error, UnicodeError):
        found = Unanswered(fault=Fault.DNS, detail="its host name is not a valid name")
    elif stage is Stage.TLS:
        found = _network(
            error, fault=Fault.TLS, otherwise="the receiver closed the connection during the TLS handshake"
        )
    else:
        found = _network(error, fault=Fault.NETWORK, otherwise="none of its addresses can be reached")
    if is_proxied and stage in {Stage.LOOKUP, Stage.CONNECT}:
        return Unanswered(fault=Fault.PROXY, detail=f"the proxy: {found.detail}", is_local_fault=True)
    if stage is Stage.TUNNEL and found.fault is not Fault.TIMEOUT:
        return Unanswered(fault=Fault.PROXY, detail="the proxy closed the connection", is_local_fault=True)
    return found


def broken(error: Exception | None) -> Unanswered:
    """Return the outcome of an attempt whose connection ended before a response came."""
    if isinstance(error, ssl.SSLError):  # with TLS 1.3 a receiver rejects a client certificate only after the handshake
        return _tls(error)
    return _network(error, fault=Fault.NETWORK, otherwise="the receiver closed the connection without an answer")


def cut_short(status: int, *, timeout_s: float | None) -> Unanswered:
    """Return the outcome of an attempt with an early 2xx whose connection then ended, or whose time was up."""
    early = f"the receiver answered HTTP {status} before it had the whole request"
    if timeout_s is None:
        return Unanswered(fault=Fault.NETWORK, detail=f"{early}, and then closed the connection")
    return Unanswered(fault=Fault.TIMEOUT, detail=f"{early}, and did not read the rest within {timeout_s:g} s")


def refused_by_proxy(*, has_password: bool) -> Unanswered:
    """Return the outcome of a 407 from the proxy."""
    detail = (
        "the proxy rejects the user name and password in its URL"
        if has_password
        else "the proxy requires a user name and a password; write them into its URL"
    )
    return Unanswered(fault=Fault.PROXY, detail=detail, is_local_fault=True)


def _refused_by_proxy(status: int) -> Unanswered:
    if status in {502, 503, 504}:
        return Unanswered(fault=Fault.PROXY, detail=f"the proxy could not reach the receiver (HTTP {status})")
    how = f"HTTP {status}" if status else "its answer is not valid HTTP"
    return Unanswered(fault=Fault.PROXY, detail=f"the proxy refuses the connection: {how}", is_local_fault=True)


def _too_late(stage: Stage, timeout_s: float) -> Unanswered:
    match stage:
        case Stage.LOOKUP:
            return Unanswered(
                fault=Fault.DNS, detail=f"the name server did not answer within {timeout_s:g} s", is_local_fault=True
            )
        case Stage.CONNECT:
            detail = f"no connection within {timeout_s:g} s"
        case Stage.TUNNEL:
            detail = f"the proxy did not reach the receiver within {timeout_s:g} s"
        case Stage.TLS:
            detail = f"the TLS handshake did not finish within {timeout_s:g} s"
    return Unanswered(fault=Fault.TIMEOUT, detail=detail)


def _network(error: Exception | None, *, fault: Fault, otherwise: str) -> Unanswered:
    number = error.errno if isinstance(error, OSError) else None
    if number in _LOCAL_FAULTS:
        return Unanswered(fault=Fault.NETWORK, detail=_LOCAL_FAULTS[number], is_local_fault=True)
    match number:
        case None:
            return Unanswered(fault=fault, detail=otherwise)
        case errno.ECONNREFUSED | errno.ENOENT:  # ENOENT: the file of a unix socket does not exist
            return Unanswered(fault=Fault.REFUSED, detail="connection refused: nothing listens there")
        case errno.ETIMEDOUT:
            return Unanswered(fault=Fault.TIMEOUT, detail="the connection timed out")
        case errno.ENOTCONN:  # a unix socket whose queue is full
            return Unanswered(fault=Fault.REFUSED, detail="connection refused: its queue of connections is full")
        case errno.ECONNRESET | errno.EPIPE | errno.ECONNABORTED if fault is Fault.TLS:
            return Unanswered(fault=fault, detail=otherwise)
        case _:
            return Unanswered(fault=Fault.NETWORK, detail=f"network error: {os.strerror(number).lower()}")


def _tls(error: ssl.SSLError) -> Unanswered:
    return Unanswered(fault=Fault.TLS, detail=_why_failed(error))


def _why_failed(error: ssl.SSLError) -> str:
    """Return why a handshake failed. The part of the reason after ALERT_ comes from the receiver."""
    reason = error.reason or ""
    _, is_alert, alert = reason.partition("ALERT_")
    match alert if is_alert else reason:
        case "WRONG_VERSION_NUMBER" | "HTTP_REQUEST" | "PACKET_LENGTH_TOO_LONG" | "RECORD_LAYER_FAILURE":
            return "it does not speak TLS at this port; should the URL begin with http://?"
        case "PROTOCOL_VERSION" | "UNSUPPORTED_PROTOCOL" | "WRONG_SSL_VERSION" | "NO_PROTOCOLS_AVAILABLE":
            return "it supports no secure TLS version; 1.2 is the minimum"
        case "CERTIFICATE_REQUIRED":
            return "it requires a client certificate; set tls.cert_file"
        case "HANDSHAKE_FAILURE" | "INSUFFICIENT_SECURITY":
            return "it refuses the TLS handshake: no common cipher, or it requires a client certificate (tls.cert_file)"
        case (
            "BAD_CERTIFICATE"
            | "UNKNOWN_CA"
            | "CERTIFICATE_UNKNOWN"
            | "UNSUPPORTED_CERTIFICATE"
            | "CERTIFICATE_REVOKED"
            | "CERTIFICATE_EXPIRED"
            | "ACCESS_DENIED"
        ) as said if is_alert:
            return f"it rejects the client certificate: {_words(said)}"
        case "UNRECOGNIZED_NAME" | "TLSV1_UNRECOGNIZED_NAME":
            return "it has no certificate for this host name; to ask for another name, set tls.server_name"
        case "DH_KEY_TOO_SMALL" | "EE_KEY_TOO_SMALL" | "CA_KEY_TOO_SMALL" | "UNSAFE_LEGACY_RENEGOTIATION_DISABLED":
            return f"its TLS is too weak: {_words(reason)}"
        case "" | "UNEXPECTED_EOF_WHILE_READING":
            return "the receiver closed the connection during the TLS handshake"
        case said:
            return f"the TLS handshake failed: {_words(said)}"


def _words(reason: str) -> str:
    return reason.replace("_", " ").lower()


def _why_refused(error: ssl.SSLCertVerificationError, now: datetime) -> str:
    """Return why a certificate was rejected. The codes are those of X509_verify_cert (openssl/x509_vfy.h)."""
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
                return "its certificate or the certificate of its issuer has expired"
            whose = "its certificate" if times[0] <= now else "the certificate of its issuer"
            return f"{whose} expired {_span(now - min(times))} ago, on {min(times):%Y-%m-%d}"
        case 18:
            return "its certificate is self-signed. To trust it, set tls.ca_file."
        case 19:
            return f"its certificate comes from an untrusted CA{by}. To trust this CA, set tls.ca_file."
        case 2 | 20 | 21:
            return f"unknown CA{by} or incomplete chain. To trust this CA, set tls.ca_file."
        case 62 | 64:
            names = [_text(name) for _, name in own.get("subjectAltName", ())]
            for_ = f": it is for {', '.join(names[:_SHOWN_NAMES])}" if names else ""
            more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
            return f"its certificate is not for this host name{for_}{more}"
        case 23:
            return "its certificate has been revoked"
        case 26:
            return "its certificate is not valid for servers"
        case 66 | 67 | 68:
            return "the key of its certificate is too short, or the signature too weak"
        case _:
            return f"its certificate was rejected: {_text(str(error.verify_message))}"


def _text(said: str) -> str:
    return "".join(mark for mark in said[:_SHOWN_CHARACTERS] if mark.isprintable())


def _time(written: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(written), UTC)


def _span(time: timedelta) -> str:
    if time.days:
        return counted(time.days, "day")
    hours = time.seconds // 3600
    return counted(hours, "hour") if hours else "less than an hour"
