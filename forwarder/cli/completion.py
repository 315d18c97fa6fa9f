"""`forwarder completion`: a script with which a shell completes commands and options, made from the parser itself."""

import argparse
from pathlib import Path

import shtab

from forwarder.cli import COMMANDS
from forwarder.cli.parser import commands_below, whole_parser


def run(arguments: argparse.Namespace) -> int:
    """Print the script and return the exit code."""
    parser = whole_parser(COMMANDS, loaded=frozenset(COMMANDS))
    _complete_values(parser)
    print(shtab.complete(parser, shell=arguments.shell))
    return 0


def _complete_values(parser: argparse.ArgumentParser) -> None:
    """Have the shell complete the names of files, and the words where one of a few is expected (see `named_words`)."""
    for action in parser._actions:  # noqa: SLF001 - it has no public name
        if action.type is Path:
            vars(action)["complete"] = shtab.FILE
        elif isinstance(action.metavar, str) and action.metavar.startswith("{"):
            action.choices = action.metavar.strip("{}").split(",")
    for below in commands_below(parser).values():
        _complete_values(below)
