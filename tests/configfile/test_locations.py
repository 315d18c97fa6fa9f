"""Where the outbox and the control socket of a config are."""

import gc
import os
from pathlib import Path

import pytest

from forwarder.configfile import locations
from forwarder.configfile.locations import (
    HERE,
    Choice,
    ConfigUnreadableError,
    ForeignConfigError,
    choose_config,
    choose_outbox,
    daemon_socket,
    is_there,
    read_text,
    require_own,
    socket_path,
    without_collections,
)
from forwarder.core.config.model.admin import AdminConfig
from forwarder.core.config.model.outbox import OutboxConfig
from tests.support.unit_paths import UnitPaths, use_unit_paths
from tests.support.users import NOBODY, OTHER, as_root, run_as, shared_folder

CONFIG = Path("/etc/here/config.yaml")
OUTBOX = Path("/data/outbox.db")


@pytest.fixture(autouse=True)
def _no_service(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STATE_DIRECTORY", "RUNTIME_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("url", "state", "path"),
    [
        (None, None, "/etc/here/outbox.db"),
        (None, "/var/lib/forwarder:/var/lib/more", "/var/lib/forwarder/outbox.db"),
        ("sqlite:///data/box.db", "/var/lib/forwarder", "/data/box.db"),
        ("sqlite:////data/box.db", None, "/data/box.db"),
        ("sqlite:box.db", "/var/lib/forwarder", "/etc/here/box.db"),
    ],
)
def test_the_outbox_is_where_the_url_or_the_service_says_or_next_to_the_config(
    monkeypatch: pytest.MonkeyPatch, url: str | None, state: str | None, path: str
) -> None:
    if state is not None:
        monkeypatch.setenv("STATE_DIRECTORY", state)
    assert choose_outbox(OutboxConfig.model_construct(url=url), CONFIG) == Choice(Path(path))


@pytest.mark.parametrize(
    ("socket", "runtime", "path"),
    [
        (None, None, "/data/outbox.db.sock"),
        (None, "/run/forwarder:/run/more", "/run/forwarder/control.sock"),
        ("ctl.sock", "/run/forwarder", "/etc/here/ctl.sock"),
        ("/srv/ctl.sock", None, "/srv/ctl.sock"),
    ],
)
def test_the_socket_is_where_the_config_or_the_service_says_or_next_to_the_outbox(
    monkeypatch: pytest.MonkeyPatch, socket: str | None, runtime: str | None, path: str
) -> None:
    if runtime is not None:
        monkeypatch.setenv("RUNTIME_DIRECTORY", runtime)
    assert socket_path(AdminConfig.model_construct(socket=socket), CONFIG, OUTBOX) == Path(path)


@pytest.fixture
def unit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UnitPaths:
    return use_unit_paths(tmp_path, monkeypatch)


@pytest.mark.parametrize(
    ("here", "of_unit", "expected"),
    [(True, True, "here"), (True, False, "here"), (False, True, "of_unit"), (False, False, "here")],
)
def test_without_an_option_it_is_the_config_here_or_else_that_of_the_unit(
    tmp_path: Path, unit: UnitPaths, here: bool, of_unit: bool, expected: str
) -> None:
    for path, exists in ((Path("config.yaml"), here), (unit.config, of_unit)):
        if exists:
            path.touch()
    other = unit.config if here and of_unit else None
    assert choose_config(None) == Choice(HERE if expected == "here" else unit.config, other=other)
    assert choose_config(Path("other.yaml")) == Choice(Path("other.yaml"))


def test_in_the_folder_of_the_unit_there_is_only_one_config(unit: UnitPaths, monkeypatch: pytest.MonkeyPatch) -> None:
    unit.config.touch()
    monkeypatch.chdir(unit.config.parent)
    assert choose_config(None) == Choice(HERE)


def test_a_link_to_the_config_of_the_unit_is_the_same_config(unit: UnitPaths) -> None:
    unit.config.touch()
    HERE.symlink_to(unit.config)
    assert choose_config(None) == Choice(HERE)


