"""Compresses bodies, for receivers that accept that."""

import sys
import zlib
from typing import Literal

import msgspec
from msgspec.structs import replace

from forwarder.core.delivery import Delivery
from forwarder.core.destinations.content import Content, Format, RenderElsewhereError

Compression = Literal["gzip", "zstd"]
_GZIP_WINDOW = 31
"""Makes zlib write a gzip header. The header contains no time, so equal bodies stay equal."""


class Compressed(msgspec.Struct, frozen=True, kw_only=True):
    """Wraps another format and compresses its body from `from_bytes` bytes on."""

    format_: Format
    compression: Compression
    from_bytes: int

    def __call__(self, delivery: Delivery) -> Content:
        """Return the request's content. A body that would not become smaller is not compressed."""
        try:
            content = self.format_(delivery)
        except RenderElsewhereError as error:
            raise error.then(self._compressed) from None
        return self._compressed(content)

    def _compressed(self, content: Content) -> Content:
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
        from compression import zstd
    else:
        from backports import zstd
    return zstd.compress(body, level=3)
