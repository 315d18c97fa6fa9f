"""Which config, outbox and socket a command means, and the exit code of each mistake."""

import argparse
import os
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.cli.locations import UsageError, places_of, report_errors
from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.control.errors import DaemonRefusedError, NoDaemonError
from forwarder.core.monitoring.status import UnreadableStatusError
from forwarder.core.yaml.problems import ConfigError
from forwarder.outbox.open import open_outbox
from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError
from tests.support import same_process
from tests.support.process import command, forwarder, look, write_config
from tests.support.unit_paths import UnitPaths, use_unit_paths
from tests.support.users import NOBODY, as_root

ERRORS = [
    (ConfigError("config.yaml", []), exit_codes.BAD_CONFIG),
    (ConfigUnreadableError(Path("config.yaml"), FileNotFoundError(2, "no such file")), exit_codes.BAD_CONFIG),
    (UsageError("these do not go together"), exit_codes.USAGE),
    (NoDaemonError("no daemon answers"), exit_codes.NO_DAEMON),
    (DaemonRefusedError("not now"), exit_codes.FAILURE),
    (UnreadableStatusError("Expected `int`"), exit_codes.FAILURE),
    *(
        (OutboxUnusableError(problem, Path("outbox.db"), "it is so", "Do this."), exit_codes.OUTBOX_CODES[problem])
        for problem in OutboxProblem
    ),
]


@pytest.mark.parametrize(("error", "code"), ERRORS)
def test_each_error_is_a_sentence_and_an_exit_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_arguments: argparse.Namespace) -> int:
        raise error

    assert report_errors(fail)(argparse.Namespace()) == code
    out, err = capsys.readouterr()
    assert (out, err) == ("", f"{error}\n")


def test_what_is_no_mistake_of_a_person_is_not_caught() -> None:
    def fail(_arguments: argparse.Namespace) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        report_errors(fail)(argparse.Namespace())


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UnitPaths:
    return use_unit_paths(tmp_path, monkeypatch)


