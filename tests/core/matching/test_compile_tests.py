"""The tests of a field: what each is compiled to, and its mistakes."""

# ruff: noqa: RUF001 - texts that look like others are the subject here

from datetime import timedelta

import pytest

from forwarder.core.matching.compile_tests import compile_test, equals, regex_options
from forwarder.core.matching.conditions import ValueTest
from forwarder.core.matching.fields import field_of
from forwarder.core.matching.folding import Form
from forwarder.core.matching.literals import Literals
from forwarder.core.matching.texts import Contains, Equals, Prefix, Wildcard
from forwarder.core.matching.values import Age, Between, Compare, Length, Operator, TypeIs
from forwarder.core.yaml.tree import Path, Scalar, Tree
from tests.support.conditions import subject, tree


def compiled(
    name: str, below: Tree | str, *, field: str = "payload.a", form: Form = Form.WRITTEN
) -> tuple[ValueTest, list[tuple[Path, str]]]:
    """Return the test with this name, and the mistakes that were reported."""
    problems: list[tuple[Path, str]] = []
    literals = Literals({}, None, lambda path, said: problems.append((path, said)))
    of = field_of(field)
    assert of is not None
    written = below if isinstance(below, Scalar | list | dict) else tree(below)
    return compile_test(name, written, (name,), literals, field=of, form=form), problems


@pytest.mark.parametrize(
    ("name", "written", "expected"),
    [
        ("gt", "5", Compare(Operator.GT, 5)),
        ("lte", "-0.25", Compare(Operator.LTE, -0.25)),
        ("between", "[1, 2.5]", Between(1, 2.5)),
        ("gt", "1e3", Compare(Operator.GT, 1000)),
        ("gt", "1e23", Compare(Operator.GT, 10**23)),
        ("gte", ".5", Compare(Operator.GTE, 0.5)),
        ("lt", "+5", Compare(Operator.LT, 5)),
        ("lte", "-2.5E+1", Compare(Operator.LTE, -25)),
        ("between", "[1e-6, 2e-6]", Between(1e-6, 2e-6)),
        ("between", "['1e3', 2.e3]", Between(1000, 2000)),
        ("length", "3", Length((Between(3, 3),))),
        ("length", "{gte: 1, lt: 5}", Length((Compare(Operator.GTE, 1), Compare(Operator.LT, 5)))),
        ("length", "{between: [1, 2]}", Length((Between(1, 2),))),
        ("type", "[string, 'null']", TypeIs(("string", "null"))),
        ("within", "5m", Age(timedelta(minutes=5), False)),
        ("older_than", "2h", Age(timedelta(hours=2), True)),
    ],
)
def test_a_test_is_compiled_to_its_value(name: str, written: str, expected: ValueTest) -> None:
    assert compiled(name, written) == (expected, [])


@pytest.mark.parametrize(
    ("name", "written", "path", "said"),
    [
        ("contains", "''", (), "an empty text is contained in every text"),
        ("regex", "'('", (), "not a valid regex: missing )"),
        ("regex", "'(?=a)'", (), "look-around is not supported"),
        ("regex", "'(?<!a)b'", (), "look-around is not supported"),
        ("regex", r"'(a)\1'", (), "back-references are not supported"),
        ("gt", "1e", (), "expected a number such as 5 or 0.25"),
        ("gt", "1e999", (), "expected a number such as 5 or 0.25"),
        ("gt", "0x10", (), "expected a number such as 5 or 0.25"),
        ("gt", "[1]", (), "expected a number such as 5 or 0.25"),
        ("lt", "{a: 1}", (), "expected a number such as 5 or 0.25"),
        ("between", "5", (), "expected two numbers, the lower one first: [1, 5]"),
        ("between", "[1, 2, 3]", (), "expected two numbers, the lower one first: [1, 5]"),
        ("between", "[a, 5]", (0,), "expected a number such as 5 or 0.25"),
        ("between", "[1, b]", (1,), "expected a number such as 5 or 0.25"),
        ("between", "[5, 1]", (), "nothing lies between: the lower number comes first"),
        ("length", "many", (), "expected a number such as 5 or 0.25"),
        ("length", "{gtee: 1}", ("gtee",), 'unknown test; did you mean "gte"?; a length has gt, gte, lt, lte, between'),
        ("length", "{}", (), "expected a number, or a test of one: {gte: 1}"),
        ("type", "strng", (), "'strng' is no type; did you mean \"string\"?"),
        ("within", "5", (), "expected a duration such as 30s, 5m or 2h"),
        ("within", "[5m]", (), "expected a duration such as 30s, 5m or 2h"),
        ("older_than", "{a: 5m}", (), "expected a duration such as 30s, 5m or 2h"),
    ],
)
def test_a_mistake_is_reported_at_its_place(name: str, written: str, path: Path, said: str) -> None:
    _, ((place, message),) = compiled(name, written)
    assert place == (name, *path)
    assert said in message


