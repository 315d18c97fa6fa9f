"""How the requests of a destination are signed, as the config says it."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, PlainValidator, ValidationInfo

from forwarder.core.config.fields import FilePath, Section, Switch, choice, listed
from forwarder.core.config.scalars import (
    FileLine,
    WrongValueError,
    parse_header_name,
    parse_header_value,
    parse_plain_secret,
    show,
    text_of,
)
from forwarder.core.config.secret import Secret
from forwarder.core.signing import Algorithm, Encoding, KeyTextError, PlainSigning, Signing, StandardSigning, decode_key
from forwarder.core.url import has_user

MAX_KEYS = 10
"""In force at once: a rotation needs two, and every signature makes the request longer."""
_TAKEN = frozenset({"accept-encoding", "content-encoding", "content-type", "host", "user-agent"})


def parse_signing_secret(value: object) -> Secret:
    """Return a secret or private key of Standard Webhooks."""
    text = text_of(value, "a secret such as whsec_…")
    try:
        decode_key(text)
    except KeyTextError as error:
        hint = "" if text.startswith("wh") else "; a secret of another kind needs scheme: hmac"
        raise WrongValueError(f"{error} (it is not shown){hint}") from None
    return Secret(str(text))


def parse_signature_header(value: object) -> str:
    """Return the name of the header that a plain signature goes into."""
    name = parse_header_name(value)
    if name.lower() in _TAKEN or name.lower().startswith("x-forwarder-"):
        raise WrongValueError(f"{show(value)} says something else; the signature needs a header of its own")
    return name


def parse_prefix(value: object) -> str:
    """Return what stands before a plain signature."""
    text = parse_header_value(value).reveal()
    if not text.isascii():
        raise WrongValueError("the prefix may have letters, digits and signs of ASCII only")
    return text


def _parse_secret(value: object, info: ValidationInfo) -> Secret:
    # Where the scheme itself is wrong, only what holds in both is told.
    parse = parse_signing_secret if info.data.get("scheme") == "standard" else parse_plain_secret
    try:
        return parse(value)
    except WrongValueError as error:
        if isinstance(value, FileLine):
            raise WrongValueError(f"{value.written}: {error}") from None
        raise


def _of_hmac(value: object, info: ValidationInfo) -> object:
    if info.data.get("scheme") == "standard":
        raise WrongValueError("this key belongs to the other scheme; write scheme: hmac beside it, or leave it out")
    return value


def _without_time(value: object, info: ValidationInfo) -> object:
    if info.data.get("timestamped"):
        raise WrongValueError("timestamped: true writes t=…,v1=… by itself; leave the prefix out")
    return value


def _room(secrets: list[Secret], info: ValidationInfo) -> list[Secret]:
    if info.data.get("scheme") == "hmac" and not info.data.get("timestamped") and len(secrets) > 1:
        raise WrongValueError(
            "a receiver of this form reads one signature, so one secret can sign; have it take the old and the new one, "
            "then change this one (timestamped: true, and scheme: standard, have room for several)"
        )
    return secrets


SigningSecret = Annotated[Secret, PlainValidator(_parse_secret, json_schema_input_type=str)]
_OfHmac = AfterValidator(_of_hmac)


class SigningConfig(Section):
    """Signatures as in Standard Webhooks, or a plain HMAC."""

    scheme: Annotated[Literal["standard", "hmac"], choice("standard", "hmac")] = Field(
        default="standard",
        description="standard: Standard Webhooks; hmac: one header of your own, as GitHub or Stripe have it.",
    )
    timestamped: Annotated[Switch, _OfHmac] = Field(
        default=False,
        description="hmac: true signs timestamp.body and sends t=…,v1=… (Stripe); false signs the body (GitHub).",
    )
    header: Annotated[str, PlainValidator(parse_signature_header, json_schema_input_type=str), _OfHmac] | None = Field(
        default=None, description="hmac: X-Hub-Signature-256 where it is left out; Stripe-Signature with timestamped."
    )
    algorithm: Annotated[Literal["sha256", "sha1", "sha512"], choice(*Algorithm), _OfHmac] = Field(
        default="sha256", description="hmac: sha256, sha1 or sha512."
    )
    encoding: Annotated[Literal["hex", "base64"], choice(*Encoding), _OfHmac] = Field(
        default="hex", description="hmac: hex or base64."
    )
    prefix: (
        Annotated[str, PlainValidator(parse_prefix, json_schema_input_type=str), _OfHmac, AfterValidator(_without_time)]
        | None
    ) = Field(default=None, description='hmac: before the signature; left out, the algorithm and "=".')
    secret: Annotated[
        list[SigningSecret], BeforeValidator(listed, json_schema_input_type=str | list[str]), AfterValidator(_room)
    ] = Field(
        min_length=1,
        max_length=MAX_KEYS,
        description="whsec_… or whsk_… (Ed25519), with hmac any text; a list while rotating. Or name a file in secret_file.",
    )
    secret_file: FilePath | None = Field(default=None, description="A file that holds the secrets, one a line.")


def signing_of(settings: SigningConfig | None) -> Signing | None:
    """Return what signs as the settings say."""
    if settings is None:
        return None
    secrets = [secret.reveal() for secret in settings.secret]
    if settings.scheme == "standard":
        return StandardSigning(tuple(map(decode_key, secrets)))
    return plain_signing(settings, secrets)


def plain_signing(settings: SigningConfig, secrets: list[str]) -> PlainSigning:
    """Return the plain HMAC that the settings describe; what they leave out is as GitHub or Stripe have it."""
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
    """Refuse a signature whose header the destination sends for another reason; `info` holds its `headers` and `url`."""
    signing = signing_of(settings)
    if signing is None:
        return settings
    headers: Mapping[str, Secret] = info.data.get("headers", {})
    if twice := [name for name in headers if name.lower() in signing.header_names]:
        raise WrongValueError(f"{twice[0]} stands under headers, too; the signature needs a header of its own")
    url: Secret | None = info.data.get("url")
    if url is not None and "authorization" in signing.header_names and has_user(url.reveal()):
        raise WrongValueError(
            "Authorization is the header of the user name in the URL; the signature needs one of its own"
        )
    return settings
