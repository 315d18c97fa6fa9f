"""The gate of the hot path counts calls, and names the packages and functions whose figures changed."""

import cProfile
import json
import sys
from collections import Counter

import pytest

from forwarder.core.event import decode_event
from tests.support import hot_path
from tools import call_counts
from tools.call_counts import Figures, Measured, calls_of, differences, updated

CONFIG = "one destination"


def committed(
    functions: dict[str, float], *, reason: str = "the first figures", deliveries: float = 1.0
) -> dict[str, Figures]:
    packages = call_counts.by_package(functions)
    return {CONFIG: Figures(reason=reason, deliveries=deliveries, packages=packages, functions=functions)}


def measured(functions: dict[str, float], *, deliveries: float = 1.0) -> dict[str, Measured]:
    return {CONFIG: Measured(deliveries, functions)}


BEFORE = {"ingest/ingest.py Ingest.take": 14.0, "core/event.py decode_event": 6.0, "core/event.py fingerprint": 18.0}
LARGER = BEFORE | {"core/event.py fingerprint": 18.5, "core/event.py digest": 1.0}
SMALLER = BEFORE | {"core/event.py fingerprint": 2.0}


# Counting


def test_calls_count_for_the_function_that_makes_them_and_those_from_outside_for_the_function_that_is_called() -> None:
    frame = hot_path.recorded_events(1)[0]
    profile = cProfile.Profile()
    profile.enable()
    event = decode_event(frame)
    profile.disable()
    calls = calls_of(profile.getstats())
    assert calls["core/event.py decode_event"] > 1  # itself, from here, and what it calls
    assert {call_counts.package_of(name) for name in calls} == {"core"}
    alone = cProfile.Profile()
    alone.enable()
    event.body.isascii()
    alone.disable()
    assert calls_of(alone.getstats()) == Counter()  # nothing of forwarder was called


def test_a_package_is_a_folder_and_in_core_a_folder_there() -> None:
    functions = {
        "core/event.py f": 1.0,
        "core/routing/router.py Router.select": 2.0,
        "outbox/sqlite/file/database.py f": 4.0,
        "outbox/open.py f": 8.0,
        "threads.py f": 16.0,
    }
    assert call_counts.by_package(functions) == {"threads.py": 16.0, "outbox": 12.0, "core/routing": 2.0, "core": 1.0}


# Judging


def test_what_is_within_the_tolerance_passes() -> None:
    assert differences(committed(BEFORE), measured(BEFORE)) == []
    assert differences(committed(BEFORE), measured(BEFORE | {"core/event.py fingerprint": 18.2})) == []
    assert differences(committed(BEFORE), measured(BEFORE | {"logs/setup.py f": 0.01})) == []


def test_a_package_that_grew_is_named_with_the_functions_that_changed_most() -> None:
    assert differences(committed(BEFORE), measured(LARGER)) == [
        "one destination: core grew from 24.00 to 25.50 calls an event (+6.2 %)",
        "       +1.00  core/event.py digest (0.00 → 1.00)",
        "       +0.50  core/event.py fingerprint (18.00 → 18.50)",
        'a figure grew: make it smaller, or write it with its reason: python -m tools.call_counts --write --reason "why"',
    ]


def test_a_package_that_shrank_fails_too_and_is_to_be_lowered() -> None:
    lines = differences(committed(BEFORE), measured(SMALLER))
    assert lines[0] == "one destination: core shrank from 24.00 to 8.00 calls an event (-66.7 %)"
    assert lines[-1] == "a figure shrank: lower it, so that it stays low: python -m tools.call_counts --write"
    assert not any("--reason" in line for line in lines)


def test_a_new_package_and_one_that_is_gone_are_named() -> None:
    moved = {"routing/new.py f": 24.0, "ingest/ingest.py Ingest.take": 14.0}
    lines = differences(committed(BEFORE), measured(moved))
    assert "one destination: core shrank from 24.00 to 0.00 calls an event (-100.0 %)" in lines
    assert "one destination: routing grew from 0.00 to 24.00 calls an event (new)" in lines


def test_another_number_of_deliveries_is_no_comparison() -> None:
    lines = differences(committed(BEFORE), measured(BEFORE, deliveries=0.5))
    assert lines[0] == "one destination: 0.5 deliveries an event, and 1 are expected"


