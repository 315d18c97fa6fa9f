"""Scalars as they are written, and those that hold the values of variables."""

from forwarder.core.yaml.tree import Expanded, Scalar


def test_a_scalar_is_its_text_and_knows_whether_it_was_quoted() -> None:
    assert Scalar("no") == "no"
    assert not Scalar("no").quoted
    assert Scalar("no", quoted=True).quoted
    assert Scalar("no", quoted=True) == Scalar("no")
    assert hash(Scalar("no")) == hash("no")


def test_a_scalar_with_a_variable_knows_how_it_was_written() -> None:
    secret = Expanded("magpie", quoted=True, written="${SECRET}")
    assert (secret, secret.quoted, secret.written) == ("magpie", True, "${SECRET}")
    assert isinstance(secret, Scalar)
    assert (Expanded("a").quoted, Expanded("a").written) == (False, "")
