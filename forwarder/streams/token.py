"""The token that opens a private event stream: requested with the API key, kept until it expires, replaced when it is refused."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import msgspec
from yarl import URL

from forwarder.clocks.boot_time import boot_time
from forwarder.core.destinations.request import USER_AGENT
from forwarder.streams import faults
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.transport import STRAIGHT, StreamTransport

_MAX_BODY_BYTES = 64 * 1024
_MAX_TOKEN_LENGTH = 4096
_LONGEST_S = 10 * 366 * 86400.0
_MARGIN_S = 1.0
"""How long after its end a token is replaced: until then the server would return the same one."""


class _Answer(msgspec.Struct):
    token: str
    expiresIn: int | float  # noqa: N815 - the server's word

    def __repr__(self) -> str:
        return "_Answer(…)"


_decode = msgspec.json.Decoder(_Answer).decode


@dataclass(frozen=True, slots=True)
class Token:
    """Is a token with the time at which it expires."""

    value: str = field(repr=False)
    ends_at: float
    """When it expires, by `boot_time`."""

    @property
    def rest(self) -> timedelta:
        """For how much longer it is valid."""
        return timedelta(seconds=max(self.ends_at - boot_time(), 0.0))


class TokenSource:
    """Requests and keeps the token of one stream.

    The request is `POST …/stream/token` with the key. While a token of that key is valid, the server returns the same one.
    """

    def __init__(self) -> None:
        self._token: Token | None = None

    async def get(
        self,
        session: aiohttp.ClientSession,
        stream_url: URL,
        api_key: str,
        *,
        within: timedelta,
        transport: StreamTransport = STRAIGHT,
    ) -> Token:
        """Return a token that has not expired. Raises `StreamFaultError`."""
        if self._token is None or boot_time() >= self._token.ends_at:
            self._token = await _request(session, stream_url, api_key, within, transport)
        return self._token

    def forget(self) -> None:
        """Request another token next time: the stream refused this one."""
        self._token = None


def address_of(stream_url: URL) -> URL:
    """Return the URL that issues the tokens of a stream."""
    return stream_url.with_query(None).with_fragment(None) / "token"


async def _request(
    session: aiohttp.ClientSession, stream_url: URL, api_key: str, within: timedelta, transport: StreamTransport
) -> Token:
    url = address_of(stream_url)
    headers = {"x-api-key": api_key, "User-Agent": USER_AGENT, "Accept": "application/json"}
    try:
        async with (
            asyncio.timeout(within.total_seconds()),
            session.post(url, headers=headers, allow_redirects=False, **transport.request_options()) as response,
        ):
            body = await read_some(response)
            if response.status not in {200, 201}:
                raise faults.from_status(response.status, response.headers, body, wanted="gives no stream token")
            return _token_of(body, url.raw_host)
    except aiohttp.ConnectionTimeoutError as error:
        raise faults.from_hang(url.raw_host, within.total_seconds(), is_reached=False) from error
    except TimeoutError as error:
        raise faults.from_hang(url.raw_host, within.total_seconds(), is_reached=True) from error
    except (aiohttp.ClientError, OSError) as error:
        raise faults.from_connect(error, url.raw_host, url.port) from error


async def read_some(response: aiohttp.ClientResponse) -> bytes:
    """Return the body, up to the limit of what the API sends."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            response.close()
            break
    return bytes(body[:_MAX_BODY_BYTES])


def _token_of(body: bytes, host: str | None) -> Token:
    """Return the token in a response. Its text is a secret, so no error shows any of it."""
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer(token="", expiresIn=0)
    is_usable = answer.token.isascii() and answer.token.isprintable() and 0 < len(answer.token) <= _MAX_TOKEN_LENGTH
    if not is_usable or not 0 < answer.expiresIn <= _LONGEST_S:
        raise StreamFaultError(
            FaultKind.NO_UPGRADE,
            f"the response of {host} to the request for a stream token has no token: check url, which is "
            "https://scrape.st/stream by default",
            timedelta(seconds=30),
        )
    return Token(answer.token, boot_time() + answer.expiresIn + _MARGIN_S)
