"""What `forwarder test` accepts."""

from pathlib import Path

from forwarder.cli.arguments.options import Commands, add_config


def add_parser(commands: Commands) -> None:
    """Add the command to the parser."""
    parser = commands.add_parser(
        "test",
        description="Run the tests under `tests:` in the config, and those in files whose names end in _test.yaml, in the same folder or in "
        "tests/.",
    )
    parser.add_argument(
        "files", nargs="*", type=Path, metavar="FILE", help="test files to run in place of those next to the config"
    )
    add_config(parser)
    parser.add_argument("-k", metavar="PATTERN", help="only tests whose name contains this; * stands for any text")
    parser.add_argument("-v", "--verbose", action="store_true", help="also name the tests that pass")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="also write a report as JUnit XML")
    parser.add_argument("--json", action="store_true", help="print the results as JSON")
    parser.set_defaults(handler="test:run")
