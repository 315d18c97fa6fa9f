"""Where one of several words is expected, the one that was meant is suggested."""

import pytest

from forwarder.cli import main


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("chekc", 'did you mean "check"?'),
        ("Status", 'did you mean "status"?'),
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
