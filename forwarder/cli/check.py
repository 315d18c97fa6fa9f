"""`forwarder check`: checks one config or several, and on request compares it with the running daemon and connects to each stream."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from forwarder.cli import exit_codes
from forwarder.cli.locations import config_path
from forwarder.cli.unit import warnings_of_service
from forwarder.configfile.checked import (
    CheckedConfig,
    Finding,
    check_config,
    configs_in,
    unreadable,
    without_included,
)
from forwarder.configfile.locations import ConfigUnreadableError
from forwarder.core.config import Config
from forwarder.core.config.checks.exposure import warnings_of_environment
from forwarder.core.config.runtime import destination_limits_of
from forwarder.core.counted import counted


def run(arguments: argparse.Namespace) -> int:
    """Check the config or the configs, print what was found, and return the exit code."""
    if (conflict := _conflict(arguments)) is not None:
        print(conflict, file=sys.stderr)
        return exit_codes.USAGE
    checked = _checked(arguments)
    is_valid = all(each.is_valid for each in checked)
    code = exit_codes.OK if is_valid else exit_codes.FAILURE
    (first, *_) = checked
    if arguments.json:
        more: dict[str, object] = {}
        if is_valid and first.config is not None:
            code = _add_what_is_asked_for(more, arguments, first.config, first.file)
        _print_json(checked, more)
        return code
    for each in checked:
        _print(each)
    if len(checked) > 1:
        failed = [str(each.file) for each in checked if not each.is_valid]
        said = f", {len(failed)} not valid: {', '.join(failed)}" if failed else ""
        print(f"{counted(len(checked), 'config')}: {len(checked) - len(failed)} valid{said}")
    return _asked_for(arguments, first.config, first.file) if is_valid and first.config is not None else code


def _conflict(arguments: argparse.Namespace) -> str | None:
    """Return a sentence about arguments that do not go together."""
    if arguments.configs and arguments.config is not None:
        return "-c names the config; it does not go together with other files and folders"
    if (arguments.diff or arguments.connect) and (
        len(arguments.configs) > 1 or any(map(_is_folder, arguments.configs))
    ):
        return "--diff and --connect are for one config, and do not go together with several"
    return None


def _checked(arguments: argparse.Namespace) -> list[CheckedConfig]:
    """Check what the arguments name, each file once; there is at least one result."""
    checked: list[CheckedConfig] = []
    for named in arguments.configs or [arguments.config]:
        if named is not None and _is_folder(named):
            checked += _checked_folder(named, arguments)
        else:
            checked.append(_checked_file(named, arguments))
    # A link in another folder is another config: paths in it are relative to that folder.
    by_path: dict[Path, CheckedConfig] = {}
    for each in checked:
        by_path.setdefault(Path(os.path.realpath(each.file.parent), each.file.name), each)
    return list(by_path.values())


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises where it may not look


def _checked_folder(folder: Path, arguments: argparse.Namespace) -> list[CheckedConfig]:
    try:
        files = configs_in(folder)
    except OSError as error:
        return [_refused(folder, f"{folder}: cannot be read: {error.strerror}")]
    if not files:
        return [_refused(folder, f"{folder}: there is no config in this folder: no file *.yaml or *.yml")]
    return without_included([_checked_file(file, arguments) for file in files])


def _refused(folder: Path, said: str) -> CheckedConfig:
    return CheckedConfig(file=folder, problems=[Finding(text=said, file=str(folder), message=said)])


def _checked_file(named: Path | None, arguments: argparse.Namespace) -> CheckedConfig:
    arguments.config = named
    try:
        file = config_path(arguments)
    except ConfigUnreadableError as error:
        return CheckedConfig(file=named or Path(), problems=[unreadable(named or Path(), error)])
    return check_config(file, more=_warnings_of_machine)


def _warnings_of_machine(config: Config) -> Iterator[str]:
    """Yield the warnings about the environment, the service and the groups of this machine."""
    yield from warnings_of_environment(config, os.environ)
    yield from warnings_of_service(config)


def _print(checked: CheckedConfig) -> None:
    for problem in checked.problems:
        print(problem.text, file=sys.stderr)
    for warning in checked.warnings:
        print(f"warning: {warning.text}", file=sys.stderr)
    if checked.is_valid and checked.config is not None:
        print(f"{checked.file}: valid: {_summary(checked.config)}")


def _print_json(checked: Sequence[CheckedConfig], more: Mapping[str, object]) -> None:
    result = {
        "ok": all(each.is_valid for each in checked),
        "problems": list(chain.from_iterable(_as_json(each, each.problems) for each in checked)),
        "warnings": list(chain.from_iterable(_as_json(each, each.warnings) for each in checked)),
        "configs": [{"file": str(each.file), "ok": each.is_valid} for each in checked],
        **more,
    }
    print(json.dumps(result))


def _as_json(checked: CheckedConfig, findings: Sequence[Finding]) -> list[dict[str, object]]:
    return [
        {
            "config": str(checked.file),
            "file": each.file,
            "line": each.line,
            "column": each.column,
            "path": each.path,
            "message": each.message,
        }
        for each in findings
    ]


def _asked_for(arguments: argparse.Namespace, config: Config, file: Path) -> int:
    """Do what the options ask for beyond the check; return the exit code."""
    for limited, limit in destination_limits_of(config).items():
        print(f"destination {limited} gets at most {limit}, over all routes")
    code = exit_codes.OK
    if arguments.diff:
        from forwarder.cli.diff import print_diff  # only with --diff: it asks the daemon

        code = print_diff(arguments)
    if not arguments.connect:
        return code
    faults, lines = _connect(config, file)
    for name, fault in faults.items():
        print(f"stream {name}: {fault or 'connected'}")
    for line in lines:
        print(line)
    return exit_codes.FAILURE if any(faults.values()) else code


def _add_what_is_asked_for(to: dict[str, object], arguments: argparse.Namespace, config: Config, file: Path) -> int:
    """Add what the options ask for beyond the check to the result; return the exit code."""
    code = exit_codes.OK
    if arguments.diff:
        from forwarder.cli.diff import diff_as_json  # only with --diff: it asks the daemon

        code, to["diff"] = diff_as_json(arguments)
    if not arguments.connect:
        return code
    faults, to["accounts"] = _connect(config, file)
    to["streams"] = [{"stream": name, "connected": not fault, "fault": fault or None} for name, fault in faults.items()]
    return exit_codes.FAILURE if any(faults.values()) else code


def _connect(config: Config, file: Path) -> tuple[dict[str, str], list[str]]:
    """Connect to each stream; return why those are not open that are not, by all names, and what is known of accounts in the rules."""
    import asyncio  # only with --connect

    from forwarder.streams.probe import try_streams  # only with --connect: aiohttp takes 0.2 s to load

    faults = {name: "" if fault is None else str(fault) for name, fault in asyncio.run(try_streams(config)).items()}
    if any(faults.values()):
        return faults, []
    from forwarder.cli.check_accounts import lines_about_accounts  # only with --connect

    return faults, lines_about_accounts(config, file)


def _summary(config: Config) -> str:
    return ", ".join(
        counted(count, noun)
        for count, noun in (
            (len(config.streams), "stream"),
            (len(config.destinations), "destination"),
            (len(config.routes), "route"),
        )
    )