@pytest.mark.parametrize(
    ("exist", "expected", "other"),
    [
        ("", "beside", None),
        ("unit", "in_state", None),
        ("unit in_state", "in_state", None),
        ("beside", "beside", None),
        ("unit beside", "beside", None),
        ("unit beside in_state", "in_state", "beside"),
    ],
)
@pytest.mark.parametrize("name", ["config.yaml", "new.yaml", "../etc/config.yaml", "../link.yaml"])
def test_the_outbox_of_a_config_of_the_unit_is_that_of_the_unit(
    unit: UnitPaths, name: str, exist: str, expected: str, other: str | None
) -> None:
    file = unit.config.parent / name
    if name == "../link.yaml":
        unit.config.touch()
        file.symlink_to(unit.config)
    paths = {"beside": file.parent / "outbox.db", "in_state": unit.outbox, "unit": unit.file}
    unit.outbox.parent.mkdir()
    if "unit" not in exist:
        unit.outbox.parent.rmdir()
    for each in exist.split():
        paths[each].touch()
    found = choose_outbox(OutboxConfig.model_construct(url=None), file)
    assert found == Choice(paths[expected], other=None if other is None else paths[other])


def test_the_service_uses_its_state_directory_and_another_outbox_beside_its_config_is_noticed(
    unit: UnitPaths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", str(unit.outbox.parent))
    beside = unit.config.with_name("outbox.db")
    settings = OutboxConfig.model_construct(url=None)
    assert choose_outbox(settings, unit.config) == Choice(unit.outbox)
    beside.touch()
    assert choose_outbox(settings, unit.config) == Choice(unit.outbox, other=beside)
    unit.outbox.parent.symlink_to(beside.parent)
    assert choose_outbox(settings, unit.config) == Choice(unit.outbox)  # one folder by two names


def test_a_url_in_the_config_is_the_only_outbox(unit: UnitPaths) -> None:
    unit.outbox.parent.mkdir()
    unit.outbox.touch()
    unit.config.with_name("outbox.db").touch()
    found = choose_outbox(OutboxConfig.model_construct(url="sqlite:outbox.db"), unit.config)
    assert found == Choice(unit.config.with_name("outbox.db"))


@pytest.mark.parametrize("is_made", [True, False])
@pytest.mark.parametrize("is_of_unit", [True, False])
def test_a_command_finds_the_socket_of_the_unit_without_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_made: bool, is_of_unit: bool
) -> None:
    unit = tmp_path / "control.sock"
    if is_made:
        unit.touch()
    monkeypatch.setattr(locations, "UNIT_SOCKET", unit)
    monkeypatch.setattr(locations, "UNIT_CONFIG", (CONFIG if is_of_unit else tmp_path / "config.yaml"))
    found = daemon_socket(AdminConfig.model_construct(socket=None), CONFIG, OUTBOX)
    assert found == (unit if is_made and is_of_unit else Path("/data/outbox.db.sock"))


def test_a_config_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigUnreadableError, match=r"cannot be read: No such file or directory\. Name the file with -c"
    ):
        read_text(tmp_path / "none.yaml")
    assert not is_there(tmp_path / "none.yaml")
    assert is_there(tmp_path)


def test_the_collector_is_as_it_was_afterwards() -> None:
    was_on = gc.isenabled()
    try:
        for is_on in (True, False):
            (gc.enable if is_on else gc.disable)()
            with without_collections():
                assert not gc.isenabled()
            assert gc.isenabled() == is_on
    finally:
        (gc.enable if was_on else gc.disable)()


@as_root
@pytest.mark.parametrize(("owner", "link_owner"), [(NOBODY, None), (0, NOBODY), (NOBODY, 0)])
def test_a_config_that_is_found_belongs_to_this_user_or_to_root(
    tmp_path: Path, owner: int, link_owner: int | None
) -> None:
    file = named = tmp_path / "config.yaml"
    file.touch()
    os.chown(file, owner, owner)
    if link_owner is not None:
        named = tmp_path / "link.yaml"
        named.symlink_to(file)
        os.chown(named, link_owner, link_owner, follow_symlinks=False)
    with pytest.raises(ForeignConfigError, match=r"belongs to .*user 65534.*To use it all the same: -c "):
        require_own(named)
    os.chown(file, 0, 0)
    if link_owner is not None:
        os.chown(named, 0, 0, follow_symlinks=False)
    require_own(named)
    require_own(tmp_path / "none")


@as_root
def test_a_user_takes_an_own_config_and_that_of_root(tmp_path: Path) -> None:
    with shared_folder() as folder:
        script = "from pathlib import Path; from forwarder.configfile.locations import require_own; require_own(Path(sys.argv[1]))"
        for owner, is_taken in ((0, True), (NOBODY, True), (OTHER, False)):
            file = folder / f"{owner}.yaml"
            file.touch()
            os.chown(file, owner, owner)
            assert (run_as(NOBODY, script, str(file)).returncode == 0) == is_taken
