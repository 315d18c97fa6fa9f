"""Turns the errors of a connection into outcomes: what went wrong, whether it is a local fault, and what would help.

No text contains a URL or a header, because they may be secret. Names from a receiver's certificate are cut and made printable.
"""

import errno
import os
import socket
import ssl
from datetime import datetime
from enum import Enum, auto

from forwarder.core.delivery import Fault, Unanswered
from forwarder.tls.reasons import why_failed, why_refused


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
        found = Unanswered(fault=Fault.CERTIFICATE, detail=why_refused(error, now))
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
    return Unanswered(fault=Fault.TLS, detail=why_failed(error))
