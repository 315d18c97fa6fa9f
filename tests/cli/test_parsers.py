"""The table of commands says the same as the modules that it names."""

import argparse
from collections.abc import Iterator
from importlib import import_module

import pytest

from forwarder.cli import COMMANDS, find_handler, main


def parsers(parser: argparse.ArgumentParser) -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Yield each command below a parser, by its name."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            yield from action.choices.items()


def of_module(module: str) -> dict[str, argparse.ArgumentParser]:
    """Return the parsers that a module of arguments adds."""
    program = argparse.ArgumentParser()
    import_module(f"forwarder.cli.arguments.{module}").add_parser(program.add_subparsers())
    return dict(parsers(program))


@pytest.mark.parametrize("module", sorted({module for module, _ in COMMANDS.values()}))
def test_a_module_adds_the_commands_that_the_table_says(module: str) -> None:
    added = of_module(module)
    assert set(added) == {name for name, (named, _) in COMMANDS.items() if named == module}
    for parser in added.values():
        below = [each for _, each in parsers(parser)]
        for each in [parser, *below]:
            if (handler := each.get_default("handler")) is not None:
                assert callable(find_handler(handler))
        assert parser.get_default("handler") is not None or all(each.get_default("handler") for each in below)


def test_each_help_is_one_short_line() -> None:
    for name, (_, text) in COMMANDS.items():
        assert "\n" not in text, name
        assert 10 < len(text) < 90, name
        assert text[0].islower(), name
        assert not text.endswith("."), name


def test_a_command_without_a_description_of_its_own_has_that_of_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["audit", "--help"])
    assert "Check that every event and delivery is accounted for." in capsys.readouterr().out
