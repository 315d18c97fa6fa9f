"""The filters, tests and methods that templates have, each of which counts its work before it does it.

What Jinja2 and Python offer is bounded only by what it is given, and an event may be large. A new filter needs an entry with its cost.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import wraps
from inspect import signature
from typing import Any

import jinja2
from jinja2 import filters as jinja_filters
from jinja2 import tests as jinja_tests
from jinja2.runtime import Context

from forwarder.core.templates.budget import TooCostlyError, Work
from forwarder.core.templates.filters import FILTERS, TemplateError, as_text, kind_of

WORK = "~work"
"""The name of a variable that no template can use: it holds what counts the work of the rendering."""

TEXT_METHODS = frozenset(
    {
        *("capitalize", "casefold", "count", "endswith", "find", "isalnum", "isalpha", "isdigit", "islower", "isupper"),
        *("lower", "lstrip", "partition", "removeprefix", "removesuffix", "rfind", "rpartition", "rsplit", "rstrip"),
        *("split", "splitlines", "startswith", "strip", "swapcase", "title", "upper"),
    }
)
MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})

_CASE = 4
"""What a character costs that is looked up or changed by itself: as a letter of another case, as an escape."""

_EACH = 24
"""What a text costs that is joined with others, in addition to its characters."""

Cost = Callable[..., None]
"""Counts the work of a filter or a test; it gets the work so far, the value and the arguments. `None` stands where any value costs the same."""


def work_of(context: Context) -> Work:
    """Return what counts the work of the rendering."""
    work: Work = context.parent[WORK]  # `Template.render` puts it there, and no template can hide it
    return work


# What things cost


def _each_character(work: Work, value: Any, *_arguments: Any, **_named: Any) -> None:
    if isinstance(value, str):
        work.add(_CASE * len(value))
    elif isinstance(value, int):  # to write a number costs as much as to compute with it
        work.add_arithmetic(value.bit_length())


def _each_value(work: Work, value: Any, *_arguments: Any, **_named: Any) -> None:
    work.add(_length(value))


def _length(value: Any) -> int:
    return len(value) if isinstance(value, str | list | tuple | dict | range) else 0


def _everything(work: Work, value: Any, *_arguments: Any, **_named: Any) -> None:
    if isinstance(value, str):
        work.add(len(value))
    else:
        work.add_whole(value)


def _comparisons(work: Work, value: Any, *arguments: Any, **named: Any) -> None:
    rounds = 1 + _length(value).bit_length()
    work.add(_length(value) * _path(arguments, named))
    work.add_whole(value, times=rounds)
    if isinstance(value, str):  # its characters are compared as the values of a list
        work.add(_EACH * len(value) * rounds)


def _path(arguments: Sequence[Any], named: Mapping[str, Any]) -> int:
    """Return what it costs to follow the names in an attribute such as `user.name`, which is one of the arguments."""
    return _CASE * sum(len(each) for each in (*arguments, *named.values()) if isinstance(each, str))


def _arithmetic(work: Work, *values: Any, **_named: Any) -> None:
    work.add_arithmetic(sum(value.bit_length() for value in values if isinstance(value, int)))


def _search(work: Work, value: Any, *sought: Any, **named: Any) -> None:
    length = len(value) if isinstance(value, str) else 0
    work.add_search(length, sum(len(each) for each in (*sought, *named.values()) if isinstance(each, str)))


# Filters


def _on_text(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a filter or a test of texts that refuses lists and mappings. Jinja2 writes them as Python does."""

    @wraps(function)
    def on_text(value: Any) -> Any:
        return function(as_text(value))

    return on_text


def _trim(value: Any, chars: str | None = None) -> str:
    return as_text(value).strip(chars)


def _items(value: Any) -> list[Any]:
    return list(jinja_filters.do_items(value))


def _with_environment(name: str) -> Callable[..., Any]:
    function = jinja_filters.FILTERS[name]

    @jinja2.pass_context
    @wraps(function)
    def with_environment(context: Context, value: Any, *arguments: Any, **named: Any) -> Any:
        return function(context.environment, value, *arguments, **named)

    return with_environment


def _applied(name: str) -> Callable[..., Any]:
    """Return a filter of Jinja2 that applies a filter or a test to each value of a list; it counts them."""
    function = jinja_filters.FILTERS[name]

    @jinja2.pass_context
    @wraps(function)
    def applied(context: Context, values: Iterable[Any], *arguments: Any, **named: Any) -> Any:
        return function(context, work_of(context).steps(values, _path(arguments, named)), *arguments, **named)

    return applied


