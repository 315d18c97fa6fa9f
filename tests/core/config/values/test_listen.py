"""The address of `admin.listen`: only this machine may reach it."""

import pytest

from forwarder.core.config.values.listen import (
    address_of,
    is_any_address,
    is_loopback,
    parse_host_name,
    parse_listen,
    parse_token,
)
from forwarder.core.config.values.scalars import WrongValueError


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8787", ("127.0.0.1", 8787)),
        ("127.0.0.53:1", ("127.0.0.53", 1)),
        ("localhost:65535", ("localhost", 65535)),
        ("[::1]:8787", ("::1", 8787)),
    ],
)
def test_addresses_of_this_machine(text: str, address: tuple[str, int]) -> None:
    assert parse_listen(text) == text
    assert address_of(text) == address


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (8787, "expected an address and a port such as 127.0.0.1:8787"),
        ("8787", 'expected an address and a port such as 127.0.0.1:8787 or [::1]:8787, got "8787"'),
        ("::1:8787", 'expected an address and a port such as 127.0.0.1:8787 or [::1]:8787, got "::1:8787"'),
        ("127.0.0.1:0", "a port is a number from 1 to 65535, got 0"),
        ("127.0.0.1:65536", "a port is a number from 1 to 65535, got 65536"),
        ("example.com:8787", "example.com is not an address of this machine"),
    ],
)
def test_everything_else_is_refused_with_what_to_write(value: object, said: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        parse_listen(value)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "loopback", "everywhere"),
    [
        ("127.0.0.53:80", True, False),
        ("localhost:80", True, False),
        ("[::1]:80", True, False),
        ("192.0.2.7:80", False, False),
        ("0.0.0.0:80", False, True),
        ("[::]:80", False, True),
    ],
)
def test_who_reaches_an_address(text: str, loopback: bool, everywhere: bool) -> None:
    assert parse_listen(text) == text
    assert (is_loopback(text), is_any_address(text)) == (loopback, everywhere)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Forwarder.Example.com", "forwarder.example.com"),
        ("forwarder.example.com:8443", "forwarder.example.com:8443"),
        ("192.0.2.7", "192.0.2.7"),
        ("[2001:DB8::1]:443", "[2001:db8::1]:443"),
    ],
)
def test_names_by_which_others_reach_it(text: str, name: str) -> None:
    assert parse_host_name(text) == name


def test_a_token_is_long_and_fits_in_a_header() -> None:
    assert parse_token("0123456789abcdef").reveal() == "0123456789abcdef"
    for wrong in ("", "short", "0123456789abcdef ghi", "0123456789abcdefé", "0123456789\tabcdef"):
        with pytest.raises(WrongValueError) as caught:
            parse_token(wrong)
        assert "it is not shown" in str(caught.value)