def write(path: Path, name: str = "bot") -> Path:
    path.write_text(
        f"streams: [{{api_key: k}}]\ndestinations: {{{name}: {{url: 'http://127.0.0.1:9/'}}}}\nroutes: [{{name: all, to: {name}}}]\n",
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


async def make_outbox(path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    async with open_outbox(path):
        pass


async def test_where_two_configs_can_be_meant_a_command_says_once_which_it_uses(unit: UnitPaths) -> None:
    write(unit.config)
    write(Path("config.yaml"), name="sample")
    await make_outbox(Path("outbox.db"))
    for words in (
        ["events"],
        ["check"],
        ["test"],
        ["gaps", "--json"],
        ["explain", "--mid", "1"],
        ["preview", "sample"],
    ):
        _, _, err = await command(*words)
        assert err.count("note: using config.yaml of this folder") == 1
        assert str(unit.config) in err
    _, _, err = await command("events", "-c", "config.yaml")
    assert err == ""
    _, _, err = await command("preview", "--format", "raw", "--json")  # needs no config
    assert err == ""


async def test_a_command_without_a_config_here_uses_that_of_the_unit(unit: UnitPaths) -> None:
    write(unit.config)
    await make_outbox(unit.outbox)
    for words in (["check"], ["test"], ["preview", "bot"], ["events"], ["dead", "list"]):
        code, _, err = await command(*words)
        assert (code, err) == (0, "")


async def test_a_pause_reaches_the_outbox_of_the_service_though_there_is_one_beside_the_config(unit: UnitPaths) -> None:
    write(unit.config)
    beside = unit.config.with_name("outbox.db")
    await make_outbox(beside)
    await make_outbox(unit.outbox)
    code, out, err = await command("pause", "bot", "-c", str(unit.config))
    assert (code, out) == (0, "bot is paused; 0 deliveries wait for it.\n")
    assert f"note: using the outbox of the service, {unit.outbox}; {beside} is another one" in err
    assert "no forwarder is running" not in err  # there is no service that it could be mistaken for
    paused = "SELECT paused_why FROM destinations WHERE paused_why IS NOT NULL"
    assert (len(look(unit.outbox, paused)), len(look(beside, paused))) == (1, 0)


async def test_a_change_of_an_outbox_that_the_running_service_does_not_use_says_so(unit: UnitPaths) -> None:
    write(Path("config.yaml"))
    await make_outbox(Path("outbox.db"))
    unit.socket.parent.mkdir()
    unit.socket.touch()
    for words in (["pause", "bot"], ["replay", "--since", "1h", "--to", "bot"], ["dead", "drop", "--all"]):
        code, _, err = await command(*words)
        assert code == 0
        assert (
            f"no forwarder is running with {Path('outbox.db').absolute()}, so this changes nothing for the service"
            in err
        )


async def test_a_start_by_hand_where_two_outboxes_can_be_meant_is_refused(
    unit: UnitPaths, capsys: pytest.CaptureFixture[str]
) -> None:
    write(unit.config)
    beside = unit.config.with_name("outbox.db")
    for path in (beside, unit.outbox):
        await make_outbox(path)
    code, _, err = await same_process.run("run", "-c", str(unit.config))
    assert code == exit_codes.BAD_CONFIG
    assert all(each in err for each in (str(beside), str(unit.outbox), "outbox.url"))


async def test_a_config_elsewhere_whose_unit_keeps_the_outbox_is_read_there_and_said_so(unit: UnitPaths) -> None:
    write(Path("mine.yaml"))
    await make_outbox(unit.outbox)
    code, _, err = await command("events", "-c", "mine.yaml")
    assert code == 0
    assert f"using the outbox of the service, {unit.outbox}" in err


async def test_a_config_elsewhere_is_not_mistaken_for_that_of_the_running_service(
    unit: UnitPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(Path("mine.yaml"))
    write(unit.config)
    unit.socket.parent.mkdir()
    unit.outbox.parent.mkdir()
    env = {"STATE_DIRECTORY": str(unit.outbox.parent), "RUNTIME_DIRECTORY": str(unit.socket.parent)}
    async with forwarder(unit.config, env=env) as daemon:
        await daemon.wait_for("daemon.ready")
        code, _, err = await command("pause", "bot", "-c", "mine.yaml")
        assert code == exit_codes.NO_OUTBOX
        assert str(Path("mine.yaml").absolute().with_name("outbox.db")) in err
        code, _, err = await command("pause", "bot", "-c", str(unit.config))
        assert (code, err) == (0, "")
        await daemon.wait_for("destination.paused")


async def test_the_running_service_is_meant_though_there_is_an_outbox_beside_its_config(unit: UnitPaths) -> None:
    """The unit was changed to use this config, and an earlier version or a copy made an outbox beside it."""
    config = write(Path("mine.yaml").absolute())
    unit.socket.parent.mkdir()
    unit.outbox.parent.mkdir()
    env = {"STATE_DIRECTORY": str(unit.outbox.parent), "RUNTIME_DIRECTORY": str(unit.socket.parent)}
    async with forwarder(config, env=env) as daemon:
        await daemon.wait_for("daemon.ready")
        for beside in (False, True):
            if beside:
                await make_outbox(config.with_name("outbox.db"))
            code, _, err = await same_process.run("run", "-c", str(config))
            assert code == exit_codes.BAD_CONFIG
            assert f"{unit.outbox}, which the service uses" in err
            code, _, err = await command("pause", "bot", "-c", str(config))
            assert code == 0
            assert f"note: using the outbox of the service, {unit.outbox}" in err
            await daemon.wait_for("destination.paused")
            assert (await command("resume", "bot", "-c", str(config)))[0] == 0


def test_the_places_of_a_config_are_known_though_the_rest_of_it_is_wrong(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        "outbox: {url: 'sqlite:box.db'}\nadmin: {socket: ctl.sock}\nstreams: nonsense\n"
        "destinations: {bot: {}, off: {enabled: false}}\n",
        encoding="utf-8",
    )
    found = places_of(config)
    assert (found.outbox, found.socket) == (tmp_path / "box.db", tmp_path / "ctl.sock")
    assert found.destinations == frozenset({"bot"})


def test_a_mistake_in_these_sections_is_named_with_its_place(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("outbox: {durability: perhaps}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"config\.yaml:1:22: outbox\.durability: "):
        places_of(config)


@pytest.mark.parametrize(
    "words",
    [
        ("pause", "bot", "--why", "\udcff"),
        ("pause", "\udcff"),
        ("events", "--source", "\udcff"),
        ("deliveries", "show", "\udcff"),
        ("dead", "drop", "\udcff"),
        ("replay", "--since", "1h", "--to", "\udcff"),
        ("reconnect", "\udcff"),
        ("gaps", "--stream", "\udcff"),
    ],
    ids=" ".join,
)
async def test_an_argument_that_is_not_utf_8_is_a_usage_error(tmp_path: Path, words: tuple[str, ...]) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/ws", destinations={"bot": "http://127.0.0.1:9/"})
    async with open_outbox(tmp_path / "outbox.db"):
        pass
    code, out, err = await command(*words, "-c", str(config))
    assert (code, out) == (exit_codes.USAGE, "")
    assert err.endswith("is not valid UTF-8\n")
    assert err.count("\n") == 1


FINDERS = [
    ("status",),
    ("events",),
    ("pause", "bot"),
    ("outbox", "check"),
    ("send", "bot"),
    ("reload",),
]


@as_root
@pytest.mark.parametrize("arguments", FINDERS, ids=" ".join)
async def test_the_config_of_another_user_is_not_used_without_being_named(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/", destinations={"bot": "http://127.0.0.1:9/"})
    before = sorted(tmp_path.iterdir())
    os.chown(config, NOBODY, NOBODY)
    code, out, err = await command(*arguments, cwd=tmp_path)
    assert (code, out) in {(exit_codes.BAD_CONFIG, ""), (exit_codes.FAILURE, "")}
    assert "config.yaml belongs to" in err
    assert "-c config.yaml" in err
    assert sorted(tmp_path.iterdir()) == before  # nor is a lock file made
    _, _, err = await command(*arguments, "-c", "config.yaml", cwd=tmp_path)
    assert "belongs to" not in err
