"""Which addresses are refused, in every spelling."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.destinations.networks import Networks, read_networks

OPEN = Networks()
DENYING = Networks(
    deny=(read_networks("private"), read_networks("203.0.113.0/24"), read_networks("198.18.7.7")),
    allow=(read_networks("10.1.2.3"), read_networks("192.168.0.0/16"), read_networks("169.254.0.0/16")),
)

METADATA = [
    "169.254.169.254",
    "169.254.170.2",
    "169.254.42.42",
    "169.254.0.23",
    "fd00:ec2::254",
    "fd00:ec2::23",
    "fd20:ce::254",
    "fd00:c1::a9fe:a9fe",
    "fd00:42::42",
    "fd00:a9fe:a9fe::1",
    "fd00:100::100:200",
    "100.100.100.200",
    "192.0.0.192",
    "168.63.129.16",
    "fe80::1",
    "fe80::a9fe:a9fe%eth0",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:100.100.100.200",
    "::169.254.169.254",  # IPv4-compatible
    "::ffff:0:169.254.169.254",  # IPv4-translated
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::169.254.169.254",
    "64:ff9b::168.63.129.16",
    "64:ff9b:1::a9fe:a9fe",  # the local prefix, of 96 bits
    "64:ff9b:1:a9fe:a9:fe00::",  # of 48
    "64:ff9b:1:ff:a9:fea9:fe00:0",  # of 56: 8 bits of the prefix, then 8 of the address
    "64:ff9b:1:0:a9:fea9:fe00:0",  # of 64
    "2002:a9fe:a9fe::",
    "2002:a9fe:a9fe::1",
    "2001:0:1:1:0:0:5601:5601",  # Teredo: the client's address, inverted
    "2001:0:a9fe:a9fe::",  # Teredo: the server's
    "2606:4700::5efe:a9fe:a9fe",  # ISATAP
    "2606:4700::200:5efe:a9fe:a9fe",
]
PRIVATE = [
    *("127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255"),
    *("100.64.0.1", "100.127.255.254", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.9"),
    *("203.0.113.9", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fc00::1", "fdff:ffff::1", "fec0::1", "ff02::1", "2001:db8::1", "100::1"),
    *(
        "192.88.99.1",
        "192.88.99.2",
        "192.0.0.9",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:2f:ffff::1",
        "2001:30::1",
    ),
    *(
        "5f00::1",
        "5f00:ffff::1",
        "100:0:0:1::1",
        "100:0:0:1:ffff::",
        "3fff::1",
        "2001:1::1",
        "2001:5::1",
        "2001:1ff::1",
    ),
    *("200::1", "301::1", "1000::1", "4000::1", "8000::1", "e000::1", "fbff::1", "fe00::1", "100::ffff:0:0:1"),
    *("::ffff:192.88.99.1", "64:ff9b::192.88.99.1", "2002:c058:6301::1", "2001:0:1:1:0:0:3fa7:9cfe"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:0:7f00:1", "64:ff9b::7f00:1", "64:ff9b::10.9.8.7"),
    *("2002:7f00:1::", "2002:0a00:0001::1", "2001:0:1:1:0:0:80ff:fffe", "2606:4700::5efe:7f00:1", "64:ff9b:1::1"),
]
PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "169.253.255.255", "169.255.0.0", "192.0.1.1", "198.20.0.1"),
    *("2606:4700::1111", "2a00:1450:4001::200e", "64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:8.8.8.8"),
    *(
        "192.88.98.255",
        "192.88.100.0",
        "2001:3::1",
        "2001:4:112::1",
        "2001:200::1",
        "2001:0:808:808::f7f7:f7f7",
        "2000::1",
    ),
    *("192.31.196.1", "192.175.48.1", "2620:4f:8000::1", "3ffe::1", "2001:db7::1", "2001:db9::1"),
]


@pytest.mark.parametrize("address", METADATA)
def test_metadata_addresses_are_refused_whatever_the_config_says(address: str) -> None:
    everything = read_networks("::/0"), read_networks("0.0.0.0/0")
    for networks in (OPEN, DENYING, Networks(allow=everything)):
        reason = networks.why_not(address)
        assert reason is not None
        assert reason.endswith("; forwarder never connects there")


@pytest.mark.parametrize("address", PRIVATE)
def test_private_addresses_are_refused_where_that_is_asked_for(address: str) -> None:
    assert OPEN.why_not(address) is None
    assert "in networks.deny" in (DENYING.why_not(address) or "")


@pytest.mark.parametrize("address", PUBLIC)
def test_the_others_are_not(address: str) -> None:
    assert OPEN.why_not(address) is None
    assert DENYING.why_not(address) is None


@pytest.mark.parametrize(
    "address", ["10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "192.168.7.7", "2002:c0a8:101::"]
)
def test_what_is_allowed_wins_over_what_is_denied(address: str) -> None:
    assert DENYING.why_not(address) is None


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("169.254.169.254", "169.254.169.254 is a cloud metadata address; forwarder never connects there"),
        ("10.1.2.4", "10.1.2.4 is in networks.deny (private)"),
        ("198.18.7.7", "198.18.7.7 is in networks.deny (private)"),
        ("::ffff:10.1.2.4", "10.1.2.4 is in networks.deny (private)"),
        ("64:ff9b::a01:204", "64:ff9b::a01:204, which leads to 10.1.2.4, is in networks.deny (private)"),
        (
            "fe80::1%eth0",
            "fe80::1 is a link-local address, where clouds keep their metadata; forwarder never connects there",
        ),
        ("nonsense", "its address cannot be read, so forwarder does not connect there"),
    ],
)
def test_the_sentence_says_which_and_why(address: str, said: str) -> None:
    assert DENYING.why_not(address) == said


def test_a_network_of_ipv4_written_as_ipv6_is_that_network() -> None:
    networks = Networks(deny=(read_networks("::ffff:8.8.8.0/120"),))
    assert networks.why_not("8.8.8.8") == "8.8.8.8 is in networks.deny (::ffff:8.8.8.0/120)"
    assert networks.why_not("8.8.9.8") is None


@pytest.mark.parametrize(
    "text", ["", "10.0.0.0/33", "10.0.0.1/8", "example.com", "10.*", "PRIVATES", "0x7f.1", "127.1"]
)
def test_nothing_else_is_a_network(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_networks(text)


@given(st.ip_addresses(v=4))
def test_an_address_that_is_refused_is_refused_in_every_wrapping(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    wrapped = [
        ipaddress.IPv6Address((0xFFFF << 32) | number),
        ipaddress.IPv6Address((0xFFFF << 48) | number),
        ipaddress.IPv6Address((0x64FF9B << 96) | number),
        ipaddress.IPv6Address((0x2002 << 112) | number << 80),
        ipaddress.IPv6Address((0x20010000 << 96) | (0x08080808 << 64) | (number ^ 0xFFFFFFFF)),
        ipaddress.IPv6Address((0x26064700 << 96) | (0x5EFE << 32) | number),
    ]
    is_refused = DENYING.why_not(str(address)) is not None
    assert [DENYING.why_not(str(each)) is not None for each in wrapped] == [is_refused] * len(wrapped)


@given(st.one_of(st.text(), st.ip_addresses().map(str)))
def test_every_text_has_a_judgement(text: str) -> None:
    reason = DENYING.why_not(text)
    assert reason is None or reason.isprintable()
    if OPEN.why_not(text) is not None:
        assert reason is not None
