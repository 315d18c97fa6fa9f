"""A machine with a real systemd on which forwarder is installed as the README says, one for each process that runs tests of this folder."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.container import Container, missing
from tests.support.paths import ROOT
from tests.systemd.service import HOME, README, Service, install_others


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run these tests alone."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.alone)


@pytest.fixture(scope="session")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    if (reason := missing(os.environ)) is not None:
        if os.environ.get("FORWARDER_TEST_SYSTEMD") == "required":
            pytest.fail(f"no systemd: {reason}")
        pytest.skip(f"no systemd: {reason}")
    folder = tmp_path_factory.mktemp("systemd")
    folder.chmod(0o755)
    container = Container(Path(os.environ["FORWARDER_TEST_SYSTEMD_ROOT"]), folder)
    try:
        _install(container)
        container.start()
        container.run("groupadd", "ops")
        container.run("useradd", "--create-home", "--groups", "ops", "anna")
        container.run("useradd", "--create-home", "bert")
        install_others(container)
        _do_as_the_readme_says(container)
        yield container
    finally:
        container.end()


@pytest.fixture
def service(machine: Container) -> Iterator[Service]:
    """Give the service, stopped, with an empty outbox and the unit as it is shipped; a stream and a receiver run."""
    found = Service(machine)
    found.reset()
    yield found
    found.say_what_happened()


def _install(container: Container) -> None:
    """Put the program there, with the packages that the machine has already."""
    into = container.files / HOME.relative_to("/")
    into.mkdir(parents=True)
    for name in ("pyproject.toml", "README.md", "LICENSE", "config.yaml", "config.schema.json", "CHANGELOG.md"):
        shutil.copy(ROOT / name, into)
    for name in ("forwarder", "systemd"):
        shutil.copytree(ROOT / name, into / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = str(HOME / ".venv" / "bin" / "pip")
    container.chroot(pip, "install", "--quiet", "--no-index", "--no-deps", "--no-build-isolation", str(HOME))


def _do_as_the_readme_says(container: Container) -> None:
    """Run the commands of "Five minutes to production", but for the download and the test of the key."""
    section = README[README.index("## Five minutes to production") : README.index("To try it without a key")]
    lines = [line for block in re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL) for line in block.splitlines()]
    ours = [
        line for line in lines if not re.search(r"git clone|pip install|--connect|journalctl -u forwarder -f", line)
    ]
    assert len(lines) - len(ours) == 4, lines
    container.run("sh", "-ec", f"cd {HOME}\n" + "\n".join(ours))
