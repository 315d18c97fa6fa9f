"""Templates (Jinja2, sandboxed): what they may use, and how much. Imported only where a config has one.

Their author is trusted, the events are not: none may make a template cost memory or time without bound. So loops, calls and
texts are counted, and the filters and methods that exist give nothing that is much longer than what they take.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2 import meta, nodes
from jinja2.filters import FILTERS
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.visitor import NodeTransformer

from forwarder.core import template_filters
from forwarder.core.template_filters import TemplateError, as_text

MAX_SOURCE = 16 * 1024
"""Characters of a template."""
MAX_OUTPUT = 1024 * 1024
"""Characters of what it makes."""
_MAX_WORK = 16 * 1024 * 1024
"""Characters that one rendering may handle; a turn of a loop and a call count as the whole template."""
_LEAST_STEP = 250
_MAX_DIGITS = 1_000
"""Binary ones, of a whole number."""

_WORK = "~work"
"""No template can name it."""
_BUILT_IN = (
    *(
        "abs",
        "capitalize",
        "count",
        "d",
        "default",
        "first",
        "float",
        "int",
        "items",
        "last",
        "length",
        "list",
        "lower",
        "map",
    ),
    *(
        "max",
        "min",
        "reject",
        "rejectattr",
        "reverse",
        "round",
        "select",
        "selectattr",
        "sort",
        "title",
        "trim",
        "unique",
    ),
    *("upper", "wordcount"),
)
_TEXT_METHODS = frozenset(
    {
        *("capitalize", "casefold", "count", "endswith", "find", "isalnum", "isalpha", "isdigit", "islower", "isupper"),
        *("lower", "lstrip", "partition", "removeprefix", "removesuffix", "rfind", "rpartition", "rsplit", "rstrip"),
        *("split", "splitlines", "startswith", "strip", "swapcase", "title", "upper"),
    }
)
_MAPPING_METHODS = frozenset({"get", "items", "keys", "values"})


class Known(dict[str, Any]):
    """A mapping whose fields are all known: asking for another is a mistake of the template, not a gap in the event."""


class _Work:
    """Counts what one rendering costs."""

    def __init__(self, step: int) -> None:
        self._step = step
        self._left = _MAX_WORK

    def step(self) -> None:
        self.add(self._step)

    def add(self, characters: int) -> None:
        self._left -= characters
        if self._left < 0:
            raise TemplateError("the template does too much: too many turns of its loops, or texts that grow too long")


def _work(context: Context) -> _Work:
    work = context.resolve_or_missing(_WORK)
    assert isinstance(work, _Work)  # noqa: S101 - `Template.render` has put it there
    return work


@jinja2.pass_context
def _counted(context: Context, values: Iterable[Any]) -> Iterator[Any]:
    work = _work(context)
    for value in values:
        work.step()
        yield value


@jinja2.pass_context
def _concatenated(context: Context, values: list[Any]) -> str:
    texts = [as_text(value) for value in values]
    _work(context).add(sum(map(len, texts)))
    return "".join(texts)


@jinja2.pass_context
def _joined(context: Context, values: Iterable[Any], separator: str = "", attribute: str | None = None) -> str:
    texts = []
    for value in values:
        texts.append(as_text(value if attribute is None else context.environment.getitem(value, attribute)))
        _work(context).add(len(texts[-1]) + len(separator) + 1)
    return separator.join(texts)


@jinja2.pass_context
def _replaced(context: Context, value: Any, old: str, new: str) -> str:  # noqa: ANN401 - whatever a template has
    text = as_text(value)
    _work(context).add(len(text) + text.count(old) * len(new))
    return text.replace(old, new)


@jinja2.pass_context
def _put_out(context: Context, value: Any) -> str:  # noqa: ANN401
    text = as_text(value)
    _work(context).add(len(text))
    return text


@jinja2.pass_context
def _put_out_quoted(context: Context, value: Any) -> str:  # noqa: ANN401
    return quote(_put_out(context, value).encode("utf-8", "replace"), safe="")


class _Counting(NodeTransformer):
    """Has each loop and each `~` counted."""

    def visit_For(self, node: nodes.For) -> nodes.For:  # noqa: N802 - named after the node
        self.generic_visit(node)
        node.iter = nodes.Filter(node.iter, "~counted", [], [], None, None, lineno=node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Filter:  # noqa: N802
        self.generic_visit(node)
        listed = nodes.List(node.nodes, lineno=node.lineno)
        return nodes.Filter(listed, "~concatenated", [], [], None, None, lineno=node.lineno)


class _Environment(ImmutableSandboxedEnvironment):
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, finalize: Callable[..., str]) -> None:
        super().__init__(undefined=jinja2.ChainableUndefined, finalize=finalize, autoescape=False)
        self.globals = {"range": self.globals["range"]}
        self.filters = {
            **{name: FILTERS[name] for name in _BUILT_IN},
            **template_filters.FILTERS,
            "join": _joined,
            "replace": _replaced,
            "~counted": _counted,
            "~concatenated": _concatenated,
        }

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        tree: nodes.Template = _Counting().visit(super()._parse(source, name, filename))
        return tree

    def getattr(self, obj: Any, attribute: str) -> Any:  # noqa: ANN401
        if isinstance(obj, dict):
            if attribute in obj or isinstance(obj, Known):
                return self.getitem(obj, attribute)
            if attribute in _MAPPING_METHODS:
                return getattr(obj, attribute)
        elif isinstance(obj, LoopContext | jinja2.Undefined) or (isinstance(obj, str) and attribute in _TEXT_METHODS):
            return super().getattr(obj, attribute)
        return self.undefined(obj=obj, name=attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:  # noqa: ANN401
        if isinstance(obj, jinja2.Undefined):
            return obj
        try:
            return obj[argument]
        except (TypeError, LookupError):
            if isinstance(obj, Known):
                raise TemplateError(f"there is no field {as_text(argument)!r}; there are {', '.join(obj)}") from None
            return self.undefined(obj=obj, name=as_text(argument))

    def call(self, context: Context, called: Any, /, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401
        work = _work(context)
        work.step()
        result = super().call(context, called, *arguments, **named)
        if isinstance(result, str | list | range):
            work.add(len(result))
        return result

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        numbers = isinstance(left, int | float) and isinstance(right, int | float)
        if operator == "+" and not numbers:
            result = super().call_binop(context, operator, left, right)
            _work(context).add(len(result) if isinstance(result, str | list) else 1)
            return result
        if not numbers:
            raise TemplateError(f"{operator} is for numbers; texts are joined with ~")
        if isinstance(left, int) and isinstance(right, int):
            digits = left.bit_length() * abs(right) if operator == "**" else left.bit_length() + right.bit_length()
            if digits > _MAX_DIGITS:
                raise TemplateError("a number becomes too long")
        return super().call_binop(context, operator, left, right)


@lru_cache(maxsize=2)
def _environment(*, is_quoted: bool) -> _Environment:
    return _Environment(_put_out_quoted if is_quoted else _put_out)


class Template:
    """A compiled template."""

    def __init__(self, source: str, *, known: Iterable[str], is_quoted: bool = False) -> None:
        """Compile `source`, which may use the variables `known`; `is_quoted` percent-encodes each value.

        Raises `TemplateError` with a sentence for the user.
        """
        if len(source) > MAX_SOURCE:
            raise TemplateError(f"the template has {len(source)} characters; {MAX_SOURCE} are allowed")
        environment = _environment(is_quoted=is_quoted)
        try:
            tree = environment.parse(source)
            unknown = meta.find_undeclared_variables(tree) - {*known, *environment.globals}
            self._render = environment.from_string(source)
        except jinja2.TemplateSyntaxError as error:
            said = " ".join((error.message or "").split())
            hint = f"; filters are {', '.join(filters())}" if said.startswith("No filter") else ""
            raise TemplateError(f"line {error.lineno}: {said.rstrip('.')}{hint}") from None
        except RecursionError:
            raise TemplateError("the template is nested too deep") from None
        if any(tree.find(kind) for kind in (nodes.Include, nodes.Import, nodes.FromImport, nodes.Extends)):
            raise TemplateError("other templates cannot be included; write the whole template here")
        if unknown:
            raise TemplateError(f"there is no {min(unknown)!r}; a template has {', '.join(sorted(known))}")
        self._step = max(len(source), _LEAST_STEP)

    def render(self, fields: Mapping[str, Any]) -> str:
        """Return what the template makes of these variables. Raises `TemplateError`; its text holds no value of theirs."""
        context = self._render.new_context({**fields, _WORK: _Work(self._step)})
        pieces: list[str] = []
        length = 0
        try:
            for piece in self._render.root_render_func(context):
                pieces.append(piece)
                length += len(piece)
                if length > MAX_OUTPUT:
                    break
        except TemplateError:
            raise
        except jinja2.UndefinedError:
            raise TemplateError(
                "it reckons with something that the event has not; give it a default, as in {{ (payload.views or 0) + 1 }}"
            ) from None
        except Exception as error:  # noqa: BLE001 - a template can raise whatever Python does
            raise TemplateError(f"the template failed: {type(error).__name__}") from None
        if length > MAX_OUTPUT:
            raise TemplateError(f"the result is longer than {MAX_OUTPUT} characters")
        return "".join(pieces)


def check_json(text: str) -> None:
    """Raise `TemplateError` if the text is not JSON."""
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        raise TemplateError(
            f"the result is not JSON ({error.msg}, at line {error.lineno}, column {error.colno}); texts must stand without "
            "quotes of their own and go through tojson, as in {{ post.text | tojson }}"
        ) from None
    except (ValueError, RecursionError):
        raise TemplateError(
            "the result is not JSON that can be read again: nested too deep, or a number is too long"
        ) from None


def filters() -> list[str]:
    """Return the names of the filters that templates have."""
    return sorted(name for name in _environment(is_quoted=False).filters if not name.startswith("~"))
