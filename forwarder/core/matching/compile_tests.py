"""Compiles the tests of a field, such as `contains` or `gte`, from the config."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING

from forwarder.core.durations import read_duration
from forwarder.core.matching.compile_clock import compile_clock
from forwarder.core.matching.conditions import ValueTest
from forwarder.core.matching.folding import Form, form_of
from forwarder.core.matching.known_words import with_known_words
from forwarder.core.matching.literals import Literals, as_json, listed
from forwarder.core.matching.sealed_equals import SealedEquals, sealed_equals
from forwarder.core.matching.subject import Field
from forwarder.core.matching.texts import Contains, Equals, Prefix, Regex, Suffix, Wildcard, Word, shared
from forwarder.core.matching.values import (
    TYPES,
    Age,
    Between,
    Compare,
    Length,
    NumberTest,
    Operator,
    TypeIs,
)
from forwarder.core.yaml.problems import did_you_mean
from forwarder.core.yaml.tree import Path, Scalar, Sealed, Tree
from forwarder.core.yaml.words import known_word

if TYPE_CHECKING:
    import re2

_MAX_REGEX_MEMORY = 1 << 20
"""How many bytes a compiled regex may take. RE2 refuses larger programs, such as `(a{1000}){1000}`."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,40}")
NUMBER = r"[-+]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][-+]?[0-9]{1,3})?"
"""A number as YAML 1.2 and JSON have it: also `.5`, `1e3` and `2.5e-6`."""

_NOTHING_TO_SEE = "nothing is left of this text without what nobody sees in it, and that is contained in every text; exact: true compares it as it is written"

_FEW = 4
"""Lists of up to so many values are often the same in many routes."""

Compile = Callable[[Tree, Path, Literals, Field, Form], ValueTest]
"""Compiles one test from its tree, path, literals and field, and the form in which it compares texts. Problems go to the literals' report."""


def compile_test(name: str, tree: Tree, path: Path, literals: Literals, *, field: Field, form: Form) -> ValueTest:
    """Return the test with this name; `clock` is the name for hours and days."""
    return compile_clock(tree, path, literals) if name == "clock" else TESTS[name](tree, path, literals, field, form)


def _equals(tree: Tree, path: Path, literals: Literals, field: Field, form: Form) -> ValueTest:
    written = literals.placed(tree, path)
    for at, each in written if field.values else ():
        if known_word(each, field.values) is None:
            literals.report(at, f"{field.name} is never {str(each)!r}{_hint_of_value(each, field)}")
    test = equals(tuple(value for _, value in written), ignore_case=form is not Form.WRITTEN, marker=field.marker)
    if isinstance(test, SealedEquals):
        return replace(test, plain=with_known_words(test.plain, field))
    return with_known_words(test, field)


def equals(written: tuple[Scalar, ...], *, ignore_case: bool, marker: str = "") -> Equals | SealedEquals:
    """Return the test for these values. An unquoted number, true, false or null also matches that JSON value."""
    known = tuple(each for each in written if not isinstance(each, Sealed))
    plain = _plain(known, ignore_case=ignore_case, marker=marker)
    return plain if len(known) == len(written) else sealed_equals(written, plain)


def _plain(written: tuple[Scalar, ...], *, ignore_case: bool, marker: str) -> Equals:
    plain = (each.removeprefix(marker) if marker else str(each) for each in written)
    texts = frozenset(text.casefold() if ignore_case else text for text in plain)
    return Equals(
        written=written,
        texts=shared(texts) if len(texts) <= _FEW else texts,
        others=tuple(sorted((value for each in written if not each.quoted for value in as_json(each)), key=repr)),
        ignore_case=ignore_case,
    )


