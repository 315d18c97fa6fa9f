"""Progress on standard error, where it is no terminal: a line now and then."""

import pytest

from forwarder.cli import progress as progress_module
from forwarder.cli.progress import progress, waiting_for


def test_short_work_prints_nothing_and_long_work_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = [100.0]
    monkeypatch.setattr(progress_module, "monotonic", lambda: now[0])
    with progress("events", 12_000) as known, progress("pages copied", None) as unknown:
        for now[0], done in ((101.9, 1), (102.0, 2_000), (116.9, 3_000), (117.0, 4_000)):
            known.to(done)
        unknown.to(7)
    assert capsys.readouterr().err == "events: 2,000 of 12,000\nevents: 4,000 of 12,000\npages copied: 7\n"


def test_a_wait_is_reported_after_two_seconds_and_then_every_fifteen(capsys: pytest.CaptureFixture[str]) -> None:
    note = waiting_for("the daemon checks the config")
    for elapsed_s in (0.5, 1.9, 2.0, 10.0, 16.9, 17.0, 20.0):
        note(elapsed_s)
    assert capsys.readouterr().err == (
        "the daemon checks the config: 2 s so far\nthe daemon checks the config: 17 s so far\n"
    )
