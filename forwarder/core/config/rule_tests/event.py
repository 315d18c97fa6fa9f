"""Builds the event of a test: fills in what is left out, and decodes it in the same way as a frame of a stream."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import cast

from forwarder.core.event import Event, JSONValue, NotAnEventError, decode_event
from forwarder.core.matching.literals import as_json
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.tree import Path, Scalar, Tree

KEYS = ("file", "source", "sid", "mid", "timestamp", "payload")
_DEFAULTS: dict[str, JSONValue] = {"source": "x", "sid": "1", "mid": "1", "payload": {}}

ReportMistake = Callable[[Path, str], None]


def make_event(
    tree: Tree, path: Path, at: datetime, read_file: Callable[[Scalar], str], report: ReportMistake
) -> Event | None:
    """Return the event that a test describes, or `None` after a mistake was reported.

    `read_file` returns the text of a file with an event. Raises `ValueError` with a sentence.
    """
    if not isinstance(tree, dict):
        report(path, "expected a mapping such as {source: x, payload: {text: …}}, or {file: event.json}")
        return None
    for key in tree:
        if key not in KEYS:
            report(
                (*path, key),
                "unknown key" + (did_you_mean(key, KEYS) or f"; the keys of an event are {', '.join(KEYS)}"),
            )
            return None
    envelope: dict[str, JSONValue] = dict(_DEFAULTS)
    if (file := tree.get("file")) is not None:
        found = _of_file(file, (*path, "file"), read_file, report)
        if found is None:
            return None
        envelope |= found
    envelope.setdefault("timestamp", round(at.timestamp() * 1000))
    changed = {key: value_of(below) for key, below in tree.items() if key != "file"}
    frame = json.dumps(_merged(envelope, changed), ensure_ascii=False)
    try:
        return decode_event(frame.encode("utf-8", "surrogatepass"))
    except NotAnEventError as error:
        report(path, f"not an event: {error.detail}")
        return None


def value_of(tree: Tree) -> JSONValue:
    """Return a YAML value as JSON. A number, true, false or null without quotes keeps that type; everything else is text."""
    match tree:
        case dict():
            return {key: value_of(below) for key, below in tree.items()}
        case list():
            return [value_of(each) for each in tree]
        case _ if tree.quoted:
            return str(tree)
        case "" | "~":
            return None
        case _:
            return next(as_json(tree), str(tree))


def _of_file(
    file: Tree, path: Path, read_file: Callable[[Scalar], str], report: ReportMistake
) -> dict[str, JSONValue] | None:
    if not isinstance(file, Scalar) or not file:
        report(path, "expected the path of a file with an event as JSON")
        return None
    try:
        text = read_file(file)
    except ValueError as error:
        report(path, str(error))
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return cast("dict[str, JSONValue]", value)
    report(
        path, "the file does not contain an event, which is a JSON object with source, sid, mid, timestamp and payload"
    )
    return None


def _merged(whole: Mapping[str, JSONValue], changed: Mapping[str, JSONValue]) -> dict[str, JSONValue]:
    merged = dict(whole)
    for key, value in changed.items():
        before = merged.get(key)
        merged[key] = _merged(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged
