"""Prometheus and promtool, for tests that hold our metrics, rules and dashboard against the real programs."""

import os
import shutil
import subprocess
from pathlib import Path

REQUIRED = "FORWARDER_TEST_PROMETHEUS"
"""If it is `required`, tests without the programs fail instead of being skipped."""
PROGRAMS = ("promtool", "prometheus")


def why_no_prometheus() -> str | None:
    """Return why the programs cannot be run; `None` if they can, or must be there."""
    if os.environ.get(REQUIRED) == "required":
        return None
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"needs {' and '.join(missing)}" if missing else None


def promtool(*words: str, stdin: bytes = b"", cwd: Path | None = None) -> tuple[int, str]:
    """Return the exit code of a command of promtool and what it said."""
    done = subprocess.run(
        [shutil.which("promtool") or "promtool", *words],
        input=stdin,
        cwd=cwd,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode, (done.stdout + done.stderr).decode()
