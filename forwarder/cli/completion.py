"""`forwarder completion`: a script with which a shell completes commands and options, made from the parser itself."""

import argparse
from pathlib import Path

import shtab

from forwarder.cli import COMMANDS
from forwarder.cli.parser import commands_below, whole_parser


def run(arguments: argparse.Namespace) -> int:
    """Print the script and return the exit code."""
    parser = whole_parser(COMMANDS, loaded=frozenset(COMMANDS))
    _complete_files(parser)
    print(shtab.complete(parser, shell=arguments.shell))
    return 0


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Have the shell complete names of files where an argument is one."""
    for action in parser._actions:  # noqa: SLF001 - it has no public name
        if action.type is Path:
            vars(action)["complete"] = shtab.FILE
    for below in commands_below(parser).values():
        _complete_files(below)
