"""A secret hides its text and its length."""

import copy
import pickle

from forwarder.core.config import (
    Secret,
)


def test_a_secret_hides_itself_and_its_length() -> None:
    secret = Secret("magpie")
    assert {repr(secret), str(secret), f"{secret}", f"{secret!r}", repr(Secret(""))} == {"***"}
    assert secret == Secret("magpie") != Secret("other")
    assert secret != "magpie"
    assert len({secret, Secret("magpie")}) == 1
    assert copy.deepcopy(secret) == pickle.loads(pickle.dumps(secret)) == secret  # noqa: S301 - our own bytes
