"""Values of fields of names: which are reported, and that those which exist are not. The sentences are in tests/data/warnings."""

import pytest

from forwarder.core.config.hints.names import hints_of_name
from forwarder.core.matching.fields import NAMED_FIELDS, field_of
from forwarder.core.yaml.tree import Expanded, Scalar


def said(field: str, value: str) -> list[str]:
    found = field_of(field)
    assert found is not None
    return list(hints_of_name(found, Scalar(value, quoted=True)))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("author", "nova"),
        ("author", "@nova_desk"),
        ("author", "nova.desk"),
        ("author", "12345"),
        ("author", "-"),
        ("author", ""),
        ("reply_to", "44196397"),
        ("mentions", "44196397"),
        ("mentions", "everyone"),
        ("channel", "-1001234567890"),
        ("channel", "1234567890"),
        ("channel", "@"),
        ("symbols", "$BTC"),
        ("hashtags", "#Доброе_утро"),
        ("hashtags", "gm, gn"),
        ("hashtags", "gm|gn"),
        ("lang", "en"),
        ("lang", "EN"),
        ("lang", "und"),
        ("lang", "zxx"),
        ("sid", "44196397"),
        ("sid", "generic-x39r"),
        ("mid", "1890000000000000001"),
        ("mid", "urn:post:5"),
        ("text", "https://x.com/nova"),
        ("payload.user", "x.com/nova"),
        ("source", "x.com/nova"),
    ],
)
def test_a_value_that_a_field_may_have_is_not_reported(field: str, value: str) -> None:
    assert said(field, value) == []


@pytest.mark.parametrize(
    ("field", "value", "meant"),
    [
        ("author", "x.com/nova", "write 'nova'"),
        ("author", "http://www.twitter.com/nova/", "write 'nova'"),
        ("author", "mobile.twitter.com/nova", "write 'nova'"),
        ("author", "!nova", "not: {author: 'nova'}"),
        ("author", "Nova Smith", "author_name"),
        ("author", "@nova @orca", "[nova, orca]"),
        ("author", "123456", "author_id: '123456'"),
        ("channel", "@whales", "author: 'whales'"),
        ("symbols", "BTC ETH", "[BTC, ETH]"),
        ("hashtags", "#gm!", "letters and digits"),
        ("lang", "Japanese", "write ja"),
        ("lang", "zh-CN", "write zh"),
        ("sid", "@nova", "author"),
        ("mid", "x.com/nova/status/5/photo/1", "write '5'"),
    ],
)
def test_what_was_meant_is_named(field: str, value: str, meant: str) -> None:
    (only,) = said(field, value)
    assert meant in only


def test_a_value_of_a_variable_is_not_shown() -> None:
    secret = Expanded("x.com/magpie", quoted=True, written="${CANARY}")
    (only,) = hints_of_name(NAMED_FIELDS["author"], secret)
    assert "magpie" not in only
    assert "the part after the last /" in only
