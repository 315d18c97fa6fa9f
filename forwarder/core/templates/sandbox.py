"""Renders Jinja2 templates in a sandbox with limits. Imported only if a config has a template.

The author of a template is trusted, but events are not: no event may make a template use memory or time without limit. So everything whose
cost depends on values is counted before it is done: loops, calls, filters, tests, comparisons, operators and texts.
"""

import json
import math
import operator
from collections.abc import Callable, ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from functools import lru_cache
from types import BuiltinMethodType, MethodType
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2 import meta, nodes
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import MAX_RANGE, ImmutableSandboxedEnvironment, safe_range
from jinja2.visitor import NodeTransformer

from forwarder.core.templates.budget import TooCostlyError, Work
from forwarder.core.templates.filters import TemplateError, as_text, check_date_format, kind_of, kinds_of, time_zone
from forwarder.core.templates.limited import (
    FAILURES,
    LIMITED_FILTERS,
    LIMITED_TESTS,
    MAPPING_METHODS,
    TEXT_METHODS,
    WORK,
    add_contained,
    add_method,
    explained,
    work_of,
)

MAX_SOURCE = 16 * 1024
"""The longest template, in characters."""
MAX_OUTPUT = 1024 * 1024
"""The longest result of a template, in characters."""
_LEAST_STEP = 250
"""What an iteration of a loop and a call count as, at least. They count as the whole template, because that may be run each time."""
_NODE = 20
"""What each name, operator, filter and so on of the template counts as."""
_MAX_DIGITS = 14_284
"""The longest whole number of arithmetic, in binary digits: 4,300 decimal digits, the longest that Python reads and writes."""
_FILE_NAME = "<template>"
"""How Jinja2 calls the code of a template in tracebacks."""


class KnownFields(dict[str, Any]):
    """A mapping whose fields are all known. An unknown field is a mistake in the template, not a missing field of the event."""


@jinja2.pass_context
def _counted(context: Context, values: Any) -> Iterator[Any]:
    yield from work_of(context).steps(_to_go_through(values))


def _to_go_through(values: Any) -> Iterable[Any]:
    """Return what a loop goes through. Raises `TemplateError` for null and what else has no parts."""
    if isinstance(values, Iterable):
        return values
    raise TemplateError(
        f"a loop goes through a list, a mapping or a text, not through {kind_of(values)}; (payload.rows or []) is never null"
    )


@jinja2.pass_context
def _concatenated(context: Context, values: list[Any]) -> str:
    texts = [as_text(value) for value in values]
    work_of(context).add(sum(map(len, texts)))
    return "".join(texts)


@jinja2.pass_context
def _contains(context: Context, needle: Any, container: Any) -> bool:
    try:
        add_contained(work_of(context), needle, container)
        return needle in container
    except FAILURES as error:
        raise explained("in", error, f"for {kind_of(needle)} in {kind_of(container)}") from None


@jinja2.pass_context
def _weighed(context: Context, value: Any) -> Any:
    """Return a value that is compared with another one, or cut."""
    work_of(context).add_whole(value)
    return value


@jinja2.pass_context
def _ordered(context: Context, left: Any, sign: str, right: Any) -> Any:
    """Return whether one value is less or more than another one."""
    work = work_of(context)
    work.add_whole(left)
    work.add_whole(right)
    try:
        return _ORDERS[sign](left, right)
    except TypeError as error:
        raise explained(sign, error, f"for {kind_of(left)} and {kind_of(right)}") from None


_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS = {"lt": "<", "lteq": "<=", "gt": ">", "gteq": ">="}
"""What Jinja2 calls them."""


def _reason_of(error: Exception) -> str:
    """Return what Python or Jinja2 says about the template, without a value of the event."""
    said = str(error)
    if "unpack" in said:
        return "a value is not a list with as many elements as there are names before the = or the in"
    return said if said.startswith("macro ") else f"the template failed: {type(error).__name__}"


@jinja2.pass_context
def _cut(context: Context, value: Any, *bounds: Any) -> Any:
    """Return a slice of a value."""
    if isinstance(value, jinja2.Undefined):
        return value
    if not isinstance(value, str | list | tuple | range):
        raise TemplateError(f"[ : ] takes a part of a text or of a list, not of {kind_of(value)}")
    work_of(context).add(len(value))
    try:
        return value[slice(*bounds)]
    except (TypeError, ValueError) as error:
        raise explained("[ : ]", error, f"with ({kinds_of(bounds)})") from None


@jinja2.pass_context
def _negative(_context: Context, value: Any) -> Any:
    try:
        return -value
    except TypeError as error:
        raise explained("-", error, f"for {kind_of(value)}") from None


