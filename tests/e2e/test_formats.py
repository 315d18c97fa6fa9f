"""Formats through the real daemon: what arrives at the receivers, and where."""

import hashlib
import hmac
import subprocess
import sys
import zlib
from base64 import b64decode, b64encode
from pathlib import Path
from urllib.parse import urlsplit

from forwarder.emulator.receiver import Received, Receiver
from forwarder.emulator.server import Emulator
from tests.destinations.formats.limits import discord, slack, telegram
from tests.support.paths import EVENTS
from tests.support.process import KEY, forwarder

EXAMPLES = EVENTS
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def config_text(stream: str, url: str) -> str:
    return f"""
streams: [{{url: {stream}, api_key: {KEY}, use_fast_x: true}}]
outbox: {{url: "sqlite:outbox.db"}}
destinations:
  discord: {{url: {url}/discord/hook?keep=1, format: {{type: discord, username: Desk, thread_id: 77}}}}
  slack: {{url: {url}/slack/hook, format: slack}}
  telegram: {{url: "{url}/bot1:token?chat_id=-100", format: telegram}}
  template:
    url: {url}/template/{{{{ post.author.handle or "nobody" }}}}?text={{{{ post.text | truncate(60) }}}}
    format: {{type: template, body_file: body.j2, content_type: text/plain}}
  gzip: {{url: {url}/gzip, compression: gzip, signing: {{secret: {SECRET}}}}}
  zstd: {{url: {url}/zstd, compression: zstd, compress_from: 1KiB}}
  raw: {{url: {url}/raw}}
routes:
  - to: [discord, slack, telegram, template, gzip, zstd, raw]
"""


async def test_each_format_arrives_where_it_belongs(tmp_path: Path) -> None:
    quote, large = (EXAMPLES / "x-quote.json").read_bytes(), (EXAMPLES / "x-large.json").read_bytes()
    (tmp_path / "body.j2").write_text("{{ post.author.name }}: {{ post.text | truncate(20) }}", encoding="utf-8")
    config = tmp_path / "config.yaml"
    async with Emulator(api_key=KEY) as emulator, Receiver() as receiver:
        config.write_text(config_text(emulator.ws_url, receiver.url.removesuffix("/hook")), encoding="utf-8")
        async with forwarder(config):
            await emulator.wait_connected()
            await emulator.send(quote)
            await receiver.wait_for(7)
            await emulator.send(large)
            await receiver.wait_for(14)
    by_path: dict[str, list[Received]] = {}
    for request in receiver.requests:
        by_path.setdefault(urlsplit(request.path).path.split("/")[1], []).append(request)
    assert {path: len(requests) for path, requests in by_path.items()} == dict.fromkeys(
        ("discord", "slack", "bot1:token", "template", "gzip", "zstd", "raw"), 2
    )
    first, second = by_path["discord"]
    assert first.path == "/discord/hook?keep=1&wait=true&thread_id=77"
    assert discord(first.body)["username"] == "Desk"
    discord(second.body)
    for request in by_path["slack"]:
        slack(request.body)
    assert {request.path for request in by_path["bot1:token"]} == {"/bot1:token/sendMessage"}
    assert all(telegram(request.body)["chat_id"] == -100 for request in by_path["bot1:token"])
    written = by_path["template"][0]
    assert written.path == "/template/novadesk?text=This%20matters%20more%20than%20the%20headline%20number"
    assert (written.body, written.headers["Content-Type"]) == (
        b"Nova Desk: This matters more\xe2\x80\xa6",
        "text/plain",
    )
    assert [request.body for request in by_path["raw"]] == [quote, large]
    # The receiver unpacks what it gets.
    assert [request.body for request in by_path["gzip"]] == [quote, large]
    assert [request.body for request in by_path["zstd"]] == [quote, large]
    assert [request.headers.get("Content-Encoding") for request in by_path["gzip"]] == [None, "gzip"]
    assert [request.headers.get("Content-Encoding") for request in by_path["zstd"]] == ["zstd", "zstd"]
    packed = by_path["gzip"][1]
    assert packed.headers["webhook-signature"] == signature(packed, zlib.compress(large, level=6, wbits=31))


def signature(request: Received, sent: bytes) -> str:
    """As a receiver computes it, over the bytes that came."""
    head = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}."
    digest = hmac.new(b64decode(SECRET.removeprefix("whsec_")), head.encode() + sent, hashlib.sha256).digest()
    return "v1," + b64encode(digest).decode()


def test_the_daemon_loads_no_templates_where_no_destination_has_one(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    text = "streams: [{api_key: k}]\nroutes: [{to: a}]\ndestinations: {a: {url: 'http://127.0.0.1/', format: FORMAT}}\n"
    look = (
        "import sys; from pathlib import Path; from forwarder.configfile.read import read_config; "
        "from forwarder.destinations.build import destinations_of; import forwarder.daemon.daemon; destinations_of(read_config(Path(sys.argv[1]))); "
        "print(*[name for name in ('jinja2',) if name in sys.modules])"
    )
    config.write_text(text.replace("FORMAT", "discord"), encoding="utf-8")
    assert printed(look, config) == ""
    config.write_text(text.replace("FORMAT", "{type: template, body: '1'}"), encoding="utf-8")
    assert printed(look, config) == "jinja2"


def printed(code: str, config: Path) -> str:
    done = subprocess.run([sys.executable, "-c", code, str(config)], capture_output=True, text=True, check=True)
    return done.stdout.strip()
