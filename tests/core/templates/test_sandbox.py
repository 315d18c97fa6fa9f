"""Templates: what they make, and what they may not cost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.posts.samples import SAMPLES
from forwarder.core.templates.budget import TooCostlyError, Work
from forwarder.core.templates.fields import NAMES, fields_of
from forwarder.core.templates.filters import TemplateError
from forwarder.core.templates.limited import TEXT_METHODS
from forwarder.core.templates.sandbox import MAX_OUTPUT, Template, check_json, filter_names

FIELDS = fields_of(SAMPLES["x"], id_="msg_1")
CONSTANT = {"abs", "count", "d", "date", "default", "first", "float", "int", "last", "length", "round"}
"""The filters that cost the same for any value."""
LISTED = {"join", "list", "map", "max", "min", "reject", "rejectattr", "select", "selectattr", "sort", "unique"}
"""The filters that are for lists."""


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
        ("{{ 1 / 0 }}", "line 1: / divides by 0"),
        ("{{ 1 % (payload.no or 0) }}", "line 1: % divides by 0"),
        ("{{ none[:1] }}", "line 1: [ : ] takes a part of a text or of a list, not of null"),
        ("{{ 'ab'[:'c'] }}", "line 1: [ : ] fails with (null, a text, null) (TypeError)"),
        ("{{ 'ab'[::0] }}", "line 1: [ : ] fails with (null, null, a number) (ValueError)"),
        ("{% for a in none %}{% endfor %}", "line 1: a loop goes through a list, a mapping or a text, not through null"),
        ("{% for a in [5] recursive %}{{ loop(a) }}{% endfor %}", "a mapping or a text, not through a number"),
        ("{{ none < 1 }}", "line 1: < fails for null and a number (TypeError)"),
        ("{{ 1 < 2 >= 'a' }}", "line 1: >= fails for a number and a text (TypeError)"),
        ("{{ -post.text }}", "line 1: - fails for a text (TypeError)"),
        ("{{ post.text() }}", "line 1: a text cannot be called"),
        ("{{ [post] is lower }}", "line 1: the test lower: a list or a mapping cannot be put into a text"),
        ("{{ post is upper }}", "line 1: the test upper: a list or a mapping cannot be put into a text"),
        ("{{ post.text.find(*range(9)) }}", "with (a number, a number, a number, a number, …) (TypeError)"),
        ("{{ 1 | round(precisoin=1) }}", "the filter round fails for a number: it has no argument of such a name"),
        ("{{ payload.nothing.here + 1 }}", "it uses a field that the event does not have; give it a default"),
        ("x" * 20_000, "20000 characters; 16384 are allowed"),
        ("{{ timestamp | date('%1000000Y') }}", "date takes a format of letters"),
        ("\n{{ timestamp | date(5) }}", "line 2: the filter date: its format must be a text such as '%Y-%m-%d %H:%M', not a number"),
        ("{{ timestamp | date(format=5) }}", "line 1: the filter date: its format must be a text"),
        ("\n\n{{ timestamp | date(payload.author) }}", "line 3: the filter date: its format must be a text such as '%Y-%m-%d %H:%M', not a mapping"),
        ("{% if false %}{{ timestamp | date('%H', 'Europe/Berlim') }}{% endif %}", "line 1: the filter date: there is no such time zone; write one such as 'Europe/Berlin'"),
        ("{% if false %}{{ timestamp | date('%H', zone='') }}{% endif %}", "line 1: the filter date: there is no such time zone"),
        ("{{ timestamp | date('%H', payload.author.name) }}", "the filter date: there is no such time zone"),
        ("{{ timestamp | date('%H', 2) }}", "its time zone must be a text such as 'Europe/Berlin', not a number"),
        ("a\n{{ post.text | abs }}", "line 2: the filter abs fails for a text (TypeError)"),
        ("{{ 1 | round(payload.author) }}", "line 1: the filter round: its precision must be a whole number, not a mapping"),
        ("{{ 1 | round(method='up') }}", "line 1: the filter round: its method must be common, ceil or floor"),
        ("{{ post.text | round }}", "line 1: the filter round fails for a text (TypeError)"),
        ("{{ post.text | replace('a') }}", "line 1: the filter replace fails for a text: missing a required argument: 'new'"),
        ("{{ post.images | join(1) }}", "line 1: the filter join: its separator must be a text, not a number"),
        ("{{ post.text | truncate('9') }}", "line 1: the filter truncate: its length must be a whole number, not a text"),
        ("{{ [1, 'a'] | sort }}", "line 1: the filter sort fails for a list (TypeError)"),
        ("{{ payload | upper }}", "line 1: the filter upper: a list or a mapping cannot be put into a text"),
        ("{{ [payload.author] | map('upper') | join }}", "line 1: the filter upper: a list or a mapping"),
        ("{{ [1] | map('nofilter') | list }}", "line 1: the filter map: an argument is missing, or there is no filter or test of that name"),
        ("{{ [payload.no, 1] | sort }}", "line 1: it uses a field that the event does not have"),
        ("{{ {(1, 2): 3} | tojson }}", "line 1: the key of a mapping must be a text or a number, not a list"),
        ("{{ 'a' is divisibleby(2) }}", "line 1: the test divisibleby fails for a text, with num = a number (TypeError)"),
        ("{{ post.text.find(1) }}", "line 1: the method find fails with (a number) (TypeError)"),
        ("{{ post.text.center(9) }}", "line 1: it calls something that does not exist; texts have capitalize, casefold"),
        ("{{ 1 in 2 }}", "line 1: in fails for a number in a number (TypeError)"),
        ("{{ 'a' - 1 }}", "line 1: - is for numbers, not for a text and a number; texts are joined with ~"),
        ("{{ none + 1 }}", "line 1: + fails for null and a number (TypeError)"),
        ("{{ 2.0 ** 5000 }}", "line 1: a number becomes too long at **"),
        ("{{ range(10 ** 9) }}", "line 1: range has more than 100000 numbers"),
        ("{{ range('a') }}", "line 1: range takes whole numbers, and no step of 0, not (a text)"),
        ("{{ 1e999 }}", "line 1: the number is too large"),
        ("{{ " + "9" * 5_000 + " }}", "a number in the template is too long"),
        ("{% for a in [1] %}" * 40 + "{% endfor %}" * 40, "nested too deep"),
        ("{% for a in [1, 2] %}{{ loop | max }}{% endfor %}", "the filter max: a loop cannot be used as a list"),
        ("{% for a in [1, 2] %}{{ 1 in loop }}{% endfor %}", "in: a loop cannot be used as a list"),
    ],
)  # fmt: skip
def test_mistakes_are_reported(source: str, said: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(source)
    assert said in str(caught.value)


@pytest.mark.parametrize("source", ["{{ post[payload.key] }}", "{{ 1 | round(**{payload.key: 1}) }}"])
def test_a_name_that_the_event_chose_is_not_shown(source: str) -> None:
    template = Template(source, known=NAMES)
    with pytest.raises(TemplateError) as caught:
        template.render(fields_of(b'{"source": "x", "payload": {"key": "magpie", "magpie": 1}}', id_="msg_1"))
    assert "magpie" not in str(caught.value)


def digits(number: int) -> str:
    return f"{{% set a = 9 ** 2250 %}}{{% set b = a * a %}}{{% for i in range({number}) %}}"


@pytest.mark.parametrize(
    "source",
    [
        *(
            digits(2_000) + "{% set c = " + each + " %}{% endfor %}"
            for each in ("b // a", "b % a", "a * a", "9 ** 3500", "b | round(-300)", "b is divisibleby(a)", "b | wordcount", "b | truncate(5)", "b is lower")
        ),
        "{{ payload.path | sort(attribute='a') }}",
        *("{{ payload.rows | " + each + " }}" for each in ("sort(attribute=payload.path)", "min(attribute=payload.path)",
          "unique(false, payload.path) | list", "map(attribute=payload.path) | list", "selectattr(payload.path) | list",
          "rejectattr(payload.path) | list")),
    ],
)  # fmt: skip
def test_long_numbers_and_long_attributes_are_counted(source: str) -> None:
    event = {"source": "x", "payload": {"rows": [{}] * 500, "path": "a." * 10_000}}
    template = Template(source, known=NAMES)
    with pytest.raises(TooCostlyError):
        template.render(fields_of(json.dumps(event).encode(), id_="msg_1"), Work(1024 * 1024))


def test_one_large_number_does_not_make_json_cost_more_for_each_level() -> None:
    text = "[" * 400 + '"' + "a" * 50_000 + '", 1e400, true, null, {"b": -1.5}' + "]" * 400
    fields = fields_of(f'{{"source": "x", "payload": {text}}}'.encode(), id_="msg_1")
    assert Template("{{ payload | tojson }}", known=NAMES).render(fields) == text


@pytest.mark.parametrize("number", ["9" * 5_000, "-" + "9" * 5_000])
def test_a_whole_number_longer_than_python_reads_is_written_as_it_came(number: str) -> None:
    fields = fields_of(f'{{"source": "x", "mid": "m", "payload": {{"n": {number}, "m": 12}}}}'.encode(), id_="msg_1")
    source = (
        '{"n": {{ payload.n }}, "all": {{ payload | tojson }}, "m": {{ payload.m + 1 }}, "mid": {{ mid | tojson }}}'
    )
    made = Template(source, known=NAMES).render(fields)
    assert made == f'{{"n": {number}, "all": {{"n": {number}, "m": 12}}, "m": 13, "mid": "m"}}'
    check_json(made)


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_words_that_only_python_reads_as_json_are_refused(word: str) -> None:
    with pytest.raises(TemplateError, match=f"the result is not JSON, which has no {word}"):
        check_json(f'{{"a": {word}}}')


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


TEXT = "a" * 2_000_000
LARGE = fields_of(
    json.dumps(
        {
            "source": "x",
            "payload": {
                "text": TEXT,
                "same": TEXT + "b",
                "rows": [{"u": None}] * 12_000,
                "words": [f"w{number}" for number in range(12_000)],
                "needle": "a" * 15_000 + "b",
                "half": "a" * 29_999,
            },
        }
    ).encode(),
    id_="m",
)
"""The variables of an event as large and as awkward as an event may be."""
FOREVER = "{% set x = [1] %}{% set y = [1] %}" + "{% set x = [x, x] %}{% set y = [y, y] %}" * 60
"""Makes two lists that are small in memory, and take forever to write down or to compare."""


@pytest.mark.parametrize(
    "each",
    [
        "(payload.u or 'zz') in payload.text | lower",
        "payload.text == payload.same[:-1]",
        "payload.text < payload.same",
        "payload.text is eq payload.same",
        "payload.text[1:]",
        "payload.words[::-1]",
        "payload.words | sort | first",
        "payload.words | map('upper') | first",
        "payload.words | select('in', payload.text) | first",
        "payload.rows | selectattr('u', 'none') | first",
        "payload.words | join | length",
        "payload.words + payload.words",
        "'zz' in payload.words",
        "0.5 in range(99999)",
        "payload | tojson",
        "payload.text in payload.values()",
        "payload.text.find(payload.needle)",
        "payload.half.find(payload.needle)",
        "payload.half.rfind(payload.needle)",
        "payload.half.strip(payload.needle)",
        "payload.text.split(sep='a')",
        "payload.text | replace('a', '')",
        "payload.text | trim(payload.needle)",
        "loop.changed(payload.words)",
        "range(99999) | max",
    ],
)
def test_what_costs_much_is_counted_each_time(each: str) -> None:
    template = Template("{% for row in payload.rows %}{% if (" + each + ") %}{% endif %}{% endfor %}", known=NAMES)
    with pytest.raises(TooCostlyError):
        template.render(LARGE)


@pytest.mark.parametrize("method", sorted(TEXT_METHODS))
def test_each_method_of_a_text_is_counted(method: str) -> None:
    argument = "'zz'" if method in {"count", "endswith", "find", "partition", "removeprefix", "removesuffix", "rfind", "rpartition", "startswith"} else ""  # fmt: skip
    source = "{% for row in payload.rows %}{% set x = payload.text." + method + "(" + argument + ") %}{% endfor %}"
    with pytest.raises(TooCostlyError):
        Template(source, known=NAMES).render(LARGE)


@pytest.mark.parametrize("name", sorted({*filter_names()} - CONSTANT))
def test_each_filter_whose_cost_grows_with_its_value_is_counted(name: str) -> None:
    argument = {"replace": "('b', '')", "map": "('upper')", "selectattr": "('a')", "rejectattr": "('a')"}.get(name, "")
    value = "payload" if name in {"items", "tojson"} else "payload.words" if name in LISTED else "payload.text"
    value = "range(99999)" if name == "reverse" else value
    source = "{% for row in range(99999) %}{% set x = " + f"{value} | {name}{argument}" + " %}{% endfor %}"
    with pytest.raises(TooCostlyError):
        Template(source, known=NAMES).render(LARGE)


@pytest.mark.parametrize(
    "end",
    [
        "x | tojson",
        "x == y",
        "x < y",
        "x is eq y",
        "x in [y]",
        "[x, y] | sort",
        "[x, y] | max",
        "[x] | unique",
        "{'a': x} | tojson",
        "[x, y] | map('tojson') | join",
        "{'a': x} == {'a': y}",
        "x in payload.words",
        "x in payload",
        "payload.get((x,))",
    ],
)
def test_a_list_that_holds_itself_many_times_over_is_counted_as_often(end: str) -> None:
    with pytest.raises(TemplateError):
        Template(FOREVER + "{% set z = " + end + " %}", known=NAMES).render(LARGE)
    tuples = FOREVER.replace("[1]", "(1,)").replace("[x, x]", "(x, x)").replace("[y, y]", "(y, y)")
    with pytest.raises(TemplateError):
        Template(tuples + "{% set z = " + end + " %}", known=NAMES).render(LARGE)


@pytest.mark.parametrize("end", ["payload[x]", "payload.words | join('', x)"])
def test_a_tuple_finds_nothing(end: str) -> None:
    tuples = FOREVER.replace("[1]", "(1,)").replace("[x, x]", "(x, x)").replace("[y, y]", "(y, y)")
    assert Template(tuples + "{{ " + end + " }}done", known=NAMES).render(LARGE) == "done"


def test_a_tuple_is_no_key() -> None:
    tuples = FOREVER.replace("[1]", "(1,)").replace("[x, x]", "(x, x)").replace("[y, y]", "(y, y)")
    with pytest.raises(TemplateError, match="the key of a mapping must be a text or a number, not a list"):
        Template(tuples + "{% set z = {x: 1} %}", known=NAMES).render(LARGE)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1 | round(10**8, 'ceil') }}",
        "{{ 1 | round(-(10**8)) }}",
        "{{ [1] | map('round', 10**8, 'floor') | first }}",
        "{% for a in payload.rows recursive %}{% if loop.first %}{{ loop(payload.rows) }}{% endif %}{% endfor %}",
        "{% if 'b' * 10**10 %}{% endif %}",
        "{% if false %}{{ 1 | round(10**8, 'ceil') }}{% endif %}{{ 7 | round(400) }}",
    ],
)
def test_neither_compiling_nor_rendering_takes_forever(source: str) -> None:
    with pytest.raises(TemplateError):
        Template(source, known=NAMES).render(LARGE)


def test_templates_of_one_request_share_their_work() -> None:
    work, template = Work(100_000), Template("{{ payload.text }}", known=NAMES)
    fields = {**FIELDS, "payload": {"text": "a" * 60_000}}
    template.render(fields, work)
    with pytest.raises(TooCostlyError):
        template.render(fields, work)


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ 1 < 2 < 3 }} {{ 1 < 3 < 2 }} {{ (1 in [1]) == true }} {{ 'a' in {'a': 1} }} {{ {mid: 1} | length }} {{ 3 not in [1, 2] }} {{ post.kind in ['post'] }}", "true false true true 1 true true"),
        ("{{ post.text[:5] }} {{ post.text[0] }} {{ [1, 2, 3][::-1] | tojson }}", "Rates R [3, 2, 1]"),
        ("{{ 2.567 | round(1) }} {{ 2.51 | round(1, 'ceil') }} {{ 2.59 | round(1, 'floor') }} {{ 25 | round(-1) }} {{ 7 | round }}", "2.6 2.6 2.5 20 7"),
        ("{% for x in [[1, [2]], 3] recursive %}{{ loop(x) if x is iterable else x }}{% endfor %}", "123"),
        ("{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% endfor %} {{ {'a': 1} | items | tojson }} {{ {'a': 1}.keys() | join }}", 'a1 [["a", 1]] a'),
        ("{{ [3, 1] | sort | tojson }} {{ [3, 1] | max }} {{ 'ab' | reverse }} {{ [1, 1] | unique | tojson }} {{ range(3) | tojson }}", "[1, 3] 3 ba [1] [0, 1, 2]"),
        ("{{ [1, 2] | select('gt', 1) | first }} {{ 'a b' | wordcount }} {{ '  a ' | trim }} {{ 'a-b'.split('-') | last }}", "2 2 a b"),
        ("{{ none | upper }}|{{ true | upper }}|{{ 5 | lower }}|{{ payload.no | title }}", "|TRUE|5|"),
        ("{% macro b(x) %}<{{ x }}>{% endmacro %}{{ b('a') }}{% for i in [1] %}{{ b(i) }}{% endfor %}", "<a><1>"),
        ("{{ timestamp | date('%H:%M %Z', 'Europe/Berlin') }} {{ post.at | date('%H:%M%z', zone='Asia/Kolkata') }} {{ '2026-07-01T12:00:00' | date('%H:%M', 'UTC') }}", "01:00 CET 05:30+0530 12:00"),
    ],
)  # fmt: skip
def test_what_is_counted_still_means_the_same(source: str, made: str) -> None:
    assert render(source) == made


def test_numbers_that_no_float_holds_are_written_as_they_came() -> None:
    body = b'{"source":"x","payload":{"big":1e400,"half":0.5,"small":-1E+999,"list":[1e400,{"a":-1e400,"b":"\\ud800"}],"long":' + b"9" * 4_000 + b"}}"  # fmt: skip
    fields = fields_of(body, id_="m")

    def made(source: str) -> str:
        return Template(source, known=NAMES).render(fields)

    assert made("{{ payload.big }} {{ payload.small }} {{ payload.small | abs }}") == "1e400 -1E+999 1E+999"
    assert made("{{ payload.list | tojson }}") == '[1e400, {"a": -1e400, "b": "\\ud800"}]'
    assert json.loads(made("{{ event | tojson }}")) == json.loads(body)
    for source, expected in (
        ("{{ payload.big | round }} {{ payload.big | round(2, 'ceil') }} {{ payload.big | float }}", "1e400 1e400 1e400"),
        ("{{ payload.big | int }} {{ payload.long | float }} {{ payload.big | date }}|{{ payload.long | date }}", "0 0.0 |"),
        ("{{ (payload.big * 2) | tojson }} {{ [payload.big - payload.big] | tojson }}", "null [null]"),
        ("{{ (payload.long + 1) | tojson | length }} {{ payload.long }}", "4001 " + "9" * 4_000),
        ("{{ payload.big > 5 }} {{ [payload.big, 1] | min }} {{ '1e400' | float }} {{ 'nan' | float(7) }}", "true 1 0.0 7"),
        ("{{ payload.half }} {{ [payload.half, payload.big] | tojson }} {{ 1e308 | round(300, 'ceil') }}", "0.5 [0.5, 1e400] 1e+308"),
        ("{{ '" + "9" * 1_001 + "' | float(4) }} {{ '" + "9" * 1_001 + "' | int(5) }}", "4 5"),
    ):  # fmt: skip
        assert made(source) == expected


def test_a_number_too_long_to_be_written_is_refused_and_not_a_crash() -> None:
    fields = {**FIELDS, "payload": {"n": 10**4299, "m": 10**4300}}
    for source in ("{{ payload.n * payload.n }}", "{{ payload.m }}", "{{ payload.m | tojson }}", "{{ [payload.m] | tojson }}"):  # fmt: skip
        with pytest.raises(TemplateError, match="too long"):
            Template(source, known=NAMES).render(fields)


def test_a_value_that_is_nested_too_deep_is_refused_and_not_a_crash() -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for source in ("{{ payload | tojson }}", "{{ payload.a == payload.b }}", "{{ payload.a in [payload.b] }}"):
        with pytest.raises(TemplateError, match=r"line 1: .*nested too deep"):
            Template(source, known=NAMES).render({**FIELDS, "payload": {"a": [deep], "b": [[deep]]}})


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


@pytest.mark.parametrize(
    ("source", "made"),
    [
        ("{{ payload.nothing['there'].at.all }}", ""),
        ("{{ 'abc'.startswith('a') }} {{ 'abc'.find('c') }}", "true 2"),
        ("{{ 1.5 + 1 }} {{ 2.0 * 3 }} {{ 7.5 % 2 }}", "2.5 6.0 1.5"),
    ],
)
def test_fields_that_are_not_there_results_that_are_no_texts_and_decimals(source: str, made: str) -> None:
    assert render(source) == made


@pytest.mark.parametrize("depth", [5_000])
def test_a_template_may_not_be_nested_as_deep_as_it_likes(depth: int) -> None:
    with pytest.raises(TemplateError, match="the template is nested too deep"):
        render("{{ " + "(" * depth + "1" + ")" * depth + " }}")


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (
            "a\n{% for a, b in [payload.n] %}{% endfor %}",
            "line 2: a value is not a list with as many elements as there are names",
        ),
        ("{% set a, b = payload.text %}", "line 1: a value is not a list with as many elements as there are names"),
        ("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "line 1: macro 'm' takes not more than 1 argument"),
        ("{% if payload.odd %}{% endif %}", "line 1: the template failed: OSError"),
    ],
)
def test_what_python_refuses_is_a_sentence_with_its_line(source: str, said: str) -> None:
    class Odd:
        def __bool__(self) -> bool:
            raise OSError

    with pytest.raises(TemplateError) as caught:
        Template(source, known=NAMES).render({**FIELDS, "payload": {"n": 1, "text": "abc", "odd": Odd()}})
    assert str(caught.value).startswith(said)


def test_a_part_of_what_is_not_there_is_nothing() -> None:
    assert Template("{{ payload.none[:3] }}", known=NAMES).render({**FIELDS, "payload": {}}) == ""
