"""The sections of included files, and every mistake with an included file, at its own place."""

from collections.abc import Mapping, Sequence

import pytest

from forwarder.core.config import Config, ConfigError, include, load_config
from forwarder.core.config.checks.literal_secrets import literal_secrets, warning_of_readable_file
from forwarder.core.config.include import FindFiles, IncludedFile
from forwarder.core.config.lint import warnings_of
from forwarder.core.config.load import find_places
from forwarder.core.config.partial import load_names, load_outline
from forwarder.core.config.routing_only import load_routing
from tests.core.config.support import config_text, read_file

TOP = "streams: [{api_key: '${KEY}'}]\n"
DESTINATIONS = "destinations:\n  bot: {url: 'http://127.0.0.1:9/'}\n"
ENV = {"KEY": "magpie", "PLACE": "routes"}

Contents = Mapping[str, str | IncludedFile]


def finding(files: Contents) -> FindFiles:
    """Return what finds files by their names, and all with a beginning: `routes/*`."""
    seen: set[str] = set()

    def find(entry: str, is_outside: bool) -> Sequence[IncludedFile] | None:
        names = [name for name in files if name == entry or (entry.endswith("*") and name.startswith(entry[:-1]))]
        found = []
        for name in names:
            content = files[name]
            if isinstance(content, str):
                content = IncludedFile(name=name, content=content.encode())
            elif is_outside:
                content = IncludedFile(name=name, content=b"lists: {outside: [a]}")
            if name not in seen:
                found.append(content)
            seen.add(name)
        return found if names else None

    return find


def load(text: str, **files: str | IncludedFile) -> Config:
    """Load a config; the files are `a.yaml` for `a=…`."""
    named = {f"{name}.yaml": content for name, content in files.items()}
    return load_config(
        text.encode(), name="config.yaml", env=ENV, read_file=read_file, find_files=finding({**named, **MORE})
    )


MORE = {"routes/1.yaml": "routes: [{name: one, to: bot}]", "routes/2.yaml": "routes: [{name: two, to: bot}]"}


def said(text: str, **files: str | IncludedFile) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(text, **files)
    assert "magpie" not in str(caught.value)
    return str(caught.value).splitlines()


def test_routes_come_in_the_order_of_the_files_after_those_of_the_config() -> None:
    config = load(
        f"include: [b.yaml, '${{PLACE}}/*', a.yaml]\n{TOP}{DESTINATIONS}routes: [{{name: own, to: bot}}]\n",
        a="routes: [{name: a, to: bot}, {to: bot}]",
        b="routes: [{name: b, to: bot}]",
    )
    assert [route.name for route in config.routes] == ["own", "b", "one", "two", "a", "route 6"]
    assert config.include == ["b.yaml", "routes/*", "a.yaml"]


def test_every_section_may_be_in_files_alone_and_in_several() -> None:
    config = load(
        f"include: [a.yaml, b.yaml]\n{TOP}defaults: {{timeout: 3s}}\nlists:\nroutes: []\n",
        a=f"x-own: &own [btc]\n{DESTINATIONS}groups: {{all: [bot, alerts]}}\nlists: {{coins: *own}}\nroutes:\n",
        b=(
            "destinations: {alerts: {url: 'http://127.0.0.1:9/a'}}\nlists: {more: [{list: coins}, eth]}\n"
            "matchers: {m: {text: {word: {list: more}}}}\nroutes: [{name: r, match: {matcher: m}, to: all}]\n"
            "tests: [{event: {payload: {text: eth}}, expect: {bot: r, alerts: r}}]\ngroups: {one: bot}"
        ),
    )
    assert list(config.destinations) == ["bot", "alerts"]
    assert {settings.timeout.total_seconds() for settings in config.destinations.values()} == {3}
    assert config.routes[0].to == ["bot", "alerts"]
    assert [(test.file, test.line) for test in config.tests] == [("b.yaml", 5)]


