"""Certificates and keys as texts."""

import pytest

from forwarder.core.config.values.pem import parse_pem
from forwarder.core.config.values.scalars import WrongValueError


def test_a_pem_text_has_a_beginning() -> None:
    assert parse_pem("-----BEGIN CERTIFICATE-----").reveal() == "-----BEGIN CERTIFICATE-----"
    with pytest.raises(WrongValueError, match="it is not shown"):
        parse_pem("magpie")
