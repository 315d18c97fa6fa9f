"""For any bytes: a config, or problems that lie within the file. Never another error."""

import json

from hypothesis import given
from hypothesis import strategies as st

from forwarder.core.config import Config, ConfigError
from forwarder.core.config.model.destination import DestinationConfig
from forwarder.core.config.model.outbox import OutboxConfig
from forwarder.core.config.model.retry import RetrySchedule
from forwarder.core.config.model.route import RouteConfig
from forwarder.core.config.model.signing import SigningConfig
from forwarder.core.config.model.stream import StreamConfig
from forwarder.core.config.values.section import Section, keys_of
from tests.core.config.support import CANARY, config_text, load
from tests.support.examples import examples

SECTIONS: tuple[type[Section], ...] = (
    Config,
    StreamConfig,
    OutboxConfig,
    DestinationConfig,
    SigningConfig,
    RetrySchedule,
    RouteConfig,
)
KEYS = sorted({key for section in SECTIONS for key in keys_of(section)} | {"bot", "[key]", "x-a", "<<", "text", "any"})
WORDS = [
    "",
    "bot",
    "drop",
    "live",
    "5s",
    "7",
    "true",
    "yes",
    "null",
    "~",
    "${CANARY}",
    "${",
    "${NOT_SET}",
    "http://a/",
    "ws://a",
]

scalars = st.sampled_from(WORDS) | st.text(max_size=5) | st.none() | st.booleans() | st.integers()
trees = st.recursive(
    scalars,
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=4), below, max_size=5)
    ),
    max_leaves=20,
)


def problems_of(data: bytes) -> ConfigError | None:
    try:
        load(data)
    except ConfigError as error:
        return error
    return None


def check(data: bytes) -> None:
    error = problems_of(data)
    if error is None:
        return
    assert error.problems
    line_count = data.count(b"\n") + data.count(b"\r") + 2
    for problem in error.problems:
        assert 1 <= problem.line <= line_count
        assert problem.column >= 1
    assert f"{CANARY}-" not in str(error)


@given(st.dictionaries(st.sampled_from(sorted(Config.model_fields)), trees))
@examples(300)
def test_any_tree(tree: object) -> None:
    check(json.dumps(tree, ensure_ascii=False).encode("utf-8", "replace"))


@given(
    st.sampled_from(["streams", "destinations", "routes", "retry", "signing", "match", "headers", "to"]),
    trees,
    st.booleans(),
)
@examples(300)
def test_any_tree_in_a_place_of_its_own(key: str, tree: object, named: bool) -> None:
    written = json.dumps(tree).encode()
    line = {
        "streams": b"streams: [%s]",
        "destinations": b"destinations: {%s}" % (b'"[key]": %s' if named else b"bot: %s"),
        "routes": b"routes: [%s]",
    }
    if key in line:
        check(line[key].replace(b"%s", written) + b"\n")
    elif key in {"match", "to"}:
        check(config_text(route=f"{key}: ").replace(f"    {key}: ", f"    {key}: {written.decode()}").encode())
    else:
        check(config_text(destination=f"{key}: ").replace(f"    {key}: ", f"    {key}: {written.decode()}").encode())


@given(st.binary(max_size=60), st.integers(0, 140), st.integers(0, 140))
@examples(500)
def test_any_damage_to_a_file(put_in: bytes, begin: int, end: int) -> None:
    text = config_text(rest="x-a: &a [*b, !!x {}, ${A}]").encode()
    check(text[:begin] + put_in + text[end:])


@given(st.text(alphabet=" \n:-[]{}&*a!|>'\"#%@`,?<$x~", max_size=80))
@examples(500)
def test_any_soup_of_yaml_marks(text: str) -> None:
    check(text.encode())
