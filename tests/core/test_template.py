"""Templates: what they make, what they may not cost, and URLs whose values stay in their place."""

import json
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.samples import SAMPLES
from forwarder.core.template import MAX_OUTPUT, Template, check_json
from forwarder.core.template_fields import NAMES, fields_of
from forwarder.core.template_filters import TemplateError
from forwarder.core.url_template import MAX_TARGET, UrlTemplate, split_url

FIELDS = fields_of(SAMPLES["x"], id_="msg_1")


def render(source: str) -> str:
    return Template(source, known=NAMES).render(FIELDS)


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ post.author.handle }} {{ post.kind }} {{ source }} {{ mid }} {{ id }}", "novadesk post x 2006700000000918273 msg_1"),
        ("{{ post.text | tojson }}", '"Rates \\"on hold\\" 🎉\\nA \\\\ B & C < D"'),
        ("{{ payload.author['screen_name'].upper() }}", "NOVADESK"),
        ("{{ payload.no.such.field }}|{{ post.original.text }}|{{ none }}|{{ true }}", "|||true"),
        ("{{ payload.nothing | tojson }} {{ payload.nothing | default('-') }}", "null -"),
        ("{{ post.text | truncate(8) }}", "Rates…"),
        ("{{ 'a b/c?' | urlencode }}", "a%20b%2Fc%3F"),
        ("{{ post.at | date('%d.%m.%Y') }} {{ timestamp | date }} {{ 'x' | date }}", "01.01.2026 2026-01-01 00:00:00 "),
        ("{% for image in post.images %}{{ loop.index }}:{{ image }}{% endfor %}", "1:https://example.com/picture.jpg"),
        ("{{ [1, 2] | join('-') }} {{ 'a-b' | replace('-', '+') }} {{ 1 + 2 }} {{ 'a' ~ 1 }} {{ 7 % 4 }} {{ 2 ** 8 }}", "1-2 a+b 3 a1 3 256"),
        ("{{ '<b>' | e }}", "&lt;b&gt;"),
    ],
)  # fmt: skip
def test_what_templates_make(source: str, made: str) -> None:
    assert render(source) == made


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{{ payloud.text }}", "there is no 'payloud'"),
        ("{{ post.athor }}", "there is no field 'athor'; there are source, kind, author"),
        ("{{ post.author.nick }}", "there is no field 'nick'"),
        ("{{ post.text", "line 1: unexpected end of template"),
        ("a\n{% foo %}", "line 2: Encountered unknown tag 'foo'"),
        ("{{ post.text | nofilter }}", "No filter named 'nofilter'; filters are abs"),
        ("{{ payload }}", "put it through tojson"),
        ("{% include 'x' %}", "cannot be included"),
        ("{{ 1 / 0 }}", "the template failed: ZeroDivisionError"),
        ("{{ payload.nothing.here + 1 }}", "it reckons with something that the event has not; give it a default"),
        ("x" * 20_000, "20000 characters; 16384 are allowed"),
        ("{{ timestamp | date('%1000000Y') }}", "date takes a format of letters"),
    ],
)  # fmt: skip
def test_mistakes_are_told(source: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(source)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'a' * 10**9 }}",
        "{{ ['a'] * 10**9 }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:>1000000000}'.format(1) }}",
        "{{ 'a'.center(10**9) }}",
        "{{ 'a'.replace('a', 'b' ~ post.text) }}",
        "{{ 10 ** (10 ** 10) }}",
        "{{ range(10**9) | list | length }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{% set x = post.text %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}",
        "{% set x = post.text %}" + "{% set x = x + x %}" * 40 + "{{ x }}",
        "{% set x = 'aa' %}" + "{% set x = x | replace('a', x) %}" * 9 + "{{ x }}",
        "{% set x = [post.text] %}" + "{% set x = x + x %}" * 40 + "{{ x | join }}",
        "{% set t %}{% for i in range(99999) %}{{ post.text }}{% endfor %}{% endset %}{{ t | length }}" + " " * 9_000,
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
        "{% macro f(n) %}{{ f(n) }}{% endmacro %}{{ f(1) }}",
    ],
)  # fmt: skip
def test_a_template_cannot_cost_without_bound(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source)


