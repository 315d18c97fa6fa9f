"""Reads where the daemon answers over HTTP, and who may ask: the address, the names and the token."""

import ipaddress
import re

from forwarder.core.config.values.scalars import WrongValueError, show, text_of
from forwarder.core.config.values.secret import Secret
from forwarder.core.url import UrlError, read_host

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]/@\s]+))(?::(?P<port>[0-9]{1,5}))?")
_EXAMPLE = "127.0.0.1:8787"
SHORTEST_TOKEN = 16
"""A shorter token could be guessed."""


def parse_listen(value: object) -> str:
    """Return `ADDRESS:PORT`; a name can only be `localhost`."""
    text = text_of(value, f"an address and a port such as {_EXAMPLE}")
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise WrongValueError(f"expected an address and a port such as {_EXAMPLE} or [::1]:8787, got {show(value)}")
    if not 1 <= int(found["port"]) <= 65_535:
        raise WrongValueError(f"a port is a number from 1 to 65535, got {found['port']}")
    host = found["six"] or found["name"]
    if host != "localhost" and _address(host) is None:
        raise WrongValueError(
            f"{host} is not an address of this machine; write one such as 127.0.0.1, [::1] or 192.0.2.7"
        )
    return str(text)


def parse_token(value: object) -> Secret:
    """Return the token that a person must know."""
    text = text_of(value, "the token, for example ${FORWARDER_TOKEN}")
    if not text.isascii() or not text.isprintable() or " " in text:
        raise WrongValueError(
            "the token contains a space or a character that is not allowed in a header (it is not shown)"
        )
    if len(text) < SHORTEST_TOKEN:
        raise WrongValueError(
            f"the token is shorter than {SHORTEST_TOKEN} characters (it is not shown); make one: openssl rand -hex 32"
        )
    return Secret(text)


def parse_host_name(value: object) -> str:
    """Return a host name or an address, in lower case, with its port if it has one."""
    text = text_of(value, "a host name such as forwarder.example.com")
    found = _HOST.fullmatch(text)
    try:
        if found is None or not 1 <= int(found["port"] or 1) <= 65_535:
            raise UrlError("")
        host = f"[{ipaddress.IPv6Address(found['six'])}]" if found["six"] else read_host(found["name"])
    except ValueError:
        raise WrongValueError(
            f"expected a host name such as forwarder.example.com or forwarder.example.com:8443, got {show(value)}"
        ) from None
    return host + (f":{found['port']}" if found["port"] else "")


def address_of(listen: str) -> tuple[str, int]:
    """Return the host and the port of what `parse_listen` has accepted."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def is_loopback(listen: str) -> bool:
    """Return whether only this machine reaches what `parse_listen` has accepted."""
    host, _ = address_of(listen)
    found = _address(host)
    return host == "localhost" or (found is not None and found.is_loopback)


def is_any_address(listen: str) -> bool:
    """Return whether it stands for every address of this machine."""
    found = _address(address_of(listen)[0])
    return found is not None and found.is_unspecified


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
