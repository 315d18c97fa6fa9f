"""The client of scrape.st's REST history of tracked X accounts, which gaps are repaired from. It keeps to the rate limit."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from forwarder.core.config import Config, StreamConfig
from forwarder.core.destinations.request import USER_AGENT
from forwarder.core.destinations.response_hints import read_response_hints
from forwarder.core.event import JSONValue
from forwarder.core.gaps.history_api import (
    ANYBODY,
    PAGE_SIZE,
    Account,
    Accounts,
    Page,
    TimeSpan,
    accounts_of,
    page_of,
    read_json,
)
from forwarder.core.sliding_window import SlidingWindow
from forwarder.core.url import read_url
from forwarder.streams import faults
from forwarder.streams.faults import FaultKind, StreamFaultError
from forwarder.streams.proxy import ThroughProxy
from forwarder.streams.transport import STRAIGHT, StreamTransport, transport_of

REQUESTS, PER_S = 27, 61.0
"""A key may make 30 requests in 60 s. The rest is left for other programs, and for clocks that differ."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_CONNECT_TIMEOUT_S = 10.0
_TIMEOUT_S = 30.0
_BUSY_WAIT = timedelta(seconds=10)
_LONGEST_WAIT = timedelta(minutes=15)
"""The longest wait that a server can ask for."""
_CHUNK = 64 * 1024
_HTTP_OF = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySource:
    """Says where the history for a stream is, and with which key it is requested."""

    stream: str
    url: str
    """The URL of the stream; the history is on the same host."""
    api_key: str = field(repr=False)
    ignores_full: bool = False
    """Whether the stream brings only the first text of posts; then what was brought so is not missing."""
    transport: StreamTransport = STRAIGHT


def address_of(source: HistorySource) -> URL:
    """Return the URL that those of the history are relative to."""
    stream = read_url(source.url, *_HTTP_OF)
    return stream.with_scheme(_HTTP_OF[stream.scheme]).with_query(None).with_fragment(None)


class HistoryClient:
    """Requests the history of one key, for one task at a time.

    Faults are `StreamFaultError`; the caller respects their `minimum_wait` before it tries again.
    """

    def __init__(self, source: HistorySource, session: aiohttp.ClientSession, turns: SlidingWindow) -> None:
        self._source = source
        self._session = session
        self._turns = turns
        self._base = address_of(source)

    async def tracked(self) -> Accounts:
        """Return the X accounts that the key tracks."""
        answer = await self._request("track/x", {})
        found = None if answer is None else accounts_of(answer)
        if found is None:
            raise self._odd("no list of tracked accounts")
        return found

    async def recent(self, accounts: Sequence[Account], span: TimeSpan) -> Page | None:
        """Return the posts of up to `RECENT_ACCOUNTS` accounts that the server still has in memory; `None` if it has no such memory.

        They are as the server has sent them.
        """
        query = {
            "uids": ",".join(account.sid for account in accounts),
            "since": str(int(span.since.timestamp() * 1000)),
        }
        answer = await self._request("x/tweets/recent", query)
        if answer is None:
            return None
        page = page_of(answer, ANYBODY, span)
        if page is None:
            raise self._odd("no list of recent posts")
        return page

    async def page(self, account: Account, span: TimeSpan, cursor: str | None) -> Page | None:
        """Return the posts of an account in a time span, from `cursor` on; `None` if the server does not know the account."""
        query = {"startDate": _iso(span.since), "endDate": _iso(span.until), "order": "asc", "limit": str(PAGE_SIZE)}
        answer = await self._request(f"account/history/{account.id}", query | ({"cursor": cursor} if cursor else {}))
        if answer is None:
            return None
        page = page_of(answer, account, span)
        if page is None:
            raise self._odd("no list of posts")
        return page

    async def _request(self, path: str, query: Mapping[str, str]) -> JSONValue:
        """Return the JSON of the response; `None` for a 404."""
        await asyncio.sleep(self._turns.allowed_at() - monotonic())
        self._turns.take(monotonic())
        url = (self._base.parent / path).with_query(query)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status, headers, body = await self._get(url)
        except TimeoutError as error:
            sentence = f"{url.raw_host} did not answer within {_TIMEOUT_S:g} s"
            raise StreamFaultError(FaultKind.TIMEOUT, sentence) from error
        except (aiohttp.ClientError, OSError) as error:
            raise faults.from_connect(error, url.raw_host, url.port) from error
        if status == 404:
            return None
        if status != 200:
            raise self._refusal(status, headers, body)
        try:
            return read_json(body)
        except ValueError:
            raise self._odd("no JSON") from None

    async def _get(self, url: URL) -> tuple[int, dict[bytes, bytes], bytes]:
        headers = {"x-api-key": self._source.api_key, "User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
        async with self._session.get(
            url, headers=headers, allow_redirects=False, **self._source.transport.request_options()
        ) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise self._odd(f"a response of more than {MAX_ANSWER_BYTES:,} bytes")
            return response.status, {name.lower(): value for name, value in response.raw_headers}, bytes(body)

    def _refusal(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> StreamFaultError:
        if 300 <= status < 400:
            return faults.redirected()
        named = CIMultiDict((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.items())
        if status == 403 and faults.is_web_page(named):
            return faults.blocked(status, named)
        if status in {401, 403}:
            return StreamFaultError(
                FaultKind.KEY_REFUSED,
                f"the history does not accept the API key (HTTP {status}): the key may receive a stream and have no access to the history",
            )
        if status == 429 or status >= 500:
            asked_for = read_response_hints(status, headers, body, now=datetime.now(UTC)).get("retry_after")
            wait = min(max(asked_for or timedelta(), _BUSY_WAIT), _LONGEST_WAIT)
            what = "the history is busy or broken"
            if status == 429:
                self._turns.close(monotonic() + wait.total_seconds())
                what = "the rate limit of the history is reached"
            return StreamFaultError(FaultKind.BUSY, f"{what} (HTTP {status})", wait)
        return self._odd(f"HTTP {status}")

    def _odd(self, what: str) -> StreamFaultError:
        return StreamFaultError(FaultKind.ODD_ANSWER, f"the history at {self._base.raw_host} answers with {what}")


class Histories:
    """Opens the histories of all keys, and shares the rate limit of each key between them."""

    def __init__(self, *, requests: int = REQUESTS, per_s: float = PER_S) -> None:
        self._requests = requests
        self._per_s = per_s
        self._turns: dict[str, SlidingWindow] = {}

    @asynccontextmanager
    async def open(self, source: HistorySource) -> AsyncIterator[HistoryClient]:
        """Provide the client of a history for the length of the block."""
        turns = self._turns.setdefault(source.api_key, SlidingWindow(self._requests, self._per_s))
        through_proxy = ThroughProxy(source.transport.proxy, connect_within=timedelta(seconds=_CONNECT_TIMEOUT_S))
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=source.transport.context or True),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trace_configs=[through_proxy.trace],
            middlewares=[through_proxy],
            trust_env=False,
        ) as session:
            yield HistoryClient(source, session, turns)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def histories_of(config: Config) -> dict[str, HistorySource]:
    """Return the history of each stream that has `gap_repair`, by the name of the stream."""
    return {stream.name: history_of(stream) for stream in config.streams if stream.repairs_gaps}


def history_of(stream: StreamConfig) -> HistorySource:
    """Return where the history of a stream is. Call this in a thread, as `transport_of`."""
    return HistorySource(
        stream=stream.name,
        url=stream.url,
        api_key=stream.api_key.reveal(),
        ignores_full=stream.ignore_full_payload,
        transport=transport_of(stream),
    )
