"""scrape.st's REST history of tracked X accounts: what a gap is repaired from. One question, one answer, at the pace that it allows."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from time import monotonic

import aiohttp
from yarl import URL

from forwarder.core.event import JSONValue
from forwarder.core.history import ANYBODY, PAGE_SIZE, Account, Accounts, Page, Span, accounts_of, page_of, read_json
from forwarder.core.turns import Turns
from forwarder.core.url import read_url
from forwarder.core.webhook import USER_AGENT
from forwarder.core.wishes import read_wishes
from forwarder.streams import faults
from forwarder.streams.faults import FaultKind, StreamFaultError

REQUESTS, PER_S = 27, 61.0
"""Of the 30 that a key may make in 60 s: the rest is for others that use it, and for clocks that differ."""
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_CONNECT_TIMEOUT_S = 10.0
_TIMEOUT_S = 30.0
_BUSY_WAIT = timedelta(seconds=10)
_LONGEST_WAIT = timedelta(minutes=15)
"""A server that asks for more patience is asked again all the same."""
_CHUNK = 64 * 1024
_HTTP_OF = {"ws": "http", "wss": "https", "http": "http", "https": "https"}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySource:
    """Where the history of a stream's accounts is, and with what key."""

    stream: str
    url: str
    """The stream's: the history is on the same host, beside it."""
    api_key: str = field(repr=False)
    ignores_full: bool = False
    """The stream brings the first words of posts alone: what was brought so is not missing."""


def address_of(source: HistorySource) -> URL:
    """Return the URL that those of the history are relative to."""
    stream = read_url(source.url, *_HTTP_OF)
    return stream.with_scheme(_HTTP_OF[stream.scheme]).with_query(None).with_fragment(None)


class History:
    """Of one key, asked by one task at a time. Faults are `StreamFaultError`, whose `minimum_wait` is honoured by whoever asks again."""

    def __init__(self, source: HistorySource, session: aiohttp.ClientSession, turns: Turns) -> None:
        self._source = source
        self._session = session
        self._turns = turns
        self._base = address_of(source)

    async def tracked(self) -> Accounts:
        """Return the X accounts that the key tracks."""
        answer = await self._ask("track/x", {})
        found = None if answer is None else accounts_of(answer)
        if found is None:
            raise self._odd("no list of tracked accounts")
        return found

    async def recent(self, accounts: Sequence[Account], span: Span) -> Page | None:
        """Return the posts of up to `RECENT_ACCOUNTS` accounts that the server still has in memory; `None`: it has no such memory.

        They are those that it has sent, as it sent them.
        """
        query = {
            "uids": ",".join(account.sid for account in accounts),
            "since": str(int(span.since.timestamp() * 1000)),
        }
        answer = await self._ask("x/tweets/recent", query)
        if answer is None:
            return None
        page = page_of(answer, ANYBODY, span)
        if page is None:
            raise self._odd("no list of recent posts")
        return page

    async def page(self, account: Account, span: Span, cursor: str | None) -> Page | None:
        """Return the posts of an account in a time, from `cursor` on; `None`: the server does not know the account."""
        query = {"startDate": _iso(span.since), "endDate": _iso(span.until), "order": "asc", "limit": str(PAGE_SIZE)}
        answer = await self._ask(f"account/history/{account.id}", query | ({"cursor": cursor} if cursor else {}))
        if answer is None:
            return None
        page = page_of(answer, account, span)
        if page is None:
            raise self._odd("no list of posts")
        return page

    async def _ask(self, path: str, query: Mapping[str, str]) -> JSONValue:
        """Return the answer; `None`: 404."""
        await asyncio.sleep(self._turns.opens_at() - monotonic())
        self._turns.take(monotonic())
        url = self._base.join(URL(path)).with_query(query)
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
        async with self._session.get(url, headers=headers, allow_redirects=False) as response:
            body = bytearray()
            async for chunk in response.content.iter_chunked(_CHUNK):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise self._odd(f"an answer of more than {MAX_ANSWER_BYTES:,} bytes")
            return response.status, {name.lower(): value for name, value in response.raw_headers}, bytes(body)

    def _refusal(self, status: int, headers: Mapping[bytes, bytes], body: bytes) -> StreamFaultError:
        if 300 <= status < 400:
            return faults.redirected()
        if status in {401, 403}:
            return faults.key_refused(f"HTTP {status} from the history")
        if status == 429 or status >= 500:
            wish = read_wishes(status, headers, body, now=datetime.now(UTC)).get("retry_after")
            wait = min(max(wish or timedelta(), _BUSY_WAIT), _LONGEST_WAIT)
            if status == 429:
                self._turns.close(monotonic() + wait.total_seconds())
            return StreamFaultError(FaultKind.BUSY, f"the history is busy or broken (HTTP {status})", wait)
        return self._odd(f"HTTP {status}")

    def _odd(self, what: str) -> StreamFaultError:
        return StreamFaultError(FaultKind.ODD_ANSWER, f"the history at {self._base.raw_host} answers with {what}")


class Histories:
    """Opens histories; those of one key share what it may ask in a minute."""

    def __init__(self, *, requests: int = REQUESTS, per_s: float = PER_S) -> None:
        self._requests = requests
        self._per_s = per_s
        self._turns: dict[str, Turns] = {}

    @asynccontextmanager
    async def open(self, source: HistorySource) -> AsyncIterator[History]:
        """Give the history for the length of the block."""
        turns = self._turns.setdefault(source.api_key, Turns(self._requests, self._per_s))
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        ) as session:
            yield History(source, session, turns)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
