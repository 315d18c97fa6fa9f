"""Commands of a user who may not see the files of the service: a sentence that says which file and what to do, never a traceback."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from forwarder.cli import COMMANDS, exit_codes
from forwarder.emulator.script import packaged_events
from forwarder.outbox.open import open_outbox
from tests.support.process import write_config
from tests.support.users import NOBODY, run_as, shared_folder

COMMAND_LINES = (
    "run",
    "run --takeover",
    "check",
    "check --diff",
    "test",
    "status",
    "status --json",
    "status --prometheus",
    "reload",
    "upgrade",
    "reconnect",
    "log-level",
    "tail",
    "top",
    "events",
    "events show 1a",
    "deliveries",
    "deliveries show 1a",
    "dead list",
    "dead show 1a",
    "dead drop --all",
    "dead replay --all",
    "replay --since 1h --to bot",
    "resend 1a",
    "pause bot",
    "resume bot",
    "audit",
    "gaps",
    "actions",
    "forget --author nova --yes",
    "outbox check",
    "outbox vacuum",
    "outbox backup copy.db",
    "outbox export",
    "send bot",
    "preview bot",
    "explain --mid 1",
    "explain --event event.json",
    "backtest",
)


SCRIPT = """
import json, tempfile
from forwarder.cli import main
results = []
for line in json.loads(sys.argv[1]):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            os.dup2(out.fileno(), 1)
            os.dup2(err.fileno(), 2)
            sys.argv = ["forwarder", *line.split()]
            sys.exit(main())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        out.seek(0)
        err.seek(0)
        results.append([code, out.read().decode(), err.read().decode()])
print(json.dumps(results))
"""


def all_as_nobody(folder: Path, lines: Sequence[str]) -> Iterator[tuple[str, int, str, str]]:
    """Run commands in a folder as a user without rights; yield each with its exit code and what it printed."""
    ran = run_as(NOBODY, SCRIPT, json.dumps(lines), cwd=folder)
    assert ran.returncode == 0, ran.stderr
    for line, (code, out, err) in zip(lines, json.loads(ran.stdout), strict=True):
        yield line, code, out, err


def as_nobody(folder: Path, line: str) -> tuple[int, str, str]:
    ((_, code, out, err),) = all_as_nobody(folder, [line])
    return code, out, err


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder that every user may enter; the folder of pytest is closed."""
    if os.geteuid() != 0:
        pytest.skip("only root can run a command as another user")
    with shared_folder() as made:
        yield made


async def test_in_its_own_files_another_user_can_do_everything(folder: Path) -> None:
    configure(folder).chmod(0o600)
    async with open_outbox(folder / "outbox.db"):
        pass
    for each in (folder, *folder.iterdir()):
        os.chown(each, NOBODY, NOBODY)
    lines = ["check", "test", "events", "pause bot", "audit", "outbox check", "outbox vacuum", "outbox backup copy.db"]
    for line, code, _, err in all_as_nobody(folder, lines):
        assert (code, err) == (0, ""), line


def configure(folder: Path, extra: str = "") -> Path:
    return write_config(folder, stream="ws://127.0.0.1:9/ws", destinations={"bot": "http://127.0.0.1:9/"}, extra=extra)


def assert_sentence(line: str, code: int, err: str) -> None:
    assert "Traceback" not in err, line
    assert code in {
        exit_codes.FAILURE,
        exit_codes.USAGE,
        exit_codes.NO_DAEMON,
        exit_codes.OUTBOX_UNWRITABLE,
        exit_codes.BAD_CONFIG,
    }, (line, code, err)
    assert "Permission denied" in err, line


def test_every_command_with_a_config_is_here() -> None:
    without_files = {"demo", "listen", "emulate", "schema", "completion", "init"}
    without_files |= {"support"}  # says in its bundle what it may not read
    assert {line.split()[0] for line in COMMAND_LINES} | without_files == set(COMMANDS)


@pytest.mark.parametrize("closed", ["the config", "its folder"])
def test_a_config_that_another_user_may_not_read_is_a_sentence(folder: Path, closed: str) -> None:
    inner = folder / "etc"
    inner.mkdir(mode=0o755)
    config = configure(inner)
    (config if closed == "the config" else inner).chmod(0o600 if closed == "the config" else 0o700)
    for line, code, out, err in all_as_nobody(folder, [f"{line} -c {config}" for line in COMMAND_LINES]):
        assert_sentence(line, code, err)
        assert str(config) in err
        assert "sudo forwarder" in err
        assert out == "", line


async def test_an_outbox_that_another_user_may_not_open_is_a_sentence(folder: Path) -> None:
    private = folder / "state"
    folder.chmod(0o777)  # a copy may be written here
    for mode in (0o700, 0o755):  # the folder is closed, and only the file is
        config = configure(folder)
        text = config.read_text(encoding="utf-8").replace("sqlite:outbox.db", f"sqlite://{private}/outbox.db")
        config.write_text(text, encoding="utf-8")
        private.mkdir(exist_ok=True)
        private.chmod(mode)
        async with open_outbox(private / "outbox.db"):
            pass
        (folder / "event.json").write_bytes(packaged_events()[0])
        quick = {"check", "test", "preview bot", "explain --event event.json", "send bot", "check --diff"}
        socket = {
            "status",
            "status --json",
            "status --prometheus",
            "reload",
            "upgrade",
            "reconnect",
            "log-level",
            "tail",
            "top",
        }
        for line, code, _, err in all_as_nobody(folder, COMMAND_LINES):
            assert "Traceback" not in err, line
            if line in quick or (mode == 0o755 and line in socket):
                continue
            assert_sentence(line, code, err)
            assert "root" in err, line


@pytest.mark.parametrize("name", ["copy.db", "report.xml"])
def test_a_file_that_cannot_be_written_is_a_sentence(folder: Path, name: str) -> None:
    configure(folder)
    line = f"outbox backup etc/{name}" if name == "copy.db" else f"test --junit etc/{name}"
    (folder / "etc").mkdir(mode=0o700)
    code, _, err = as_nobody(folder, line)
    assert_sentence(line, code, err)
    assert f"etc/{name}" in err


@pytest.mark.parametrize(
    ("extra", "file"),
    [
        ("lists: {words: {file: named}}\n", "named"),
        ("destinations2: {}\n", "tests/a_test.yaml"),
    ],
)
def test_a_file_of_the_config_that_cannot_be_read_is_a_sentence(folder: Path, extra: str, file: str) -> None:
    configure(folder, "" if "2" in extra else extra)
    named = folder / file
    named.parent.mkdir(exist_ok=True)
    named.write_text("tests: []\n", encoding="utf-8")
    named.chmod(0o600)
    for line, code, _, err in all_as_nobody(folder, ["check", "test"]):
        assert_sentence(line, code, err)
        assert file in err
