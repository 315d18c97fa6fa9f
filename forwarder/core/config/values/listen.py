"""Reads the address that the daemon listens on for health checks and metrics."""

import ipaddress
import re

from forwarder.core.config.values.scalars import WrongValueError, show, text_of

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+)):(?P<port>[0-9]{1,5})")
_EXAMPLE = "127.0.0.1:8787"


def parse_listen(value: object) -> str:
    """Return `ADDRESS:PORT` of this machine's loopback interface; a name can only be `localhost`."""
    text = text_of(value, f"an address and a port such as {_EXAMPLE}")
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise WrongValueError(f"expected an address and a port such as {_EXAMPLE} or [::1]:8787, got {show(value)}")
    if not 1 <= int(found["port"]) <= 65_535:
        raise WrongValueError(f"a port is a number from 1 to 65535, got {found['port']}")
    host = found["six"] or found["name"]
    if not _is_loopback(host):
        raise WrongValueError(
            f"{host} is not an address of the loopback interface; write 127.0.0.1, [::1] or localhost, and use a reverse proxy "
            "with TLS and a password if other machines must reach it"
        )
    return str(text)


def address_of(listen: str) -> tuple[str, int]:
    """Return the host and the port of what `parse_listen` has accepted."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
