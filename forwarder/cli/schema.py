"""`forwarder schema`: the JSON Schema of the config, for editors."""

import argparse
import sys

from forwarder.cli import exit_codes
from forwarder.core.config.schema import config_schema, written


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "schema",
        help="print the JSON Schema of the config, for editors",
        description="Print the JSON Schema of the config. Saved beside it, an editor completes and checks the file that begins with "
        "`# yaml-language-server: $schema=./config.schema.json`.",
    )
    parser.set_defaults(handler=run)


def run(_arguments: argparse.Namespace) -> int:
    """Print it."""
    sys.stdout.write(written(config_schema()))
    return exit_codes.OK
