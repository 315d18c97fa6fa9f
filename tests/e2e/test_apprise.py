"""A destination with `apprise` through the real daemon: retries, notices, secrets, and what `check` and `send` say."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Answer, Receiver
from forwarder.emulator.server import Emulator
from tests.support.paths import EVENTS
from tests.support.process import KEY, LOG_ALL, command, forwarder

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

TOKEN = "magpie-token-of-the-path"


def write(folder: Path, stream: str, apprise: str, rest: str = "") -> Path:
    path = folder / "config.yaml"
    path.write_text(
        f"""
streams: [{{url: {stream}, api_key: {KEY}}}]
outbox: {{url: "sqlite:outbox.db"}}
defaults: {{headers: {{X-From: desk}}, format: raw, retry: {{delays: [100ms, 100ms, 100ms, 100ms]}}}}
destinations:
  phone: {{apprise: "{apprise}"}}
{rest}
routes: [{{to: [phone]}}]
""",
        encoding="utf-8",
    )
    path.chmod(0o600)
    return path


def json_url(receiver: Receiver) -> str:
    return f"json://{receiver.url.removeprefix('http://').removesuffix('hook')}{TOKEN}"


async def test_a_post_reaches_the_service_after_a_retry_and_nothing_shows_its_url(tmp_path: Path) -> None:
    answers = [Answer(status=503, body=f"busy: {TOKEN}".encode()), Answer(), Answer()]
    async with Emulator(api_key=KEY) as emulator, Receiver(respond=lambda _: answers.pop(0)) as receiver:
        config = write(tmp_path, emulator.ws_url, json_url(receiver))
        async with forwarder(config, *LOG_ALL) as daemon:
            await emulator.wait_connected()
            await emulator.send((EVENTS / "x-quote.json").read_bytes())
            await daemon.wait_for("delivery.delivered")
            code, listed, _ = await command("deliveries", "-c", str(config), "--json")
            first, second = receiver.requests
        log = json.dumps(daemon.lines)
    assert code == exit_codes.OK
    assert first.body == second.body
    message = json.loads(first.body)
    assert message["title"] == "Nova Desk @novadesk · quoted"
    assert message["message"].startswith("This matters more than the headline number")
    assert "X-From" not in first.headers
    (delivery,) = map(json.loads, listed.splitlines())
    assert delivery["status"] == "delivered"
    code, shown, _ = await command("deliveries", "show", delivery["delivery_id"], "-c", str(config))
    assert "HTTP 503: busy: ***" in shown
    for text in (log, listed, shown, (tmp_path / "outbox.db").read_bytes().decode("latin-1")):
        assert TOKEN not in text


async def test_a_notice_about_a_failing_destination_reaches_the_phone(tmp_path: Path) -> None:
    async with Emulator(api_key=KEY) as emulator, Receiver() as phone, Receiver(status=500) as bot:
        rest = f"  bot: {{url: {bot.url}, on_failure: {{to: phone, after: 1s}}, retry: {{delays: [200ms, 200ms, 200ms, 1s, 1s, 1s, 1s]}}}}"
        config = write(tmp_path, emulator.ws_url, json_url(phone), rest)
        config.write_text(config.read_text().replace("to: [phone]", "to: [bot]"), encoding="utf-8")
        async with forwarder(config):
            await emulator.wait_connected()
            await emulator.send((EVENTS / "x-plain.json").read_bytes())
            await phone.wait_for(1)
    message = json.loads(phone.requests[0].body)
    assert message["title"]
    assert "bot" in message["message"]


async def test_send_and_preview_work_without_the_daemon(tmp_path: Path) -> None:
    async with Receiver() as receiver:
        config = write(tmp_path, "ws://127.0.0.1:9/ws", json_url(receiver))
        code, out, err = await command("send", "phone", "-c", str(config))
        assert (code, err) == (exit_codes.OK, "")
        assert out.strip().startswith("delivered: HTTP 200 (after ")
        receiver.status = 404
        code, out, _ = await command("send", "phone", "-c", str(config))
        assert code == exit_codes.FAILURE
        assert out.strip().startswith("not delivered: HTTP 404")
        assert TOKEN not in out
    code, out, _ = await command("preview", "phone", "-c", str(config))
    assert code == exit_codes.OK
    assert "Nova Desk" in out


async def test_check_names_a_wrong_url_and_one_that_needs_no_network_is_fine(tmp_path: Path) -> None:
    config = write(tmp_path, "wss://scrape.st/ws", "pover://magpieuser@magpietoken")
    code, out, err = await command("check", "-c", str(config))
    assert code == exit_codes.OK, out + err
    config = write(tmp_path, "wss://scrape.st/ws", "povr://magpieuser@magpietoken")
    code, out, err = await command("check", "-c", str(config))
    assert code == exit_codes.FAILURE
    assert 'destinations.phone.apprise: Apprise knows no service povr://; did you mean "pover"?' in out + err
    assert "magpie" not in out + err


def test_the_library_is_loaded_only_where_it_is_used(tmp_path: Path) -> None:
    config = write(tmp_path, "wss://scrape.st/ws", "pover://user@token")
    code = (
        "import sys; from pathlib import Path; from forwarder.configfile.read import read_config; import forwarder.daemon.daemon; "
        "read_config(Path(sys.argv[1])); print('apprise' in sys.modules, 'requests' in sys.modules)"
    )
    run = [sys.executable, "-c", code, str(config)]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "True True\n"
    plain = config.read_text().replace('apprise: "pover://user@token"', "url: http://127.0.0.1:9/")
    config.write_text(plain, encoding="utf-8")
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "False False\n"
