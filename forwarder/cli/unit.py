"""Checks a config against the systemd unit and the groups of this machine, for `forwarder check`."""

import grp
import re
import subprocess
from collections.abc import Iterator
from datetime import timedelta

from forwarder.core.config import Config
from forwarder.core.durations import spell
from forwarder.core.yaml.problems import quote
from forwarder.core.yaml.remarks import Remark

UNIT = "forwarder.service"
SHIPPED_STOP = timedelta(seconds=30)
"""`TimeoutStopSec=` of the unit file that comes with forwarder."""
_BEYOND_GRACE = timedelta(seconds=5)
"""How long a stop takes after the grace period: outcomes are written, connections and the outbox are closed."""
_ASK_S = 5
_UNITS_S = {
    "y": 31_557_600,
    "month": 2_629_800,
    "w": 604_800,
    "d": 86_400,
    "h": 3_600,
    "min": 60,
    "s": 1,
    "ms": 1e-3,
    "us": 1e-6,
}


def warnings_of_service(config: Config) -> Iterator[Remark]:
    """Yield a sentence for each setting that does not fit the service or this machine."""
    installed = _installed_stop()
    stop = SHIPPED_STOP if installed is None else installed
    needed = config.grace_period + _BEYOND_GRACE
    if needed > stop:
        where = "as shipped" if installed is None else "as installed here"
        yield Remark(
            ("grace_period",),
            f"{spell(config.grace_period)}: systemd kills {UNIT} ({where}) {spell(stop)} after the stop signal; "
            f"shorten grace_period, or set TimeoutStopSec={needed.total_seconds():g} in the unit",
        )
    group = config.admin.group
    if group is not None and not _is_group(group):
        yield Remark(
            ("admin", "group"),
            f"this machine has no group {quote(group)}, so its members cannot use the control socket",
        )


def _is_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def _installed_stop() -> timedelta | None:
    """Return how long the service of this machine may take to stop; `None` without a service or systemd."""
    try:
        asked = subprocess.run(  # noqa: S603 - our own words
            ["systemctl", "show", "--property=LoadState,TimeoutStopUSec", UNIT],  # noqa: S607 - wherever it is
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_ASK_S,
            check=True,
            text=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    said = dict(line.split("=", 1) for line in asked.stdout.splitlines() if "=" in line)
    return read_span(said.get("TimeoutStopUSec", "")) if said.get("LoadState") == "loaded" else None


def read_span(text: str) -> timedelta | None:
    """Return a span as systemctl prints it, such as `1min 30s`; `None` for anything else."""
    if text == "infinity":
        return timedelta.max
    parts = text.split()
    read = [re.fullmatch(r"([0-9.]+)([a-z]+)", part) for part in parts]
    seconds = [float(part[1]) * _UNITS_S[part[2]] for part in read if part is not None and part[2] in _UNITS_S]
    return timedelta(seconds=sum(seconds)) if parts and len(seconds) == len(parts) else None
