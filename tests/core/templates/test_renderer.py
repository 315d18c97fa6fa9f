"""The parts of a request that are rendered from templates."""

import pytest

from forwarder.core.posts.samples import SAMPLES
from forwarder.core.templates.budget import TooCostlyError, Work
from forwarder.core.templates.fields import fields_of
from forwarder.core.templates.filters import TemplateError
from forwarder.core.templates.job import Part, Templates
from forwarder.core.templates.renderer import MAX_HEADER, TemplateRenderer, header_value

FIELDS = fields_of(SAMPLES["x"], id_="msg_1")


def render(part: Part, *sources: str, work: Work | None = None) -> list[str]:
    templates = Templates(part=part, sources={f"key{number}": source for number, source in enumerate(sources)})
    return TemplateRenderer(templates).render(FIELDS, work)


def test_each_part_is_rendered() -> None:
    assert render("text", "{{ mid }} .") == ["2006700000000918273 ."]
    assert render("json", "[{{ mid | tojson }}]") == ['["2006700000000918273"]']
    assert render("url", "/{{ source }}?q={{ 'a b' }}") == ["/x?q=a%20b"]
    assert render("headers", " {{ source }} ", "tab\tü {{ '\U0001f389' }}") == ["x", "tab\tü \U0001f389"]
    assert render("text", "{{ payload.no or '\ud800' }}") == ["?"]


@pytest.mark.parametrize(
    ("part", "source", "said"),
    [
        ("text", "a\n{{ 1 | abs(2) }}", "key0, line 2: the filter abs"),
        ("json", "{", "the result is not JSON"),
        ("url", "/{{ payload.no }}", "key0: a part of the URL's path would be empty"),
        ("url", "/{{ post.text | abs }}", "key0: the filter abs fails for a text"),
        (
            "headers",
            "{{ post.text }}",
            "key0: the value has a line break, which no header can have; {{ post.text.split()",
        ),
        ("headers", "{{ 'a\r' }}", "key0: the value has a line break"),
        ("headers", "{{ 'a\0' }}", "key0: the value has a control character"),
        ("headers", "{{ 'a\x7f' }}", "key0: the value has a control character"),
        ("headers", "{{ post.athor }}", "key0, line 1: there is no field 'athor'"),
        ("headers", "{{ nothing }}", "key0: there is no 'nothing'"),
    ],
)
def test_an_error_names_the_key_and_the_line(part: Part, source: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(part, source)
    assert str(caught.value).startswith(said)


def test_a_header_has_a_longest_value() -> None:
    assert header_value("a" * MAX_HEADER) == "a" * MAX_HEADER
    with pytest.raises(TemplateError, match="the value has 4001 characters; 4000 are allowed"):
        header_value("a" * (MAX_HEADER + 1))


def test_all_templates_of_a_part_share_their_work() -> None:
    assert render("headers", *["{{ source }}"] * 2, work=Work(600)) == ["x", "x"]
    with pytest.raises(TooCostlyError, match=r"key2: the template does too much"):
        render("headers", *["{{ source }}"] * 3, work=Work(600))
    with pytest.raises(TooCostlyError, match="key0, line 2: the template does too much"):
        render("text", "\n{{ range(9000) | list }}", work=Work(600))
