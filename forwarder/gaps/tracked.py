"""Asks scrape.st which X accounts the API keys of a config track."""

import asyncio

from forwarder.core.config import Config
from forwarder.core.gaps.history_api import Account, Accounts
from forwarder.gaps.history_client import Histories, HistorySource, history_of
from forwarder.streams.faults import StreamFaultError


class TrackedUnknownError(Exception):
    """The accounts of some key are not known; the text is a sentence."""


async def tracked_accounts(config: Config) -> list[Account]:
    """Return the accounts that the keys of all streams track. Raises `TrackedUnknownError` if one of the lists is not known."""
    sources = {source.api_key: source for source in map(history_of, config.streams)}
    found = await asyncio.gather(*map(_ask, sources.values()))
    if odd := sum(each.odd for each in found):
        raise TrackedUnknownError(f"scrape.st lists {odd:,} tracked accounts in a form that is not known")
    return list({account.id: account for each in found for account in each.known}.values())


async def _ask(source: HistorySource) -> Accounts:
    try:
        async with Histories().open(source) as history:
            return await history.tracked()
    except StreamFaultError as fault:
        raise TrackedUnknownError(f"stream {source.stream}: {fault}") from fault
