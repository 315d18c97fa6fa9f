"""Finds values that a field of names never has: an address for a handle, two handles in one, a language by its name."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator

from forwarder.core.config.hints.show import in_single_quotes, listed, plain, word
from forwarder.core.matching.subject import Field
from forwarder.core.yaml.tree import Scalar

_X = r"(?:https?://)?(?:www\.|mobile\.)?(?:x|twitter)\.com/"
_ADDRESS = re.compile(rf"(?:{_X}|(?:https?://)?t\.me/(?:s/)?)@?(?P<name>[A-Za-z0-9_]+)/?(?:\?.*)?")
_STATUS = re.compile(
    rf"{_X}\w+/status(?:es)?/(?P<id>[0-9]+).*|(?:https?://)?t\.me/(?:c/)?[\w/]+/(?P<post>[0-9]+)(?:\?.*)?"
)
_TAG = re.compile(r"[$#]?\w+")
_DIGITS = re.compile(r"[0-9]{6,}")
_LANGUAGE_OF = {
    "arabic": "ar",
    "chinese": "zh",
    "cn": "zh",
    "cz": "cs",
    "dk": "da",
    "dutch": "nl",
    "eng": "en",
    "english": "en",
    "french": "fr",
    "ger": "de",
    "german": "de",
    "gr": "el",
    "hindi": "hi",
    "italian": "it",
    "japanese": "ja",
    "jp": "ja",
    "korean": "ko",
    "kr": "ko",
    "polish": "pl",
    "portuguese": "pt",
    "russian": "ru",
    "spanish": "es",
    "turkish": "tr",
    "ua": "uk",
    "ukrainian": "uk",
    "vietnamese": "vi",
    "vn": "vi",
}
"""What people write for a language, and the code of ISO 639-1 that X gives."""
_LOOKED_AT_AS_WORDS = frozenset({"lang", "channel", "sid", "author_id"})
"""Fields in which a single word may be wrong: ids are numbers."""
_OF_LISTS = frozenset({"author", "author_id", "sid", "channel", "symbols", "hashtags", "mentions", "reply_to"})
"""Fields whose values people keep in lists."""
_REGION = re.compile(r"(?P<code>[a-z]{2})[-_][a-z]{2}", re.IGNORECASE)


def hints_of_name(field: Field, value: Scalar) -> Iterable[str]:
    """Return the hints about a value that is compared with a whole field."""
    look = _BY_FIELD.get(field.name)
    return (
        () if look is None or (value.isidentifier() and field.name not in _LOOKED_AT_AS_WORDS) else look(field, value)
    )


def hints_of_list_name(field: Field, value: Scalar, lists: Collection[str]) -> Iterator[str]:
    """Yield a hint if the only value of a test of names is the name of a list."""
    if value in lists and field.name in _OF_LISTS:
        yield f"{word(value)} is compared as it is; for the values of the list of this name write {field.name}: {{list: {plain(value)}}}"


def _of_handle(field: Field, value: Scalar) -> Iterator[str]:
    name = value.removeprefix("@")
    if found := _ADDRESS.fullmatch(value):
        handle = in_single_quotes(found["name"], value, instead="the part after the last /")
        yield f"{word(value)} is an address, and {field.name} is a handle; write {handle}"
    elif name[:1] in {"!", "-"} and name[1:]:
        meant = in_single_quotes(name[1:], value, instead="the handle")
        yield f"{word(value)}: no handle begins with {name[0]}; for every other one write not: {{{field.name}: {meant}}}"
    elif len(parts := value.split()) > 1 and "," not in value:
        if all(part.startswith("@") for part in parts):
            yield f"{word(value)} is one value; for any of several write a list: {listed([part[1:] for part in parts], value)}"
        else:
            yield (
                f"{word(value)} has a space, and no handle has; write the handle, as in x.com/handle"
                + ("; the name that is shown is author_name" if field.name == "author" else "")
            )
    elif field.name == "author" and _DIGITS.fullmatch(name):
        yield f"{word(value)} looks like an id, and author is a handle; write author_id: {in_single_quotes(name, value, instead='id')}"


def _of_channel(_field: Field, value: Scalar) -> Iterator[str]:
    found = _ADDRESS.fullmatch(value)
    name = found["name"] if found else value.removeprefix("@") if value.startswith("@") else ""
    if name or (value.isidentifier() and not value.isdecimal()):
        name = name or value
        yield (
            f"{word(value)} is a name, and channel is the id of a channel, such as 1234567890; "
            f"for its name write author: {in_single_quotes(name, value, instead='name')}"
        )


def _of_tag(field: Field, value: Scalar) -> Iterator[str]:
    parts = value.split()
    if len(parts) > 1 and all(map(_TAG.fullmatch, parts)):
        names = [part.lstrip("$#") for part in parts]
        yield f"{word(value)} is one value; for any of several write a list: {listed(names, value)}"
    elif not _TAG.fullmatch(value) and "," not in value and "|" not in value:
        what = "cashtag" if field.name == "symbols" else "hashtag"
        yield f"{word(value)}: a {what} is letters and digits only, so this never matches; for a part of the post use text"


def _of_lang(_field: Field, value: Scalar) -> Iterator[str]:
    code = _LANGUAGE_OF.get(value.casefold())
    if code is None and (found := _REGION.fullmatch(value)):
        code = found["code"].lower()
    if code is not None:
        yield f"{word(value)}: the language is a code of two letters without a country; write {code}"


def _of_sid(_field: Field, value: Scalar) -> Iterator[str]:
    if value.startswith("@") or _ADDRESS.fullmatch(value) or value.isidentifier():
        yield f"{word(value)} is a name, and sid is the id of an account or a channel; for its handle use author"


def _of_author_id(_field: Field, value: Scalar) -> Iterator[str]:
    found = _ADDRESS.fullmatch(value)
    name = found["name"] if found else value.removeprefix("@")
    if found or name != value or value.isidentifier():
        yield (
            f"{word(value)} is a name, and author_id is the id of an account, such as 44196397; "
            f"for its handle write author: {in_single_quotes(name, value, instead='handle')}"
        )


def _of_mid(_field: Field, value: Scalar) -> Iterator[str]:
    if found := _STATUS.fullmatch(value):
        meant = in_single_quotes(found["id"] or found["post"], value, instead="the number at its end")
        yield f"{word(value)} is an address, and mid is the id of a post; write {meant}"


_BY_FIELD: dict[str, Callable[[Field, Scalar], Iterator[str]]] = {
    "author": _of_handle,
    "author_id": _of_author_id,
    "reply_to": _of_handle,
    "mentions": _of_handle,
    "channel": _of_channel,
    "symbols": _of_tag,
    "hashtags": _of_tag,
    "lang": _of_lang,
    "sid": _of_sid,
    "mid": _of_mid,
}
