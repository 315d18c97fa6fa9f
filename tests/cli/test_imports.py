"""Which modules a command loads before it works: help, versions and mistakes come at once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from forwarder.cli import COMMANDS

HEAVY = frozenset(
    {"aiohttp", "asyncio", "cryptography", "jinja2", "pydantic", "rich", "structlog", "tenacity", "textual", "yaml"}
)
SCRIPT = """
import json, sys
from forwarder.cli import main
sys.argv = ["forwarder", *json.loads(sys.argv[1])]
try:
    code = main()
except SystemExit as end:
    code = end.code
print("LOADED", json.dumps([code, sorted(sys.modules)]), file=sys.stderr)
"""
CONFIG = """
streams: [{api_key: key}]
destinations: {bot: {url: https://example.com/hook}}
routes: [{name: all, to: bot}]
"""


def loaded(*arguments: str) -> tuple[int, set[str]]:
    """Run a command in a process of its own; return its exit code, and the packages and modules that it has loaded."""
    env = {
        name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")
    }  # it loads modules too
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(arguments)], capture_output=True, text=True, check=True, env=env
    )
    (line,) = (line for line in ran.stderr.splitlines() if line.startswith("LOADED "))
    code, modules = json.loads(line.removeprefix("LOADED "))
    return code, set(modules)


@pytest.mark.parametrize("option", ["--version", "--help", "no-such-command"])
def test_what_the_program_says_of_itself_needs_no_package(option: str) -> None:
    code, modules = loaded(option)
    assert code == (2 if option == "no-such-command" else 0)
    assert not modules & {*HEAVY, "msgspec", "sqlite3", "yarl"}
    assert not any(name.startswith("forwarder.cli.arguments") for name in modules)


LISTS_READ_HISTORY = {
    "events", "deliveries", "dead", "audit", "gaps", "outbox", "backtest",
}  # fmt: skip
"""Commands whose filters have bounds of the history, whose module loads asyncio."""


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_does_not_load_its_work(command: str) -> None:
    code, modules = loaded(command, "--help")
    assert code == 0
    assert not modules & (HEAVY - {"asyncio"} if command in LISTS_READ_HISTORY else HEAVY)
    module, _ = COMMANDS[command]
    assert f"forwarder.cli.{module}" not in modules


def test_a_mistake_in_the_arguments_does_not_load_the_work(tmp_path: Path) -> None:
    code, modules = loaded("run", "--log-level", "loud")
    assert code == 2
    assert not modules & HEAVY


def test_a_check_loads_no_network(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    code, modules = loaded("check", "-c", str(config))
    assert code == 0
    assert "pydantic" in modules
    assert not modules & {"aiohttp", "asyncio", "cryptography", "jinja2", "rich", "structlog", "tenacity"}


@pytest.mark.parametrize("command", ["status", "deliveries", "reconnect"])
def test_a_command_next_to_the_daemon_does_not_load_the_whole_config(command: str, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(CONFIG)
    code, modules = loaded(command, "-c", str(config))
    assert code in {66, 69}
    assert "forwarder.core.config.partial" in modules
    assert not modules & {"aiohttp", "cryptography", "jinja2", "rich", "structlog", "tenacity"}
    assert "forwarder.core.config.model.root" not in modules