def test_the_result_is_bounded() -> None:
    fields = {**FIELDS, "payload": {"text": "a" * MAX_OUTPUT}}
    assert len(Template("{{ payload.text }}", known=NAMES).render(fields)) == MAX_OUTPUT
    with pytest.raises(TemplateError, match="longer than"):
        Template("{{ payload.text }}.", known=NAMES).render(fields)


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__ }}{{ payload.__class__ }}{{ [].__class__ }}{{ (1).__class__ }}",
        "{{ ''['__class__'] }}{{ payload['__class__'] }}",
        "{{ range.__globals__ }}{{ payload.get.__self__ }}{{ post.text.upper.__self__ }}",
    ],
)
def test_no_way_leads_out_of_the_sandbox(source: str) -> None:
    assert render(source) == ""


def test_no_error_shows_what_the_event_says() -> None:
    for source in ("{{ payload.text | int / 0 }}", "{{ payload.text() }}", "{{ payload.text | join(1) }}"):
        with pytest.raises(TemplateError) as caught:
            Template(source, known=NAMES).render({**FIELDS, "payload": {"text": "canary"}})
        assert "canary" not in str(caught.value)


def test_a_result_that_should_be_json_is_checked() -> None:
    check_json('{"a": [1, "b"]}')
    for text in ("", '{"a": "b"c"}', '{"a": "line\nbreak"}', "[" * 10_000):
        with pytest.raises(TemplateError, match="not JSON"):
            check_json(text)


@given(text=st.text(st.characters(), max_size=40))
def test_any_text_can_go_through_tojson(text: str) -> None:
    fields = fields_of(json.dumps({"source": "x", "payload": {"text": text}}).encode(), id_="m")
    made = Template('{"text": {{ payload.text | tojson }}}', known=NAMES).render(fields)
    assert json.loads(made.encode()) == {"text": text}


NASTY = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["..", ".", "", "/", "//evil.example", "a/../b", "?x=1", "#", "%2e%2e", "@evil", "\r\n", "\ud800", "a b"]
    ),
)


@given(first=NASTY, second=NASTY, third=NASTY)
def test_no_value_leaves_its_place_in_a_url(first: str, second: str, third: str) -> None:
    origin, target = split_url(
        "https://hooks.example:8443/a/{{ payload.first }}/b-{{ payload.second }}/c?q={{ payload.third }}&z=1#f"
    )
    assert origin == "https://hooks.example:8443"
    fields = {**FIELDS, "payload": {"first": first, "second": second, "third": third}}
    try:
        filled = UrlTemplate(target).fill(fields)
    except TemplateError:
        assert first in {"", ".", ".."}
        return
    assert first not in {"", ".", ".."}
    assert filled.isascii()
    assert filled.isprintable()
    assert " " not in filled
    parts = urlsplit(origin + filled)
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "hooks.example:8443", "")
    nothing, a, one, two, c = parts.path.split("/")
    assert (nothing, a, c) == ("", "a", "c")
    sent = (value.encode("utf-8", "replace").decode() for value in (first, f"b-{second}", third))
    query = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True)
    assert (unquote(one), unquote(two), query["q"][0]) == tuple(sent)
    assert query["z"] == ["1"]
    assert set(query) == {"q", "z"}


def test_an_expression_may_hold_the_marks_of_a_url() -> None:
    template = UrlTemplate("/{{ post.link | replace('/', '-') }}/{{ payload.x or 'a?b#c' }}")
    assert template.fill(FIELDS) == "/https%3A--x.com-novadesk-status-2006700000000918273/a%3Fb%23c"


@pytest.mark.parametrize(
    "url",
    [
        "https://{{ source }}/a",
        "https://a.example:{{ mid }}/",
        "{{ source }}://a.example/",
        "https://u{{ mid }}@a.example/",
    ],
)
def test_scheme_host_and_port_are_no_templates(url: str) -> None:
    with pytest.raises(TemplateError, match="not in its scheme, host or port"):
        split_url(url)


def test_a_url_that_becomes_too_long_is_refused() -> None:
    with pytest.raises(TemplateError, match="longer than"):
        UrlTemplate("/?q={{ payload.t }}").fill({**FIELDS, "payload": {"t": "a" * MAX_TARGET}})
