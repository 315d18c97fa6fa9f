"""Prometheus and promtool, for tests that hold our metrics, rules and dashboard against the real programs."""

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp

from tests.support.ports import free_port

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


class Prometheus:
    """A running Prometheus that scrapes one address each second."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def ask(self, path: str, **values: str) -> Any:  # noqa: ANN401 - JSON
        """Return the data of an answer of its API."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/{path}", params=values) as answer,
        ):
            found = await answer.json()
            assert found["status"] == "success", found
            return found["data"]

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the result of a query: for each series its labels as `metric`, and `value`."""
        found: list[dict[str, Any]] = (await self.ask("query", query=expression))["result"]
        return found

    async def until(self, expression: str, limit_s: float = 90) -> list[dict[str, Any]]:
        """Return the result of a query once it has one."""
        async with asyncio.timeout(limit_s):
            while True:
                with suppress(aiohttp.ClientConnectorError):
                    if found := await self.query(expression):
                        return found
                await asyncio.sleep(0.2)


@asynccontextmanager
async def prometheus(folder: Path, *, target: str, rules: Path) -> AsyncIterator[Prometheus]:
    """Run Prometheus on the loopback interface, with its data in `folder`; it scrapes `target` and evaluates `rules`."""
    port = free_port()
    config = folder / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}\n"
        f"rule_files: ['{rules}']\n"
        f"scrape_configs: [{{job_name: forwarder, static_configs: [{{targets: ['{target}']}}]}}]\n",
        encoding="utf-8",
    )
    process = await asyncio.create_subprocess_exec(
        "prometheus",
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'prometheus-data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=error",
    )
    try:
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
