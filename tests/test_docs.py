"""What a reader copies from the documentation works."""

import ast
import os
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

import yaml

from forwarder.cli.exit_codes import BAD_CONFIG, OUTBOX_DAMAGED, OUTBOX_IN_USE, OUTBOX_UNWRITABLE
from forwarder.core.config import ConfigError, load_config
from forwarder.core.config.include import IncludedFile
from forwarder.core.config.lint import warnings_of
from forwarder.core.config.model.admin import AdminConfig
from forwarder.core.config.model.destination import DestinationConfig
from forwarder.core.config.model.outbox import OutboxConfig
from forwarder.core.config.model.root import Config
from forwarder.core.config.model.route import RouteConfig
from forwarder.core.config.model.sample_and_limit import LimitConfig
from forwarder.core.config.model.signing import SigningConfig
from forwarder.core.config.model.stream import StreamConfig
from forwarder.core.config.model.transport import AuthConfig, BasicConfig, NetworksConfig, TlsConfig
from forwarder.core.config.values.section import keys_of
from forwarder.core.matching.fields import NAMED_FIELDS
from tests.support.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTATION = "\n".join(page.read_text(encoding="utf-8") for page in PAGES if page.name != "CHANGELOG.md")
ENVIRONMENT = {
    "SCRAPEST_API_KEY": "key",
    "BOT_TOKEN": "token",
    "BOT_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "ALERTS_URL": "https://example.invalid/hook",
    "OTLP_TOKEN": "token",
    "HEARTBEAT_URL": "https://hc-ping.com/id",
}
FILES = {
    "more-coins.txt": "sol\n",
    "/run/credentials/secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
    "/etc/forwarder/token": "0123456789abcdef-of-the-test\n",
}


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub and GitLab make them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def load(text: str, env: dict[str, str], files: Mapping[str, Sequence[IncludedFile]] = MappingProxyType({})) -> Config:
    def read_file(name: str) -> str:
        if name in FILES:
            return FILES[name]
        raise FileNotFoundError(2, os.strerror(2), name)

    return load_config(
        text.encode(), name="config.yaml", env=env, read_file=read_file, find_files=lambda entry, _: files.get(entry)
    )


def test_the_config_to_start_from_is_valid_without_any_setting_up() -> None:
    config = load((ROOT / "config.yaml").read_text(encoding="utf-8"), {})
    assert config.streams[0].url == "wss://scrape.st/ws"


