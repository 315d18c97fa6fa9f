"""`forwarder support`: writes a bundle without secrets for a bug report."""

import argparse
import io
import json
import os
import platform
import sqlite3
import sys
import tarfile
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from forwarder import __version__
from forwarder.cli import exit_codes
from forwarder.cli.listing import now_ms
from forwarder.cli.locations import Places, UsageError, config_path, places_of_running, report_errors
from forwarder.configfile.checked import CheckedConfig, check_config
from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.control.client import control
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.core.commands import StatusRequest
from forwarder.core.config.shareable import secrets_of, shareable
from forwarder.core.history import Query
from forwarder.core.masking import masked
from forwarder.core.yaml.problems import ConfigError
from forwarder.outbox.open import maintenance_of, open_history
from forwarder.outbox.problems import OutboxUnusableError

_PACKAGES = (
    "aiohttp",
    "aiosqlite",
    "google-re2",
    "jinja2",
    "msgspec",
    "pydantic",
    "rich",
    "structlog",
    "tenacity",
    "uvloop",
)
_MOST = 50
"""How many gaps, groups of dead letters and actions are in it, the latest."""
_DAY_MS = 24 * 3600 * 1000
_README = """\
A bundle of forwarder support, for a bug report. Look through it before you send it.

versions.json  forwarder, Python, SQLite, the system, and the packages that forwarder uses
config.json    the settings of the config, without keys, addresses of webhooks, headers, templates and the contents of rules
check.txt      what forwarder check says of the config
status.json    what forwarder status --json says, or why the daemon does not answer
outbox.json    counts, gaps, dead letters by reason, and what people did; no posts

The log is not in it: journalctl -u forwarder --since "1 hour ago" prints it. It has no secrets, but the names of your destinations and routes.
"""


@report_errors
def run(arguments: argparse.Namespace) -> int:
    """Write the bundle. What cannot be found out is said in it."""
    target: Path = arguments.file
    config = config_path(arguments)
    checked = check_config(config)
    try:
        found: Places | None = places_of_running(arguments)
    except (ConfigError, ConfigUnreadableError):
        found = None
    parts: dict[str, Callable[[], object]] = {
        "README.txt": lambda: _README,
        "versions.json": _versions,
        "config.json": lambda: {} if checked.config is None else shareable(checked.config),
        "check.txt": lambda: _findings(checked),
        "status.json": lambda: _NO_PLACES if found is None else _status(found),
        "outbox.json": lambda: _NO_PLACES if found is None else _outbox(found),
    }
    secrets = [] if checked.config is None else list(secrets_of(checked.config))
    texts = {name: masked(_text(make()), secrets) for name, make in parts.items()}
    try:
        _write(target, texts)
    except FileExistsError:
        raise UsageError(f"{target} exists already; name a file that does not") from None
    except OSError as error:
        print(f"{target}: cannot be written: {error.strerror or error}", file=sys.stderr)
        return exit_codes.FAILURE
    print(f"{target} has been written: {', '.join(texts)}.")
    print("It has no secrets, no addresses of webhooks, no rules and no posts. Look through it before you send it:")
    print(f"  tar -xzOf {target} | less")
    if checked.config is None:
        print(
            f"The settings of {config} are not in it: it has mistakes or cannot be read, as check.txt says.",
            file=sys.stderr,
        )
    return exit_codes.OK


_NO_PLACES = {
    "unknown": "the config cannot be read, so it is not known where the daemon and the outbox are; see check.txt"
}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=True) + "\n"


def _versions() -> Mapping[str, object]:
    packages = {}
    for name in _PACKAGES:
        try:
            packages[name] = version(name)
        except PackageNotFoundError:
            packages[name] = "not installed"
    return {
        "forwarder": __version__,
        "python": sys.version,
        "sqlite": sqlite3.sqlite_version,
        "system": platform.platform(),
        "libc": " ".join(platform.libc_ver()),
        "cpus": os.cpu_count(),
        "packages": packages,
    }


def _findings(checked: CheckedConfig) -> str:
    lines = [f"{'valid' if checked.is_valid else 'NOT valid'}"]
    lines += [f"problem: {each.text}" for each in checked.problems]
    lines += [f"warning: {each.text}" for each in checked.warnings]
    return "\n".join(lines) + "\n"


def _status(found: Places) -> object:
    try:
        with control(found.socket, outbox=found.outbox) as daemon:
            return daemon.ask(StatusRequest())
    except (NoDaemonError, DaemonRefusedError) as error:
        return {"unknown": str(error)}


def _outbox(found: Places) -> object:
    try:
        with open_history(found.outbox) as history:
            audit, incomplete = history.audit()
            return {
                "size_bytes": maintenance_of(found.outbox).size(),
                "entries": dict(audit.entries),
                "kept_events": audit.events,
                "kept_deliveries": dict(audit.deliveries),
                "not_accounted_for": [line.what for line in audit.findings],
                "incomplete_events": len(incomplete),
                "waiting": history.waiting(),
                "dead": history.dead_by_destination(),
                "paused": history.paused(),
                "dead_groups": [
                    {name: each[name] for name in ("destination", "status", "count", "reason", "first_at", "last_at")}
                    for each in history.dead_groups(Query(limit=_MOST))
                ],
                "gaps": list(
                    history.gaps(Query(since_ms=now_ms() - 7 * _DAY_MS, limit=_MOST), stream=None, only_open=False)
                ),
                "actions": list(history.actions(Query(limit=_MOST))),
            }
    except OutboxUnusableError as error:
        return {"unknown": str(error)}


def _write(target: Path, texts: Mapping[str, str]) -> None:
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w:gz") as bundle:
        for name, text in texts.items():
            data = text.encode("utf-8", "replace")
            member = tarfile.TarInfo(f"forwarder-support/{name}")
            member.size, member.mode, member.mtime = len(data), 0o600, now_ms() // 1000
            bundle.addfile(member, io.BytesIO(data))
