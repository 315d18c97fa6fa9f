"""Decides which addresses may be connected to. The dialer asks for each address that it dials.

An address may contain another one: ::ffff:10.0.0.1 is 10.0.0.1 itself, and gateways translate 6to4, Teredo, NAT64 and ISATAP
addresses to the IPv4 address inside. Rules for the inner address apply to the outer one, too.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import msgspec

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

PRIVATE = "private"
"""The name of all networks that are not part of the public internet."""

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
        ("fd00:a9fe:a9fe::1", _METADATA),  # Akamai (Linode)
        ("fd00:100::100:200", _METADATA),  # Alibaba
        ("100.100.100.200", _METADATA),  # Alibaba
        ("192.0.0.192", _METADATA),  # Oracle, earlier
        ("168.63.129.16", _METADATA),  # Azure
    )
)


def _without(network: IPv6Network, *parts: IPv6Network) -> list[IPv6Network]:
    """Return the networks that are left of one without these parts of it."""
    left = [network]
    for part in parts:
        left = [rest for each in left for rest in (each.address_exclude(part) if part.subnet_of(each) else (each,))]
    return left


_PRIVATE: tuple[Network, ...] = (
    *map(
        IPv4Network,
        (
            "0.0.0.0/8",
            "10.0.0.0/8",
            "100.64.0.0/10",  # shared by carriers; Tailscale
            "127.0.0.0/8",
            "169.254.0.0/16",
            "172.16.0.0/12",
            "192.0.0.0/24",
            "192.0.2.0/24",
            "192.88.99.0/24",  # the nearest relay of 6to4, deprecated
            "192.168.0.0/16",
            "198.18.0.0/15",
            "198.51.100.0/24",
            "203.0.113.0/24",
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",
        ),
    ),
    *map(
        IPv6Network,
        (
            "::/127",  # :: and ::1
            "64:ff9b:1::/48",
            *("100::/8", "200::/7", "400::/6", "800::/5", "1000::/4"),  # below 2000::/3: 100::/64, 100:0:0:1::/64
            "2001:db8::/32",
            "3fff::/20",
            *("4000::/2", "8000::/1"),  # above 2000::/3: 5f00::/16, fc00::/7, fe80::/10, fec0::/10, ff00::/8
        ),
    ),
    *_without(
        IPv6Network(
            "2001::/23"
        ),  # for protocols: benchmarks, identifiers that look like addresses, what is not assigned
        IPv6Network("2001::/32"),  # Teredo: the address inside counts
        IPv6Network("2001:3::/32"),
        IPv6Network("2001:4:112::/48"),
    ),
)
"""The networks of IANA's special-purpose registries (iana-ipv4-special-registry, iana-ipv6-special-registry) that are not globally
reachable, or are only the nearest server of a protocol, and every IPv6 address outside of 2000::/3, the only part in public use.
"""

_COMPATIBLE = IPv6Network("::/96")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_LOCAL_NAT64 = IPv6Network("64:ff9b:1::/48")
_MAPPED = IPv6Network("::ffff:0:0/96")
_ISATAP = frozenset({0x00005EFE, 0x02005EFE})
_LOW_32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Named:
    """One or more networks under the name that the config has for them."""

    name: str
    networks: tuple[Network, ...] = field(repr=False)

    def __contains__(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def is_address(host: str) -> bool:
    """Return whether a host is a numeric address, and not a name to look up."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def read_networks(text: str) -> Named:
    """Return the networks for `private`, an address, or a network such as `10.0.0.0/8`. Raises `ValueError` for any other text."""
    if text.casefold() == PRIVATE:
        return Named(PRIVATE, _PRIVATE)
    network = ip_network(text)
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):  # treated as the IPv4 network inside
        low = IPv4Address(int(network.network_address) & _LOW_32)
        network = IPv4Network(f"{low}/{network.prefixlen - 96}")
    return Named(text, (network,))


class Networks(msgspec.Struct, frozen=True, kw_only=True):
    """The networks that the config denies, and the exceptions that it allows. Cloud metadata addresses are always denied."""

    deny: tuple[Named, ...] = ()
    allow: tuple[Named, ...] = ()

    def why_not(self, text: str) -> str | None:
        """Return why this address is denied, as a sentence, or `None` if it is allowed.

        `text` is a numeric address, with or without a zone (`fe80::1%eth0`). A text that is not an address is denied.
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
    """Return an IPv4-mapped address as the IPv4 address that a socket uses, and any other address unchanged."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return address if mapped is None else mapped


def _carried(address: Address) -> Iterator[IPv4Address]:
    """Yield the IPv4 addresses that gateways may translate this one to."""
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
