"""Exit codes: each problem of an outbox has one, and the documentation has them all."""

from forwarder.cli import exit_codes
from forwarder.outbox.problems import OutboxProblem
from tests.support.paths import ROOT


def test_every_problem_of_an_outbox_has_an_exit_code() -> None:
    assert set(exit_codes.OUTBOX_CODES) == set(OutboxProblem)


def test_every_code_is_in_the_documentation() -> None:
    page = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    codes = {value for value in vars(exit_codes).values() if isinstance(value, int)}
    assert [code for code in codes if str(code) not in page] == []
