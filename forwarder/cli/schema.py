"""`forwarder schema`: prints the JSON Schema of the config, for editors."""

import argparse
import sys

from forwarder.cli import exit_codes
from forwarder.core.config.json_schema import config_schema, written


def run(_arguments: argparse.Namespace) -> int:
    """Print it."""
    sys.stdout.write(written(config_schema()))
    return exit_codes.OK