@jinja2.pass_context
def _join(context: Context, values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    if not isinstance(separator, str):
        raise TemplateError(f"its separator must be a text, not {kind_of(separator)}")
    work, texts = work_of(context), list[str]()
    for value in values:
        texts.append(as_text(value if attribute is None else context.environment.getitem(value, attribute)))
        work.add(len(texts[-1]) + len(separator) + _EACH)
    return separator.join(texts)


@jinja2.pass_context
def _replace(context: Context, value: Any, old: str, new: str) -> str:
    text, old, new = as_text(value), as_text(old), as_text(new)
    work = work_of(context)
    work.add_search(len(text), len(old))
    work.add(text.count(old) * len(new))
    return text.replace(old, new)


_FILTERS: dict[str, tuple[Callable[..., Any], Cost | None]] = {
    **{name: (jinja_filters.FILTERS[name], None) for name in ("count", "d", "default", "length")},
    **{name: (FILTERS[name], None) for name in ("abs", "date", "float", "int")},
    **{name: (_with_environment(name), None) for name in ("first", "last")},
    **{name: (_with_environment(name), _comparisons) for name in ("max", "min", "sort", "unique")},
    **{name: (_applied(name), None) for name in ("map", "reject", "rejectattr", "select", "selectattr")},
    **{name: (FILTERS[name], _each_character) for name in ("e", "escape", "truncate", "urlencode")},
    **{
        name: (_on_text(jinja_filters.FILTERS[name]), _each_character)
        for name in ("capitalize", "lower", "title", "upper", "wordcount")
    },
    **{name: (jinja_filters.FILTERS[name], _each_value) for name in ("list", "reverse")},
    "items": (_items, _each_value),
    "join": (_join, None),
    "round": (FILTERS["round"], _arithmetic),
    "replace": (_replace, None),
    "tojson": (FILTERS["tojson"], _everything),
    "trim": (_trim, _search),
}


class _ExplainedError(TemplateError):
    """An error whose text already says which filter, test, method or operator failed."""


def explained(what: str, error: Exception, how: str) -> TemplateError:
    """Return the error that says what failed, and how it was used."""
    if isinstance(error, _ExplainedError | TooCostlyError):
        return error
    if isinstance(error, TemplateError):
        return _ExplainedError(f"{what}: {error}")
    return _ExplainedError(f"{what} fails {how} ({type(error).__name__})")


def _limited(what: str, function: Callable[..., Any], cost: Cost | None) -> Callable[..., Any]:
    """Return a filter or a test that counts its work, and whose errors say what failed with what kinds of values."""
    takes_context = hasattr(function, "jinja_pass_arg")

    @jinja2.pass_context
    def limited(context: Context, value: Any, *arguments: Any, **named: Any) -> Any:
        work = work_of(context)
        try:
            if cost is not None:
                cost(work, value, *arguments, **named)
            if takes_context:
                result = function(context, value, *arguments, **named)
            else:
                result = function(value, *arguments, **named)
            if not isinstance(result, str):
                if not isinstance(result, Iterator):
                    return result
                result = list(result)  # at once, so that an error in it is an error of this filter
            work.add(len(result))
            return result
        except jinja2.UndefinedError:
            raise
        except jinja2.TemplateRuntimeError:
            raise _ExplainedError(
                f"{what}: an argument is missing, or there is no filter or test of that name"
            ) from None
        except FAILURES as error:
            given = (context, value, *arguments) if takes_context else (value, *arguments)
            raise explained(what, error, _use(function, given, named, value)) from None

    return limited


def _use(function: Callable[..., Any], given: Sequence[Any], named: Mapping[str, Any], value: Any) -> str:
    """Return how a filter or a test was used, in kinds of values."""
    try:
        bound = signature(function).bind(*given, **named).arguments
    except TypeError as misfit:  # its text names arguments and contains no values
        if "unexpected keyword" in str(misfit):  # a name that `**` may have taken from the event
            return f"for {kind_of(value)}: it has no argument of such a name"
        return f"for {kind_of(value)}: {misfit}"
    others = [f"{name} = {kind_of(each)}" for name, each in bound.items() if each is not value and name not in _PASSED]
    return f"for {kind_of(value)}{', with ' if others else ''}{', '.join(others)}"


_PASSED = frozenset({"context", "environment"})
"""The names of arguments that Jinja2 passes."""
FAILURES = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What the functions of Jinja2 and Python raise for values that they do not take."""

LIMITED_FILTERS = {name: _limited(f"the filter {name}", *source) for name, source in _FILTERS.items()}


# Tests


def add_contained(work: Work, needle: Any, container: Any) -> None:
    """Count the search of a value in a text, a list or a mapping."""
    if isinstance(container, str):
        work.add_search(len(container), len(needle) if isinstance(needle, str) else 0)
        return
    work.add_whole(needle)
    if isinstance(container, dict):
        work.add(1)
    else:
        work.add_whole(container)


def _contained(work: Work, needle: Any, container: Any = ()) -> None:
    add_contained(work, needle, container)


def _compared(work: Work, value: Any, *others: Any) -> None:
    for each in (value, *others):
        work.add_whole(each)


_COMPARING = (
    "==",
    "eq",
    "equalto",
    "!=",
    "ne",
    ">",
    "gt",
    "greaterthan",
    ">=",
    "ge",
    "<",
    "lt",
    "lessthan",
    "<=",
    "le",
)
_COSTS_OF_TESTS: dict[str, Cost | None] = {
    **dict.fromkeys(_COMPARING, _compared),
    **dict.fromkeys(("even", "odd"), None),
    "divisibleby": _arithmetic,
    **dict.fromkeys(("lower", "upper"), _each_character),
    "in": _contained,
}
_TESTS: dict[str, Any] = {
    **jinja_tests.TESTS,
    "lower": _on_text(jinja_tests.test_lower),
    "upper": _on_text(jinja_tests.test_upper),
}
LIMITED_TESTS: dict[str, Any] = {
    **_TESTS,
    **{name: _limited(f"the test {name}", _TESTS[name], cost) for name, cost in _COSTS_OF_TESTS.items()},
}


# Methods


def add_method(work: Work, text: str, arguments: Iterable[Any]) -> None:
    """Count the call of a method of a text."""
    work.add(_CASE * len(text))
    _search(work, text, *arguments)
