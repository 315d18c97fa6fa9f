"""Finds values in which a sign is meant that this test does not know: a placeholder, a comparison, a test in quotation marks."""

import re
from collections.abc import Collection, Iterator

from forwarder.core.config.hints.show import in_single_quotes, word
from forwarder.core.matching.other_values import COMPARED, TEST_OF_SIGN
from forwarder.core.matching.subject import Field
from forwarder.core.yaml.tree import Scalar

_OF_PARTS = frozenset({"contains", "word", "prefix", "suffix"})
_WHOLE = "equals"
_STARRED = re.compile(r"\*\S.*|\S.*\*", re.DOTALL)
_EMPHASIS = re.compile(r".*\*{2,}.*", re.DOTALL)
"""Markdown, as it is in posts: `**bold**`."""
_PERCENT = re.compile(r"%.*[^\W\d_].*%?|.*[^\W\d_].*%", re.DOTALL)
_SLASHED = re.compile(r"/[^/\s]+/[gimsuyx]*")
_OF_A_REGEX = re.compile(r"[|\\.*+?()\[\]^$]|/[gimsuyx]+$")
_JSON_WORDS = frozenset({"true", "false"})
_REGEX_ESCAPE = re.compile(r"^\\[bBdDsSwW]|\\[bBdDsSwW][+*]?$")
"""A shorthand of a regex at an edge. Within a value it may be part of a path of Windows."""
_QUESTION = re.compile(r"\w\?\w")


def hints_of_signs(test: str, value: Scalar, field: Field | None, tests: Collection[str]) -> Iterator[str]:
    """Yield the hints about the signs in one value of a test. `tests` are the names of all tests."""
    name = "the field" if field is None else field.name
    if test == "wildcard":
        yield from _of_wildcard(value, name)
    elif test == _WHOLE and value in {"*", "%"} and name != "source":
        yield f"{word(value)} is this character alone; for any value remove the test, or write {name}: {{exists: true}}"
    elif test in _OF_PARTS:
        yield from _of_part(test, value)
    elif test == _WHOLE and field is not None:
        yield from _of_whole(value, field, tests)


def _of_wildcard(value: Scalar, name: str) -> Iterator[str]:
    if "*" not in value:
        yield (
            f"{word(value)} has no *, so it matches only if that is the whole {name}; "
            f"write {in_single_quotes(f'*{value}*', value, instead='a * before and after it')} to find it within"
        )
    elif _QUESTION.search(value):
        yield f"{word(value)}: ? is an ordinary character here, and * is any text; for one unknown character use a regex with ."


def _of_part(test: str, value: Scalar) -> Iterator[str]:
    bare = value.strip("*")
    if found := _REGEX_ESCAPE.search(value):
        inner = value.removeprefix(r"\b").removesuffix(r"\b")
        is_word = inner and "\\" not in inner
        meant = (
            f"write word: {in_single_quotes(inner, value, instead='it without')}"
            if is_word
            else f"for a regex write regex: {in_single_quotes(value, value, instead='…')}"
        )
        yield f"{word(value)}: {found[0]} means nothing in {test}, it is these characters; {meant}"
    elif _STARRED.fullmatch(value) and bare and not _EMPHASIS.fullmatch(value):
        instead = in_single_quotes(bare, value, instead="it without")
        more = ", or prefix: for the beginning of the text" if test == "word" and value.endswith("*") else ""
        yield f"{word(value)}: * is an ordinary character in {test}; write {instead}{more}, or use wildcard"
    elif value.startswith("%") and value.endswith("%") and len(value) > 2:
        yield (
            f"{word(value)}: % is an ordinary character here; "
            f"write contains: {in_single_quotes(value.strip('%'), value, instead='it without')}"
        )
    elif test in {"contains", "word"} and _SLASHED.fullmatch(value) and (test == "word" or _OF_A_REGEX.search(value)):
        inner = value.rpartition("/")[0][1:]
        yield f"{word(value)}: the slashes are a part of the value; for a regex write regex: {in_single_quotes(inner, value, instead='it without them')}"
    elif test in {"contains", "word"} and len(parts := re.split(r" (?:&&|AND) ", value)) > 1:
        shown = [in_single_quotes(part, value, instead="…") for part in parts]
        each = ", ".join(f"{{text: {{{test}: {part}}}}}" for part in shown)
        yield f"{word(value)} is one value; for all of several write all: [{each}]; if it is meant, write {test}: [{word(value)}]"


def _of_whole(value: Scalar, field: Field, tests: Collection[str]) -> Iterator[str]:
    name = field.name
    if not field.is_deep and not field.ignores_case:
        pass
    elif _STARRED.fullmatch(value) and not _EMPHASIS.fullmatch(value) and name not in {"text", "title"}:
        yield f"{word(value)}: * is an ordinary character here; write {name}: {{wildcard: {in_single_quotes(value, value, instead='…')}}}"
    if found := COMPARED.fullmatch(value):
        if (ours := TEST_OF_SIGN.get(found["sign"])) is not None:
            yield f"{word(value)} is compared as text; write {name}: {{{ours}: {found['number']}}}"
        elif found["sign"] == "!=":
            yield f"{word(value)} is compared as text; write not: {{{name}: {found['number']}}}"
    head, _, rest = value.partition(" ")
    if value.startswith("{") and value.endswith("}") and value[1:].lstrip().partition(":")[0] in tests:
        yield f"{word(value)} is a text, because it is in quotation marks; write it without them"
    elif rest and head in tests:
        meant = in_single_quotes(rest, value, instead="value")
        yield f"{word(value)} is one value; write {name}: {{{head}: {meant}}}"
    elif field.is_deep and value.quoted and value in _JSON_WORDS:
        yield f"{word(value)} in quotation marks is compared as text, and JSON's {value} is no text; write {name}: {value}"
