"""`forwarder gaps`: lists stream outages and what was recovered."""

import argparse
from datetime import UTC, datetime, timedelta

from forwarder.cli import exit_codes
from forwarder.cli.listing import local, moments, print_json, print_prose, print_table, query, screen_width, shown
from forwarder.cli.locations import places, report_errors
from forwarder.cli.names import require_stream
from forwarder.core.durations import write_duration
from forwarder.core.history import Record
from forwarder.outbox.open import open_history


@report_errors
def list_gaps(arguments: argparse.Namespace) -> int:
    """Print gaps, the latest first."""
    where = places(arguments)
    with open_history(where.outbox) as history:
        found = list(history.gaps(query(arguments), stream=arguments.stream, only_open=arguments.open))
        streams, heard = history.streams_of_gaps(), history.last_heard()
    if not found:
        require_stream(where, arguments.stream, streams)
    if arguments.json:
        for gap in found:
            print_json(gap)
    elif found:
        _print(found, is_wide=arguments.wide)
    else:
        print_prose(_none(arguments, streams, heard))
    return exit_codes.OK


def _print(found: list[Record], *, is_wide: bool) -> None:
    began, began_at = moments("BEGAN", [gap["began_at"] for gap in found])
    ended, ended_at = moments("ENDED", [gap["ended_at"] for gap in found])
    rows = [
        (
            *((start, "ongoing" if gap["ended_at"] is None else end) if is_wide else (start,)),
            *(_length(gap), gap["stream"], *(_yes(gap["covered"]) if is_wide else ())),
            gap["repair"].replace("_", " "),
            *((gap["found"], gap["recovered"]) if is_wide else (f"{gap['recovered']} of {gap['found']}",)),
            ("ongoing: " if gap["ended_at"] is None and not is_wide else "")
            + "; repair: ".join(filter(None, (gap["reason"], gap["note"]))),
        )
        for gap, start, end in zip(found, began_at, ended_at, strict=True)
    ]
    if is_wide:
        print_table((began, ended, "LENGTH", "STREAM", "COVERED", "REPAIR", "FOUND", "RECOVERED", "REASON"), rows)
    else:
        names = (began, "LENGTH", "STREAM", "REPAIR", "RECOVERED", "REASON")
        print_table(names, rows, width=screen_width(), cut=("STREAM", "REPAIR", "REASON"))


def _yes(is_so: bool) -> tuple[str]:
    return ("yes" if is_so else "no",)


def _length(gap: Record) -> str:
    if gap["length_s"] is not None:
        return write_length(timedelta(seconds=gap["length_s"]))
    return write_length(datetime.now(UTC) - datetime.fromisoformat(gap["began_at"]))


def write_length(length: timedelta) -> str:
    """Return a length to the millisecond, from one second on to the tenth of a second, and from ten seconds on to the second."""
    step_ms = 1000 if length >= timedelta(seconds=10) else 100 if length >= timedelta(seconds=1) else 1
    step = timedelta(milliseconds=step_ms)
    return write_duration(max(round(length / step), 0) * step)


def _none(arguments: argparse.Namespace, streams: list[str], heard: str | None) -> str:
    """Return what to print if the list is empty."""
    if not streams:
        if heard is None:
            return "No gaps: no stream has been open yet, as far as is known. The first gap begins when one that was open is away."
        last = f"A stream was last known to be open at {local(heard)}."
        return f"No gaps: no stream was away in the time that is kept (outbox.keep_dead). {last}"
    if arguments.stream is not None and arguments.stream not in streams:
        return f"No gaps of a stream {shown(arguments.stream)}; streams with gaps: {', '.join(map(shown, streams))}."
    if arguments.open:
        return "No ongoing gaps: every stream that had a gap is open, as far as is known."
    return "No gaps in that period; without --since and --until there are some."