def test_it_is_the_same_config_as_one_file_with_all_of_it() -> None:
    parts = load(f"include: a.yaml\n{TOP}", a=f"{DESTINATIONS}routes: [{{name: r, to: bot}}]")
    whole = load(f"{TOP}{DESTINATIONS}routes: [{{name: r, to: bot}}]")
    assert parts.revision == whole.revision
    assert parts.routes == whole.routes


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "a.yaml:1:1: the file is empty; an included file has routes, destinations, groups, lists, matchers, tests"),
        ("# only this\n", "a.yaml:1:1: the file is empty; an included file has"),
        (
            "- {to: bot}",
            ("a.yaml:1:1: expected a mapping with routes, destinations, groups, lists, matchers, tests, got a list; write "
            '"routes:" above a list of routes'),
        ),
        ("bot", "a.yaml:1:1: expected a mapping with routes, destinations, groups, lists, matchers, tests, got a text"),
        ("a: [\n", "a.yaml:2:1: not valid YAML: while parsing a flow node that begins on line 2: did not find expected node content"),
        ("lists: {a: [b]}\n\0", "a.yaml:2:1: the character U+0000 is not allowed here"),
        ('lists: "\\d"', "a.yaml:1:9: not valid YAML: while parsing a quoted scalar that begins on line 1:"),
        (
            "\noutbox: {}",
            ('a.yaml:2:1: outbox: "outbox" may only be in the config itself; an included file has routes, destinations, groups, lists, '
            "matchers, tests"),
        ),
        (
            "include: b.yaml",
            "a.yaml:1:1: include: an included file cannot include others; write all files under include in the config",
        ),
        (
            "include_outside: true",
            'a.yaml:1:1: include_outside: "include_outside" may only be in the config itself; move it there',
        ),
        ("route: []", 'a.yaml:1:1: route: unknown key; did you mean "routes"?'),
        ("zzz: []", "a.yaml:1:1: zzz: unknown key; an included file has routes, "),
        ("routes: {a: b}", "a.yaml:1:9: routes: expected a list"),
        ("lists: [a]", "a.yaml:1:8: lists: expected a mapping"),
        ("lists:\n  a: [b]\n  a: [c]", "a.yaml:3:3: lists.a: this key is here twice, first on line 2"),
        ("routes:\n  - to: bot\n  - to: bott", 'a.yaml:3:9: routes[1].to: "bott" is not a destination; did you mean "bot"?'),
        ("routes:\n  - {to: bot, too: a}", 'a.yaml:2:15: routes[0].too: unknown key; did you mean "to"?'),
        ("routes:\n  - {to: bot, match: {text: {wor: a}}}", "a.yaml:2:30: routes[0].match.text.wor: unknown"),
        ("lists: {a: '${NOT_SET}'}", "a.yaml:1:12: lists.a: the variable NOT_SET is not set"),
        ("destinations: {x: {url: 5}}", "a.yaml:1:25: destinations.x.url: "),
        ("tests:\n  - {event: {}, expect: bott}", "a.yaml:2:25: tests[0].expect: "),
        (
            "destinations:\n  bot: {url: 'http://127.0.0.1:9/'}",
            'a.yaml:2:3: destinations.bot: "bot" is defined already, at config.yaml:4:3; remove one of them',
        ),
        (
            "routes:\n  - {name: own, to: bot}",
            'a.yaml:2:12: routes[0].name: "own" is already the name of another route (config.yaml:5:10); choose another name',
        ),
        (
            "tests:\n  - {name: own, event: {}, expect: bot}",
            'a.yaml:2:12: tests[0].name: "own" is already the name of another test (config.yaml:6:9); choose another name',
        ),
    ],
)  # fmt: skip
def test_a_mistake_in_an_included_file_is_reported_at_its_place_there(content: str, problem: str) -> None:
    text = (
        f"include: a.yaml\n{TOP}{DESTINATIONS}routes: [{{name: own, to: bot}}]\n"
        "tests: [{name: own, event: {}, expect: bot}]\n"
    )
    (found,) = said(text, a=content)
    assert found.startswith(problem)


