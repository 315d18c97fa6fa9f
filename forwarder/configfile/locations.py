"""Finds the config, the outbox and the control socket on this machine. Does not look into the config.

Every command and the daemon find them by the rules in this module; docs/systemd.md has them for the operator.
"""

import errno
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from forwarder.files import is_trusted, read_argument, user_name

if TYPE_CHECKING:  # only types; the arguments of every command load this module, and pydantic takes a tenth of a second
    from forwarder.core.config.model.admin import AdminConfig
    from forwarder.core.config.model.outbox import OutboxConfig

HERE = Path("config.yaml")
"""The config of this folder."""
UNIT_CONFIG = Path("/etc/forwarder/config.yaml")
"""The config of the unit file that comes with forwarder."""
UNIT_OUTBOX = Path("/var/lib/forwarder/outbox.db")
"""The outbox of that unit."""
UNIT_SOCKET = Path("/run/forwarder/control.sock")
"""The control socket of that unit."""
UNIT_FILES = tuple(
    Path(folder, "forwarder.service")
    for folder in ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
)
"""Where that unit is installed."""
OUTBOX_NAME = UNIT_OUTBOX.name
_SOCKET_NAME = UNIT_SOCKET.name


class ConfigUnreadableError(Exception):
    """The config file itself cannot be read; the text says why and what to do."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.reason = f"{path}: cannot be read: {error.strerror}"
        self.advice = (
            "Run the command as a user who may read it: as root (sudo forwarder …), or as the user that runs forwarder."
            if error.errno in {errno.EACCES, errno.EPERM}
            else "Name the file with -c. The project has a config.yaml to start from."
        )
        super().__init__(f"{self.reason}. {self.advice}")


class Choice(msgspec.Struct, frozen=True):
    """A file that a command uses, and another one that could be meant as well."""

    path: Path
    other: Path | None = None
    """It exists and is not used; `None` if there is no such file."""


class ForeignConfigError(ConfigUnreadableError):
    """A config that was found, not named, belongs to another user, who could have commands work for them; the text says so."""

    def __init__(self, path: Path, owner: int) -> None:
        self.reason = (
            f"{path} belongs to {user_name(owner)}, and not to you or to root, so it is not used without being named: it decides "
            f"which files are read and written"
        )
        self.advice = f"To use it all the same: -c {path}"
        Exception.__init__(self, f"{self.reason}. {self.advice}")


def require_own(path: Path) -> None:
    """Raise `ForeignConfigError` for a config of another user than this one and root: for one that was found, not named with `-c`.

    A link to it must be this user's or root's too. One that is not there, or cannot be looked at, is left to whoever reads it.
    """
    with suppress(OSError):
        for found in (path.lstat(), path.stat()):
            if not is_trusted(found.st_uid):
                raise ForeignConfigError(path, found.st_uid)


@contextmanager
def without_collections() -> Iterator[None]:
    """Keep the garbage collector off. With a large config it would take half of the time, and find nothing to free."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_text(path: Path) -> bytes:
    """Return the bytes of a config, or of a file of tests. Raises `ConfigUnreadableError`."""
    try:
        return read_argument(path)
    except OSError as error:
        raise ConfigUnreadableError(path, error) from error


def choose_config(given: Path | None) -> Choice:
    """Return the config that a command uses: `given` (-c), or the one in this folder, or that of the unit.

    Raises `ForeignConfigError` for the one in this folder if it belongs to another user.
    """
    if given is not None:
        return Choice(given)
    require_own(HERE)
    if not is_there(UNIT_CONFIG):
        return Choice(HERE)
    try:
        HERE.stat()
    except OSError:  # also in a folder that is closed to this user
        return Choice(UNIT_CONFIG)
    is_same = os.path.realpath(HERE) == os.path.realpath(UNIT_CONFIG)
    return Choice(HERE, other=None if is_same else UNIT_CONFIG)


def choose_outbox(settings: "OutboxConfig", config_path: Path) -> Choice:
    """Return the outbox of a config, for the daemon and for commands.

    It is the one that `outbox.url` names. Without this key it is in the state directory of systemd, or in that of the unit for a config
    in the folder of the unit, or else in the folder of the config.
    """
    folder = config_path.absolute().parent
    if settings.url is not None:
        return Choice(_path_of_url(settings.url, folder))
    beside = folder / OUTBOX_NAME
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state:
        return _choice(Path(state) / OUTBOX_NAME, beside)
    if is_of_unit(config_path) and (is_there(UNIT_OUTBOX) or (_is_unit_installed() and not is_there(beside))):
        return _choice(UNIT_OUTBOX, beside)
    return Choice(beside)  # also if it was made there before the unit was installed


def _choice(path: Path, beside: Path) -> Choice:
    """Return `path`, with the outbox beside the config as another one if it exists."""
    is_other = is_there(beside) and os.path.realpath(beside) != os.path.realpath(path)
    return Choice(path, other=beside if is_other else None)


def _path_of_url(url: str, folder: Path) -> Path:
    """Return the path of sqlite:///absolute (also with a fourth slash, as SQLAlchemy writes it), or of sqlite:relative to a folder."""
    path = url.removeprefix("sqlite:")
    return Path("/" + path.lstrip("/")) if path.startswith("//") else folder / path


def is_of_unit(config_path: Path) -> bool:
    """Return whether a config is in the folder of the config of the unit, by its name or by what its name links to."""
    by_name, by_link = os.path.normpath(config_path.absolute()), os.path.realpath(config_path)
    unit = UNIT_CONFIG.parent
    return Path(by_name).parent == unit or Path(by_link).parent == Path(os.path.realpath(unit))


def _is_unit_installed() -> bool:
    return any(map(is_there, (UNIT_OUTBOX.parent, *UNIT_FILES)))


def socket_path(settings: "AdminConfig", config_path: Path, outbox: Path) -> Path:
    """Return the path of a daemon's control socket: as configured, or in the runtime directory of systemd, or in the folder of the outbox."""
    if settings.socket is not None:
        return config_path.absolute().parent / settings.socket
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(runtime) / _SOCKET_NAME if runtime else outbox.with_name(outbox.name + ".sock")


def daemon_socket(settings: "AdminConfig", config_path: Path, outbox: Path) -> Path:
    """Return the path of the control socket for another process than the daemon that runs with this config.

    The daemon of our unit file has its socket in a folder that is not in the environment of other processes.
    """
    path = socket_path(settings, config_path, outbox)
    if settings.socket is not None or (os.environ.get("RUNTIME_DIRECTORY") and is_there(path)):
        return path
    if (is_of_unit(config_path) or outbox.parent == UNIT_OUTBOX.parent) and is_there(UNIT_SOCKET):
        return UNIT_SOCKET
    return outbox.with_name(outbox.name + ".sock")


def is_there(path: Path) -> bool:
    """Return whether the file exists; `True` also for a file in a folder that this process may not read."""
    try:
        return path.exists()
    except OSError:
        return True
