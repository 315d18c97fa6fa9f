"""The parser of the command line: it loads the arguments of the command that is given, and of the others only their names."""

import argparse
import re
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NoReturn

from forwarder import __version__
from forwarder.core.yaml.words import nearest_word

if TYPE_CHECKING:  # no command has been asked for yet
    from forwarder.cli.arguments.options import Commands

Table = Mapping[str, tuple[str, str]]
"""For each command the module of its arguments, and a line of help."""


_WRONG_WORD = re.compile(r"invalid choice: '(?P<word>.*)' \(choose from (?P<words>.*)\)", re.DOTALL)


class Parser(argparse.ArgumentParser):
    """Reads the arguments of a command, as every `ArgumentParser` does."""

    def error(self, message: str) -> NoReturn:
        """End the program with a message, and with the word that may have been meant."""
        found = _WRONG_WORD.search(message)
        known = [] if found is None else [word.strip(" '") for word in found["words"].split(",")]
        super().error(message + ("" if found is None else _hint(found["word"], known)))


def whole_parser(table: Table, *, loaded: frozenset[str]) -> argparse.ArgumentParser:
    """Return the parser of all commands, with the arguments of those that are to be `loaded`."""
    parser = Parser(
        prog="forwarder",
        description="Self-hosted push for scrape.st: one stream in, YAML rules, webhooks out, nothing accepted is lost.",
        epilog="`forwarder help COMMAND` shows what a command accepts. A command that asks the running daemon or reads the outbox ends "
        "with exit code 69 if the daemon or the disk does not answer within 5 seconds. reload, upgrade, replay and vacuum wait for "
        "some minutes.",
    )
    parser.add_argument("--version", action="version", version=f"forwarder {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    described = _Described(commands, table)
    for module in dict.fromkeys(table[name][0] for name in table if name in loaded):
        import_module(f"forwarder.cli.arguments.{module}").add_parser(described)
    for name in table:
        if name not in commands.choices:
            described.add_parser(name)
    return parser


class _Described:
    """Adds commands with what the table says of them."""

    def __init__(self, commands: "Commands", table: Table) -> None:
        self._commands = commands
        self._table = table

    def add_parser(self, name: str, **settings: Any) -> argparse.ArgumentParser:  # noqa: ANN401 - those of argparse
        text = self._table[name][1]
        return self._commands.add_parser(
            name, help=text, **{"description": f"{text[0].upper()}{text[1:]}.", **settings}
        )


def parse(parser: argparse.ArgumentParser, given: Sequence[str]) -> argparse.Namespace:
    """Return the arguments; end with exit code 2 and a sentence if they are wrong. A word that is nearly right is named."""
    name = next((word for word in given if not word.startswith("-")), None)
    commands = commands_below(parser)
    if name is not None and name not in commands:
        parser.error(f"there is no command {name!r}{_hint(name, commands)}\n`forwarder help` lists the commands")
    arguments, unknown = parser.parse_known_args(given)
    if unknown:
        asked = _asked(parser, given)
        known = [option for action in asked._actions for option in action.option_strings]  # noqa: SLF001 - it has no public name
        hints = "".join(_hint(word.partition("=")[0], known) for word in unknown if word.startswith("-"))
        asked.error(f"unrecognized arguments: {' '.join(unknown)}{hints}")
    return arguments


def commands_below(parser: argparse.ArgumentParser) -> Mapping[str, argparse.ArgumentParser]:
    """Return the parsers of the commands below a parser, by name."""
    for action in parser._actions:  # noqa: SLF001 - it has no public name
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001 - the same
            return action.choices
    return {}


def _asked(parser: argparse.ArgumentParser, given: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the command that is given, or of its verb."""
    for word in given:
        parser = commands_below(parser).get(word, parser)
    return parser


def _hint(word: str, known: Iterable[str]) -> str:
    nearest = nearest_word(word, known)
    return "" if nearest is None else f'; did you mean "{nearest}"?'
