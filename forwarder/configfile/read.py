"""Reads the config of this machine: the file, the environment, and the files that it names."""

import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from forwarder.configfile.includes import finder
from forwarder.configfile.locations import ConfigUnreadableError, read_text, without_collections
from forwarder.configfile.rule_test_files import test_files
from forwarder.configfile.snapshot import Files, Loaded
from forwarder.core.config import Config, ConfigError, load_config
from forwarder.core.config.checks.literal_secrets import warning_of_readable_file
from forwarder.core.config.lint import warnings_of
from forwarder.core.config.model.routing import RoutingConfig
from forwarder.core.config.routing_only import load_routing
from forwarder.core.destinations.transport import Tls
from forwarder.core.yaml.findings import Place
from forwarder.core.yaml.remarks import Remark
from forwarder.files import is_open_to_all
from forwarder.heap import give_back

_LONGEST_BYTES = 8 * 1024 * 1024
"""The longest secret, certificate or template."""
_NO_TRACES = (
    "its libraries are not installed; they are an extra of forwarder: "
    f"{sys.executable} -m pip install 'opentelemetry-sdk>=1.29,<2' 'opentelemetry-exporter-otlp-proto-http>=1.29,<2'"
)


Warn = Callable[[Path, str], None]
"""Takes a warning about a file that is read."""


def _print_warning(_file: Path, sentence: str) -> None:
    sys.stderr.write(f"warning: {sentence}\n")


def read_config(path: Path) -> Config:
    """Return the config in `path`. Raises `ConfigError` with all problems, or `ConfigUnreadableError`."""
    return read_files_of(path, Files())


def load(path: Path, files: Files | None = None) -> Loaded:
    """Return the config in `path` with its warnings, or why it cannot be used, and the files that were read.

    This takes up to a second for a large config: a running event loop calls it in a thread, and sees in `files`, which has read
    nothing yet, what it is at.
    """
    files = files or Files()
    try:
        config = read_files_of(path, files)
    except ConfigUnreadableError as error:
        return Loaded(
            config=None, problems=(error.reason,), is_readable=False, advice=f". {error.advice}", files=files.digests
        )
    except ConfigError as error:
        return Loaded(
            config=None, problems=tuple(str(error).splitlines()), files=files.digests, included=files.included
        )
    for tests in test_files(path):  # so that an edit of one is an edit of the config
        with suppress(OSError):
            files.read(tests)
    return Loaded(
        config=config, warnings=tuple(map(str, warnings_of(config))), files=files.digests, included=files.included
    )


def warnings_of_file(path: Path, config: Config) -> Iterator[Remark]:
    """Yield a sentence about a config file that every user can read, if it contains secrets, and about one that every user can change.

    The files that it includes are looked at too.
    """
    yield from _warnings_of_file(path, config, is_included=False)
    for name in config.sources.included:
        yield from _warnings_of_file(Path(name), config, is_included=True)


def _warnings_of_file(path: Path, config: Config, *, is_included: bool) -> Iterator[Remark]:
    try:
        mode = path.stat().st_mode
    except OSError:  # removed since it was read
        return
    if not stat.S_ISREG(mode):
        return
    if mode & stat.S_IROTH:
        warning = warning_of_readable_file(str(path), config, is_included=is_included)
        if warning is not None:
            yield _about(path, warning.removeprefix(f"{path}: "))
    if mode & stat.S_IWOTH:
        yield _about(path, f"every user may change it, and so decide what is read and sent where: chmod o-w {path}")
    if is_open_to_all(folder := path.absolute().parent):
        yield _about(path, f"every user may write to its folder, and so replace it: chmod o-w {folder}")


def _about(file: Path, message: str) -> Remark:
    return Remark((), message, shown=str(file), place=Place(str(file), 0, 0, ""))


def read_files_of(path: Path, files: Files, warn: Warn = _print_warning) -> Config:
    """Return the config in `path`, of which each file is read through `files`. Raises as `read_config` does.

    `warn` takes the warnings about files of secrets.
    """
    try:
        text = files.read(path, is_argument=True)
    except OSError as error:
        raise ConfigUnreadableError(path, error) from error

    def read_secret(name: str) -> str:
        return _read_secret(path.parent / name, files, warn)

    def read_template(name: str) -> str:
        return files.read_text(path.parent / name, limit=_LONGEST_BYTES)

    def read_list(name: str) -> str:
        return files.read_text(path.parent / name)

    with without_collections():
        config = load_config(
            text,
            name=str(path),
            env=os.environ,
            read_file=read_secret,
            read_template=read_template,
            read_list=read_list,
            check_tls=_check_tls,
            check_apprise=_check_apprise,
            check_tracing=_check_tracing,
            find_files=finder(path, read=files.read, look=files.matches),
        )
    give_back()  # what was made of the file on the way
    return config


def _check_tls(tls: Tls) -> Iterable[tuple[str, str]]:
    """Yield what is wrong with certificates."""
    from forwarder.tls.contexts import problems_of  # noqa: PLC0415 - it loads OpenSSL, which a config without `tls` does not need

    return problems_of(tls)


def _check_apprise(url: str) -> str | None:
    """Return why Apprise cannot send to a URL."""
    from forwarder.destinations.apprise_service import problem_of  # noqa: PLC0415 - only where it is used

    return problem_of(url)


def _check_tracing() -> str | None:
    """Return why no traces can be sent: the libraries are an extra."""
    try:
        found = find_spec("opentelemetry.exporter.otlp.proto.http"), find_spec("opentelemetry.sdk.trace")
    except ModuleNotFoundError:
        return _NO_TRACES
    return None if all(found) else _NO_TRACES


def read_routing(path: Path, *, exact: bool | None = None) -> RoutingConfig:
    """Return the routing part of the config in `path`; its secrets need not exist. Raises the same errors as `read_config`.

    `exact` takes the place of the key of this name in the file.
    """
    files = Files()
    return load_routing(
        read_text(path),
        name=str(path),
        env=os.environ,
        read_list=list_reader(path, files),
        exact=exact,
        find_files=finder(path, read=files.read, look=files.matches),
    )


def list_reader(path: Path, files: Files) -> Callable[[str], str]:
    """Return what reads the list files that the config in `path` names, through `files`."""

    def read_list(name: str) -> str:
        return files.read_text(path.parent / name)

    return read_list


_CERTIFICATE_NAMES = frozenset({".crt", ".cer", ".cert", ".der", ".pem", ".ca-bundle"})


def _is_certificate(text: str) -> bool:
    """Return whether a file contains certificates and no private key, so that it is no secret."""
    return "-----BEGIN CERTIFICATE-----" in text and "PRIVATE KEY-----" not in text


def _is_named_as_certificate(file: Path, text: str) -> bool:
    """Return whether a file is meant to have certificates, whatever is in it: that it has none is a mistake of its own."""
    return file.suffix.lower() in _CERTIFICATE_NAMES and "PRIVATE KEY-----" not in text


def read_secret_file(file: Path) -> str:
    """Return the text of a file that the command line names, and warn when every user can read it.

    Raises `OSError`, `UnicodeDecodeError`.
    """
    files = Files()
    files.read(file, is_argument=True)
    return _read_secret(file, files, _print_warning)


def _read_secret(file: Path, files: Files, warn: Warn) -> str:
    held = files.read_text(file, limit=_LONGEST_BYTES)
    if stat.S_IMODE(file.stat().st_mode) & stat.S_IROTH and not (
        _is_certificate(held) or _is_named_as_certificate(file, held)
    ):
        warn(file, f"{file} holds a secret and can be read by every user: chmod 600 {file}")
    return held
