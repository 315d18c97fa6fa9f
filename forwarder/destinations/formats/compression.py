"""Compressed bodies, for receivers that take them."""

import sys
import zlib
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from forwarder.core.content import Content, Format
from forwarder.core.delivery import Delivery

Compression = Literal["gzip", "zstd"]
_GZIP_WINDOW = 31
"""zlib's way to ask for a gzip header; it holds no time, so equal bodies stay equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compressed:
    """Makes the content as another format does, and compresses a body of `from_bytes` or more."""

    format_: Format
    compression: Compression
    from_bytes: int

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content; one that would not become smaller stays as it is."""
        content = self.format_(delivery)
        if len(content.body) < self.from_bytes:
            return content
        body = _compress(content.body, self.compression)
        if len(body) >= len(content.body):
            return content
        return replace(content, body=body, headers={**content.headers, "Content-Encoding": self.compression})


def _compress(body: bytes, compression: Compression) -> bytes:
    if compression == "gzip":
        return zlib.compress(body, level=6, wbits=_GZIP_WINDOW)
    return _zstd(body)


def _zstd(body: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd  # noqa: PLC0415
    else:
        from backports import zstd  # noqa: PLC0415
    return zstd.compress(body, level=3)
