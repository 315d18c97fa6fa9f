"""`forwarder resend`: delivers one event again, to where it went or to one destination."""

import argparse
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence

from forwarder.cli import exit_codes
from forwarder.cli.changer import changer
from forwarder.cli.history import end_of
from forwarder.cli.listing import local, local_exact, now_ms, print_json, shown
from forwarder.cli.locations import Places, UsageError, places, report_errors
from forwarder.cli.lookup import Found, find, headline, print_events, print_uncertain
from forwarder.cli.names import DISABLED, absent, require_names
from forwarder.cli.resend_plan import Planned, plan
from forwarder.cli.resend_wait import wait_for
from forwarder.cli.status_destinations import destination_state
from forwarder.cli.waiting import require_daemon, status_of_daemon
from forwarder.core.commands import SLICE, Resend
from forwarder.core.counted import counted
from forwarder.core.history import History, Query, Record
from forwarder.core.monitoring.status import DestinationReport
from forwarder.core.yaml.problems import no_such
from forwarder.outbox.open import open_history


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Queue the deliveries, and return the exit code."""
    found = places(arguments)
    if arguments.wait and not arguments.dry_run:
        require_daemon(found)  # without a daemon nothing is delivered
    with open_history(found.outbox) as history:
        meant = find(history, arguments.what, source=arguments.source, is_to_send=True)
        if not meant.events and not meant.uncertain:
            require_names(found, history, source=arguments.source)
        obstacles = _obstacles(found, history, meant.events, to=arguments.to)
        paused = _pauses(history)
    if (code := _reject(arguments, meant)) is not None:
        return code
    planned = _meant(plan(meant.events, arguments.what, to=arguments.to, obstacles=obstacles), meant.events, arguments)
    if len(planned) > 1 and not arguments.all:
        print(
            f"{shown(arguments.what)!r} means {len(planned)} events, and none was sent. Name one by its id, narrow with --source, or use --all:",
            file=sys.stderr,
        )
        print_events([event for event in meant.events if event["event_seq"] in planned])
        return exit_codes.FAILURE
    chosen = [one for _, each in planned.values() for one in each if not one.why_not]
    if arguments.dry_run or not chosen:
        _print(planned.values(), arguments, verb="would be sent")
        _print_total(chosen, "would be sent" if arguments.dry_run else "sent", paused, arguments)
        return exit_codes.OK if chosen else exit_codes.FAILURE
    with changer(found) as change:
        for at in range(0, len(chosen), SLICE):
            change(Resend(keys=tuple(one.key for one in chosen[at : at + SLICE]), now_ms=now_ms()))
        has_daemon = change.has_daemon
    if not arguments.wait:
        _print(planned.values(), arguments, verb="queued")
        when = "queued" if has_daemon else "queued; no forwarder runs, so it is sent at the next start"
        _print_total(chosen, when, paused, arguments)
        if has_daemon and not arguments.json:
            _print_states(chosen, status_of_daemon(found).destinations)
        return exit_codes.OK
    ended = wait_for(found, {one.delivery_id: one.key for one in chosen})
    _print(planned.values(), arguments, verb="sent", ended=ended)
    return exit_codes.OK if all(each["status"] == "delivered" for each in ended.values()) else exit_codes.FAILURE


_Plans = dict[int, tuple[Record, list[Planned]]]


def _meant(planned: Mapping[int, list[Planned]], events: Sequence[Record], arguments: argparse.Namespace) -> _Plans:
    """Return what is sent of which event, without the events that a person cannot mean, unless `--all` asks for all of them.

    Of a post often only one of two events was sent: one that went nowhere is not meant without `--to`. The same event comes again once
    the window for duplicates is over: the newest is meant.
    """
    found = {event["event_seq"]: (event, planned[event["event_seq"]]) for event in events}
    if arguments.all:
        return found
    sendable = {seq: each for seq, each in found.items() if any(not one.why_not for one in each[1])}
    newest = {event["event_id"]: seq for seq, (event, _) in (sendable or found).items()}
    return {seq: found[seq] for seq in newest.values()}


def _obstacles(found: Places, history: History, events: Sequence[Record], *, to: str | None) -> dict[str, str]:
    """Return why nothing can be sent to some destinations. Raises `UsageError` if that is so of the one that is named."""
    went_to = {delivery["destination"] for event in events for delivery in event["deliveries"]}
    obstacles = absent(found, {*went_to, *([] if to is None else [to])})
    if to is None or to not in obstacles:
        return obstacles
    enabled = ", ".join(shown(name) for name in sorted(found.destinations)) or "none"
    if obstacles[to] == DISABLED:
        raise UsageError(
            f"{shown(to)} is disabled in {found.config} (enabled: false), so nothing is sent to it. Enabled are: {enabled}"
        )
    if to in went_to or any(history.deliveries(Query(destination=to, limit=1))):
        raise UsageError(f"{shown(to)} was removed from {found.config}, so nothing is sent to it. There are: {enabled}")
    raise UsageError(no_such("destination", to, sorted(found.destinations)))


def _reject(arguments: argparse.Namespace, meant: Found) -> int | None:
    """Say so, and return the exit code, if no event is meant for certain."""
    if meant.uncertain:
        print_uncertain(arguments.what, meant.uncertain)
        return exit_codes.FAILURE
    if not meant.events:
        of_source = "" if arguments.source is None else f" of {arguments.source}"
        print(
            f"no event{of_source} for {shown(arguments.what)!r} in the outbox: it did not come, or it is older than outbox.keep_delivered. "
            "forwarder events lists what there is",
            file=sys.stderr,
        )
        return exit_codes.FAILURE
    return None


def _print(
    planned: Iterable[tuple[Record, list[Planned]]],
    arguments: argparse.Namespace,
    *,
    verb: str,
    ended: Mapping[tuple[int, str], Record] | None = None,
) -> None:
    """Print each delivery below its event; `ended` has the outcomes, if they are known."""
    outcomes = ended or {}
    for event, lines in planned:
        if not arguments.json:
            print(f"event {event['event_id']}")
            print(
                f"  {shown(event['source'])}, mid {shown(event['mid'])}, accepted {local_exact(event['accepted_at'])}"
            )
            print(f"  {headline(event)}")
            if not lines:
                print("  it went nowhere; --to DESTINATION sends it")
        for one in lines:
            end = outcomes.get(one.key)
            if arguments.json:
                print_json(_as_json(one, end, is_dry=arguments.dry_run))
            elif one.why_not:
                print(f"  {shown(one.destination)}: not sent: {one.why_not}")
            else:
                outcome = f"{verb} (until now: {one.before})" if end is None else end_of(end)
                print(f"  {shown(one.destination)}: {outcome}")


def _as_json(one: Planned, end: Record | None, *, is_dry: bool) -> Record:
    event = {
        name: one.event[name] for name in ("event_id", "event_seq", "source", "mid", "author", "text", "accepted_at")
    }
    return {
        **event,
        "delivery_id": one.delivery_id,
        "destination": one.destination,
        "status_before": None if one.delivery is None else one.delivery["status"],
        "queued": not one.why_not and not is_dry,
        "would_queue": not one.why_not,
        "why_not": one.why_not or None,
        "status": None if end is None else end["status"],
        "http_status": None if end is None else end["http_status"],
        "reason": None if end is None else end["reason"],
    }


def _print_total(
    chosen: Sequence[Planned], what: str, paused: Mapping[str, str], arguments: argparse.Namespace
) -> None:
    if arguments.json:
        return
    print(f"{counted(len(chosen), 'delivery', 'deliveries')} {what}.")
    for name in sorted({one.destination for one in chosen} & paused.keys()):
        print(f"{shown(name)} is {paused[name]}")


def _pauses(history: History) -> dict[str, str]:
    """Return how long destinations are paused, in words, by their names."""
    ends = {name: f"{local(end)}, or " for name, end in history.pause_ends().items()}
    return {
        name: f"paused since {local(since)}: what is sent again waits until {ends.get(name, '')}"
        f"forwarder resume {shlex.quote(shown(name))}"
        for name, since in history.paused().items()
    }


def _print_states(chosen: Sequence[Planned], states: Mapping[str, DestinationReport]) -> None:
    """Say of each destination that does not work now why its delivery may wait."""
    for name in sorted({one.destination for one in chosen}):
        report = states.get(name)
        if report is None or report.paused is not None:  # a pause was reported already
            continue
        if (why := destination_state(name, report, has_waiting=True)) != "ok":
            print(f"{shown(name)} now: {shown(why)}")
