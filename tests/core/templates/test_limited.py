"""Every filter and test that templates have is bounded, and says what it cannot do."""

from jinja2.tests import TESTS

from forwarder.core.templates.filters import FILTERS, TemplateError
from forwarder.core.templates.limited import LIMITED_FILTERS, LIMITED_TESTS, explained


def test_no_filter_is_forgotten() -> None:
    assert set(FILTERS) < set(LIMITED_FILTERS)
    assert set(LIMITED_TESTS) == set(TESTS)


def test_an_error_is_explained_once() -> None:
    first = explained("the filter a", TemplateError("its b is wrong"), "")
    assert str(first) == "the filter a: its b is wrong"
    assert explained("the filter map", first, "") is first
    assert str(explained("+", TypeError("secret"), "for a text")) == "+ fails for a text (TypeError)"
