"""What each command takes: its defaults, what it cannot do without, what does not go together, and the sentence that says so."""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from forwarder.cli import COMMANDS, exit_codes, main
from forwarder.core.history import FOREVER_MS, NO_LIMIT

PERIOD: dict[str, object] = {"since": 0, "until": FOREVER_MS}
LIST: dict[str, object] = {**PERIOD, "limit": 20}
DEFAULTS: list[tuple[str, dict[str, object]]] = [
    ("run", {"log_level": "info", "log_format": "auto"}),
    ("check", {}),
    ("init", {"file": Path("config.yaml")}),
    ("test", {}),
    ("preview", {}),
    ("status", {}),
    ("reload", {}),
    ("upgrade", {}),
    ("reconnect", {}),
    ("log-level", {}),
    ("log-level debug --for 10m", {"level": "debug", "seconds": 600.0}),
    ("schema", {}),
    ("completion bash", {"shell": "bash"}),
    ("events", LIST),
    ("events show 1a", {**LIST, "id": "1a"}),
    ("deliveries", LIST),
    ("deliveries show 1a", {**LIST, "id": "1a"}),
    ("gaps", LIST),
    ("audit", {"since": 0}),
    ("actions", LIST),
    ("forget --author nova", {"author": "nova"}),
    ("support", {"file": Path("forwarder-support.tar.gz")}),
    ("dead list", LIST),
    ("dead show 1a", {"id": "1a"}),
    ("dead replay", {**PERIOD, "rate": 50.0, "verb": "dead_replay"}),
    ("dead drop", {**PERIOD, "rate": 50.0, "verb": "dead_drop"}),
    ("replay --since 1970-01-01T00:00:01Z --to bot", {"since": 1000, "to": "bot", "rate": 50.0}),
    ("resend 1a", {"what": "1a"}),
    ("pause bot", {"destination": "bot", "verb": "pause"}),
    ("resume bot", {"destination": "bot", "verb": "resume"}),
    ("outbox check", {}),
    ("outbox vacuum", {}),
    ("outbox backup copy.db", {"file": Path("copy.db")}),
    ("outbox export", PERIOD),
    ("demo", {}),
    ("send bot", {"destination": "bot"}),
    ("listen", {"host": "127.0.0.1", "port": 9000, "status": 200, "fail_status": 503}),
    ("emulate", {"host": "127.0.0.1", "port": 8765, "key": "test-key", "wait_for_client": True}),
    ("tail", {}),
    ("top", {}),
    ("explain --mid 1", {"mid": "1"}),
    ("explain --text gm", {"text": "gm"}),
    ("backtest", {"since": 0, "examples": 5}),
]
"""The least that each command needs, and what it means by it. A command that is not told where its config is looks for it."""


def parsed(line: str) -> argparse.Namespace:
    """Return what a command line means."""
    program = argparse.ArgumentParser(exit_on_error=False)
    words = line.split()
    module, _ = COMMANDS[words[0]]
    import_module(f"forwarder.cli.arguments.{module}").add_parser(program.add_subparsers())
    return program.parse_args(words)


def meant(line: str) -> dict[str, Any]:
    """Return the arguments of a command line that are not neutral: neither nothing, nor off, nor zero where that is off."""
    neutral: tuple[object, ...] = (None, False, "", [])
    found = {name: value for name, value in vars(parsed(line)).items() if name not in {"handler", "parser"}}
    return {
        name: value for name, value in found.items() if not any(value is each or value == each != 0 for each in neutral)
    }


@pytest.mark.parametrize(("line", "expected"), DEFAULTS, ids=[line for line, _ in DEFAULTS])
def test_the_least_that_a_command_needs_means_its_defaults(line: str, expected: dict[str, object]) -> None:
    zero_is_off = {"delay": 0.0, "fail_first": 0, "fail_for": 0.0} if line == "listen" else {}
    assert meant(line) == {**expected, **zero_is_off}


