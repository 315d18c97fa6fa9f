"""Reads the config of this machine: the file, the environment, and the files it names."""

import gc
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from forwarder.core.config import Config, ConfigError, OutboxConfig, load_config
from forwarder.core.config.model import AdminConfig
from forwarder.core.config.routing import load_routing
from forwarder.destinations.tls import problems_of
from forwarder.loading import Files, Loaded

UNIT_CONFIG = Path("/etc/forwarder/config.yaml")
UNIT_OUTBOX = Path("/var/lib/forwarder/outbox.db")
UNIT_SOCKET = Path("/run/forwarder/control.sock")
"""Where our unit file has them."""
_SOCKET_NAME = UNIT_SOCKET.name
WHICH = "Name the file with -c; config.yaml of the project is one to start from."


class ConfigUnreadableError(Exception):
    """The config file itself cannot be read; the text says why and what to do."""

    def __init__(self, path: Path, error: OSError) -> None:
        self.reason = f"{path}: cannot be read: {error.strerror}"
        super().__init__(f"{self.reason}. {WHICH}")


def read_config(path: Path) -> Config:
    """Return the config in `path`. Raises `ConfigError` with every problem, or `ConfigUnreadableError`."""
    return _read_config(path, Files())


def load(path: Path) -> Loaded:
    """Return the config in `path`, or why it cannot be used, with the files that were read for it."""
    files = Files()
    try:
        config = _read_config(path, files)
    except ConfigUnreadableError as error:
        return Loaded(config=None, problems=(error.reason,), is_readable=False, files=files.digests)
    except ConfigError as error:
        return Loaded(config=None, problems=tuple(str(error).splitlines()), files=files.digests)
    return Loaded(config=config, files=files.digests)


def _read_config(path: Path, files: Files) -> Config:
    try:
        text = files.read(path)
    except OSError as error:
        raise ConfigUnreadableError(path, error) from error

    def read_secret(name: str) -> str:
        return _read_secret(path.parent / name, files)

    def read_plain(name: str) -> str:
        return files.read_text(path.parent / name)

    with without_collections():
        return load_config(
            text,
            name=str(path),
            env=os.environ,
            read_file=read_secret,
            read_template=read_plain,
            read_list=read_plain,
            check_tls=problems_of,
        )


@contextmanager
def without_collections() -> Iterator[None]:
    """Keep the garbage collector off: of a large file it would look again and again at what is all in use, for half of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def read_routing(path: Path) -> Config:
    """Return what routes as the config in `path` does, without a look at its secrets. Raises as `read_config` does."""

    def read_list(name: str) -> str:
        return (path.parent / name).read_text(encoding="utf-8")

    return load_routing(read_text(path), name=str(path), env=os.environ, read_list=read_list)


def _is_certificate(text: str) -> bool:
    """Return whether a file holds certificates and no key: they are public."""
    return "-----BEGIN CERTIFICATE-----" in text and "PRIVATE KEY-----" not in text


def read_secret_file(file: Path) -> str:
    """Return the text of a file, and warn where others may read it as well. Raises `OSError`, `UnicodeDecodeError`."""
    return _read_secret(file, Files())


def _read_secret(file: Path, files: Files) -> str:
    held = files.read_text(file)
    if stat.S_IMODE(file.stat().st_mode) & stat.S_IROTH and not _is_certificate(held):
        print(f"warning: {file} holds a secret and can be read by every user: chmod 600 {file}", file=sys.stderr)
    return held


def read_text(path: Path) -> bytes:
    """Return the bytes of the file. Raises `ConfigUnreadableError`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigUnreadableError(path, error) from error


def outbox_path(settings: OutboxConfig, config_path: Path) -> Path:
    """Return where the outbox file is: as configured, or in systemd's state directory, or beside the config."""
    folder = config_path.absolute().parent
    url = settings.url
    if url is None:
        state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
        return (Path(state) if state else folder) / "outbox.db"
    # sqlite:///absolute (also with a fourth slash, as SQLAlchemy writes it), or sqlite:relative to the config
    path = url.removeprefix("sqlite:")
    return Path("/" + path.lstrip("/")) if path.startswith("//") else folder / path


def socket_path(settings: AdminConfig, config_path: Path, outbox: Path) -> Path:
    """Return where a daemon has its control socket: as configured, or in systemd's runtime directory, or beside the outbox."""
    if settings.socket is not None:
        return config_path.absolute().parent / settings.socket
    runtime = os.environ.get("RUNTIME_DIRECTORY", "").split(":")[0]
    return Path(runtime) / _SOCKET_NAME if runtime else outbox.with_name(outbox.name + ".sock")


def daemon_socket(settings: AdminConfig, config_path: Path, outbox: Path) -> Path:
    """Return where another process finds the control socket of the daemon that runs with this config.

    A daemon of our unit file has it in a folder that is not in the environment of whoever asks.
    """
    path = socket_path(settings, config_path, outbox)
    if settings.socket is not None or (os.environ.get("RUNTIME_DIRECTORY") and is_there(path)):
        return path
    is_of_unit = config_path.absolute().parent == UNIT_CONFIG.parent or outbox.parent == UNIT_OUTBOX.parent
    if is_of_unit and is_there(UNIT_SOCKET):
        return UNIT_SOCKET
    return outbox.with_name(outbox.name + ".sock")


def is_there(path: Path) -> bool:
    """Return whether there is such a file; also where that cannot be seen, in a folder that is not ours to enter."""
    try:
        return path.exists()
    except OSError:
        return True


__all__ = [
    "UNIT_CONFIG",
    "UNIT_OUTBOX",
    "UNIT_SOCKET",
    "WHICH",
    "ConfigError",
    "ConfigUnreadableError",
    "daemon_socket",
    "is_there",
    "load",
    "outbox_path",
    "read_config",
    "read_routing",
    "read_secret_file",
    "read_text",
    "socket_path",
    "without_collections",
]
