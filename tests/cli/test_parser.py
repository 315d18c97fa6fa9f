"""What is nearly right on a command line is named, with the help of the command that was meant."""

import pytest

from forwarder.cli import COMMANDS, main
from forwarder.cli.parser import commands_below, parse, whole_parser


@pytest.mark.parametrize(
    ("given", "usage", "sentence"),
    [
        (
            "chek",
            "usage: forwarder ",
            "there is no command 'chek'; did you mean \"check\"?\n`forwarder help` lists the commands",
        ),
        ("xyz", "usage: forwarder ", "there is no command 'xyz'\n`forwarder help` lists the commands"),
        ("help xyz", "usage: forwarder ", "there is no command 'xyz'\n`forwarder help` lists the commands"),
        ("check --conect", "usage: forwarder check ", 'unrecognized arguments: --conect; did you mean "--connect"?'),
        ("check --confg=x", "usage: forwarder check ", 'unrecognized arguments: --confg=x; did you mean "--config"?'),
        ("status more words", "usage: forwarder status ", "unrecognized arguments: more words"),
        (
            "dead replay --drry",
            "usage: forwarder dead replay ",
            'unrecognized arguments: --drry; did you mean "--dry-run"?',
        ),
        ("dead list --sinc 1h", "usage: forwarder dead list ", ""),
        ("-c x.yaml listen", "usage: forwarder listen ", "unrecognized arguments: -c x.yaml"),
        ("", "usage: forwarder ", "the following arguments are required: COMMAND"),
    ],
)
def test_a_mistake_has_the_usage_of_its_command_and_a_sentence(
    given: str, usage: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if not sentence:  # the beginning of an option is enough
        parse(whole_parser(COMMANDS, loaded=frozenset(["dead"])), given.split())
        return
    with pytest.raises(SystemExit) as ended:
        main(given.split())
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (2, "")
    assert err.startswith(usage)
    assert err.endswith(f" error: {sentence}\n")


@pytest.mark.parametrize("given", ["help", "--help"])
def test_the_list_has_every_command_with_its_line(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([given])
    said = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0
    assert all(f" {name} {text} " in said for name, (_, text) in COMMANDS.items())


def test_help_of_a_command_is_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["help", "dead", "drop"])
    assert capsys.readouterr().out.startswith("usage: forwarder dead drop ")


def test_only_what_is_asked_for_is_loaded() -> None:
    parser = whole_parser(COMMANDS, loaded=frozenset(["check"]))
    known = commands_below(parser)
    assert known.keys() == COMMANDS.keys()
    assert known["check"].get_default("handler") == "check:run"
    assert known["run"].get_default("handler") is None


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("dead lst", 'did you mean "list"?'),
        ("deliveries --status deda", 'did you mean "dead"?'),
        ("run --log-level INFOO", 'did you mean "info"?'),
        ("listen --algorithm sha-256", 'did you mean "sha256"?'),
    ],
)
def test_a_near_miss_is_answered_with_the_word(line: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(line.split())
    assert capsys.readouterr().err.rstrip().endswith(f"); {hint}")


@pytest.mark.parametrize("line", ["zzz", "pause", "deliveries --status zzz"])
def test_nothing_is_suggested_where_nothing_is_near(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(line.split())
    assert "did you mean" not in capsys.readouterr().err
