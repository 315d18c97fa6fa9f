"""Reads certificates and private keys."""

from typing import Annotated

from forwarder.core.config.values.scalars import WrongValueError, text_of
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import scalar


def parse_pem(value: object) -> Secret:
    """Return the text of a PEM file."""
    text = text_of(value, "the text of a PEM file")
    if "-----BEGIN " not in text:
        raise WrongValueError("not PEM: there is no line -----BEGIN …----- (it is not shown)")
    return Secret(text)


Pem = Annotated[Secret, scalar(parse_pem, "PEM text")]
