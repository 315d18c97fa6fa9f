"""What a query of the history means when nothing is said."""

from forwarder.core.history import FOREVER_MS, NO_LIMIT, Query


def test_a_query_without_words_selects_everything() -> None:
    query = Query()
    assert (query.since_ms, query.until_ms, query.limit) == (0, FOREVER_MS, NO_LIMIT)
    assert {query.source, query.destination, query.route, query.status} == {None}
    assert FOREVER_MS > 253_402_300_800_000  # the end of the year 9999
    assert NO_LIMIT < 0  # as LIMIT of SQLite takes it
