"""The address of `admin.listen`: only this machine may reach it."""

import pytest

from forwarder.core.config.values.listen import address_of, parse_listen
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
        ("0.0.0.0:8787", "0.0.0.0 is not an address of the loopback interface; write 127.0.0.1, [::1] or localhost"),
        ("[::]:8787", ":: is not an address of the loopback interface"),
        ("10.0.0.1:8787", "10.0.0.1 is not an address of the loopback interface"),
        ("example.com:8787", "example.com is not an address of the loopback interface"),
    ],
)
def test_everything_else_is_refused_with_what_to_write(value: object, said: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        parse_listen(value)
    assert said in str(caught.value)
