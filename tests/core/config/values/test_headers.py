"""Keys, secrets, and the names and values of headers."""

from collections.abc import Callable

import pytest

from forwarder.core.config.values.headers import (
    parse_api_key,
    parse_header_name,
    parse_header_value,
    parse_plain_secret,
)
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.config.values.secret import Secret
from forwarder.core.yaml.tree import Scalar


@pytest.mark.parametrize("text", ["", "a b", "a\nb", "a\x00", "ключ", "a\x85b", "a\xa0b"])
def test_a_key_fits_into_a_header(text: str) -> None:
    with pytest.raises(WrongValueError) as caught:
        parse_api_key(Scalar(text, quoted=True))
    assert "a b" not in str(caught.value)


@pytest.mark.parametrize(
    "name", ["", "a b", "a:", "é", "Connection", "transfer-encoding", "WEBHOOK-ID", "webhook-timestamp"]
)
def test_a_header_is_not_everything(name: str) -> None:
    with pytest.raises(WrongValueError):
        parse_header_name(name)


def test_a_header_may_be_host() -> None:
    assert parse_header_name("Host") == "Host"


@pytest.mark.parametrize("mark", ["\r", "\n", "\x00", "\t", "\x7f", "\x9b", "\udcff"])
def test_a_header_stays_on_its_line(mark: str) -> None:
    with pytest.raises(WrongValueError):
        parse_header_value(Scalar(f"a{mark}b", quoted=True))


@pytest.mark.parametrize("parse", [parse_plain_secret, parse_header_value, parse_api_key])
def test_a_byte_order_mark_in_a_secret_is_refused_without_showing_it(parse: Callable[[object], Secret]) -> None:
    with pytest.raises(WrongValueError) as caught:
        parse(Scalar("\ufeffmagpie"))
    assert "magpie" not in str(caught.value)
    assert "not shown" in str(caught.value)
