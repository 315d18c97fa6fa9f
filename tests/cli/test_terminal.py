"""No command writes a character that acts upon the terminal, whatever an event, a receiver, a config or an argument holds."""

import asyncio
import io
import json
import sys
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forwarder.cli import COMMANDS
from forwarder.cli.terminal import output_escaped, with_colours
from forwarder.core.visible import escaped
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.support.crash import until
from tests.support.delivery import configure, stopped
from tests.support.process import KEY, PROGRAM, command, forwarder, look

EVIL = "\x1b]0;title\x07\x1b[2J\x9b31m\u202eright\u2066\u200fto\r\x08\x7f\u2028left\x85\x00\ufeff\U000e0041"
ALLOWED = "\n\t\u200c\u200d"


def active(text: str) -> set[str]:
    """Return the characters that act upon a terminal, by their Unicode category."""
    return {
        mark for mark in text if unicodedata.category(mark) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and mark not in ALLOWED
    }


def event(number: int, **fields: object) -> bytes:
    payload = {
        "text": f"{EVIL} number {number}",
        "author": {"screen_name": EVIL, "name": EVIL},
        "link": f"https://a.example/{EVIL}",
        "media": [{"media_url_https": f"https://a.example/{EVIL}", "type": "photo"}],
    }
    written = {"source": "x", "mid": f"{number}{EVIL}", "sid": EVIL, "timestamp": 1767225600000, "payload": payload}
    return json.dumps(written | fields).encode()


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Path]:
    """Run a daemon that has had a dead letter and a delivery, both of hostile events, and yield its config."""
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(folder, emulator, {"bot": (bot, "")})
        name = json.dumps(f"{EVIL[:-1]} name\nok   elsewhere")
        with config.open("a", encoding="utf-8") as file:
            file.write(f"tests: [{{name: {name}, event: {{source: x, payload: {{text: {name}}}}}, expect: [bot]}}, ")
            file.write(f'{{name: {name[:-1]} 2", event: {{source: x, payload: {{text: {name}}}}}, expect: nowhere}}]\n')
        headers = {"X-Evil": "\x9b31m\u202e"}
        bot.respond = lambda _: Answer(status=400 if bot.received == 1 else 200, headers=headers, body=EVIL.encode())
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(event(1))
            await emulator.send(event(2))
            settled = "SELECT count(*) FROM deliveries WHERE status IN ('delivered', 'dead')"
            await until(lambda: look(folder / "outbox.db", settled) == [(2,)], limit_s=90, what="two outcomes on disk")
            yield config
            await stopped(daemon)


LINES = (
    "check", "check --json", "check EVIL", "check EVIL --json", "init EVIL", "init EVIL --url EVIL", "test", "test -v", "test --json", "preview bot --event event.json", "preview bot --event event.json --json",
    "preview --format discord --event event.json", "preview --format slack --event event.json",
    "preview --format telegram --event event.json", "preview --format telegram --event event.json --json",
    "explain --event event.json", "explain --event event.json --json", "explain --id ID", "explain --id ID --json", "schema",
    "events", "events --json", "events show ID", "events show ID --json", "deliveries", "deliveries --json",
    "deliveries show ID", "deliveries show ID --json", "dead list", "dead list --json", "dead show ID", "gaps", "gaps --json",
    "status", "status --json", "status --prometheus", "audit", "audit --json", "outbox check", "backtest", "backtest --json",
    "backtest --config other.yaml", "send bot --event event.json", "send bot --event event.json --json",
    "pause EVIL", "resume EVIL", "reconnect EVIL", "log-level", "log-level EVIL", "log-level info --for 1h", "log-level --json", "replay --to EVIL", "resend ID", "resend ID --dry-run", "resend ID --json", "resend EVIL", "resend ID --to EVIL", "explain --id EVIL", "explain --mid EVIL", "events show EVIL",
    "deliveries show EVIL", "dead replay EVIL", "dead drop EVIL", "outbox export", "outbox backup EVIL", "send EVIL", "preview EVIL", "check -c EVIL", "test EVIL", "EVIL", "events --since EVIL", "reload", "actions", "actions --json", "forget --author EVIL --dry-run", "forget --author EVIL --yes",
)  # fmt: skip


ELSEWHERE = {"run", "listen", "emulate", "tail", "top", "demo", "upgrade", "completion", "support"}
"""Commands that write their own log, lines of `LineOutput`, of `tail` or `top`, or (to their output) nothing of an event, a peer or a config."""


def test_every_command_is_here() -> None:
    assert {line.split()[0] for line in LINES} - {"EVIL"} | ELSEWHERE == set(COMMANDS)


