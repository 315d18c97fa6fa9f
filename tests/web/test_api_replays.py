"""Deliveries are made again, and dead letters are dropped, over HTTP."""

from typing import Any

import pytest

from forwarder.core.commands import Replay, Resend
from forwarder.web import api_replays
from tests.support.outbox import EVENTS
from tests.support.web import Served

BEGIN = "2020-01-01T00:00:00Z"


async def test_an_event_is_sent_again_where_it_went_or_where_it_is_asked_for(served: Served) -> None:
    assert await served.post(f"/events/{EVENTS[0].id}/resend") == {"changed": 1, "left_alone": 0}
    wanted = {"destinations": ["bot", "other", "bot"], "seq": 2}
    assert await served.post(f"/events/{EVENTS[1].id}/resend", wanted) == {"changed": 2, "left_alone": 0}
    assert await served.post("/resend", {"keys": [[3, "bot"], [3, "other"]]}) == {"changed": 1, "left_alone": 1}
    keys = [request.keys for request, _ in served.asked if isinstance(request, Resend)]
    assert keys == [((1, "bot"),), ((2, "bot"), (2, "other")), ((3, "bot"), (3, "other"))]
    nowhere = await served.post(f"/events/{EVENTS[3].id}/resend", status=409)
    assert "went nowhere" in nowhere["error"]


@pytest.mark.parametrize(
    "wanted",
    [
        {"keys": [[2, "bot"]]},
        {"ids": [EVENTS[1].id]},
        {"all": True},
        {"destination": "bot", "reason": "HTTP 500: no"},
        {"status": "dead"},
        {"since": BEGIN},
    ],
)
@pytest.mark.parametrize("verb", ["replay", "drop"])
async def test_dead_letters_are_changed_by_key_by_id_or_by_a_filter(
    served: Served, verb: str, wanted: dict[str, Any]
) -> None:
    done = {"changed": 1, "left_alone": 0, "is_last": True, "next": None}
    assert await served.post(f"/dead/{verb}", wanted) == done
    assert (await served.post(f"/dead/{verb}", wanted))["changed"] == 0
    assert (await served.get("/dead"))["deliveries"] == []


@pytest.mark.parametrize(
    "wanted",
    [{"destination": "other"}, {"reason": "HTTP 500"}, {"status": "expired"}, {"until_ms": 1}, {"ids": ["0" * 32]}],
)
async def test_no_other_dead_letter_is_changed(served: Served, wanted: dict[str, Any]) -> None:
    assert (await served.post("/dead/replay", wanted))["changed"] == 0


async def test_a_long_change_is_made_in_slices_that_keep_its_rate(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted: dict[str, Any] = {"to": "other", "since": BEGIN, "rate": 100}
    done = await served.post("/replay", wanted)
    assert (done["changed"], done["is_last"]) == (4, True)
    monkeypatch.setattr(api_replays, "SLICE", 1)
    assert (await served.post("/replay", {**wanted, "missing": True}))["left_alone"] >= 0
    first = (await served.post("/dead/replay", {"all": True}))["next"]
    assert first is None  # the only one
    replays = [request for request, _ in served.asked if isinstance(request, Replay)]
    assert {request.rate for request in replays} == {100}


async def test_what_names_nothing_is_refused(served: Served) -> None:
    assert "name dead letters" in (await served.post("/dead/drop", {"rate": 1}, status=400))["error"]
    assert "no such" in (await served.post("/replay", {"to": "no", "since": BEGIN}, status=404))["error"]
    assert served.asked == []


async def test_a_group_is_kept_with_its_destination_and_its_reason(served: Served) -> None:
    await served.post("/dead/replay", {"destination": "bot", "reason": "HTTP 500: no"})
    (action,) = (await served.get("/actions"))["actions"]
    assert (action["verb"], action["what"]) == ("dead replay", "to bot that died of: HTTP 500: no")


async def test_letters_that_are_named_are_kept_as_that(served: Served) -> None:
    await served.post("/dead/drop", {"keys": [[2, "bot"]], "destination": "bot"})
    (action,) = (await served.get("/actions"))["actions"]
    assert (action["verb"], action["what"]) == ("dead drop", "by their ids")