def _of_parts(kind: type[Contains | Word | Prefix | Suffix], *, keeps_marker: bool = True) -> Compile:
    def compile_(tree: Tree, path: Path, literals: Literals, field: Field, form: Form) -> ValueTest:
        written = literals.values(tree, path)
        marker = "" if keeps_marker else field.marker
        parts = [form_of(each.removeprefix(marker) if marker else str(each), form) for each in written]
        if any(each in {"", marker} for each in written):
            literals.report(path, "an empty text is contained in every text")
        elif not all(parts):
            literals.report(path, _NOTHING_TO_SEE)
        used = [number for number, part in enumerate(parts) if part]
        return kind(
            written=tuple(written[number] for number in used), parts=tuple(parts[number] for number in used), form=form
        )

    return compile_


def _wildcard(tree: Tree, path: Path, literals: Literals, field: Field, form: Form) -> ValueTest:
    written = literals.values(tree, path)
    shapes = (_pieces(each.removeprefix(field.marker) if field.marker else str(each), form) for each in written)
    return Wildcard(written=written, shapes=tuple(shapes), form=form)


def _pieces(text: str, form: Form) -> tuple[str, ...]:
    r"""Return the texts between the `*`, in the form in which they are compared. `\*` is a literal star and `\\` a backslash."""
    pieces, at = [""], 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1 : at + 2] in {"*", "\\"}:
            pieces[-1] += text[at + 1]
            at += 2
            continue
        if text[at] == "*":
            pieces.append("")
        else:
            pieces[-1] += text[at]
        at += 1
    first, *rest = (form_of(piece, form) for piece in pieces)
    if not rest:
        return (first,)
    return (first, *filter(None, rest[:-1]), rest[-1])


def _regex(tree: Tree, path: Path, literals: Literals, _field: Field, form: Form) -> ValueTest:
    written = literals.placed(tree, path)
    ignore_case = form is not Form.WRITTEN
    compiled = [_pattern(each, at, literals, ignore_case=ignore_case) for at, each in written]
    return Regex(
        written=tuple(value for _, value in written),
        patterns=tuple(each for each in compiled if each is not None),
        form=form,
    )


def regex_options(*, ignore_case: bool) -> "re2.Options":
    """Return the options for compiling the regexes of the config."""
    import re2  # noqa: PLC0415 - with its libraries it takes 2.5 MiB, which only a config with a regex needs

    options = re2.Options()
    options.case_sensitive = not ignore_case
    options.log_errors = False
    options.max_mem = _MAX_REGEX_MEMORY
    return options


def _pattern(pattern: Scalar, path: Path, literals: Literals, *, ignore_case: bool) -> "re2._Regexp[str] | None":
    import re2  # noqa: PLC0415 - see `regex_options`

    try:
        return re2.compile(str(pattern), regex_options(ignore_case=ignore_case))
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace") if isinstance(error.args[0], bytes) else str(error)
        from forwarder.core.matching.other_values import regex_meant  # noqa: PLC0415 - only mistakes need it

        hint = regex_meant(said)
        if any(mark in pattern for mark in ("(?=", "(?!", "(?<=", "(?<!")):
            hint = "; look-around is not supported, because a rule must run in linear time (RE2)"
        elif "invalid escape sequence" in said and any(f"\\{digit}" in pattern for digit in "123456789"):
            hint = "; back-references are not supported, because a rule must run in linear time (RE2)"
        literals.report(path, f"not a valid regex: {said}{hint}")
    except UnicodeEncodeError:
        literals.report(path, "not a valid regex: it holds half a surrogate pair")
    return None


def _hint_of_value(value: Scalar, field: Field) -> str:
    """Return what to write in place of a value that a field never has."""
    from forwarder.core.matching.other_values import kind_meant  # noqa: PLC0415 - only mistakes need it

    meant = kind_meant(value) if field.name == "kind" else ""
    return meant or did_you_mean(value, field.values) or f"; it is {listed(field.values)}"


def _number(tree: Tree, path: Path, literals: Literals) -> int | float | None:
    if isinstance(tree, Scalar):
        if _INTEGER.fullmatch(tree):
            return int(tree)
        if re.fullmatch(NUMBER, tree) and isfinite(number := float(tree)):
            # A large whole number such as 1e23 is exact, as it is when all its digits are written.
            return int(Decimal(tree)) if number.is_integer() and "e" in tree.lower() else number
    from forwarder.core.matching.other_values import number_meant  # noqa: PLC0415 - only mistakes need it

    literals.report(path, f"expected a number such as 5 or 0.25{number_meant(tree)}")
    return None