async def test_no_command_writes_what_acts_upon_the_terminal(tmp_path: Path) -> None:
    evil = "".join(mark for mark in EVIL if mark != "\0")
    (tmp_path / "event.json").write_bytes(event(3))
    async with scene(tmp_path) as config:
        (tmp_path / "other.yaml").write_text(config.read_text(encoding="utf-8"), encoding="utf-8")
        (id_,) = look(tmp_path / "outbox.db", "SELECT id FROM events ORDER BY seq LIMIT 1")[0]
        known = {
            "ID": id_,
            "EVIL": evil,
            "event.json": str(tmp_path / "event.json"),
            "other.yaml": str(tmp_path / "other.yaml"),
        }
        for line in LINES:
            words = [known.get(word, word) for word in line.split()]
            if not {"schema", "-c", "--config", evil} & set(words[:2]) and "--format" not in words:
                words += ["-c", str(config)]
            _, out, err = await command(*words, cwd=tmp_path)
            assert not active(out + err), line
            assert "Traceback" not in err, line
            if "--json" in words and out:
                read = [json.loads(row) for row in out.splitlines()] if "preview" not in line else json.loads(out)
                assert read, line


async def test_the_name_of_a_test_makes_no_line_of_its_own(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        'streams: [{api_key: k}]\ndestinations: {bot: {url: "http://127.0.0.1:9/"}}\nroutes: [{name: all, to: bot}]\n'
        'tests: [{name: "a\\nok   b\\e[2J", event: {source: x, payload: {text: t}}, expect: nowhere}]\n',
        encoding="utf-8",
    )
    _, out, _ = await command("test", "-c", str(config))
    assert not [line for line in out.splitlines() if line.startswith("ok")]
    assert "\\n" in out.splitlines()[0]
    _, out, _ = await command("test", "-c", str(config), "--json")
    assert json.loads(out)[0]["name"] == "a\nok   b\x1b[2J"


async def test_an_event_with_an_id_of_megabytes_is_listed_in_short_lines(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as bot:
        config = configure(tmp_path, emulator, {"bot": (bot, "")})
        async with forwarder(config) as daemon:
            await emulator.wait_connected()
            await emulator.send(event(1, mid="m" * 4_000_000))
            await emulator.send(event(2, mid="2"))
            await until(lambda: bot.received == 2, limit_s=90, what="two deliveries")
            await stopped(daemon)
    (id_,) = look(tmp_path / "outbox.db", "SELECT id FROM events ORDER BY seq LIMIT 1")[0]
    for line in ("events", "deliveries", f"deliveries show {id_}", f"explain --id {id_}", "backtest"):
        code, out, err = await command(*line.split(), "-c", str(config))
        assert (code, err) == (0, ""), line
        assert max(map(len, out.splitlines())) < 4_000, line
    _, out, _ = await command("events", "--json", "-c", str(config))
    assert max(len(json.loads(line)["mid"]) for line in out.splitlines()) == 4_000_000


@pytest.mark.parametrize("options", [[], ["--json"]])
async def test_a_receiver_prints_a_hostile_request_without_harm(options: list[str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(*PROGRAM, "listen", "--port", "0", "--count", "1", "--body", *options),
        stdout=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    assert process.stdout is not None
    first = (await process.stdout.readline()).decode()
    url = json.loads(first)["url"] if options else next(word for word in first.split() if word.startswith("http"))
    port = int(url.split(":")[2].split("/")[0])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    body = event(1)
    writer.write(
        b"POST /hook HTTP/1.1\r\nHost: a\r\nX-Evil: \x9b\xe2\x80\xae\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    )
    await writer.drain()
    async with asyncio.timeout(90):
        out, _ = await process.communicate()
    writer.close()
    assert out
    assert not active(first + out.decode())
    if options:
        assert [json.loads(line) for line in out.decode().splitlines()]


@given(st.text(), st.dictionaries(st.text(), st.text()))
def test_what_is_escaped_is_harmless_and_json_of_the_same_value(text: str, value: dict[str, str]) -> None:
    assert (
        not active(escaped(text))
        - set("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
        - _shorthand()
    )
    assert json.loads(escaped(json.dumps(value, ensure_ascii=False))) == value


def _shorthand() -> set[str]:
    """Return the format characters of scripts that only stand with others: of hieroglyphs, shorthand and music."""
    spans = ((0x110BD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A))
    return {chr(code) for first, last in spans for code in range(first, last + 1)}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢 👩‍👩‍👧 \t\n", "plain é 漢 👩‍👩‍👧 \t\n"),
        ("\x1b[31m", "\\u001b[31m"),
        ("\x9b\u202e", "\\u009b\\u202e"),
        ("\U000e0041\udcff", "\\udb40\\udc41\\udcff"),
    ],
)
def test_only_what_acts_is_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


def test_the_standard_streams_are_escaped_for_a_while() -> None:
    output, error = sys.stdout, sys.stderr
    try:
        sys.stdout, sys.stderr = caught = io.StringIO(), io.StringIO()
        with output_escaped():
            assert sys.stdout.write("\x1b\n") == 2
            sys.stderr.write("\x9b\n")
            sys.stderr.flush()
            assert not sys.stdout.isatty()
            assert with_colours(sys.stdout) is caught[0]
        assert (sys.stdout, sys.stderr) == caught
        assert with_colours(sys.stdout) is caught[0]
    finally:
        sys.stdout, sys.stderr = output, error
    assert [each.getvalue() for each in caught] == ["\\u001b\n", "\\u009b\n"]