def test_mistakes_of_all_files_are_reported_at_once_in_their_order() -> None:
    text = f"include: [a.yaml, b.yaml]\n{TOP}{DESTINATIONS}unmatched: nobody\n"
    routes = "routes: [{to: bot}, {to: bott}]"
    assert [each.split(": ")[:2] for each in said(text, a=routes, b=routes)] == [
        ["config.yaml:5:12", "unmatched"],
        ["a.yaml:1:26", "routes[1].to"],
        ["b.yaml:1:26", "routes[1].to"],
    ]


def test_a_name_that_is_in_two_included_files_is_reported_with_both() -> None:
    text = f"include: [a.yaml, b.yaml]\n{TOP}{DESTINATIONS}routes: [{{to: bot}}]\n"
    assert said(text, a="lists: {coins: [a]}", b="\nlists: {coins: [b]}") == [
        'b.yaml:2:9: lists.coins: "coins" is defined already, at a.yaml:1:9; remove one of them'
    ]


@pytest.mark.parametrize(
    ("written", "problem"),
    [
        ("lost.yaml", "config.yaml:1:10: include: cannot read lost.yaml: No such file or directory"),
        ("[a.yaml, lost.yaml]", "config.yaml:1:19: include[1]: cannot read lost.yaml: No such file or directory"),
        ("'${NOT_SET}'", "config.yaml:1:10: include: the variable NOT_SET is not set"),
        ("['']", "config.yaml:1:11: include[0]: expected the path of a file; this one is empty or contains a control"),
        ("{a: b}", "config.yaml:1:10: include: expected the path of a file, such as routes/*.yaml, or a list of paths"),
        ("[[a]]", "config.yaml:1:11: include[0]: expected the path of a file, such as routes/*.yaml, or a list of"),
        ("[~]", "config.yaml:1:11: include[0]: "),
    ],
)
def test_an_entry_that_is_wrong_is_reported_alone(written: str, problem: str) -> None:
    lost = IncludedFile(name="lost.yaml", problem="cannot read lost.yaml: No such file or directory")
    # The missing destination is not reported: it may be in the file.
    (found,) = said(f"include: {written}\n{TOP}routes: [{{to: bot}}]\n", a="lists: {}", lost=lost)
    assert found.startswith(problem)


@pytest.mark.parametrize("written", ["", "~", "[]"])
def test_nothing_is_included_where_nothing_is_named(written: str) -> None:
    assert load(f"include: {written}\n{config_text()}".replace("SCRAPEST_API_KEY", "KEY")).include == []


def test_files_outside_are_included_only_where_that_is_allowed() -> None:
    text = f"include: far.yaml\ninclude_outside: SWITCH\n{TOP}{DESTINATIONS}routes: [{{to: bot}}]\n"
    far = IncludedFile(name="far.yaml", problem="far.yaml is outside")
    assert load(text.replace("SWITCH", "true"), far=far).lists == {"outside": ("a",)}
    assert said(text.replace("SWITCH", "false"), far=far) == ["config.yaml:1:10: include: far.yaml is outside"]
    (problem,) = said(text.replace("SWITCH", "yes"), a="")
    assert problem.startswith("config.yaml:2:18: include_outside: ")


def test_without_anything_to_find_files_with_each_entry_is_refused() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(f"include: a.yaml\n{TOP}".encode(), name="c", env=ENV, read_file=read_file)
    assert str(caught.value) == "c:1:10: include: no file can be included here"


def test_a_pattern_that_matches_nothing_is_a_warning() -> None:
    config = load(f"include: [none/*, a.yaml]\n{TOP}{DESTINATIONS}", a="routes: [{to: bot}]")
    assert warnings_of(config) == [
        "config.yaml:1:11: include[0]: no file matches; what it should name is missing from the config"
    ]