def test_its_commented_parts_are_valid_too() -> None:
    text = re.sub(r"^#( +\S)", r"\1", (ROOT / "config.yaml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    body = text[text.index("streams:") :]
    config = load(body, {"ALERTS_TOKEN": "t", "ALERTS_SECRET": ENVIRONMENT["BOT_SECRET"]})
    assert set(config.destinations) == {"bot", "alerts"}
    assert len(config.routes) == 2


def test_the_example_of_the_readme_is_valid_and_short() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", README, flags=re.DOTALL)
    config = load(example, ENVIRONMENT)
    assert set(config.destinations) == {"bot", "alerts"}
    assert len(config.routes) == 2
    assert len(example.splitlines()) <= 25


def test_every_whole_config_of_the_documentation_is_valid() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", DOCUMENTATION, flags=re.DOTALL)
    whole = [each for each in examples if {"streams", "destinations", "routes"} <= set(yaml.safe_load(each))]
    assert len(whole) >= 5
    for example in whole:
        assert load(example, ENVIRONMENT).routes


def test_the_example_of_a_config_in_several_files_is_valid() -> None:
    page = (ROOT / "docs" / "include.md").read_text(encoding="utf-8")
    config, coins, destinations = re.findall(r"```yaml\n# (\S+)\n(.*?)```", page, flags=re.DOTALL)
    files = {
        "routes/*.yaml": [IncludedFile(name=coins[0], content=coins[1].encode())],
        "destinations.yaml": [IncludedFile(name=destinations[0], content=destinations[1].encode())],
    }
    loaded = load(config[1], ENVIRONMENT, files)
    assert ([route.name for route in loaded.routes], len(loaded.tests)) == (["coins"], 1)


def test_no_example_of_the_documentation_has_an_odd_value() -> None:
    examples = re.findall(r"```yaml\n(.*?)```", DOCUMENTATION, flags=re.DOTALL)
    whole = [each for each in examples if {"streams", "destinations", "routes"} <= set(yaml.safe_load(each))]
    sample = (ROOT / "config.yaml").read_text(encoding="utf-8")
    sample_with_all = re.sub(r"^#( +\S)", r"\1", sample[sample.index("streams:") :], flags=re.MULTILINE)
    environment = {**ENVIRONMENT, "ALERTS_TOKEN": "token", "ALERTS_SECRET": ENVIRONMENT["BOT_SECRET"]}
    for each in (*whole, sample, sample_with_all):
        assert load(each, environment).hints == ()
    ((placeholder,),) = load(sample, {}).hints
    assert placeholder.endswith("streams[0].api_key: this is the placeholder of an example; write the API key")


def test_every_key_is_documented() -> None:
    transport = (AuthConfig, BasicConfig, TlsConfig, NetworksConfig)
    for model in (
        Config,
        StreamConfig,
        OutboxConfig,
        AdminConfig,
        DestinationConfig,
        SigningConfig,
        RouteConfig,
        *transport,
    ):
        for key in keys_of(model):
            assert re.search(rf"\b{key}\b", DOCUMENTATION), key


def test_every_link_of_the_documentation_leads_somewhere() -> None:
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            name, _, anchor = target.partition("#")
            if not target.startswith("http"):
                place = page.parent / name if name else page
                assert place.exists(), f"{page.name}: {target}"
                assert not anchor or anchor in anchors(place), f"{page.name}: {target}"


def test_the_readme_sets_everything_up_with_exactly_two_commands() -> None:
    section = README[README.index("## Two commands") : README.index("## Five minutes")]
    (block,) = re.findall(r"```sh\n(.*?)```", section, flags=re.DOTALL)
    commands = block.strip().splitlines()
    assert len(commands) == 2
    assert commands[0].endswith("forwarder demo")
    assert commands[1].endswith("pytest")


def test_every_exit_code_is_documented() -> None:
    text = (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8")
    for code in (0, 1, 2, BAD_CONFIG, OUTBOX_DAMAGED, OUTBOX_IN_USE, OUTBOX_UNWRITABLE):
        assert re.search(rf"^\| {code} \|", text, flags=re.MULTILINE), code


def test_the_unit_file_does_not_restart_after_a_bad_config_and_waits_longer_than_the_grace_period() -> None:
    unit = (ROOT / "systemd" / "forwarder.service").read_text(encoding="utf-8")
    for line in (
        "Type=notify",
        "ExecReload=",
        "StateDirectory=",
        "Restart=on-failure",
        f"RestartPreventExitStatus={OUTBOX_DAMAGED} {BAD_CONFIG}",
        "StartLimitIntervalSec=0",
        "LogRateLimitIntervalSec=0",
        "RuntimeDirectory=forwarder",
    ):
        assert line in unit
    assert re.search(r"^ExecReload=\S+/forwarder reload -c \S+$", unit, flags=re.MULTILINE)
    stop_s = int(re.findall(r"^TimeoutStopSec=(\d+)$", unit, flags=re.MULTILINE)[0])
    assert stop_s > Config.model_fields["grace_period"].default.total_seconds()


def test_every_form_of_signature_in_the_documentation_is_a_valid_config() -> None:
    text = (ROOT / "docs" / "signing.md").read_text(encoding="utf-8")
    forms = re.findall(r"\| `(\{[^`]*secret: [^`]*\})`", text)
    assert len(forms) >= 8
    for form in forms:
        written = form.replace("whsec_…", ENVIRONMENT["BOT_SECRET"]).replace("whsk_…", "whsk_" + "QUJD" * 10 + "QUI=")
        load(
            "streams: [{api_key: k}]\ndestinations:\n  bot:\n    url: http://127.0.0.1:9/\n"
            f"    signing: {written}\nroutes: [{{to: bot}}]\n",
            {},
        )


def test_the_examples_of_the_routing_page_are_valid() -> None:
    page = (ROOT / "docs" / "routing.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    assert len(examples) == 3
    head = (
        "streams: [{api_key: key}]\ndestinations: {bot: {url: http://127.0.0.1/}, alerts: {url: http://127.0.0.1/}}\n"
    )
    for example in examples:
        body = example
        if "\nroutes:" not in f"\n{example}":
            body = "lists: {spammers: [a]}\nroutes:\n  - to: bot\n" + "".join(
                f"    {line}\n" for line in example.splitlines()
            )
        load_config(
            (head + body).encode(), name="config.yaml", env={}, read_file=lambda name: {"more-coins.txt": "sol\n"}[name]
        )


def test_the_examples_of_the_page_on_sending_less_are_valid_and_name_every_key() -> None:
    page = (ROOT / "docs" / "thinning.md").read_text(encoding="utf-8")
    examples = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    first, limited, second = examples
    head = (
        "streams: [{api_key: key}]\ndestinations: {bot: {url: http://127.0.0.1/}, alerts: {url: http://127.0.0.1/}}\n"
    )
    one, other = (load(head + example, {}) for example in (first, second))
    assert [route.sample for route in one.routes] == [1_000, None, None]
    own = load(f"streams: [{{api_key: key}}]\n{limited}routes: [{{to: bot}}]", {}).destinations["bot"].limit
    assert own is not None
    assert (own.count, own.per) == (100, timedelta(hours=1))
    assert [route.limit is not None for route in (*one.routes, *other.routes)] == [False, True, True, True]
    for key in LimitConfig.model_fields:
        assert f"| `{key}` |" in page


WHY_NOT = (ROOT / "docs" / "why-no-match.md").read_text(encoding="utf-8")
_ROW = re.compile(
    r"^\| `(?P<wrong>[^`]+)`(?:, `[^`]+`)? (?:finds nothing|find nothing|excludes nobody|matches everything)[^|]* \| [^|]+ \| (?P<instead>.*) \|$",
    re.MULTILINE,
)
_VALID_ELSEWHERE = {"author: nova", "sid: nova", "timestamp: {within: 5m}"}
"""What finds nothing only in some sources, or at some times."""


def rule(text: str) -> Config:
    """Return a config with one rule, whose test may be written without its field."""
    field, _, rest = text.partition(":")
    written = (
        text
        if field in NAMED_FIELDS or field.startswith(("payload.", "'payload.", "not"))
        else f"text: {{{field}:{rest}}}"
    )
    return load(
        f"streams: [{{api_key: key}}]\ndestinations: {{bot: {{url: 'http://127.0.0.1:9/'}}}}\nroutes:\n  - match:\n      {written}\n    to: bot\n",
        {},
    )


def test_each_rule_that_finds_nothing_is_warned_of_and_what_to_write_instead_is_not() -> None:
    rows = [(found["wrong"], re.findall(r"`([^`]+: [^`]+)`", found["instead"])) for found in _ROW.finditer(WHY_NOT)]
    assert len(rows) >= 20
    for wrong, instead in rows:
        if wrong not in _VALID_ELSEWHERE:
            with suppress(ConfigError):  # it is refused
                assert warnings_of(rule(wrong)), wrong
        for each in instead:
            if "…" not in each:
                assert warnings_of(rule(each)) == [], each


_LOG_EVENT = re.compile(r"[a-z]+\.[a-z_]+")


def log_events() -> set[str]:
    """Return the names of all events that the program logs: the first argument of what writes a line."""
    found: set[str] = set()
    for path in sorted((ROOT / "forwarder").rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "structlog.get_logger(" not in source and path.name not in {"attempt_log.py", "setup.py"}:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and _writes_a_line(node.func):
                assert node.args, ast.unparse(node)
                named = {
                    each.value
                    for each in ast.walk(node.args[0])
                    if isinstance(each, ast.Constant) and isinstance(each.value, str) and "." in each.value
                }
                named = named or _named_elsewhere(node.args[0], source)
                assert named, f"{path}:{node.lineno}: the name of the event must be readable: {ast.unparse(node)}"
                found |= named
    return found


def _writes_a_line(function: ast.expr) -> bool:
    match function:
        case (
            ast.Attribute(value=ast.Name(id="log"), attr=attr)
            | ast.Attribute(value=ast.Attribute(attr="_log"), attr=attr)
        ):
            return attr in {"debug", "info", "warning", "error", "exception", "critical"}
        case ast.Name(id="level" | "write"):
            return True
    return False


def _named_elsewhere(name: ast.expr, source: str) -> set[str]:
    """Return the names in a table, or those that a line of an attempt or a loss can have."""
    if isinstance(name, ast.Subscript) and isinstance(name.value, ast.Name):
        (table,) = re.findall(rf"^{name.value.id} = (\{{.*\}})$", source, re.MULTILINE)
        return set(ast.literal_eval(table).values())
    if isinstance(name, ast.Name):  # what `describe` returned
        return set(
            re.findall(r'return "([a-z]+\.[a-z_]+)"', (ROOT / "forwarder/core/monitoring/attempt_log.py").read_text())
        )
    return set()


def test_every_event_of_the_log_is_documented_and_no_other() -> None:
    text = (ROOT / "docs/log.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `([a-z]+\.[a-z_]+)` \|", text[text.index("## All events of the log") :], re.MULTILINE)
    found = log_events() | {"log.interrupted"}  # which the writer of lines makes
    assert len(found) > 90
    assert all(_LOG_EVENT.fullmatch(each) for each in found)
    assert listed == sorted(listed)
    assert set(listed) == found
