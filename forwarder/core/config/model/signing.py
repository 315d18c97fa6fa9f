"""`signing` of a destination: how its requests are signed."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo

from forwarder.core.config.values.headers import parse_header_name, parse_header_value, parse_plain_secret
from forwarder.core.config.values.scalars import FileLine, WrongValueError, show, text_of
from forwarder.core.config.values.secret import Secret
from forwarder.core.config.values.section import FilePath, Section, Switch, choice, left_out, one_or_more, scalar
from forwarder.core.destinations.signing import (
    Algorithm,
    Encoding,
    KeyTextError,
    PlainSigning,
    Signing,
    StandardSigning,
    decode_key,
)
from forwarder.core.url import has_user

MAX_KEYS = 10
"""The highest number of active secrets: a rotation needs two, and every signature makes the request longer."""
_TAKEN = frozenset({"accept-encoding", "content-encoding", "content-type", "host", "user-agent"})


def parse_signing_secret(value: object) -> Secret:
    """Return a secret or private key of Standard Webhooks."""
    text = text_of(value, "a secret such as whsec_…")
    try:
        decode_key(text)
    except KeyTextError as error:
        hint = "" if text.startswith("wh") else "; for a secret of another kind write scheme: hmac"
        raise WrongValueError(f"{error} (it is not shown){hint}") from None
    return Secret(text)


def parse_signature_header(value: object) -> str:
    """Return the name of the header that a plain signature goes into."""
    name = parse_header_name(value)
    if name.lower() in _TAKEN or name.lower().startswith("x-forwarder-"):
        raise WrongValueError(f"{show(value)} is a header with another purpose; name another header for the signature")
    return name


def parse_prefix(value: object) -> str:
    """Return the text before a plain signature."""
    text = parse_header_value(value).reveal()
    if not text.isascii():
        raise WrongValueError("the prefix may contain ASCII characters only")
    return text


def _parse_secret(value: object, info: ValidationInfo) -> Secret:
    # Where the scheme itself is not valid, only the rules of both schemes are checked.
    parse = parse_signing_secret if info.data.get("scheme") == "standard" else parse_plain_secret
    try:
        return parse(value)
    except WrongValueError as error:
        if isinstance(value, FileLine):
            raise WrongValueError(f"{value.written}: {error}") from None
        raise


def _of_hmac(value: object, info: ValidationInfo) -> object:
    if info.data.get("scheme") == "standard":
        raise WrongValueError("this key needs scheme: hmac; add that, or remove the key")
    return value


def _without_time(value: object, info: ValidationInfo) -> object:
    if info.data.get("timestamped"):
        raise WrongValueError("with timestamped: true the signature begins with t=…,v1=…; remove the prefix")
    return value


def _room(secrets: list[Secret], info: ValidationInfo) -> list[Secret]:
    if info.data.get("scheme") == "hmac" and not info.data.get("timestamped") and len(secrets) > 1:
        raise WrongValueError(
            "this form of signature has room for one secret; let the receiver accept the old and the new secret, "
            "then replace the secret here (timestamped: true and scheme: standard have room for several)"
        )
    return secrets


SigningSecret = Annotated[Secret, scalar(_parse_secret, "secret")]
_OfHmac = AfterValidator(_of_hmac)


class SigningConfig(Section):
    """How each request is signed: as in Standard Webhooks, or with a plain HMAC."""

    scheme: Annotated[Literal["standard", "hmac"], choice("standard", "hmac")] = Field(
        default="standard",
        description="standard: Standard Webhooks. hmac: one header with an HMAC, as GitHub and Stripe use.",
    )
    timestamped: Annotated[Switch, _OfHmac] = Field(
        default=False,
        description="hmac: true signs timestamp.body and sends t=…,v1=… (as Stripe). false signs the body (as GitHub).",
    )
    header: Annotated[str, scalar(parse_signature_header, "header name"), _OfHmac] | None = Field(
        default=None,
        description="hmac: the header for the signature.",
        json_schema_extra=left_out("X-Hub-Signature-256, or Stripe-Signature with timestamped"),
    )
    algorithm: Annotated[Literal["sha256", "sha1", "sha512"], choice(*Algorithm), _OfHmac] = Field(
        default="sha256", description="hmac: the hash algorithm."
    )
    encoding: Annotated[Literal["hex", "base64"], choice(*Encoding), _OfHmac] = Field(
        default="hex", description="hmac: the encoding of the signature."
    )
    prefix: Annotated[str, scalar(parse_prefix, "text"), _OfHmac, AfterValidator(_without_time)] | None = Field(
        default=None,
        description="hmac: a text before the signature.",
        json_schema_extra=left_out("the algorithm and =, such as sha256="),
    )
    secret: Annotated[list[SigningSecret], one_or_more("secret"), AfterValidator(_room)] = Field(
        min_length=1,
        max_length=MAX_KEYS,
        description="The secret: whsec_… (HMAC) or whsk_… (Ed25519), with scheme: hmac any text. A list of up to 10 while you change it. "
        "secret_file reads it from a file.",
        examples=["${BOT_SECRET}"],
    )
    secret_file: FilePath | None = Field(
        default=None, description="A file that contains the secrets, one on each line. Replaces secret."
    )


def signing_of(settings: SigningConfig | None) -> Signing | None:
    """Return the signing that the settings describe; `None` for no settings."""
    if settings is None:
        return None
    secrets = [secret.reveal() for secret in settings.secret]
    if settings.scheme == "standard":
        return StandardSigning(tuple(map(decode_key, secrets)))
    return plain_signing(settings, secrets)


def plain_signing(settings: SigningConfig, secrets: list[str]) -> PlainSigning:
    """Return the plain HMAC that the settings describe, with the defaults of GitHub or Stripe."""
    if settings.timestamped:
        header, prefix = "Stripe-Signature", ""
    elif settings.algorithm == "sha256":
        header, prefix = "X-Hub-Signature-256", "sha256="
    else:
        header, prefix = "X-Hub-Signature", f"{settings.algorithm}="
    return PlainSigning(
        keys=tuple(secret.encode() for secret in secrets),
        header=settings.header or header,
        algorithm=Algorithm(settings.algorithm),
        encoding=Encoding(settings.encoding),
        prefix=prefix if settings.prefix is None else settings.prefix,
        is_timestamped=settings.timestamped,
    )


def check_apart(settings: SigningConfig | None, info: ValidationInfo) -> SigningConfig | None:
    """Refuse a signature whose header the destination already sends; `info` holds its `headers` and `url`."""
    signing = signing_of(settings)
    if signing is None:
        return settings
    headers: Mapping[str, Secret] = info.data.get("headers", {})
    if twice := [name for name in headers if name.lower() in signing.header_names]:
        raise WrongValueError(
            f"{twice[0]} is also in headers; name another header for the signature, or remove it there"
        )
    url: Secret | None = info.data.get("url")
    if url is not None and "authorization" in signing.header_names and has_user(url.reveal()):
        raise WrongValueError(
            "the user name in the URL already sets the header Authorization; name another header for the signature"
        )
    return settings