def test_a_config_without_figures_and_figures_without_a_config_fail() -> None:
    assert differences({}, measured(BEFORE))[0] == "one destination: no figure is committed"
    assert differences(committed(BEFORE), {}) == ["one destination: it is no config any more"]


# Writing


def test_lower_figures_are_written_without_a_reason() -> None:
    figures, problems = updated(committed(BEFORE, reason="decision 7"), measured(SMALLER), "")
    assert problems == []
    assert figures[CONFIG]["packages"] == {"ingest": 14.0, "core": 8.0}
    assert figures[CONFIG]["reason"] == "decision 7"
    assert differences(figures, measured(SMALLER)) == []


def test_higher_figures_need_a_reason_which_is_kept() -> None:
    figures, problems = updated(committed(BEFORE), measured(LARGER), "")
    assert problems == ["one destination: core grew from 24.00 to 25.50 calls an event: say why with --reason"]
    figures, problems = updated(committed(BEFORE), measured(LARGER), "a digest for each event")
    assert problems == []
    assert figures[CONFIG]["packages"]["core"] == 25.5
    assert figures[CONFIG]["reason"] == "a digest for each event"


def test_a_figure_does_not_creep_up_within_the_tolerance() -> None:
    a_little = SMALLER | {"ingest/ingest.py Ingest.take": 14.1}
    figures, problems = updated(committed(BEFORE), measured(a_little), "")
    assert problems == []
    assert figures[CONFIG]["packages"] == {"ingest": 14.0, "core": 8.0}


def test_the_first_figures_need_no_reason() -> None:
    figures, problems = updated({}, measured(BEFORE), "")
    assert problems == []
    assert figures[CONFIG]["reason"] == "the first figures"


def test_the_committed_figures_are_of_the_five_configs_and_each_has_a_reason() -> None:
    figures: dict[str, Figures] = json.loads(call_counts.FIGURES.read_text(encoding="utf-8"))
    assert set(figures) == set(hot_path.CONFIGS)
    assert len(figures) == 5
    for config in figures.values():
        assert config["reason"]
        assert sum(config["packages"].values()) > 100
        listed = call_counts.by_package(config["functions"])
        assert sum(listed.values()) == pytest.approx(sum(config["packages"].values()), rel=0.02)
    assert call_counts.as_text(figures) == call_counts.FIGURES.read_text(encoding="utf-8")


def test_another_version_of_python_is_not_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(call_counts, "PYTHON", (sys.version_info[0], sys.version_info[1] + 1))
    assert call_counts.main([]) == 0
    assert "not compared" in capsys.readouterr().out


# The way of the events


def test_the_recorded_events_have_ids_of_their_own() -> None:
    events = [decode_event(frame) for frame in hot_path.recorded_events(1_048)]
    assert len({event.id for event in events}) == len(events)
    assert {event.source for event in events} == {"discord", "fast-x", "telegram", "x"}
    assert hot_path.recorded_events(3, first=1_045) == hot_path.recorded_events(1_048)[-3:]


def test_both_events_of_a_post_keep_the_same_id() -> None:
    turn = [decode_event(frame) for frame in hot_path.recorded_events(24, first=24)]
    first_words = {event.mid for event in turn if event.source == "fast-x"}
    assert len(first_words) == 4
    assert first_words <= {event.mid for event in turn if event.source == "x"}


@pytest.mark.skipif(sys.version_info[:2] != call_counts.PYTHON, reason="later versions profile all threads")
@pytest.mark.parametrize("config", hot_path.CONFIGS)
def test_two_runs_make_the_same_calls(config: str) -> None:
    scenario = hot_path.CONFIGS[config]._replace(events=48)

    def count() -> dict[str, float]:
        profile = cProfile.Profile()
        assert hot_path.run(scenario, profile) >= 40
        return call_counts.by_package(calls_of(profile.getstats()))

    first, second = count(), count()
    assert first["ingest"] > 48
    for package in ("core", "core/routing", "destinations", "ingest", "monitoring"):
        assert first[package] == pytest.approx(second[package], rel=call_counts.TOLERANCE)
