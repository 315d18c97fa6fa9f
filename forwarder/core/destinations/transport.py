"""How the requests of a destination are transported: TLS, proxy, unix socket, and denied networks."""

from dataclasses import dataclass, field
from datetime import timedelta

import msgspec

from forwarder.core.destinations.networks import Networks

MAX_CONNECTION_AGE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The TLS settings of a destination. They hold the PEM texts of the files, so a renewed certificate is a different value."""

    ca: str | None = field(default=None, repr=False)
    """The CA certificates to trust. `None` means those of the system."""
    cert: str | None = field(default=None, repr=False)
    """The client certificate with its chain, for receivers that require one."""
    key: str | None = field(default=None, repr=False)
    """The private key of the client certificate. `None` means that it is in `cert`."""
    is_verified: bool = True
    server_name: str | None = None
    """The name that the receiver's certificate must have. `None` means the host of the URL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """An HTTP proxy on the way to the receiver."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)
    """The value of `Proxy-Authorization`."""
    is_literal: bool = field(default=False, compare=False, repr=False)
    """Whether the config file itself contains the whole URL: it is not from a variable."""


class Transport(msgspec.Struct, frozen=True, kw_only=True):
    """How to reach a destination. Equal values mean that open connections can be kept after a reload."""

    tls: Tls = Tls()
    proxy: Proxy | None = None
    socket: str | None = None
    """The path of a unix socket that is used instead of the URL's host and port."""
    networks: Networks = msgspec.field(default_factory=Networks)
    max_connection_age: timedelta = MAX_CONNECTION_AGE
    """A connection that is older is not used again, so that a change of the receiver's addresses is followed."""


STRAIGHT = Transport()
"""A direct connection to the host of the URL, with no denied networks."""
