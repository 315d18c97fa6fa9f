"""What the daemon loads: only what its config uses, and what an edit adds is loaded where the config is read, not in the event loop."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import sleep
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import trustme

from tests.support.ports import free_port
from tests.support.process import PROGRAM

SCRIPT = """
import json, ssl, sys, threading
loaded_in = {}

class Note:
    def find_spec(self, name, *_):
        loaded_in.setdefault(name, threading.current_thread() is threading.main_thread())

def certificates():
    contexts = {id(each): each for module in list(sys.modules.values()) for each in list(vars(module).values()) if isinstance(each, ssl.SSLContext)}
    return [each.cert_store_stats()["x509"] for each in contexts.values()]

def answer():
    for _ in sys.stdin:
        print("LOADED", json.dumps([sorted(sys.modules), loaded_in, certificates()]), flush=True)

sys.meta_path.insert(0, Note())
threading.Thread(target=answer, daemon=True).start()
from forwarder.cli import main
sys.argv = ["forwarder", "run", "-c", sys.argv[1]]
sys.exit(main())
"""
CONFIG = """
streams: [{{url: "ws://127.0.0.1:9/ws", api_key: key}}]
destinations: {{bot: {{url: "http://127.0.0.1:9/hook"{of_destination}}}}}
routes: [{{name: all{of_route}, to: bot}}]
"""
KEY = "whsk_" + "A" * 43 + "="
USES = {
    "jinja2": {"of_destination": ", format: {type: template, body: '{{ post.text | tojson }}'}"},
    "cryptography": {"of_destination": f", signing: {{secret: {KEY}}}"},
    "re2": {"of_route": ", match: {text: {regex: a+}}"},
}
"""For each package that only some configs need, a config that needs it."""
NEVER = frozenset({"ahocorasick", "difflib", "html", "prometheus_client", "rich"})
PARTS_NEVER = (
    "forwarder.emulator",
    "forwarder.demo",
    "forwarder.web",
    "aiohttp.web",
    "forwarder.core.templates.sandbox",
    "forwarder.core.matching.explain",
    "forwarder.core.matching.rendering",
)


class Daemon:
    """A daemon that says what it has loaded."""

    def __init__(self, process: "subprocess.Popen[str]", config: Path) -> None:
        self._process = process
        self._config = config

    def loaded(self) -> tuple[set[str], dict[str, bool]]:
        """Return the modules that are loaded, and for each that was looked for whether that was in the thread of the event loop."""
        modules, in_loop, _ = self._ask()
        return set(modules), in_loop

    def certificates(self) -> list[int]:
        """Return how many CA certificates each TLS context of a module holds."""
        return self._ask()[2]

    def _ask(self) -> tuple[list[str], dict[str, bool], list[int]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(file=self._process.stdin, flush=True)
        line = next(line for line in self._process.stdout if line.startswith("LOADED "))
        modules, in_loop, certificates = json.loads(line.removeprefix("LOADED "))
        return modules, in_loop, certificates

    def edit(self, **uses: str) -> None:
        """Change the config and have it read."""
        write(self._config, **uses)
        subprocess.run([*PROGRAM, "reload", "-c", str(self._config)], capture_output=True, check=True)


def write(config: Path, **uses: str) -> None:
    config.write_text(CONFIG.format(**{"of_destination": "", "of_route": "", **uses}), encoding="utf-8")


@contextmanager
def running(config: Path, **environment: str) -> Iterator[Daemon]:
    usual = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_")}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=usual | environment,
        cwd=config.parent,
    ) as process:
        try:
            assert process.stdout is not None
            assert any('"daemon.ready"' in line for line in process.stdout)
            yield Daemon(process, config)
        finally:
            process.terminate()


def test_a_small_config_loads_no_package_that_only_others_need(tmp_path: Path) -> None:
    write(config := tmp_path / "config.yaml")
    with running(config) as daemon:
        modules, _ = daemon.loaded()
    assert "forwarder.daemon.daemon" in modules
    assert not modules & {*USES, *NEVER}
    assert not [name for name in modules if name.startswith(PARTS_NEVER)]


def test_templates_are_loaded_with_the_first_view_of_the_page_and_in_a_thread(tmp_path: Path) -> None:
    write(config := tmp_path / "config.yaml")
    url = f"127.0.0.1:{free_port()}"
    with config.open("a", encoding="utf-8") as file:
        file.write(f"admin: {{listen: '{url}'}}\n")
    with running(config) as daemon:
        for path, is_loaded in (("/healthz", False), ("/", True)):
            assert answered(f"http://{url}{path}") == 200
            modules, in_loop = daemon.loaded()
            assert ("jinja2" in modules) is is_loaded
    assert in_loop["jinja2"] is False


def answered(url: str) -> int:
    """Return the status of the first answer of a daemon that may not listen yet."""
    for _ in range(600):
        try:
            with urlopen(url, timeout=60) as answer:  # noqa: S310 - our own address
                return int(answer.status)
        except URLError:
            sleep(0.1)
    raise AssertionError("it does not listen")


def test_the_certificates_of_the_system_are_read_only_for_a_url_with_tls(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(file := tmp_path / "ca.pem")
    write(config := tmp_path / "config.yaml")
    with running(config, SSL_CERT_FILE=str(file)) as daemon:
        found = daemon.certificates()
    assert found  # aiohttp makes its own when it is loaded
    assert set(found) == {0}


@pytest.mark.parametrize("package", USES)
def test_what_a_config_uses_is_loaded_before_the_first_event(package: str, tmp_path: Path) -> None:
    write(config := tmp_path / "config.yaml", **USES[package])
    with running(config) as daemon:
        modules, _ = daemon.loaded()
    assert package in modules


@pytest.mark.parametrize("package", USES)
def test_what_an_edit_adds_is_loaded_outside_of_the_event_loop(package: str, tmp_path: Path) -> None:
    write(config := tmp_path / "config.yaml")
    with running(config) as daemon:
        assert package not in daemon.loaded()[0]
        daemon.edit(**USES[package])
        modules, in_loop = daemon.loaded()
    assert package in modules
    assert not in_loop[package]
