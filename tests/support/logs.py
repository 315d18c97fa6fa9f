"""Processes that log, and the lines that they write."""

import json
import subprocess
from collections.abc import Callable
from typing import Any

TIMEOUT_S = 60
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


def records(data: bytes) -> list[dict[str, Any]]:
    """Return the lines; each must be whole."""
    assert data.endswith(b"\n")
    return [json.loads(line) for line in data.split(b"\n")[:-1]]
