"""`forwarder listen` with a secret: a receiver that takes only what is signed, and says why not."""

import asyncio
import base64
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from time import time
from typing import Any

import aiohttp
import pytest

from forwarder.cli import exit_codes
from forwarder.cli.arguments.signatures import VARIABLE
from forwarder.core.destinations.signing import PlainSigning, PrivateKey, Signing, StandardSigning, decode_key
from tests.support import same_process
from tests.support.process import command, write_config

SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"
PRIVATE = PrivateKey(b"s" * 32)
PUBLIC = "whpk_" + base64.b64encode(PRIVATE.public).decode()
BODY = '{"source": "x", "payload": {"text": "é"}}'.encode()
STANDARD = StandardSigning((decode_key(SECRET),))


class Listening:
    """One run of it."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url

    async def post(self, headers: Mapping[str, str], body: bytes = BODY) -> tuple[int, str, dict[str, Any]]:
        """Return status and text of the answer, and what the command said about the request."""
        async with aiohttp.ClientSession() as session, session.post(self.url, data=body, headers=headers) as response:
            answer = response.status, await response.text()
        assert self._process.stdout is not None
        async with asyncio.timeout(90):
            return *answer, json.loads(await self._process.stdout.readline())


@asynccontextmanager
async def listening(*arguments: str, env: Mapping[str, str] | None = None) -> AsyncIterator[Listening]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "forwarder", "listen", "--port", "0", "--json", *arguments),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    try:
        assert process.stdout is not None
        said = json.loads(await process.stdout.readline())
        assert said["verifies"] is True
        yield Listening(process, said["url"])
    finally:
        process.kill()
        await process.communicate()


def signed(signing: Signing, *, age_s: int = 0) -> dict[str, str]:
    at = int(time()) - age_s
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at)} | dict(
        signing.headers(message_id="msg_1", timestamp=at, body=BODY)
    )


async def test_what_is_not_signed_is_answered_401_with_the_reason_in_a_word() -> None:
    async with listening(env={VARIABLE: f"{SECRET}\n{PUBLIC}\n"}) as receiver:
        for headers, status, word in (
            (signed(STANDARD), 200, "valid"),
            (signed(StandardSigning((PRIVATE,))), 200, "valid"),
            ({}, 401, "no_signature"),
            (signed(STANDARD, age_s=600), 401, "stale_timestamp"),
            (signed(STANDARD) | {"webhook-id": "msg_2"}, 401, "wrong_signature"),
            (signed(StandardSigning((decode_key("whsec_" + "QUJD" * 8),))), 401, "wrong_signature"),
        ):
            code, text, said = await receiver.post(headers)
            assert (code, said["status"], said["signature"]) == (status, status, word)
            assert text.strip() == ("" if status == 200 else word)
        code, text, _ = await receiver.post(signed(STANDARD), BODY + b" ")
        assert (code, text.strip()) == (401, "wrong_signature")


@pytest.mark.parametrize(
    ("options", "signing"),
    [
        ([], PlainSigning(keys=(b"any text",), header="X-Hub-Signature-256", prefix="sha256=")),
        (["--timestamped"], PlainSigning(keys=(b"new", b"old"), header="Stripe-Signature", is_timestamped=True)),
        (
            ["--header", "Authorization", "--encoding", "base64", "--algorithm", "sha512", "--prefix", "HMAC "],
            None,
        ),
    ],
)
async def test_plain_signatures_are_verified_with_the_options_of_the_config(
    tmp_path: Path, options: list[str], signing: PlainSigning | None
) -> None:
    secrets = tmp_path / "secrets"
    secrets.write_text("any text\nold\n")
    secrets.chmod(0o600)
    async with listening("--scheme", "hmac", "--secret-file", str(secrets), *options) as receiver:
        if signing is not None:
            code, _, said = await receiver.post(signed(signing))
            assert (code, said["signature"]) == (200, "valid")
            code, _, said = await receiver.post(signed(signing, age_s=600))
            assert code == (401 if signing.is_timestamped else 200)
        extra = "" if signing is None else "\n      timestamped: true" if signing.is_timestamped else ""
        extra += (
            "\n      header: Authorization\n      encoding: base64\n      algorithm: sha512\n      prefix: 'HMAC '"
            * (signing is None)
        )
        config = write_config(
            tmp_path,
            stream="ws://127.0.0.1:9/ws",
            destinations={
                "bot": f"{receiver.url}\n    signing:\n      scheme: hmac\n      secret: old{extra}",
                "forger": f"{receiver.url}\n    signing:\n      scheme: hmac\n      secret: wrong{extra}",
                "careless": receiver.url,
            },
        )
        for name, expected, word in (
            ("bot", 0, ""),
            ("forger", 1, "wrong_signature\n"),
            ("careless", 1, "no_signature\n"),
        ):
            code, out, err = await command("send", name, "-c", str(config), "--json")
            assert (code, err) == (expected, "")
            assert json.loads(out)["answer"]["body"] == word


async def test_secrets_that_cannot_be_used_are_reported_in_a_sentence_without_being_shown(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("\n")
    empty.chmod(0o600)
    mistakes: tuple[tuple[list[str], str], ...] = (
        (["--secret", "canary"], "--secret: expected whsec_"),
        (["--secret", "whsk_canary"], "the public one (whpk_…) checks"),
        (["--secret", ""], "--secret is empty"),
        (["--secret-file", str(tmp_path / "none")], "cannot be read: No such file"),
        (["--secret-file", str(empty)], "is empty"),
        (["--secret", SECRET, "--header", "X-A"], "--header belongs to --scheme hmac"),
        (["--secret", "canary", "--scheme", "hmac", "--header", "a b"], "--header: not the name of a header"),
        (
            ["--secret", "canary", "--scheme", "hmac", "--timestamped", "--prefix", "a"],
            "--prefix: with timestamped: true",
        ),
        (["--secret", "can\x07ary", "--scheme", "hmac"], "--secret: the secret contains a line break"),
        (["--scheme", "hmac"], "--scheme needs a secret"),
        (["--timestamped"], "--timestamped needs a secret"),
    )
    for number, (arguments, expected) in enumerate(mistakes):
        run = command if number == 0 else same_process.run  # which can be: it ends before it has to do with signals
        code, out, err = await run("listen", "--port", "0", *arguments)
        assert (code, out) == (exit_codes.USAGE, "")
        assert expected in err
        assert len(err.splitlines()) == 1
        assert "canary" not in err