@pytest.mark.parametrize(("name", "written"), [("gt", "x"), ("between", "[1, x]"), ("between", "x"), ("length", "x")])
def test_a_test_of_a_number_that_has_a_mistake_passes_for_no_number(name: str, written: str) -> None:
    test, problems = compiled(name, written)
    assert len(problems) == 1
    assert not any(test.passes(number, subject()) for number in (-1, 0, 0.5, 1, 2, "x"))


def test_a_regex_with_half_a_surrogate_pair_is_not_valid() -> None:
    test, problems = compiled("regex", Scalar("a\ud83d"))
    assert problems == [(("regex",), "not a valid regex: it holds half a surrogate pair")]
    assert not test.passes("a\ud83d", subject())


def test_a_regex_that_takes_too_much_memory_is_not_valid() -> None:
    _, ((_, message),) = compiled("regex", "'((a{100}){100}){100}'")
    assert message.startswith("not a valid regex: ")


def test_regex_options_follow_the_case() -> None:
    assert regex_options(ignore_case=False).case_sensitive
    assert not regex_options(ignore_case=True).case_sensitive


def test_an_unquoted_scalar_also_means_its_json_value() -> None:
    for scalar, others in ((Scalar("1"), (1,)), (Scalar("1", quoted=True), ())):
        test = equals((scalar,), ignore_case=False)
        assert isinstance(test, Equals)
        assert test.others == others
    assert equals((Scalar("true"), Scalar("a")), ignore_case=False) == Equals(
        written=(), texts=frozenset({"true", "a"}), others=(True,), ignore_case=False
    )


def test_texts_are_brought_into_the_form_in_which_they_are_compared() -> None:
    for form in (Form.CASELESS, Form.FOLDED):
        test, _ = compiled("equals", "ＤieStraße", form=form)
        assert isinstance(test, Equals)
        assert test.texts == {"ｄiestrasse"}
    test, _ = compiled("contains", "[Moon, MARS\u2013]", form=Form.FOLDED)
    assert isinstance(test, Contains)
    assert test.parts == ("moon", "mars-")


def test_a_text_of_which_nothing_is_left_is_a_mistake_where_it_is_folded() -> None:
    for name in ("contains", "word", "prefix", "suffix"):
        test, ((path, message),) = compiled(name, [Scalar("\u200b\ufe0f"), Scalar("a")], form=Form.FOLDED)
        assert path == (name,)
        assert message.startswith("nothing is left of this text")
        assert not test.passes("b", subject())
        _, problems = compiled(name, [Scalar("\u200b\ufe0f")], form=Form.CASELESS)
        assert problems == []


def test_the_mark_of_a_handle_alone_is_the_beginning_of_every_handle() -> None:
    test, ((_, message),) = compiled("prefix", "'@'", field="author")
    assert message == "an empty text is contained in every text"
    assert not test.passes("nova", subject())


def test_the_pieces_of_a_wildcard_are_folded_after_it_is_cut() -> None:
    test, _ = compiled("wildcard", Scalar("A\uff0a*\u200b*\uff3c*B"), form=Form.FOLDED)
    assert isinstance(test, Wildcard)
    assert test.shapes == (("a*", "\\", "b"),)
    assert test.passes("a* and \\ and b", subject())


def test_the_mark_of_a_handle_is_left_out_where_a_whole_value_or_its_beginning_is_meant() -> None:
    for name in ("equals", "prefix", "wildcard"):
        test, _ = compiled(name, "'@nova'", field="author")
        assert test.passes("nova", subject())
        assert not test.passes("@nova", subject())
    test, _ = compiled("prefix", "'@no'", field="author")
    assert isinstance(test, Prefix)
    assert test.parts == ("no",)
    test, _ = compiled("contains", "'@nova'", field="author")
    assert isinstance(test, Contains)
    assert test.parts == ("@nova",)


@pytest.mark.parametrize(
    ("written", "pieces"),
    [
        ("abc", ("abc",)),
        ("a*c", ("a", "c")),
        ("*", ("", "")),
        ("a**c", ("a", "c")),
        ("*b*", ("", "b", "")),
        (r"a\*c", ("a*c",)),
        (r"a\\*", ("a\\", "")),
        (r"a\b", (r"a\b",)),
    ],
)
def test_a_wildcard_is_cut_at_each_star_that_no_backslash_precedes(written: str, pieces: tuple[str, ...]) -> None:
    test, _ = compiled("wildcard", Scalar(written, quoted=True))
    assert isinstance(test, Wildcard)
    assert test.shapes == (pieces,)


def test_a_value_that_the_field_never_has_is_a_mistake() -> None:
    _, ((_, message),) = compiled("equals", "repots", field="kind")
    assert message == "kind is never 'repots'; did you mean \"repost\"?"
