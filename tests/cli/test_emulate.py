"""`forwarder emulate`: options that do not go together."""

import pytest

from forwarder.cli import exit_codes, main


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--hang-for", "5s"), "--hang-for: needs --hang-at"),
        (("--exit-when-done", "--loop"), "with --loop it also needs --count"),
        (("--events", "/no/such/file"), "/no/such/file: No such file"),
    ],
)
def test_options_that_cannot_be_used_are_usage_errors(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["emulate", "--port", "0", *words])
    assert caught.value.code == exit_codes.USAGE
    assert said in capsys.readouterr().err