def _scalars(tree: Tree) -> tuple[Scalar, ...]:
    """Return the values as written in the config, for explanations."""
    return tuple(each for each in (tree if isinstance(tree, list) else [tree]) if isinstance(each, Scalar))


_CompileNumber = Callable[[Tree, Path, Literals, Field, Form], NumberTest]
"""Compiles a test of a number, which a length can have too."""

_NEVER = Between(1, 0)
"""Replaces a test that could not be compiled; no number passes it."""


def _compare(operator: Operator) -> _CompileNumber:
    def compile_(tree: Tree, path: Path, literals: Literals, _field: Field, _form: Form) -> NumberTest:
        bound = _number(tree, path, literals)
        return _NEVER if bound is None else Compare(operator, bound, _scalars(tree))

    return compile_


def _between(tree: Tree, path: Path, literals: Literals, _field: Field, _form: Form) -> NumberTest:
    if not isinstance(tree, list) or len(tree) != 2:
        literals.report(path, "expected two numbers, the lower one first: [1, 5]")
        return _NEVER
    low, high = (_number(each, (*path, index), literals) for index, each in enumerate(tree))
    if low is None or high is None:
        return _NEVER
    if low > high:
        literals.report(path, "nothing lies between: the lower number comes first")
    return Between(low, high, _scalars(tree))


_NUMBER_TESTS: dict[str, _CompileNumber] = {**{str(each): _compare(each) for each in Operator}, "between": _between}


def _length(tree: Tree, path: Path, literals: Literals, field: Field, form: Form) -> ValueTest:
    if not isinstance(tree, dict):
        exact = _number(tree, path, literals)
        return _NEVER if exact is None else Length((Between(exact, exact, _scalars(tree)),))
    tests: list[NumberTest] = []
    for name, below in tree.items():
        if name not in _NUMBER_TESTS:
            literals.report(
                (*path, name),
                f"unknown test{did_you_mean(name, _NUMBER_TESTS)}; a length has {', '.join(_NUMBER_TESTS)}",
            )
        else:
            tests.append(_NUMBER_TESTS[name](below, (*path, name), literals, field, form))
    if not tree:
        literals.report(path, "expected a number, or a test of one: {gte: 1}")
    return Length(tuple(tests))


def _type(tree: Tree, path: Path, literals: Literals, _field: Field, _form: Form) -> ValueTest:
    written = literals.placed(tree, path)
    for at, each in written:
        if known_word(each, TYPES) is None:
            hint = did_you_mean(each, TYPES) or f"; types are {', '.join(TYPES)}"
            literals.report(at, f"{str(each)!r} is no type{hint}")
    return TypeIs(tuple(word for _, each in written if (word := known_word(each, TYPES)) is not None))


def _age(*, is_older: bool) -> Compile:
    def compile_(tree: Tree, path: Path, literals: Literals, _field: Field, _form: Form) -> ValueTest:
        try:
            if isinstance(tree, Scalar):
                return Age(read_duration(tree), is_older, _scalars(tree))
        except ValueError:
            pass
        literals.report(path, "expected a duration such as 30s, 5m or 2h")
        return Age(timedelta(), is_older)

    return compile_


TESTS: dict[str, Compile] = {
    "equals": _equals,
    "contains": _of_parts(Contains),
    "word": _of_parts(Word),
    "prefix": _of_parts(Prefix, keeps_marker=False),
    "suffix": _of_parts(Suffix),
    "wildcard": _wildcard,
    "regex": _regex,
    **_NUMBER_TESTS,
    "length": _length,
    "type": _type,
    "within": _age(is_older=False),
    "older_than": _age(is_older=True),
    "list": lambda tree, path, literals, field, form: _equals({"list": tree}, path[:-1], literals, field, form),
    "file": lambda tree, path, literals, field, form: _equals({"file": tree}, path[:-1], literals, field, form),
}
