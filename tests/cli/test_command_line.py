"""The command comes first, wherever it was written."""

import pytest

from forwarder.cli.command_line import arranged


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ("check -c a.yaml", "check -c a.yaml"),
        ("-c a.yaml check --diff", "check -c a.yaml --diff"),
        ("--config=a.yaml --env-file e dead list", "dead --config=a.yaml --env-file e list"),
        ("--config a.yaml --env-file=e run", "run --config a.yaml --env-file=e"),
        ("--version", "--version"),
        ("-c a.yaml --help", "-c a.yaml --help"),
        ("-c a.yaml", "-c a.yaml"),
        ("-c", "-c"),
        ("help", "--help"),
        ("help check", "check --help"),
        ("help dead list", "dead list --help"),
        ("help --help", "--help"),
        ("-c a.yaml help check", "check --help"),
        ("explain help", "explain help"),
        ("events --since -1h --until -5m", "events --since=-1h --until=-5m"),
        ("events --since --json", "events --since --json"),
    ],
)
def test_options_before_the_command_come_after_it_and_help_is_an_option(given: str, expected: str) -> None:
    assert arranged(given.split()) == expected.split()
