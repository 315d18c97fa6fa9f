"""How a destination is reached: equal where connections can be kept, and silent about keys."""

import pytest

from forwarder.core.destinations.transport import STRAIGHT, Proxy, Tls, Transport


def test_a_renewed_certificate_is_another_transport() -> None:
    assert Transport(tls=Tls(cert="a")) == Transport(tls=Tls(cert="a"))
    assert Transport(tls=Tls(cert="a")) != Transport(tls=Tls(cert="b"))


def test_a_direct_connection_checks_the_certificate_and_denies_no_network() -> None:
    assert Transport() == STRAIGHT
    assert STRAIGHT.tls.is_verified
    assert (STRAIGHT.proxy, STRAIGHT.socket) == (None, None)
    assert STRAIGHT.networks.why_not("127.0.0.1") is None


@pytest.mark.parametrize(
    "value",
    [
        Tls(ca="magpie", cert="magpie", key="magpie"),
        Proxy(host="h", port=1, authorization="Basic magpie"),
        Transport(tls=Tls(key="magpie"), proxy=Proxy(host="h", port=1, authorization="magpie")),
    ],
)
def test_neither_keys_nor_passwords_are_shown(value: object) -> None:
    assert "magpie" not in repr(value)
