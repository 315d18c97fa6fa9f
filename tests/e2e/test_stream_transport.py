"""A config whose streams have a private CA, a client certificate and a proxy: the daemon's events come that way, and `check` connects that way."""

import ssl
from pathlib import Path

import pytest
import trustme

from forwarder.cli import exit_codes
from forwarder.emulator.receiver import Receiver
from forwarder.emulator.server import Emulator
from tests.support.delivery import stopped
from tests.support.http_proxy import SmallProxy
from tests.support.process import KEY, command_as_process, forwarder
from tests.support.raw import serving
from tests.support.tls import tls_before

SECRET = "canary-of-the-proxy"


def folder_with_certificates(folder: Path) -> ssl.SSLContext:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    authority.issue_cert("me@example.com").private_key_and_cert_chain_pem.write_to_path(folder / "me.pem")
    (folder / "me.pem").chmod(0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def written(folder: Path, receiver: Receiver, port: int, proxy: int) -> Path:
    through = f"tls: {{ca_file: ca.pem, cert_file: me.pem}}, proxy: 'http://user:{SECRET}@127.0.0.1:{proxy}'"
    config = folder / "config.yaml"
    config.write_text(
        f"""
streams:
  - {{name: web, url: "wss://localhost:{port}/ws", api_key: {KEY}, {through}}}
  - {{name: sse, transport: sse, url: "https://localhost:{port}/stream", api_key: {KEY}, {through}}}
outbox: {{url: "sqlite:outbox.db"}}
destinations: {{bot: {{url: "{receiver.url}"}}}}
routes: [{{to: bot}}]
"""
    )
    config.chmod(0o600)
    return config


async def test_events_come_through_the_proxy_and_a_new_certificate_is_followed(tmp_path: Path) -> None:
    context, proxy = folder_with_certificates(tmp_path), SmallProxy(wants="Basic dXNlcjpjYW5hcnktb2YtdGhlLXByb3h5")
    async with (
        Emulator(api_key=KEY) as emulator,
        Receiver() as receiver,
        tls_before(int(emulator.url.rpartition(":")[2]), context) as port,
        serving(proxy.serve) as proxy_port,
    ):
        config = written(tmp_path, receiver, port, proxy_port)
        async with forwarder(config) as daemon:
            await daemon.wait_for("stream.connected", stream="web")
            await daemon.wait_for("stream.connected", stream="sse")
            frame = b'{"mid":"1","sid":"2","source":"x","timestamp":1,"payload":{"text":"hi"}}'
            await emulator.send(frame)
            await receiver.wait_until(lambda receiver: bool(receiver.requests))
            assert receiver.requests[0].body == frame
            assert {head.split(" ", 2)[1] for head in proxy.heads} == {f"localhost:{port}"}
            config.write_text(config.read_text().replace("cert_file: me.pem", "cert_file: me.pem, verify: false"))
            done = await daemon.wait_for("reload.done")
            assert "canary" not in str(done)
            await daemon.wait_for("stream.connected", stream="web", count=2)
            await stopped(daemon)
            assert SECRET not in "\n".join(map(str, daemon.lines))


async def test_check_connects_through_the_proxy_and_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    context, proxy = folder_with_certificates(tmp_path), SmallProxy(wants="Basic dXNlcjp3cm9uZw==")
    async with (
        Emulator(api_key=KEY) as emulator,
        Receiver() as receiver,
        tls_before(int(emulator.url.rpartition(":")[2]), context) as port,
        serving(proxy.serve) as proxy_port,
    ):
        config = written(tmp_path, receiver, port, proxy_port)
        code, out, _ = await command_as_process("check", "--connect", "-c", str(config))
        assert code == exit_codes.FAILURE
        refusal = "the proxy: it rejects the user name and password in its URL: check proxy of this stream"
        assert out.splitlines()[1:] == [f"stream web: {refusal}", f"stream sse: {refusal}"]
        config.write_text(config.read_text().replace(SECRET, "wrong"))
        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
        code, out, err = await command_as_process("check", "--connect", "-c", str(config))
        assert out.splitlines()[1:] == ["stream web: connected", "stream sse: connected"]
        assert code == exit_codes.OK
        assert err == ""  # nobody needs a proxy for a destination on this machine
