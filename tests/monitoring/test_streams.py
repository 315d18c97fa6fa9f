"""Streams that are away or silent, with a clock that is a number."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from forwarder.core.config import Config
from forwarder.core.delivery import DestinationName
from forwarder.core.event import Event, decode_event
from forwarder.core.streams.state import StreamCondition, StreamStates
from forwarder.monitoring.stream_stats import StreamStats
from forwarder.monitoring.streams import StreamWatchdog
from tests.core.config.support import load
from tests.support.streams import numbered

START = datetime(2026, 1, 1, tzinfo=UTC)


def config_of(streams: str, expect: str = "") -> Config:
    return load(
        f"streams:\n{streams}{expect}destinations:\n  ops: {{url: 'http://127.0.0.1:9/'}}\nroutes: [{{to: ops}}]\n",
        {"KEY": "secret"},
    )


class Scene:
    def __init__(self, config: Config) -> None:
        self.config = config
        self.now_s = 1000.0
        self.states = StreamStates()
        self.renewed: list[str] = []
        self.notices: list[dict[str, Any]] = []
        self.stats = StreamStats(self.states, self.clock, was_open=lambda *_: True, now_s=lambda: self.now_s)
        self.watch = StreamWatchdog(
            active=self,
            states=self.states,
            met=self.stats.met,
            renew=lambda name, _reason: self.renewed.append(name),
            post=self._post,
            clock=self.clock,
            now_s=lambda: self.now_s,
        )

    def clock(self) -> datetime:
        return START + timedelta(seconds=self.now_s)

    def _post(self, event: Event, to: DestinationName, _made_by: str) -> None:
        assert to == "ops"
        assert isinstance(event.payload, dict)
        self.notices.append(dict(event.payload))

    def pass_time(self, seconds: int) -> None:
        for _ in range(seconds):
            self.now_s += 1
            self.watch.look()

    def be(self, condition: StreamCondition, stream: str = "main", reason: str = "") -> None:
        state = self.states.of(stream)
        state.condition, state.reason = condition, reason
        self.watch.look()

    def hear(self, stream: str = "main", text: str = "", *, is_new: bool = True) -> None:
        frame = next(numbered(1)).replace("text 1", text).encode()
        self.stats.follow(self.config.streams, self.config.expect)
        self.stats.note_arrival(decode_event(frame), stream, is_new, self.clock(), self.now_s)

    @property
    def kinds(self) -> list[str]:
        return [notice["kind"] for notice in self.notices]


@pytest.fixture
def scene() -> Scene:
    return Scene(config_of("  - {api_key: k, expect_event_within: 30s, on_failure: {to: ops, after: 10s}}\n"))


def test_a_stream_that_brings_nothing_is_renewed_each_time_and_reported_once_and_again_when_it_is_heard(
    scene: Scene,
) -> None:
    scene.be(StreamCondition.OPEN)
    scene.pass_time(29)
    assert scene.renewed == []
    scene.pass_time(2)
    assert (scene.renewed, scene.kinds) == (["main"], ["silent"])
    scene.pass_time(60)
    assert (scene.renewed, scene.kinds) == (["main"] * 3, ["silent"])
    scene.hear(is_new=False)  # a duplicate is a sign of life all the same
    scene.pass_time(29)
    assert (scene.renewed, scene.kinds) == (["main"] * 3, ["silent", "heard_again"])
    assert scene.notices[0]["stream"] == "main"
    assert "is reconnecting it" in scene.notices[0]["text"]


def test_each_event_begins_the_time_again(scene: Scene) -> None:
    scene.be(StreamCondition.OPEN)
    for _ in range(20):
        scene.pass_time(29)
        scene.hear()
    assert (scene.renewed, scene.notices) == ([], [])


def test_a_stream_that_is_away_is_reported_after_its_time_and_silence_is_counted_from_its_return(scene: Scene) -> None:
    scene.be(StreamCondition.WAITING, reason="nothing listens there")
    scene.pass_time(8)
    assert scene.notices == []
    scene.pass_time(60)
    assert scene.kinds == ["stream_away"]
    assert "nothing listens there" in scene.notices[0]["text"]
    assert "new events are missed" in scene.notices[0]["text"]
    assert scene.notices[0]["level"] == "error"
    scene.be(StreamCondition.OPEN)
    scene.pass_time(29)
    assert scene.kinds == ["stream_away", "stream_back"]
    assert scene.renewed == []


def test_a_short_absence_is_not_reported(scene: Scene) -> None:
    scene.be(StreamCondition.OPEN)
    scene.be(StreamCondition.CONNECTING)
    scene.pass_time(5)
    scene.be(StreamCondition.OPEN)
    assert scene.notices == []


def test_one_that_gives_way_to_another_program_is_reported_at_once(scene: Scene) -> None:
    scene.be(StreamCondition.YIELDED, reason="replaced")
    assert scene.kinds == ["stream_away"]
    assert "tried again every 15 minutes" in scene.notices[0]["text"]


def test_while_another_stream_is_open_nothing_need_be_missing() -> None:
    scene = Scene(config_of("  - {name: a, api_key: k, on_failure: {to: ops, after: 0s}}\n  - {name: b, api_key: k}\n"))
    scene.states.of("b").condition = StreamCondition.OPEN
    scene.be(StreamCondition.WAITING, "a", "refused")
    assert scene.notices[0]["level"] == "warning"
    assert "may bring the same events" in scene.notices[0]["text"]


def test_what_is_expected_and_does_not_come_renews_all_streams() -> None:
    scene = Scene(
        config_of(
            "  - {name: a, api_key: k}\n  - {name: b, api_key: k}\n",
            "lists: {majors: [btc]}\n"
            "expect: [{name: majors, match: {text: {word: {list: majors}}}, within: 60s, on_failure: {to: ops}}]\n",
        )
    )
    scene.states.of("a").condition = scene.states.of("b").condition = StreamCondition.OPEN
    scene.pass_time(50)
    scene.hear("a", "btc up")
    scene.pass_time(50)
    scene.hear("b", "something else")
    assert scene.renewed == []
    scene.pass_time(11)
    assert (scene.renewed, scene.kinds) == (["a", "b"], ["silent"])
    assert scene.notices[0]["expect"] == "majors"
    scene.hear("b", "btc down")
    scene.pass_time(1)
    assert scene.kinds == ["silent", "heard_again"]


def test_nothing_is_expected_while_no_stream_is_open() -> None:
    scene = Scene(config_of("  - {api_key: k}\n", "expect: [{name: any, within: 10s}]\n"))
    scene.pass_time(100)
    scene.be(StreamCondition.OPEN)
    scene.pass_time(9)
    assert scene.renewed == []
    scene.pass_time(2)
    assert scene.renewed == ["main"]


def test_a_reload_takes_what_is_watched_away() -> None:
    scene = Scene(config_of("  - {api_key: k, expect_event_within: 10s}\n", "expect: [{name: any, within: 10s}]\n"))
    scene.be(StreamCondition.OPEN)
    scene.config = config_of("  - {api_key: k}\n")
    scene.pass_time(100)
    assert scene.renewed == []


def test_a_silent_stream_that_then_goes_away_is_one_outage_that_ends_with_the_next_event(scene: Scene) -> None:
    scene.be(StreamCondition.OPEN)
    scene.pass_time(31)
    scene.be(StreamCondition.WAITING, reason="nothing listens there")
    scene.pass_time(100)
    scene.be(StreamCondition.OPEN)
    scene.pass_time(29)
    assert (scene.kinds, scene.renewed) == (["silent"], ["main"])
    scene.pass_time(1)
    assert (scene.kinds, scene.renewed) == (["silent"], ["main"] * 2)
    scene.hear()
    scene.pass_time(1)
    assert scene.kinds == ["silent", "heard_again"]


def test_a_silent_stream_that_gives_way_to_another_program_is_reported_all_the_same(scene: Scene) -> None:
    scene.be(StreamCondition.OPEN)
    scene.pass_time(31)
    scene.be(StreamCondition.YIELDED, reason="replaced")
    assert scene.kinds == ["silent", "stream_away"]


def test_what_was_missing_before_the_streams_went_away_is_reported_as_heard_again() -> None:
    scene = Scene(config_of("  - {api_key: k}\n", "expect: [{name: any, within: 10s, on_failure: {to: ops}}]\n"))
    scene.be(StreamCondition.OPEN)
    scene.pass_time(12)
    assert scene.kinds == ["silent"]
    scene.be(StreamCondition.WAITING)
    scene.pass_time(100)
    scene.be(StreamCondition.OPEN)
    scene.pass_time(9)
    assert scene.renewed == ["main"]
    scene.hear()
    scene.pass_time(1)
    assert scene.kinds == ["silent", "heard_again"]