@jinja2.pass_context
def _key(context: Context, value: Any) -> Any:
    """Return a value that is used as a key. The hash of a tuple may cost much, and JSON has no such keys."""
    if not isinstance(value, str | int | float | None):
        raise TemplateError(f"the key of a mapping must be a text or a number, not {kind_of(value)}")
    work_of(context).add_whole(value)
    return value


@jinja2.pass_context
def _put_out(context: Context, value: Any) -> str:
    text = as_text(value)
    work_of(context).add(len(text))
    return text


@jinja2.pass_context
def _put_out_quoted(context: Context, value: Any) -> str:
    return quote(_put_out(context, value).encode("utf-8", "replace"), safe="")


def _range(*bounds: Any) -> range:
    try:
        return safe_range(*bounds)
    except OverflowError:
        raise TemplateError(f"range has more than {MAX_RANGE} numbers") from None
    except (TypeError, ValueError):
        raise TemplateError(f"range takes whole numbers, and no step of 0, not ({kinds_of(bounds)})") from None


def _call(name: str, node: nodes.Node, *arguments: nodes.Expr) -> nodes.Filter:
    """Return the node that gives the value of `node` to one of the functions above."""
    return nodes.Filter(node, f"~{name}", list(arguments), [], None, None, lineno=node.lineno)


