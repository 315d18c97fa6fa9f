"""An outbox that cannot be used says which one it is, why, and what to do."""

from pathlib import Path

from forwarder.outbox.problems import OutboxProblem, OutboxUnusableError


def test_the_text_is_made_of_the_fields() -> None:
    error = OutboxUnusableError(OutboxProblem.CORRUPT, Path("/var/outbox.db"), "page 7 is damaged", "Restore a copy.")
    assert str(error) == "outbox /var/outbox.db: page 7 is damaged. Restore a copy."
    assert (error.problem, error.location) == (OutboxProblem.CORRUPT, Path("/var/outbox.db"))
    assert (error.detail, error.advice) == ("page 7 is damaged", "Restore a copy.")
