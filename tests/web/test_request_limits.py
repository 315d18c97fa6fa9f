"""How many requests are carried out at the same time."""

from contextlib import ExitStack

import pytest

from forwarder.web.request_limits import MAX_REQUESTS, RequestLimits, TooManyRequestsError


def test_probes_have_places_of_their_own() -> None:
    limits = RequestLimits()
    with ExitStack() as under_way:
        for _ in range(MAX_REQUESTS):
            under_way.enter_context(limits.one_more(lasts=False))
        with pytest.raises(TooManyRequestsError), limits.one_more(lasts=False):
            pass
        for _ in range(8):
            under_way.enter_context(limits.one_more_probe("/metrics"))
        with pytest.raises(TooManyRequestsError), limits.one_more_probe("/metrics"):
            pass
        with limits.one_more_probe("/healthz"):
            pass
    with limits.one_more(lasts=True), limits.one_more_probe("/metrics"):
        pass