@pytest.mark.parametrize(("rest", "missing"), [(DESTINATIONS, "routes"), ("routes: [{to: bot}]\n", ""), ("", "routes")])
def test_a_section_that_is_missing_is_explained_by_a_pattern_that_matches_nothing(rest: str, missing: str) -> None:
    found = said(f"include: [none/*]\n{TOP}{rest}")
    assert "config.yaml:1:11: include[0]: no file matches, so what it should name is missing from the config" in found
    assert any(missing in each for each in found if "include" not in each)


def test_a_pattern_that_matches_nothing_does_not_explain_other_mistakes() -> None:
    (problem,) = said(f"include: [none/*]\n{TOP}{DESTINATIONS}routes: [{{to: bott}}]\n")
    assert "include" not in problem


def test_a_warning_about_two_routes_names_the_file_of_the_other_one() -> None:
    config = load(
        f"include: [a.yaml]\n{TOP}{DESTINATIONS}routes: [{{name: own, to: bot, match: {{source: x}}, stop: true}}]\n",
        a="routes:\n  - {name: same, to: bot, match: {source: x}}",
    )
    assert warnings_of(config) == [
        'a.yaml: routes[0] "same": it gets no event, because config.yaml: routes[0] "own" matches all its events and has stop: true'
    ]
    config = load(
        f"include: [a.yaml]\n{TOP}{DESTINATIONS}routes: [{{name: own, to: bot, match: {{source: x}}}}]\n",
        a="routes:\n  - {name: same, to: bot, match: {source: x}}",
    )
    assert warnings_of(config) == [
        'a.yaml: routes[0] "same": it repeats config.yaml: routes[0] "own"; remove one of them'
    ]


def test_warnings_name_the_file_and_the_route_there() -> None:
    config = load(
        f"include: [a.yaml]\n{TOP}{DESTINATIONS}routes: [{{name: own, to: bot, match: {{source: x}}}}]\n",
        a="routes:\n  - {name: same, to: bot, match: {source: x}}\n  - {name: b, to: bot, match: {text: {word: ' btc'}, source: twitter}}",
    )
    places = [each.split(": ")[0:2] for each in warnings_of(config)]
    assert places == [
        ["a.yaml:3:45", "routes[1].match.text.word"],
        ["a.yaml", 'routes[0] "same"'],
        ["a.yaml", 'routes[1] "b"'],
    ]


def test_secrets_belong_to_the_file_that_they_are_in() -> None:
    text = "include: a.yaml\nstreams: [{api_key: magpie}]\ndestinations: {bot: {url: 'http://127.0.0.1:9/', auth: {bearer: t}}}\n"
    config = load(
        f"{text}routes: [{{to: bot}}]", a="destinations: {two: {url: 'http://127.0.0.1:9/', auth: {bearer: t}}}"
    )
    assert list(literal_secrets(config)) == ["streams[0].api_key", "destinations.bot.auth.bearer"]
    warning = warning_of_readable_file("a.yaml", config, is_included=True)
    assert warning is not None
    assert "(destinations.two.auth.bearer)" in warning


def test_the_config_has_the_last_word_on_the_kind_of_its_sections() -> None:
    (problem,) = said(f"include: a.yaml\n{TOP}{DESTINATIONS}routes: {{}}\n", a="routes: [{to: bot}]\n")
    assert problem == "config.yaml:5:9: routes: expected a list, got a mapping"


def test_an_alias_of_the_config_keeps_its_own_values() -> None:
    config = load(
        f"include: a.yaml\n{TOP}{DESTINATIONS}x-routes: &all [{{name: own, to: bot}}]\nroutes: *all\n"
        "x-lists: &both {a: [b]}\nlists: *both\nmatchers: {m: {text: a}}",
        a="routes: [{name: a, to: bot}]\nlists: {c: [d]}",
    )
    assert [route.name for route in config.routes] == ["own", "a"]
    assert set(config.lists) == {"a", "c"}


