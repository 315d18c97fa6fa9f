"""The receivers that `docs/signing.md` shows, run exactly as written there."""

import asyncio
import base64
import gzip
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from time import time

import pytest

from forwarder.core.destinations.signing import PlainSigning, PrivateKey, Signing, StandardSigning, decode_key
from forwarder.core.destinations.verification import PublicKey, decode_verifying_key
from tests.support.node import MODULES, why_no_node
from tests.support.paths import DOCS
from tests.support.process import command, write_config

TEXT = (DOCS / "signing.md").read_text(encoding="utf-8")
SECRET, OTHER = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "whsec_MzIxMDk4NzY1NDMyMTA5ODc2NTQzMjEw"
PRIVATE = PrivateKey(b"s" * 32)
PUBLIC = "whpk_" + base64.b64encode(PRIVATE.public).decode()
BODY = '{"text": "ключ 🗝"}'.encode()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, flags=re.DOTALL)


def block(language: str, has: str) -> str:
    (found,) = [text for text in blocks(language) if has in text]
    return found


def needs_node() -> None:
    if (why := why_no_node()) is not None:
        pytest.skip(why)


def write(folder: Path, language: str, text: str) -> list[str]:
    """Write a program, and return the command that runs it."""
    if language == "python":
        (folder / "program.py").write_text(text, encoding="utf-8")
        return [sys.executable, str(folder / "program.py")]
    needs_node()
    (folder / "node_modules").symlink_to(MODULES)
    (folder / "program.mjs").write_text(text, encoding="utf-8")
    return ["node", str(folder / "program.mjs")]


@asynccontextmanager
async def served(program: list[str]) -> AsyncIterator[str]:
    """Run a receiver, and give its URL once it listens."""
    with (
        socket.socket() as held
    ):  # bound for as long as the receiver runs: no other process is given the port before it
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        async with _served(program, held.getsockname()[1]) as url:
            yield url


@asynccontextmanager
async def _served(program: list[str], port: int) -> AsyncIterator[str]:
    process = await asyncio.create_subprocess_exec(
        *program, env={**os.environ, "PORT": str(port), "WEBHOOK_SECRET": SECRET}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        async with asyncio.timeout(90):
            while process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    break
        yield f"http://127.0.0.1:{port}/hook"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.parametrize("language", ["python", "js"])
async def test_a_receiver_takes_what_is_signed_with_its_secret_and_nothing_else(tmp_path: Path, language: str) -> None:
    program = write(tmp_path, language, block(language, "WEBHOOK_SECRET"))
    async with served(program) as url:
        config = write_config(
            tmp_path,
            stream="ws://127.0.0.1:9/ws",
            destinations={
                "right": f"{url}\n    signing: {{secret: {SECRET}}}",
                "both": f"{url}\n    signing: {{secret: [{OTHER}, {SECRET}]}}",
                "wrong": f"{url}\n    signing: {{secret: {OTHER}}}",
                "none": url,
            },
        )
        for name, status in (("right", 204), ("both", 204), ("wrong", 401), ("none", 401)):
            _, out, _ = await command("send", name, "-c", str(config), "--json")
            assert json.loads(out)["answer"]["status"] == status, name


def ask(folder: Path, language: str, text: str, arguments: list[list[object]]) -> list[bool]:
    """Return what the function of a block says to each list of arguments; the last one is the body."""
    if language == "python":
        asking = (
            "import json, sys\n"
            "print(json.dumps([is_signed(*rest, body.encode()) for *rest, body in json.loads(sys.stdin.read())]))\n"
        )
    else:
        asking = (
            'import { readFileSync } from "node:fs";\n'
            'const asked = JSON.parse(readFileSync(0, "utf8"));\n'
            "console.log(JSON.stringify(asked.map(([a, b, body]) => isSigned(a, b, Buffer.from(body)))));\n"
        )
    said = subprocess.run(
        write(folder, language, f"{text}\n{asking}"),
        input=json.dumps(arguments).encode(),
        capture_output=True,
        check=True,
        timeout=30,
    )
    found: list[bool] = json.loads(said.stdout)
    return found


def signed(signing: Signing, *, age_s: int = 0) -> dict[str, str]:
    at = int(time()) - age_s
    made = signing.headers(message_id="msg_1", timestamp=at, body=BODY)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at)} | dict(made)


@pytest.mark.parametrize("language", ["python", "js"])
def test_the_check_of_ed25519(tmp_path: Path, language: str) -> None:
    body = BODY.decode()
    right = signed(StandardSigning((decode_key(SECRET), PRIVATE)))
    other = signed(StandardSigning((decode_key(SECRET), PrivateKey(b"o" * 32))))
    cases: list[list[object]] = [
        [PUBLIC, right, body],
        [PUBLIC, right, body + " "],
        [PUBLIC, right | {"webhook-id": "msg_2"}, body],
        [PUBLIC, other, body],
        [PUBLIC, signed(StandardSigning((PRIVATE,)), age_s=600), body],
        [PUBLIC, signed(StandardSigning((decode_key(SECRET),))), body],
    ]
    assert ask(tmp_path, language, block(language, "whpk_"), cases) == [True] + [False] * 5


def test_the_check_of_a_compressed_body() -> None:
    program: dict[str, Callable[[str, dict[str, str], bytes], bool]] = {}
    exec(block("python", "is_signed_as_sent"), program)  # noqa: S102 - the program of the page
    is_signed = program["is_signed_as_sent"]
    body, at = gzip.compress(BODY), int(time())
    signing = StandardSigning((decode_key(OTHER), PRIVATE, decode_key(SECRET)))
    headers = {"webhook-id": "m", "webhook-timestamp": str(at)}
    headers |= signing.headers(message_id="m", timestamp=at, body=body)
    assert is_signed(SECRET, headers, body)
    assert not is_signed(SECRET, headers, body + b" ")
    assert not is_signed("whsec_" + base64.b64encode(b"another" * 5).decode(), headers, body)
    assert not is_signed(SECRET, headers | {"webhook-timestamp": str(at - 600)}, body)


@pytest.mark.parametrize("language", ["python", "js"])
def test_the_check_of_a_plain_hmac(tmp_path: Path, language: str) -> None:
    signing = PlainSigning(keys=(b"a secret",), header="X-Hub-Signature-256", prefix="sha256=")
    (header,) = signing.headers(message_id="m", timestamp=1, body=BODY).values()
    cases: list[list[object]] = [
        ["a secret", header, BODY.decode()],
        ["a secret", header, BODY.decode() + " "],
        ["another", header, BODY.decode()],
        ["a secret", "", BODY.decode()],
        ["a secret", "é", BODY.decode()],
    ]
    assert ask(tmp_path, language, block(language, "sha256="), cases) == [True] + [False] * 4


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_the_commands_that_make_keys(tmp_path: Path) -> None:
    made = [
        subprocess.run(["bash", "-euc", text], cwd=tmp_path, capture_output=True, check=True, text=True).stdout.split()  # noqa: S607 - the bash of the machine
        for text in blocks("sh")
        if "openssl" in text
    ]
    ((secret,), (private, public)) = made
    assert decode_key(secret) == decode_verifying_key(secret)
    key = decode_key(private)
    assert isinstance(key, PrivateKey)
    assert decode_verifying_key(public) == PublicKey(key.public)
