"""`forwarder emulate`: options that do not go together."""

from pathlib import Path

import pytest

from forwarder.cli import exit_codes, main
from tests.support.history import fill


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--hang-for", "5s"), "--hang-for: needs --hang-at"),
        (("--exit-when-done", "--loop"), "with --loop it also needs --count"),
        (("--events", "/no/such/file"), "/no/such/file: No such file"),
        (("--speed", "60x"), "--speed, --since and --until need --from"),
        (("--since", "1h"), "--speed, --since and --until need --from"),
        (("--from", "/no/such/outbox.db", "--rate", "5"), "--rate and --burst do not go with --from"),
        (("--from", "/no/such/outbox.db", "--events", "/no/such/file"), "not allowed with argument"),
        (("--from", "/no/such/outbox.db", "--since", "1h", "--until", "2h"), "--until: must be later than --since"),
    ],
)
def test_options_that_cannot_be_used_are_usage_errors(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["emulate", "--port", "0", *words])
    assert caught.value.code == exit_codes.USAGE
    assert said in capsys.readouterr().err


def test_an_outbox_that_is_not_there_is_reported(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["emulate", "--port", "0", "--from", "/no/such/outbox.db"]) == exit_codes.NO_OUTBOX
    advice = "--from needs the file of an outbox, such as outbox.db."
    assert capsys.readouterr().err == f"outbox /no/such/outbox.db: there is no such file. {advice}\n"


async def test_an_outbox_without_events_of_that_time_is_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await fill(tmp_path / "config.yaml")
    with pytest.raises(SystemExit) as caught:
        main(["emulate", "--port", "0", "--from", str(tmp_path / "outbox.db"), "--until", "2001-01-01"])
    assert caught.value.code == exit_codes.USAGE
    assert "has no events of that time that could be sent" in capsys.readouterr().err