def test_the_files_are_bounded_in_number_size_and_values(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"include: [a.yaml, routes/*]\n{TOP}{DESTINATIONS}"
    for name, limit, problem in (
        ("MAX_FILES", 2, "include[1]: more than 2 files are included"),
        ("MAX_BYTES", 40, "include[1]: with routes/2.yaml the included files have more than 40 bytes"),
        ("MAX_NODES", 20, "include[1]: with routes/1.yaml the config and its included files have more than 20 values"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(include, name, limit)
            (found,) = said(text, a="lists: {}")
            assert found == f"config.yaml:1:19: {problem}"
    monkeypatch.setattr(include, "MAX_FILES", 1)
    assert said(text, a="lists: {}") == ["config.yaml:1:10: include: more than 1 files are included"]


def test_no_more_problems_are_kept_than_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(include, "MAX_REPORTED", 2)
    text = f"include: a.yaml\n{TOP}{DESTINATIONS}routes: [{{to: bot}}]\n"
    assert len(said(text, a="one: 1\ntwo: 2\nthree: 3\n")) == 2


def test_too_many_values_with_defaults_are_reported_in_the_config(monkeypatch: pytest.MonkeyPatch) -> None:
    from forwarder.core.config.checks import defaults

    monkeypatch.setattr(defaults, "MAX_NODES", 20)
    text = f"include: a.yaml\n{TOP}defaults: {{timeout: 3s}}\n"
    content = f"{DESTINATIONS}routes: [{{to: bot}}]\n"
    assert said(text, a=content) == [
        "config.yaml:3:1: defaults: more than 20 values, where defaults count once for each destination"
    ]
    with pytest.raises(ConfigError, match="where defaults count once"):
        load_routing(text.encode(), name="c", env=ENV, read_list=read_file, find_files=finding({"a.yaml": content}))


def test_the_routing_part_the_outline_and_the_names_have_what_is_included() -> None:
    text = f"include: [a.yaml, lost.yaml]\n{TOP}".encode()
    files: Contents = {
        "a.yaml": f"{DESTINATIONS}routes: [{{name: a, to: bot, match: {{source: web}}}}, {{too: bot}}]",
        "lost.yaml": IncludedFile(name="lost.yaml", problem="cannot read lost.yaml"),
    }
    outline = load_outline(text, name="config.yaml", env={}, find_files=finding(files))
    assert outline.destinations == {"bot"}
    names = load_names(text, env={}, find_files=finding(files))
    assert (names.destinations, names.routes, names.sources) == (("bot",), ("a", "route 2"), ("web",))
    with pytest.raises(ConfigError) as caught:
        load_routing(text, name="config.yaml", env={}, read_list=read_file, find_files=finding(files))
    assert str(caught.value) == "config.yaml:1:19: include[1]: cannot read lost.yaml"
    text = text.replace(b", lost.yaml", b"")
    with pytest.raises(ConfigError) as caught:
        load_routing(text, name="config.yaml", env={}, read_list=read_file, find_files=finding(files))
    assert str(caught.value).splitlines()[0].startswith("a.yaml:3:52: routes[1]")
    files = {"a.yaml": f"{DESTINATIONS}routes: [{{name: a, to: bot}}]\ntests: [{{wrong: true}}]"}
    routing = load_routing(text, name="config.yaml", env={}, read_list=read_file, find_files=finding(files))
    assert [route.name for route in routing.routes] == ["a"]


def test_the_places_of_a_valid_config_are_found_in_all_its_files() -> None:
    text = f"include: a.yaml\n{TOP}defaults: {{timeout: 3s}}\nroutes:\n  - {{name: own, to: bot}}\n"
    found = find_places(
        text.encode(),
        name="config.yaml",
        env=ENV,
        find_files=finding({"a.yaml": f"{DESTINATIONS}routes: [{{name: a, to: bot}}]"}),
    )
    assert found.place(("routes", 0)) == ("", 5, 5, "routes[0]")
    assert found.place(("routes", 1, "to")) == ("a.yaml", 3, 24, "routes[0].to")
    assert found.place(("destinations", "bot", "retry")) == ("a.yaml", 2, 8, "destinations.bot")
    assert found.place(("destinations", "bot", "timeout")) == ("", 3, 21, "destinations.bot.timeout")
