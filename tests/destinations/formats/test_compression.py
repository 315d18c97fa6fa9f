"""Compressed bodies: what a receiver unpacks is the event."""

import gzip
import sys
from typing import Any

import pytest

from forwarder.core.destinations.content import Content, raw
from forwarder.destinations.formats.compression import Compressed, Compression
from tests.destinations.formats.support import delivery, example

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

UNPACK: dict[Compression, Any] = {"gzip": gzip.decompress, "zstd": zstd.decompress}


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_a_big_body_is_compressed_and_always_to_the_same_bytes(compression: Compression) -> None:
    format_ = Compressed(format_=raw, compression=compression, from_bytes=8192)
    body = example("x-large")
    content = format_(delivery(body))
    assert content.headers == {"Content-Encoding": compression}
    assert content.content_type == "application/json"
    assert len(content.body) < len(body) / 10
    assert UNPACK[compression](content.body) == body
    assert format_(delivery(body)) == content


def test_a_small_body_and_one_that_would_grow_stay_as_they_are() -> None:
    small = Compressed(format_=raw, compression="gzip", from_bytes=8192)(delivery(example("x-plain")))
    assert small == Content(body=example("x-plain"))
    tight = Compressed(format_=raw, compression="zstd", from_bytes=0)(delivery(b"{}"))
    assert tight == Content(body=b"{}")


def test_a_gzip_body_holds_no_time() -> None:
    body = Compressed(format_=raw, compression="gzip", from_bytes=0)(delivery(example("x-note"))).body
    assert body[4:8] == b"\0\0\0\0"
