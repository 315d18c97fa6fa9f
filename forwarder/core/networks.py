"""Which addresses may be connected to. Pure judgement; whoever makes a socket asks for each address it dials.

An address may carry another one inside: ::ffff:10.0.0.1 is 10.0.0.1 itself, and gateways turn 6to4, Teredo, NAT64 and ISATAP
addresses into the IPv4 address within. What holds for the inner one holds for the outer one as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PRIVATE = "private"
"""The name of all networks that do not lead out into the internet."""

_METADATA = "a cloud metadata address"
_LINK_LOCAL = "a link-local address, where clouds keep their metadata"
_NEVER: tuple[tuple[Network, str], ...] = tuple(
    (ip_network(network), what)
    for network, what in (
        ("169.254.169.254", _METADATA),  # AWS, Azure, Google, DigitalOcean, Hetzner, OpenStack, Oracle
        ("169.254.170.2", _METADATA),  # AWS: the credentials of a container
        ("169.254.170.23", _METADATA),
        ("169.254.0.0/16", _LINK_LOCAL),
        ("fe80::/10", _LINK_LOCAL),
        ("fd00:ec2::254", _METADATA),  # AWS
        ("fd00:ec2::23", _METADATA),
        ("fd20:ce::254", _METADATA),  # Google
        ("fd00:c1::a9fe:a9fe", _METADATA),  # Oracle
        ("fd00:42::42", _METADATA),  # Scaleway
        ("100.100.100.200", _METADATA),  # Alibaba
        ("192.0.0.192", _METADATA),  # Oracle, before
        ("168.63.129.16", _METADATA),  # Azure
    )
)
_PRIVATE: tuple[Network, ...] = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers; Tailscale
        "127.0.0.0/8",
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",
        "::/127",  # :: and ::1
        "64:ff9b:1::/48",
        "100::/64",
        "2001:db8::/32",
        "3fff::/20",
        "fc00::/7",
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)

_COMPATIBLE = IPv6Network("::/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_MAPPED = IPv6Network("::ffff:0:0/96")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
_LOW_32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Named:
    """A network of the config, or several under one name; `name` is as the user wrote it."""

    name: str
    networks: tuple[Network, ...] = field(repr=False)

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def is_address(host: str) -> bool:
    """Return whether a host is written as an address, and not as a name that would have to be looked up."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def read_networks(text: str) -> Named:
    """Return what `private`, an address or a network such as `10.0.0.0/8` names. Raises `ValueError` for any other text."""
    if text == PRIVATE:
        return Named(PRIVATE, _PRIVATE)
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):  # judged as the IPv4 network that it is
        low = IPv4Address(int(network.network_address) & _LOW_32)
        network = IPv4Network(f"{low}/{network.prefixlen - 96}")
    return Named(text, (network,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Networks:
    """What the config denies, and what it allows all the same. Metadata addresses are denied always."""

    deny: tuple[Named, ...] = ()
    allow: tuple[Named, ...] = ()

    def why_not(self, text: str) -> str | None:
        """Return why nobody may connect to this address, as a sentence, or `None` where it is allowed.

        `text` is a numeric address, with or without a zone (`fe80::1%eth0`). What cannot be read is refused.
        """
        try:
            outer = _plain(ip_address(text.partition("%")[0]))
        except ValueError:
            return "its address cannot be read, so forwarder does not connect there"
        forms = {outer: str(outer)} | {inner: f"{outer}, which leads to {inner}," for inner in _carried(outer)}
        for address, shown in forms.items():
            for network, what in _NEVER:
                if address in network:
                    return f"{shown} is {what}; forwarder never connects there"
        if any(outer in named for named in self.allow):
            return None
        for address, shown in forms.items():
            for named in self.deny:
                if address in named and not any(address in other for other in self.allow):
                    how = f" ({named.name})" if named.name == PRIVATE or "/" in named.name else ""
                    return f"{shown} is in networks.deny{how}"
        return None


def _plain(address: Address) -> Address:
    """Return an IPv4-mapped address as the IPv4 one that a socket takes it for, any other one without its zone."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _carried(address: Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that gateways may send this one on to."""
    if isinstance(address, IPv4Address):
        return
    number = int(address)
    low = IPv4Address(number & _LOW_32)
    if (address in _COMPATIBLE and number > 1) or address in _TRANSLATED or address in _NAT64:
        yield low
    if (
        address in _LOCAL_NAT64
    ):  # RFC 8215; RFC 6052, 2.2: a prefix of 48, 56, 64 or 96 bits, and bits 64 to 71 are none of the address
        yield low
        for prefix in (48, 56, 64):
            without_gap = (number >> 64 << 56) | (number & (1 << 56) - 1)
            yield IPv4Address(without_gap >> (120 - prefix - 32) & _LOW_32)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
    if (number >> 32) & _LOW_32 in _ISATAP:
        yield low
