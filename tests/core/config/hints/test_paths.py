"""Paths that read nothing: which are reported, and which are not."""

import pytest

from forwarder.core.config.hints.paths import hints_of_path
from forwarder.core.matching.fields import field_of


def said(name: str) -> list[str]:
    field = field_of(name)
    assert field is not None
    return list(hints_of_path(field))


@pytest.mark.parametrize(
    "name",
    [
        "text",
        "payload.urls.host",
        "payload.media.type",
        "payload.contains",
        'payload."a.0.b"',
        "payload.v2.name",
        "payload.list.length",
        "payload.payload",
    ],
)
def test_a_path_that_may_be_there_is_not_reported(name: str) -> None:
    assert said(name) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("payload.urls[0].host", "write payload.urls.host"),
        ("payload.urls[*]", "write payload.urls"),
        ("payload.urls.0", "write payload.urls"),
        ("payload.a.*.b", "write payload.a.b"),
        ("payload.payload.text", "write payload.text"),
        ("payload.a.contains", "payload.a: {contains: …}"),
    ],
)
def test_what_was_meant_is_named(name: str, meant: str) -> None:
    (only,) = said(name)
    assert only.endswith(meant)
