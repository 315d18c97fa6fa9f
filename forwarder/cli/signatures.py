"""The options of `listen` that say how requests have to be signed."""

import argparse
import os
from pathlib import Path

from pydantic import ValidationError

from forwarder.cli.config_file import read_secret_file
from forwarder.cli.places import UsageError
from forwarder.core.config.scalars import WrongValueError, parse_plain_secret
from forwarder.core.config.signing import SigningConfig, plain_signing
from forwarder.core.signing import Algorithm, Encoding, KeyTextError
from forwarder.core.verifying import PlainVerifier, StandardVerifier, Verifier, decode_verifying_key

VARIABLE = "FORWARDER_LISTEN_SECRET"
_OF_HMAC = ("timestamped", "header", "algorithm", "encoding", "prefix")


def add_signatures(parser: argparse.ArgumentParser) -> None:
    """Add them to the parser."""
    group = parser.add_argument_group(
        "signatures",
        "Where a secret is given, a request that is not signed with it is answered 401, with the reason in a word: "
        "no_signature, stale_timestamp (more than 5 minutes off) or wrong_signature.",
    )
    given = group.add_mutually_exclusive_group()
    given.add_argument(
        "--secret",
        action="append",
        help="whsec_…, or the public key whpk_…; with --scheme hmac any text; may be repeated. Whoever may list processes on "
        f"this machine can read it: rather use --secret-file, or the variable {VARIABLE}",
    )
    given.add_argument(
        "--secret-file",
        type=Path,
        metavar="FILE",
        help=f"a file of secrets, one a line; {VARIABLE} holds them likewise",
    )
    group.add_argument(
        "--scheme", choices=("standard", "hmac"), help="as under signing: in the config; default: standard"
    )
    group.add_argument(
        "--timestamped", action="store_true", default=None, help="hmac: t=…,v1=… over timestamp.body (Stripe)"
    )
    group.add_argument("--header", metavar="NAME", help="hmac; default: as in the config, X-Hub-Signature-256")
    group.add_argument("--algorithm", choices=tuple(Algorithm), help="hmac; default: sha256")
    group.add_argument("--encoding", choices=tuple(Encoding), help="hmac; default: hex")
    group.add_argument("--prefix", metavar="TEXT", help='hmac; default: the algorithm and "="')


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
