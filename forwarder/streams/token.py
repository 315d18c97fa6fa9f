"""The token that opens a private event stream: minted with the API key, kept until it ends, minted again when it is refused."""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import msgspec
from yarl import URL

from forwarder.core.webhook import USER_AGENT
from forwarder.streams import faults
from forwarder.streams.connection import boot_time
from forwarder.streams.faults import FaultKind, StreamFaultError

_MAX_BODY_BYTES = 64 * 1024
_MAX_TOKEN_LENGTH = 4096
_LONGEST_S = 10 * 366 * 86400.0
_MARGIN_S = 1.0
"""An hour's token is asked for again so long after the hour: until its end the server would give the same one."""


class _Answer(msgspec.Struct):
    token: str
    expiresIn: int | float  # noqa: N815 - the server's word

    def __repr__(self) -> str:
        return "_Answer(…)"


_decode = msgspec.json.Decoder(_Answer).decode


@dataclass(frozen=True, slots=True)
class Token:
    """As the server gave it."""

    value: str = field(repr=False)
    ends_at: float
    """By `boot_time`."""

    @property
    def rest(self) -> timedelta:
        """For how much longer it is good."""
        return timedelta(seconds=max(self.ends_at - boot_time(), 0.0))


class TokenSource:
    """Of one stream. `POST …/stream/token` with the key; while a token of the key lives, the server returns that one."""

    def __init__(self) -> None:
        self._token: Token | None = None

    async def get(self, session: aiohttp.ClientSession, stream_url: URL, api_key: str, *, within: timedelta) -> Token:
        """Return a token that has not ended. Raises `StreamFaultError`."""
        if self._token is None or boot_time() >= self._token.ends_at:
            self._token = await _mint(session, stream_url, api_key, within)
        return self._token

    def forget(self) -> None:
        """Have the next one minted: the stream refused this one."""
        self._token = None


def address_of(stream_url: URL) -> URL:
    """Return where the tokens of a stream are asked for."""
    return stream_url.with_query(None).with_fragment(None) / "token"


async def _mint(session: aiohttp.ClientSession, stream_url: URL, api_key: str, within: timedelta) -> Token:
    url = address_of(stream_url)
    headers = {"x-api-key": api_key, "User-Agent": USER_AGENT, "Accept": "application/json"}
    try:
        async with (
            asyncio.timeout(within.total_seconds()),
            session.post(url, headers=headers, allow_redirects=False) as response,
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
    """Return the body, but no more of it than any answer of the API needs."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _MAX_BODY_BYTES:
            response.close()
            break
    return bytes(body[:_MAX_BODY_BYTES])


def _token_of(body: bytes, host: str | None) -> Token:
    """Return the token in an answer. Its text is a secret, so no error shows any of it."""
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Answer(token="", expiresIn=0)
    is_usable = answer.token.isascii() and answer.token.isprintable() and 0 < len(answer.token) <= _MAX_TOKEN_LENGTH
    if not is_usable or not 0 < answer.expiresIn <= _LONGEST_S:
        raise StreamFaultError(
            FaultKind.NO_UPGRADE,
            f"{host} answers the request for a stream token with something else: check url, which is "
            "https://scrape.st/stream by default",
            timedelta(seconds=30),
        )
    return Token(answer.token, boot_time() + answer.expiresIn + _MARGIN_S)
