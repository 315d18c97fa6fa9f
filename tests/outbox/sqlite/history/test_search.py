"""The functions that the statements of the history call."""

import json
import sqlite3
from contextlib import closing

from forwarder.core.posts import MOST_WHOLE_BYTES
from forwarder.core.posts.samples import SAMPLES
from forwarder.outbox.sqlite.history.search import heading, register


def test_a_statement_asks_whether_a_post_is_sought() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        register(connection)
        asked = "SELECT is_sought(?, ?, ?, ?)"
        for values, is_found in (
            ((SAMPLES["x"], "novadesk", "on hold", None), 1),
            ((SAMPLES["x"], "novadesk", "snow", None), 0),
            ((SAMPLES["rss"], None, None, "https://example.com/p/1"), 1),
            ((b"\xff", "novadesk", None, None), 0),
        ):
            assert connection.execute(asked, values).fetchone() == (is_found,)


def test_the_heading_of_an_event_is_read_once_for_all_of_its_deliveries() -> None:
    assert heading(bytes(SAMPLES["x"])).author == "novadesk"
    assert heading(bytes(SAMPLES["x"])) is heading(bytes(SAMPLES["x"]))


def test_a_large_event_is_not_held_for_its_heading() -> None:
    body = json.dumps({"source": "x", "payload": {"text": "large", "values": [1] * MOST_WHOLE_BYTES}}).encode()
    assert heading(body).text == "large"
    assert heading(body) is not heading(body)
