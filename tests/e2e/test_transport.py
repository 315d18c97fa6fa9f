"""The daemon over mutual TLS, through a proxy, to a unix socket, and to where it may not go."""

import asyncio
import ssl
from pathlib import Path

import trustme

from forwarder.emulator.server import Emulator
from tests.support.process import KEY, LOG_ALL, forwarder
from tests.support.raw import raw_server, says, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
SECRET = "canary-7b2e"


async def test_each_way_delivers(tmp_path: Path) -> None:
    authority = trustme.CA()
    client = authority.issue_cert("forwarder@example.com")
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "me.pem")
    (tmp_path / "me.pem").chmod(0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("bot.internal").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    heads: list[str] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
        writer.write(OK)
        await writer.drain()

    socket_path = tmp_path / "bot.sock"
    async with (
        Emulator(api_key=KEY) as emulator,
        raw_server(says(OK), tls=context) as url,
        serving(note) as proxy,
        serving(note, path=str(socket_path)),
    ):
        config = tmp_path / "config.yaml"
        config.write_text(
            f"""
streams: [{{url: "{emulator.ws_url}", api_key: {KEY}}}]
outbox: {{url: "sqlite:outbox.db"}}
destinations:
  mutual:
    url: {url}{SECRET}
    tls: {{ca_file: ca.pem, cert_file: me.pem, server_name: bot.internal}}
  proxied:
    url: http://receiver.example/{SECRET}
    proxy: http://user:{SECRET}@127.0.0.1:{proxy}
  local:
    url: http://localhost/{SECRET}
    socket: {socket_path}
    auth: {{basic: {{username: u, password: {SECRET}}}}}
routes: [{{to: [mutual, proxied, local]}}]
"""
        )
        async with forwarder(config, *LOG_ALL) as daemon:
            await daemon.wait_for("daemon.ready")
            await emulator.send(b'{"source":"x","sid":"1","mid":"1","timestamp":1,"payload":{}}')
            for name in ("mutual", "proxied", "local"):
                await daemon.wait_for("delivery.delivered", destination=name)
            assert SECRET not in str(daemon.lines)
    assert any(head.startswith(f"POST http://receiver.example/{SECRET} HTTP/1.1\r\n") for head in heads)
    assert any("\r\nAuthorization: Basic " in head for head in heads)


async def test_what_goes_to_a_denied_address_is_dead_with_its_reason(tmp_path: Path) -> None:
    """The address is known once the name is looked up."""
    async with Emulator(api_key=KEY) as emulator:
        config = tmp_path / "config.yaml"
        config.write_text(
            f"""
streams: [{{url: "{emulator.ws_url}", api_key: {KEY}}}]
outbox: {{url: "sqlite:outbox.db"}}
networks: {{deny: [127.0.0.0/8, "::1"]}}
destinations:
  denied:
    url: http://localhost/{SECRET}
    retry: {{delays: [100ms]}}
routes: [{{to: denied}}]
"""
        )
        async with forwarder(config) as daemon:
            await daemon.wait_for("daemon.ready")
            await emulator.send(b'{"source":"x","sid":"1","mid":"1","timestamp":1,"payload":{}}')
            dead = await daemon.wait_for("delivery.dead", destination="denied")
            assert "is in networks.deny" in dead["reason"]
            assert SECRET not in str(daemon.lines)
