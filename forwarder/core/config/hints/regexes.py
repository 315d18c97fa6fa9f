r"""Finds regexes that are valid for RE2 but written for another program, or whose `\b` and `\w` meet letters outside of ASCII."""

import re
from collections.abc import Iterator

from forwarder.core.config.hints.regex_tokens import TokenKind, has_boundary_at_letter, tokens_of
from forwarder.core.config.hints.show import in_single_quotes, listed, word
from forwarder.core.matching.subject import Field
from forwarder.core.yaml.tree import Expanded, Scalar

_SLASHES = re.compile(r"/(?P<inner>.+)/(?P<flags>[gimsuyx]*)", re.DOTALL)
_WORDS = re.compile(r"(?:\(\?i\))?\\b(?P<group>\((?:\?:)?)?(?P<words>[^\W_][\w -]*(?:\|[^\W_][\w -]*)*)(?(group)\))\\b")
_EMPTY_ALTERNATIVE = re.compile(r"(?:^|\(\?:|\(|\|)\||\|(?:\)|$)")
_DOUBLED = re.compile(r"\\\\[bBdDsSwW]")
_INSTEAD = r"(?:^|[^\pL\pN_]) before it and (?:$|[^\pL\pN_]) after it"


def hints_of_regex(value: Scalar, *, field: Field) -> Iterator[str]:
    """Yield the hints about a regex."""
    if (found := _SLASHES.fullmatch(value)) and (found["flags"] or field.ignores_case):
        yield _of_slashes(value, found["inner"], found["flags"], field)
    if _holds_always(value):
        yield (
            f"{word(value)} holds for every {field.name if field.is_deep else 'event with a ' + field.name}; "
            + (
                "an alternative beside a | is empty"
                if _EMPTY_ALTERNATIVE.search(value)
                else f"if that is meant, write {field.name}: {{exists: true}}"
            )
        )
    elif " | " in value:
        yield f"{word(value)}: the spaces beside | are a part of the pattern; write | without them"
    tokens = tokens_of(value)
    escapes = {token.text for token in tokens if token.kind is TokenKind.ESCAPED}
    if escapes & {r"\<", r"\>"}:
        yield (
            rf"{word(value)}: \< and \> are the characters < and >; for a whole word write the test word, or \b; "
            r"if they are meant, write < and >"
        )
    if (found := _DOUBLED.search(value)) and not isinstance(value, Expanded):
        instead = in_single_quotes(_DOUBLED.sub(lambda each: each[0][1:], value), value, instead="one of them")
        yield rf"{word(value)}: {found[0]} is a backslash before the letter {found[0][-1]}; only double quotes need two; write {instead}"
    if r"\|" in escapes and not any(token.kind is TokenKind.OR for token in tokens):
        yield rf"{word(value)}: \| is the character |; for one of several write |; if it is meant, write [|]"
    words = _WORDS.fullmatch(value)
    parts = words["words"].split("|") if words else []
    is_ascii = all(part.isascii() for part in parts)
    if parts and is_ascii and all(part[-1].isalpha() and part[0].isalpha() for part in parts):
        yield (
            rf"{word(value)}: \b knows only ASCII letters, so this also matches within a word such as "
            rf"{in_single_quotes(f'{parts[0]}é', value, instead='the same one with é after it')}; write word: {_listed(parts, value)}"
        )
    elif has_boundary_at_letter(tokens):
        yield (
            rf"{word(value)}: \b knows only ASCII letters, so next to another letter it is not where a word begins or ends; "
            + (f"write word: {_listed(parts, value)}" if parts else f"use the test word, or write {_INSTEAD}")
        )
    if any(token.kind is TokenKind.SHORTHAND for token in tokens) and any(
        token.kind is TokenKind.LETTER for token in tokens
    ):
        yield (
            rf"{word(value)}: \w and \W know only ASCII letters, and this regex has others; "
            r"write [\pL\pN_] for \w, and [^\pL\pN_] for \W"
        )


def _holds_always(pattern: str) -> bool:
    """Return whether a regex is found in every text: in the empty one, and in one that no author means."""
    import re2  # noqa: PLC0415 - only a config with regexes needs it

    from forwarder.core.matching.compile_tests import regex_options  # noqa: PLC0415 - as above

    try:
        compiled = re2.compile(pattern, regex_options(ignore_case=False))
    except (re2.error, UnicodeEncodeError):  # which is reported as a mistake
        return False
    return all(compiled.search(text) is not None for text in ("", "\ue000"))


def _of_slashes(value: Scalar, inner: str, flags: str, field: Field) -> str:
    options = "".join(each for each in "ms" if each in flags)
    case = ""
    if "i" in flags:
        case = ", which ignores case here" if field.ignores_case else " and ignore_case: true"
    instead = in_single_quotes((f"(?{options})" if options else "") + inner, value, instead="the regex without them")
    what = f"the slashes and {flags}" if flags else "the slashes"
    return (
        f"{word(value)}: {what} are a part of the pattern; write {instead}{case}; if they are meant, write [/] for each"
    )


def _listed(parts: list[str], value: Scalar) -> str:
    return in_single_quotes(parts[0], value, instead="value") if len(parts) == 1 else listed(parts, value)
