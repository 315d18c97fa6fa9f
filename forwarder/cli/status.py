"""`forwarder status`: how a running daemon is."""

import argparse
import shlex
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

from forwarder.admin.client import NoDaemonError, control
from forwarder.cli import exit_codes
from forwarder.cli.disk_watch import DiskSilentError, read_apart
from forwarder.cli.places import add_config, places, told
from forwarder.cli.records import add_json, local, print_json, print_table
from forwarder.core import metrics
from forwarder.core.changes import Status
from forwarder.core.notices import spell
from forwarder.outbox.access import reading
from forwarder.outbox.history import dead_by_destination, waiting
from forwarder.outbox.problems import OutboxUnusableError


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser("status", help="how the running daemon is, and what waits")
    add_config(parser)
    forms = parser.add_mutually_exclusive_group()
    add_json(forms)
    forms.add_argument("--prometheus", action="store_true", help="metrics in the text format of Prometheus")
    parser.set_defaults(handler=told(run))


def run(arguments: argparse.Namespace) -> int:
    """Print it; exit code 69 where no daemon or no disk answers, 1 where the outbox is in trouble, or a stream was replaced."""
    found = places(arguments)
    try:
        with control(found.socket) as daemon:
            status = daemon.ask(Status())
    except NoDaemonError:
        if arguments.prometheus:  # a file that stays as it was would tell of a daemon that runs
            print(metrics.write(metrics.DOWN), end="")
        raise
    code = exit_codes.OK if _is_well(status) else exit_codes.FAILURE
    try:
        status["waiting"], status["dead"] = read_apart(lambda: _count(found.outbox))
    except OutboxUnusableError:  # why, the daemon's own words say
        status["waiting"] = status["dead"] = None
    except DiskSilentError as silent:
        print(silent, file=sys.stderr)
        status["waiting"] = status["dead"] = None
        code = exit_codes.DISK_SILENT
    if arguments.prometheus:
        print(metrics.write(metrics.families_of(status)), end="")
    elif arguments.json:
        print_json(status)
    else:
        _print(status)
    return code


def _is_well(status: dict[str, Any]) -> bool:
    return status["outbox"]["health"] == "ok" and not any(map(_is_replaced, status["streams"].values()))


def _is_replaced(stream: dict[str, Any]) -> bool:
    """Whether it is away because another connection with its key took its place: a person has to see to it."""
    return bool(stream["condition"] != "open" and stream.get("fault") == "replaced")


