"""Each example event in each format, as it is sent. After a change that is meant: UPDATE_SNAPSHOTS=1 pytest, and look at the diff."""

import json
import os
from pathlib import Path

import pytest

from forwarder.core.posts.samples import SAMPLES
from tests.destinations.formats.limits import CHECKS
from tests.destinations.formats.support import FORMATS, NAMES, delivery, example

SNAPSHOTS = Path(__file__).parent / "snapshots"
EVENTS = {name: example(name) for name in NAMES} | {
    f"sample-{name.replace(' ', '-')}": body for name, body in SAMPLES.items()
}


@pytest.mark.parametrize("name", sorted(EVENTS))
@pytest.mark.parametrize("format_", sorted(FORMATS))
def test_an_event_is_put_as_it_was_and_within_the_limits(format_: str, name: str) -> None:
    content = FORMATS[format_](delivery(EVENTS[name]))
    made = CHECKS[format_](content.body)
    path = SNAPSHOTS / format_ / f"{name}.json"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    assert made == json.loads(path.read_text(encoding="utf-8"))
    assert FORMATS[format_](delivery(EVENTS[name])) == content


def test_every_snapshot_belongs_to_an_event() -> None:
    found = {path.relative_to(SNAPSHOTS).with_suffix("").as_posix() for path in SNAPSHOTS.rglob("*.json")}
    assert found == {f"{format_}/{name}" for format_ in FORMATS for name in EVENTS}
