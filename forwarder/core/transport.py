"""How the requests of a destination get there: which way, with which certificates, and where they may not go."""

from dataclasses import dataclass, field

from forwarder.core.networks import Networks


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """What a TLS connection is made with. The texts are PEM: what the files held, so that a renewed certificate is another value."""

    ca: str | None = field(default=None, repr=False)
    """The authorities that the receiver's certificate may come from; `None`: those of the system."""
    cert: str | None = field(default=None, repr=False)
    """Our own certificate with its chain, for receivers that ask for one."""
    key: str | None = field(default=None, repr=False)
    """Its private key; `None`: it stands in `cert`."""
    is_verified: bool = True
    server_name: str | None = None
    """The name that the receiver's certificate must be for; `None`: the host of the URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy between us and the receiver."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    """The value of `Proxy-Authorization`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transport:
    """The way to a destination; equal values mean that open connections may be kept."""

    tls: Tls = Tls()
    proxy: Proxy | None = None
    socket: str | None = None
    """The path of a unix socket, in place of the URL's host and port."""
    networks: Networks = field(default_factory=Networks)


STRAIGHT = Transport()
"""Straight to the host of the URL, with nothing denied."""
