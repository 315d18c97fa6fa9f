"""forwarder.service on a machine with a real systemd: what it is, says and gets."""

import json
import time
from pathlib import Path
from typing import Any

from forwarder.core.commands import StatusRequest
from tests.support.container import Container
from tests.support.paths import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
HOME = Path("/opt/forwarder")
PROGRAM = str(HOME / ".venv" / "bin" / "forwarder")
CONFIG = "/etc/forwarder/config.yaml"
UNIT = "forwarder.service"
SOCKET = "/run/forwarder/control.sock"
_ASK = """
import socket, sys
asking = socket.socket(socket.AF_UNIX)
asking.settimeout(10)
asking.connect(sys.argv[1])
asking.sendall(sys.argv[2].encode() + b"\\n")
print(asking.makefile().readline() or sys.exit(1))
"""
_DROP_IN = f"/etc/systemd/system/{UNIT}.d/test.conf"
_LIMIT_S = 120

_OTHERS = {
    "stream": f"""\
[Service]
ExecStart={PROGRAM} emulate --port 8765 --rate 20
[Install]
WantedBy=multi-user.target
""",
    "receiver": f"""\
[Service]
ExecStart={PROGRAM} listen --port 9000 --json --delay 300ms
[Install]
WantedBy=multi-user.target
""",
}
"""What it is connected to: a stream of 20 events a second, and a receiver that takes 0.3 s for each."""


def install_others(machine: Container) -> None:
    """Start a stream and a receiver on that machine, for as long as it is there."""
    for name, text in _OTHERS.items():
        machine.write(f"/etc/systemd/system/{name}.service", text)
    machine.run("systemctl", "enable", "--quiet", "--now", *_OTHERS)


def config(extra: str = "", *, key: str = "api_key: test-key", url: str = "http://127.0.0.1:9000/hook") -> str:
    return (
        f"streams: [{{url: 'ws://127.0.0.1:8765/ws', {key}}}]\ndestinations: {{bot: {{url: '{url}'}}}}\n"
        f"routes: [{{name: everything, to: bot}}]\n{extra}"
    )


class Service:
    """The service under test."""

    def __init__(self, machine: Container) -> None:
        self.machine = machine
        self._cursor = ""

    def reset(self) -> None:
        """Stop it, and undo what another test did."""
        run = self.machine.run
        run("systemctl", "stop", UNIT, "holder", check=False)
        run("rm", "-rf", "/var/lib/private/forwarder", "/var/lib/forwarder", str(Path(_DROP_IN).parent))
        self.configure()
        run("systemctl", "daemon-reload")
        run("systemctl", "reset-failed")
        self._cursor = run("journalctl", "--lines=0", "--show-cursor").stdout.partition("cursor: ")[2].strip()

    def configure(self, extra: str = "", **more: str) -> None:
        """Write the config; a daemon that runs sees it."""
        self.machine.write(CONFIG, config(extra, **more))

    def change_unit(self, text: str) -> None:
        """Add a drop-in to the unit."""
        self.machine.write(_DROP_IN, text)
        self.machine.run("systemctl", "daemon-reload")

    def do(self, verb: str, *, check: bool = True) -> int:
        """Run `systemctl VERB` and return its exit code."""
        return self.machine.run("systemctl", verb, UNIT, check=check).returncode

    def command(self, *arguments: str, user: str | None = None, check: bool = True) -> tuple[int, str, str]:
        """Run a command of forwarder, as root if nothing else is said; return its exit code and what it printed."""
        verb, *rest = arguments
        done = self.machine.run(PROGRAM, verb, "-c", CONFIG, *rest, user=user, check=check)
        return done.returncode, done.stdout, done.stderr

    def status(self) -> dict[str, Any]:
        """Return what the daemon says of itself; nothing where it does not answer. Much cheaper than a command."""
        done = self.machine.run("python3", "-c", _ASK, SOCKET, StatusRequest().model_dump_json(), check=False)
        found: dict[str, Any] = json.loads(done.stdout)["result"] if done.returncode == 0 else {}
        return found

    def show(self, name: str) -> str:
        """Return a property of the unit."""
        return self.machine.show(UNIT, name)[name]

    @property
    def main_pid(self) -> int:
        return int(self.show("MainPID"))

    def journal(self, *more: str) -> list[dict[str, Any]]:
        """Return the entries since the test began; `more` narrows them."""
        return self.machine.journal(UNIT, f"--after-cursor={self._cursor}", *more)

    def events(self, *more: str) -> list[dict[str, Any]]:
        """Return the lines of the daemon among them."""
        return list(filter(None, map(_line_of, self.journal(*more))))

    def names(self, *more: str) -> list[str]:
        """Return the events of those lines."""
        return [line["event"] for line in self.events(*more)]

    def wait_for(self, event: str, count: int = 1) -> None:
        """Return once the daemon has logged that."""
        self.machine.until(lambda: self.names().count(event) >= count, limit_s=_LIMIT_S, what=event)

    def wait_until(self, name: str, value: str, limit_s: float = _LIMIT_S) -> None:
        """Return once a property of the unit has this value."""
        self.machine.until(lambda: self.show(name) == value, limit_s=limit_s, what=f"{name}={value}")

    def delivered(self) -> int:
        """Return how many events this run of the daemon has delivered; none where it does not answer."""
        status = self.status()
        return int(status["since_start"]["delivered"]) if status else 0

    def wait_for_deliveries(self, number: int = 1) -> None:
        """Return once so many more have been made."""
        self.machine.until(lambda: self.delivered() >= number, limit_s=_LIMIT_S, what="deliveries")

    def assert_balanced(self) -> None:
        """Every event and every delivery is accounted for."""
        self.command("audit")

    def say_what_happened(self) -> None:
        """Print the journal: shown where the test has failed."""
        for entry in self.journal()[-200:]:
            at = time.strftime("%T", time.gmtime(int(entry["__REALTIME_TIMESTAMP"]) / 1e6))
            print(at, str(entry.get("MESSAGE"))[:500])  # noqa: T201 - pytest shows it with a failure


def _line_of(entry: dict[str, Any]) -> dict[str, Any] | None:
    message = entry.get("MESSAGE")
    if not isinstance(message, str) or not message.startswith("{"):
        return None
    line: dict[str, Any] = json.loads(message)
    return line if "event" in line else None
