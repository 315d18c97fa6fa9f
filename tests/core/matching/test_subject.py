"""The values of an event as conditions read them, each read once."""

from datetime import timedelta

from forwarder.core.event import JSONValue
from forwarder.core.matching.folding import Form
from forwarder.core.matching.subject import Field, Subject, spread
from tests.support.conditions import NOW, event, subject


def field_a(*, is_deep: bool, asked: list[int] | None = None) -> Field:
    def read(of: Subject) -> tuple[JSONValue, ...]:
        if asked is not None:
            asked.append(1)
        return (of.root["a"],) if isinstance(of.root, dict) and "a" in of.root else ()

    return Field("a", read, is_deep=is_deep)


def test_a_field_is_read_once_for_each_subject() -> None:
    asked: list[int] = []
    field, of = field_a(is_deep=True, asked=asked), subject({"a": [1, [2]]})
    assert of.nodes(field) == ([1, [2]],)
    assert of.elements(field) == (1, 2)
    assert of.elements(field) == (1, 2)
    assert len(asked) == 1
    subject({"a": 1}).nodes(field)
    assert len(asked) == 2


def test_an_array_is_spread_only_in_a_field_whose_values_may_be_arrays() -> None:
    assert subject({"a": [1, 2]}).elements(field_a(is_deep=False)) == ([1, 2],)
    assert subject({"a": [1, 2]}).elements(field_a(is_deep=True)) == (1, 2)
    assert subject({"a": "x"}).elements(field_a(is_deep=True)) == ("x",)
    assert subject({}).elements(field_a(is_deep=True)) == ()


def test_fields_are_equal_by_their_names() -> None:
    one, same, other = Field("a", lambda _: ()), Field("a", lambda _: (1,)), Field("b", lambda _: ())
    assert one == same != other
    assert hash(one) == hash(same)
    assert one != "a"


def test_paths_within_an_element_begin_there_and_all_else_is_that_of_the_event() -> None:
    whole = subject({"a": "outer", "list": [{"a": "inner"}]}, now=NOW + timedelta(hours=1))
    within = whole.within({"a": "inner"})
    assert within.nodes(field_a(is_deep=True)) == ("inner",)
    assert whole.nodes(field_a(is_deep=True)) == ("outer",)
    assert (within.event, within.now, within.facts) == (whole.event, whole.now, whole.facts)


def test_an_element_that_is_empty_is_not_the_payload() -> None:
    assert subject({"a": "outer"}).within({}).nodes(field_a(is_deep=True)) == ()


def test_a_text_is_brought_into_the_form_in_which_it_is_compared_once() -> None:
    of, text = Subject(event(), NOW), "Straße\u200b"
    forms = [of.compared(text, form) for form in Form]
    assert forms == [text, "strasse\u200b", "strasse"]
    assert [of.compared(text, form) is known for form, known in zip(Form, forms, strict=True)] == [True] * 3


def test_texts_are_encoded_for_regexes() -> None:
    of = Subject(event(), NOW)
    assert of.encode("ü") == "ü".encode()
    assert of.encode("a\ud83d") == b"a?"


def test_an_array_is_spread_over_its_elements() -> None:
    assert list(spread([1, [2, [3]]])) == [1, 2, 3]
    assert list(spread("a")) == ["a"]
    assert list(spread({"a": [1]})) == [{"a": [1]}]