def _count(outbox: Path) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many deliveries wait and are dead, by destination."""
    with reading(outbox) as connection:
        return waiting(connection), dead_by_destination(connection)


def _print(status: dict[str, Any]) -> None:
    outbox, lag, since = status["outbox"], status["outbox"]["commit_lag_ms"], status["since_start"]
    print(
        f"forwarder {status['version']}, process {status['pid']}, {status['state']} since {local(status['started_at'])}"
    )
    _print_config(status["config"])
    _print_warnings(status)
    _print_streams(status["streams"], status["lag_ms"])
    print(f"outbox: {outbox['health']}" + (f" ({outbox['trouble']})" if outbox["trouble"] else ""))
    print(
        f"  in memory alone: {outbox['events_in_memory']} events; commit lag: {lag['p50']:g} ms median, {lag['p99']:g} ms p99"
    )
    _print_log(status.get("log"))
    counts = {name: number for name, number in since.items() if isinstance(number, int)}
    print("since the start: " + ", ".join(f"{name} {number:,}" for name, number in counts.items()))
    if status["waiting"] is None:
        print("what waits cannot be read now")
        return
    names = sorted({*status["destinations"], *status["waiting"], *status["dead"]})
    rows = [
        (
            name,
            status["waiting"].get(name, 0),
            status["dead"].get(name, 0),
            _state(status["destinations"][name], has_waiting=name in status["waiting"])
            if name in status["destinations"]
            else "not in the config, or disabled",
        )
        for name in names
    ]
    print_table(("DESTINATION", "WAITING", "DEAD", "STATE"), rows)


def _print_log(log: dict[str, Any] | None) -> None:
    """Print what is wrong with the log; nothing where nothing is, or where the daemon is of a version that does not say."""
    if log is None or not (log["trouble"] or log["lines_dropped"]):
        return
    now = f"CANNOT BE WRITTEN: {log['trouble']}; " if log["trouble"] else ""
    print(f"log: {now}{log['lines_dropped']:,} lines dropped since the start; deliveries do not wait for it")


def _print_warnings(status: dict[str, Any]) -> None:
    """Print what a person should look at."""
    if (jump := status.get("clock_jumped")) is not None:
        by = spell(timedelta(seconds=abs(jump["by_s"])))
        print(
            f"THE CLOCK WAS SET {'forward' if jump['by_s'] > 0 else 'back'} by {by} at {local(jump['at'])}: "
            "what waits goes on as if it had not been; is the clock of this machine right now?"
        )
    for name, lane in status["destinations"].items():
        if (pause := lane["paused"]) is not None and pause["by"] != "person":
            print(
                f"{name} IS PAUSED since {local(pause['since'])}: {pause['why']}. What is meant for it is kept. "
                f"When it is mended: forwarder resume {name}"
            )


def _print_streams(streams: dict[str, Any], lag_ms: dict[str, Any]) -> None:
    """Print how the streams are, first what is wrong with them."""
    away = [name for name, stream in streams.items() if stream["condition"] != "open"]
    if len(away) == len(streams):
        since = max((stream["away_since"] for stream in streams.values() if stream["away_since"]), default=None)
        when = f" since {local(since)}" if since else ""
        print(f"NO STREAM IS OPEN{when}: what is sent now is missed; forwarder gaps tells for how long")
    elif away:
        print(f"streams: {', '.join(away)} away, while others are open: nothing need be missing")
    is_race = len(streams) > 1
    names = ("STREAM", "TRANSPORT", "EVENTS", *(("FIRST", "BEHIND", "MISSED") if is_race else ()), "STATE")
    rows = []
    for name, stream in streams.items():
        raced = (_percent(stream["share"]), _behind(stream), _missed(stream)) if is_race else ()
        rows.append((name, stream["transport"], f"{stream['events']:,}", *raced, _stream_state(name, stream)))
    print_table(names, rows)
    if lag_ms:
        each = (f"{source} {lag['p50']:g} ms median, {lag['p99']:g} ms p99" for source, lag in lag_ms.items())
        print(f"from an event's timestamp to its arrival: {'; '.join(each)}")


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.1f} %"


def _behind(stream: dict[str, Any]) -> str:
    return f"{stream['behind_ms']['p50']:g} ms" if stream["copies"] else "-"


def _missed(stream: dict[str, Any]) -> str:
    away = f" (and {stream['missed_away']:,} away)" if stream["missed_away"] else ""
    return f"{stream['missed_open']:,}{away}"


def _stream_state(name: str, stream: dict[str, Any]) -> str:
    """Return in a few words how a stream is."""
    since = f" since {local(stream['since'])}" if stream["since"] else ""
    last = f"; last event {local(stream['last_event'])}" if stream["last_event"] else ""
    reason = f": {stream['reason']}" if stream["reason"] else ""
    match stream["condition"]:
        case "open":
            return f"open{since}{last}{reason}"
        case "yielded" | "waiting" if stream.get("fault") == "replaced":
            now = f"forwarder reconnect {shlex.quote(name)} tries it at once"
            return f"REPLACED by another connection{since}{reason}; next try {local(stream['next_try_at'])}, or {now}{last}"
        case "waiting":
            return f"AWAY{since}{reason}; next try {local(stream['next_try_at'])}{last}"
        case _:
            return f"connecting{since}{reason}{last}"


def _print_config(config: dict[str, Any]) -> None:
    how = "a saved edit is loaded at once" if config["watched"] else "loaded by SIGHUP and forwarder reload"
    print(f"config: {config['file']} ({config['digest']}), in force since {local(config['in_force_since'])}; {how}")
    if config["needs_restart"]:
        print(f"  in force at the next start only: {', '.join(config['needs_restart'])}")
    if (refused := config["refused"]) is not None:
        print(f"  the last edit was REFUSED at {local(refused['at'])}:")
        print(*(f"    {problem}" for problem in refused["problems"]), sep="\n")
        if refused["more"]:
            print(f"    and {refused['more']:,} more; forwarder check shows all")


def _state(lane: dict[str, Any], *, has_waiting: bool) -> str:
    """Return in a few words how a destination is."""
    parts = []
    if (pause := lane["paused"]) is not None:
        who = {"person": "by hand", "receiver": "because it is gone", "failures": "after days of failures"}[pause["by"]]
        parts.append(
            f"PAUSED {who} since {local(pause['since'])}"
            + (f" ({pause['why']})" if pause["why"] else "")
            + "; forwarder resume sends again"
        )
    elif lane["ours"] is not None:
        parts.append(f"cannot be reached from here: {lane['ours']}")
    elif lane["breaker"] != "closed":
        parts.append(f"DOWN, next probe in {lane['next_probe_in_s']:g} s")
    if lane["held_for_s"]:
        parts.append(f"asks to wait another {lane['held_for_s']:g} s")
    elif not parts and has_waiting and lane["limited_for_s"]:
        parts.append(f"ok, but its limit of rate is reached: the next one goes in {lane['limited_for_s']:g} s")
    if lane["failing_since"] is not None:
        parts.append(f"failing since {local(lane['failing_since'])}: {lane['last_failure'] or 'before the restart'}")
    if (canary := lane["canary"]) is not None:
        if canary["missed"]:
            parts.append("CANARY MISSED")
        last = "none yet" if canary["last_at"] is None else f"{canary['last_ms']:g} ms at {local(canary['last_at'])}"
        parts = [*(parts or ["ok"]), f"last canary: {last}"]
    return "; ".join(parts) or "ok"
