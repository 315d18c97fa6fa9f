"""A destination: equal where a reload has not changed it, and silent about its secrets."""

from datetime import timedelta

from forwarder.core.delivery import DestinationName
from forwarder.core.destinations.destination import Destination
from forwarder.core.dispatch.retry import NAMED_POLICIES


def destination(url: str = "https://a/magpie", concurrency: int = 16) -> Destination:
    return Destination(
        name=DestinationName("bot"),
        url=url,
        headers={"Authorization": "magpie"},
        timeout=timedelta(seconds=5),
        concurrency=concurrency,
        retry=NAMED_POLICIES["live"],
    )


def test_it_is_equal_to_one_with_the_same_settings() -> None:
    assert destination() == destination()
    assert destination() != destination(url="https://a/other")
    assert destination() != destination(concurrency=1)


def test_neither_its_url_nor_its_headers_are_shown() -> None:
    assert "bot" in repr(destination())
    assert "magpie" not in repr(destination())