def test_each_command_is_in_the_table() -> None:
    assert {line.split()[0] for line, _ in DEFAULTS} == set(COMMANDS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        # What does not go together
        ("backtest --outbox a.db --against b.yaml", "argument --against: not allowed with argument --outbox"),
        ("emulate --rate 5 --burst", "argument --burst: not allowed with argument --rate"),
        ("emulate --loop --once", "argument --once: not allowed with argument --loop"),
        ("dead list --details --groups", "argument --groups: not allowed with argument --details"),
        ("explain --mid 1 --id 2", "argument --id: not allowed with argument --mid"),
        ("explain --text gm --mid 1", "argument --mid: not allowed with argument --text"),
        ("explain --event - --mid 1", "argument --mid: not allowed with argument --event"),
        ("listen --secret a --secret-file b", "argument --secret-file: not allowed with argument --secret"),
        ("status --json --prometheus", "argument --prometheus: not allowed with argument --json"),
        # What a command cannot do without
        ("explain", "one of the arguments --event --mid --id --text is required"),
        ("replay --to bot", "the following arguments are required: --since"),
        ("replay --since 1h", "the following arguments are required: --to"),
        ("resend", "the following arguments are required: WHAT"),
        ("pause", "the following arguments are required: DESTINATION"),
        ("send", "the following arguments are required: DESTINATION"),
        ("dead", "the following arguments are required: VERB"),
        ("outbox", "the following arguments are required: VERB"),
        ("outbox backup", "the following arguments are required: FILE"),
        ("events show", "the following arguments are required: id"),
        # What only others take
        ("resume bot --why moved", "unrecognized arguments: --why moved"),
        ("dead drop --all --wait", "unrecognized arguments: --wait"),
        ("dead drop --all --rate=5", "unrecognized arguments: --rate=5"),
        ("events --status=dead", "unrecognized arguments: --status=dead"),
        # Words that it does not know
        ("run --log-level loud", "argument --log-level: invalid choice: 'loud' (choose from "),
        ("run --log-format xml", "argument --log-format: invalid choice: 'xml' (choose from "),
        ("preview --format template", "argument --format: invalid choice: 'template' (choose from "),
        ("deliveries --status lost", "argument --status: invalid choice: 'lost' (choose from "),
        ("listen --scheme rsa", "argument --scheme: invalid choice: 'rsa' (choose from "),
        ("listen --algorithm md5", "argument --algorithm: invalid choice: 'md5' (choose from "),
        ("listen --encoding base32", "argument --encoding: invalid choice: 'base32' (choose from "),
        # The kind of each value, by its sentence
        ("backtest --limit 0", "argument --limit: '0' is not a number from 1"),
        ("events --since soon", "argument --since: 'soon' is neither a duration before now"),
        ("gaps --until soon", "argument --until: 'soon' is neither a duration before now"),
        ("dead list --limit 0", "argument --limit: '0' is not a number from 1"),
        ("dead replay --all --rate 0", "argument --rate: '0' is not a rate such as 50/s"),
        ("replay --since 1h --to bot --rate 0", "argument --rate: '0' is not a rate such as 50/s"),
        ("replay --since 1h --to bot --until soon", "argument --until: 'soon' is neither a duration before now"),
        ("demo --rate 0", "argument --rate: must be more than 0"),
        ("demo --count 0", "argument --count: '0' is no number from 1 on"),
        ("emulate --port 65536", "argument --port: '65536' is no port"),
        ("emulate --rate 0", "argument --rate: '0' is no rate"),
        ("emulate --hang-for 0", "argument --hang-for: '0': must be more than zero"),
        ("emulate --drop-every 0", "argument --drop-every: '0': must be more than zero"),
        ("emulate --refuse 100", "argument --refuse: '100' is no HTTP status"),
        ("emulate --host a/b", "argument --host: 'a/b' is neither an address nor the name of a host"),
        ("listen --host a/b", "argument --host: 'a/b' is neither an address nor the name of a host"),
        ("listen --port -1", "argument --port: "),
        ("listen --status 100", "argument --status: '100' is no HTTP status"),
        ("listen --fail-status 600", "argument --fail-status: '600' is no HTTP status"),
        ("listen --delay soon", "argument --delay: 'soon' is no duration"),
        ("listen --count 0", "argument --count: '0' is no number from 1 on"),
    ],
)
def test_what_a_command_does_not_take_is_a_usage_error_in_a_sentence(
    line: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == exit_codes.USAGE
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err.splitlines()[-1]


@pytest.mark.parametrize("what", ["events", "deliveries"])
def test_the_options_of_a_list_hold_for_showing_one_too_before_and_after_the_word(what: str) -> None:
    for line in (f"{what} -c other.yaml --json show 1a", f"{what} show 1a -c other.yaml --json"):
        arguments = parsed(line)
        assert (arguments.config, arguments.json, arguments.id) == (Path("other.yaml"), True, "1a")


def test_without_a_limit_a_list_is_whole() -> None:
    assert meant("gaps --all")["limit"] == NO_LIMIT


def test_what_may_be_given_several_times_is_kept_in_order() -> None:
    assert meant("listen --secret a --secret b")["secret"] == ["a", "b"]
    assert meant("dead drop one two")["ids"] == ["one", "two"]
    assert meant("test a.yaml b.yaml")["files"] == [Path("a.yaml"), Path("b.yaml")]


def test_a_switch_can_be_turned_off() -> None:
    assert parsed("emulate --no-wait-for-client").wait_for_client is False