class _Counting(NodeTransformer):
    """Changes the syntax tree so that all work is counted that does not go through the environment."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - named after the node
        self.generic_visit(node)
        node.iter = _call("counted", node.iter)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802 - named after the node
        self.generic_visit(node)
        return _call("concatenated", nodes.List(node.nodes, lineno=node.lineno))

    def visit_Compare(self, node: nodes.Compare) -> nodes.Expr:  # noqa: N802 - named after the node
        """Split `a < b < c` into `a < b and b < c`, and count each comparison."""
        self.generic_visit(node)
        lefts: list[nodes.Expr] = [node.expr, *(operand.expr for operand in node.ops)]
        first, *rest = (self._comparison(left, operand) for left, operand in zip(lefts, node.ops, strict=False))
        for each in rest:
            first = nodes.And(first, each, lineno=node.lineno)
        return first

    @staticmethod
    def _comparison(left: nodes.Expr, operand: nodes.Operand) -> nodes.Expr:
        right = operand.expr
        if operand.op in _SIGNS:
            return _call("ordered", left, nodes.Const(_SIGNS[operand.op], lineno=left.lineno), right)
        if operand.op in {"in", "notin"}:
            contains = _call("contains", left, right)
            return contains if operand.op == "in" else nodes.Not(contains, lineno=left.lineno)
        if not isinstance(left, nodes.Const) and not isinstance(
            right, nodes.Const
        ):  # one with a constant costs no more than that
            left, right = _call("weighed", left), _call("weighed", right)
        return nodes.Compare(left, [nodes.Operand(operand.op, right)], lineno=left.lineno)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Expr:  # noqa: N802 - named after the node
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        bounds = node.arg.start, node.arg.stop, node.arg.step
        return _call("cut", node.node, *(bound or nodes.Const(None, lineno=node.lineno) for bound in bounds))

    def visit_Neg(self, node: nodes.Neg) -> nodes.Expr:  # noqa: N802 - named after the node
        self.generic_visit(node)
        return node if isinstance(node.node, nodes.Const) else _call("negative", node.node)

    def visit_Pair(self, node: nodes.Pair) -> nodes.Pair:  # noqa: N802 - named after the node
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = _call("key", node.key)
        return node


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "**", "%"})

    def __init__(self, finalize: Callable[..., str]) -> None:
        # Constants are not computed while a template is compiled: nothing counts the work there.
        super().__init__(undefined=jinja2.ChainableUndefined, finalize=finalize, autoescape=False, optimized=False)
        self.globals = {"range": _range}
        self.tests = dict(LIMITED_TESTS)
        self.filters = {
            **LIMITED_FILTERS,
            "~counted": _counted,
            "~concatenated": _concatenated,
            "~contains": _contains,
            "~cut": _cut,
            "~key": _key,
            "~negative": _negative,
            "~ordered": _ordered,
            "~weighed": _weighed,
        }

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Counting().visit(super()._parse(source, name, filename))
        return tree

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, dict):
            if attribute in obj:
                return obj[attribute]
            if isinstance(obj, KnownFields):  # this name is one of the template
                raise TemplateError(f"there is no field {attribute!r}; there are {', '.join(obj)}")
            if attribute in MAPPING_METHODS:
                return getattr(obj, attribute)
        elif isinstance(obj, jinja2.Undefined):
            return obj
        elif isinstance(obj, LoopContext) or (isinstance(obj, str) and attribute in TEXT_METHODS):
            return super().getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, jinja2.Undefined):
            return obj
        if not isinstance(argument, str | int | float | None):
            return self.undefined(obj=obj, name="")
        try:
            return obj[argument]
        except (TypeError, LookupError):
            if isinstance(obj, KnownFields):
                raise TemplateError(f"there is no field of that name; there are {', '.join(obj)}") from None
            return self.undefined(obj=obj, name=as_text(argument))

    def call(self, context: Context, called: Any, /, *arguments: Any, **named: Any) -> Any:
        work = work_of(context)
        work.step()
        if isinstance(called, jinja2.Undefined):
            raise TemplateError(f"it calls something that does not exist; texts have {', '.join(sorted(TEXT_METHODS))}")
        if not callable(called):
            raise TemplateError(f"{kind_of(called)} cannot be called")
        if isinstance(called, BuiltinMethodType):
            return self._call_method(context, called, arguments, named)
        if isinstance(called, LoopContext) and arguments:  # the next level of a recursive loop
            arguments = (work.steps(_to_go_through(arguments[0])), *arguments[1:])
        elif isinstance(called, MethodType):  # loop.changed compares its arguments
            for each in arguments:
                work.add_whole(each)
        result = super().call(context, called, *arguments, **named)
        if isinstance(result, str | range):
            work.add(len(result))
        return result

    def _call_method(
        self, context: Context, called: BuiltinMethodType, arguments: tuple[Any, ...], named: Mapping[str, Any]
    ) -> Any:
        """Return what a method of a text or of a mapping returns."""
        work, owner = work_of(context), called.__self__
        named = {name: value for name, value in named.items() if not name.startswith("_")}  # Jinja2 adds some of these
        given = (*arguments, *named.values())
        try:
            if isinstance(owner, str):
                add_method(work, owner, given)
            else:
                work.add_whole(given)
            result = super().call(context, called, *arguments, **named)
        except FAILURES as error:
            raise explained(f"the method {called.__name__}", error, f"with ({kinds_of(given)})") from None
        if isinstance(result, KeysView | ValuesView | ItemsView):
            result = list(result)
        if isinstance(result, str | list):
            work.add(len(result))
        return result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "+" and not numbers:
            for each in (left, right):
                work_of(context).add(len(each) if isinstance(each, str | list | tuple) else 1)
        elif not numbers and not isinstance(left, jinja2.Undefined) and not isinstance(right, jinja2.Undefined):
            kinds = f"not for {kind_of(left)} and {kind_of(right)}"
            raise TemplateError(f"{operator} is for numbers, {kinds}; texts are joined with ~")
        elif isinstance(left, int) and isinstance(right, int):
            digits = _digits(operator, left, right)
            if digits > _MAX_DIGITS:
                raise TemplateError(f"a number becomes too long at {operator}")
            work_of(context).add_arithmetic(digits)
        try:
            return super().call_binop(context, operator, left, right)
        except ZeroDivisionError:
            raise TemplateError(f"{operator} divides by 0") from None
        except OverflowError:
            raise TemplateError(f"a number becomes too long at {operator}") from None
        except TypeError as error:
            raise explained(operator, error, f"for {kind_of(left)} and {kind_of(right)}") from None


def _digits(operator: str, left: int, right: int) -> int:
    """Return how many binary digits the result may have."""
    if operator == "**":
        return left.bit_length() * abs(right)
    if operator == "*":
        return left.bit_length() + right.bit_length()
    return max(left.bit_length(), right.bit_length())


@lru_cache(maxsize=2)
def _environment(*, is_quoted: bool) -> _Environment:
    return _Environment(_put_out_quoted if is_quoted else _put_out)


class Template:
    """A compiled template, which renders variables within the limits."""

    def __init__(self, source: str, *, known: Iterable[str], is_quoted: bool = False) -> None:
        """Compile `source`, which may use the variables `known`; `is_quoted` percent-encodes each value.

        Raises `TemplateError` with a sentence for the user.
        """
        if len(source) > MAX_SOURCE:
            raise TemplateError(f"the template has {len(source)} characters; {MAX_SOURCE} are allowed")
        environment = _environment(is_quoted=is_quoted)
        try:
            tree = environment.parse(source)
            _check(tree)
            unknown = meta.find_undeclared_variables(tree) - {*known, *environment.globals}
            self._render = environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            said = " ".join((error.message or "").split())
            hint = f"; filters are {', '.join(filter_names())}" if said.startswith("No filter") else ""
            raise TemplateError(f"line {error.lineno}: {said.rstrip('.')}{hint}") from None
        except (RecursionError, SyntaxError, MemoryError):  # of Python's compiler
            raise TemplateError("the template is nested too deep") from None
        except ValueError as error:
            if isinstance(error, TemplateError):
                raise
            raise TemplateError("a number in the template is too long") from None
        if unknown:
            raise TemplateError(f"there is no {min(unknown)!r}; a template has {', '.join(sorted(known))}")
        self._step = max(len(source), _LEAST_STEP, _NODE * sum(1 for _ in tree.find_all(nodes.Expr)))
        self._is_quoted = is_quoted

    def render(self, fields: Mapping[str, Any], work: Work | None = None) -> str:
        """Return the result for these variables. Raises `TemplateError`, whose text contains no values.

        `work` counts the work; without it a rendering may do as much as any. If that is exceeded, the error is a `TooCostlyError`.
        """
        work = Work() if work is None else work
        context = self._render.new_context({**fields, WORK: work})
        pieces: list[str] = []
        length = 0
        try:
            work.begin(self._step)
            for piece in self._render.root_render_func(context):
                pieces.append(piece)
                length += len(piece)
                if length > MAX_OUTPUT:
                    break
        except TooCostlyError as error:
            raise TooCostlyError(self._place(error)) from None
        except TemplateError as error:
            raise TemplateError(f"{self._place(error)}{error}") from None
        except jinja2.UndefinedError as error:
            raise TemplateError(
                f"{self._place(error)}it uses a field that the event does not have; give it a default, as in {{{{ (payload.views or 0) + 1 }}}}"
            ) from None
        except RecursionError as error:
            raise TemplateError(f"{self._place(error)}the template, or a value in it, is nested too deep") from None
        except Exception as error:  # noqa: BLE001 - a template can raise any exception
            raise TemplateError(f"{self._place(error)}{_reason_of(error)}") from None
        if length > MAX_OUTPUT:
            raise TemplateError(f"the result is longer than {MAX_OUTPUT} characters")
        return "".join(pieces)

    def _place(self, error: Exception) -> str:
        """Return the line of the template at which it failed. A part of a URL has only one."""
        traceback, line = None if self._is_quoted else error.__traceback__, 0
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == _FILE_NAME:
                line = self._render.get_corresponding_lineno(traceback.tb_lineno)
            traceback = traceback.tb_next
        return f"line {line}: " if line else ""


def _check(tree: nodes.Template) -> None:
    """Raise `TemplateError` for what no template may have, and for what is wrong with any event."""
    if any(tree.find(kind) for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
        raise TemplateError("other templates cannot be included; write the whole template here")
    for constant in tree.find_all(nodes.Const):
        if isinstance(constant.value, float) and not math.isfinite(constant.value):
            raise TemplateError(f"line {constant.lineno}: the number is too large")
    for used in tree.find_all(nodes.Filter):
        if used.name == "date":
            _check_date(used)


def _check_date(used: nodes.Filter) -> None:
    """Raise `TemplateError` if a format or a time zone that the template itself contains is wrong."""
    given = dict(zip(("format", "zone"), used.args, strict=False)) | {pair.key: pair.value for pair in used.kwargs}
    for name, check in (("format", check_date_format), ("zone", time_zone)):
        argument = given.get(name)
        if isinstance(argument, nodes.Const):
            try:
                check(argument.value)
            except TemplateError as error:
                raise TemplateError(f"line {used.lineno}: the filter date: {error}") from None


def check_json(text: str) -> None:
    """Raise `TemplateError` if the text is not JSON."""
    try:
        _read_result(text)
    except TemplateError:
        raise
    except json.JSONDecodeError as error:
        raise TemplateError(
            f"the result is not JSON ({error.msg}, at line {error.lineno}, column {error.colno}); texts must stand without "
            "quotes of their own and go through tojson, as in {{ post.text | tojson }}"
        ) from None
    except RecursionError:
        raise TemplateError("the result is not JSON that can be read again: nested too deep") from None


def _refuse_constant(name: str) -> None:
    raise TemplateError(f"the result is not JSON, which has no {name}")


_decode = json.JSONDecoder(parse_constant=_refuse_constant).decode
_decode_long = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=str).decode


def _read_result(text: str) -> None:
    try:
        _decode(text)
    except (TemplateError, json.JSONDecodeError):
        raise
    except ValueError:  # a whole number that is longer than Python reads
        _decode_long(text)


def filter_names() -> list[str]:
    """Return the names of the filters that templates have."""
    return sorted(name for name in _environment(is_quoted=False).filters if not name.startswith("~"))
