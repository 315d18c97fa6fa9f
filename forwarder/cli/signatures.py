"""What verifies the signatures of requests to `listen`, by its options."""

import argparse
import os

from pydantic import ValidationError

from forwarder.cli.arguments.signatures import VARIABLE
from forwarder.cli.locations import UsageError
from forwarder.configfile.read import read_secret_file
from forwarder.core.config.model.signing import SigningConfig, plain_signing
from forwarder.core.config.values.headers import parse_plain_secret
from forwarder.core.config.values.scalars import WrongValueError
from forwarder.core.destinations.signing import KeyTextError
from forwarder.core.destinations.verification import PlainVerifier, StandardVerifier, Verifier, decode_verifying_key

_OF_HMAC = ("timestamped", "header", "algorithm", "encoding", "prefix")


def verifier_of(arguments: argparse.Namespace) -> Verifier | None:
    """Return what verifies as the arguments say, or `None` where there is no secret. Raises `UsageError`."""
    source, secrets = _secrets(arguments)
    given = {name: value for name in _OF_HMAC if (value := getattr(arguments, name)) is not None}
    if secrets is None:
        if given or arguments.scheme is not None:
            first = "scheme" if arguments.scheme is not None else next(iter(given))
            raise UsageError(f"--{first} needs a secret: --secret-file FILE, or the variable {VARIABLE}")
        return None
    if not secrets:
        raise UsageError(f"{source} is empty")
    if arguments.scheme == "hmac":
        return _plain(source, secrets, given)
    if given:
        raise UsageError(f"--{next(iter(given))} belongs to --scheme hmac")
    try:
        return StandardVerifier(tuple(map(decode_verifying_key, secrets)))
    except KeyTextError as error:
        raise UsageError(
            f"{source}: {error} (it is not shown); a secret of another kind needs --scheme hmac"
        ) from error


def _secrets(arguments: argparse.Namespace) -> tuple[str, list[str] | None]:
    """Return where the secrets come from, and them."""
    if arguments.secret is not None:
        return "--secret", [text for text in arguments.secret if text]
    if arguments.secret_file is not None:
        source = f"--secret-file {str(arguments.secret_file)!r}"
        try:
            return source, _lines(read_secret_file(arguments.secret_file))
        except OSError as error:
            raise UsageError(f"{source} cannot be read: {error.strerror}") from error
        except ValueError as error:
            raise UsageError(f"{source} is not UTF-8 text") from error
    text = os.environ.get(VARIABLE)
    return VARIABLE, None if text is None else _lines(text)


def _lines(text: str) -> list[str]:
    return [line for written in text.split("\n") if (line := written.strip())]


def _plain(source: str, secrets: list[str], given: dict[str, object]) -> Verifier:
    try:
        for secret in secrets:
            parse_plain_secret(secret)
    except WrongValueError as error:
        raise UsageError(f"{source}: {error}") from error
    try:  # a receiver may know several secrets where a sender has one
        settings = SigningConfig.model_validate({"scheme": "hmac", "secret": secrets[0], **given})
    except ValidationError as error:
        wrong = error.errors()[0]
        raise UsageError(f"--{wrong['loc'][0]}: {wrong['ctx']['error']}") from None
    return PlainVerifier(plain_signing(settings, secrets))
