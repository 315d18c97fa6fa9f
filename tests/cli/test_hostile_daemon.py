"""Whatever answers at the control socket, a command ends with a sentence and an exit code."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from forwarder.cli import exit_codes
from forwarder.outbox.open import open_outbox
from tests.support.paths import ROOT
from tests.support.process import command, write_config

COMMANDS = [
    ("status",),
    ("status", "--json"),
    ("status", "--prometheus"),
    ("reload",),
    ("reload", "--json"),
    ("check", "--diff"),
    ("reconnect",),
    ("log-level",),
    ("upgrade",),
    ("pause", "bot"),
    ("replay", "--since", "1d", "--to", "bot"),
    ("dead", "drop", "--all"),
    ("outbox", "vacuum"),
]
STATUS = json.loads((ROOT / "tests" / "data" / "status.json").read_text(encoding="utf-8"))
ANSWERS = {
    "no JSON": b"HTTP/1.1 400 Bad Request",
    "no UTF-8": b'{"result": {"a": "\xff\xfe"}}',
    "deep": b'{"result": ' + b"[" * 100_000,
    "a long number": b'{"result": {"freed_bytes": ' + b"9" * 5_000 + b"}}",
    "an error that is no text": b'{"error": {"a": 1}}',
    "nothing": b'{"result": {}}',
    "null": b'{"result": null}',
    "a list": b'{"result": [1]}',
    "wrong kinds": json.dumps(
        {
            "result": {
                name: {"x": 1}
                for name in (
                    *("applied", "file", "digest", "plan", "problems", "warnings", "streams", "successor", "pid"),
                    *("version", "freed_bytes", "changed", "destinations", "last_seq", "outbox", "config"),
                )
            }
        }
    ).encode(),
    "moments that are none": json.dumps(
        {"result": {"config": {"in_force_since": "soon"}, "clock_jumped": {"at": "x", "by_s": 1e300}}}
    ).encode(),
    "no numbers": b'{"result": {"clock_jumped": {"by_s": NaN}, "lag_ms": {"x": {"count": 1, "p50": Infinity}}}}',
    "a key of another kind": json.dumps({"result": STATUS | {"streams": {"main": {"events": "many"}}}}).encode(),
}


@contextmanager
def fake_daemon(path: Path, answer: bytes) -> Iterator[None]:
    """Answer every request with one line."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with suppress(OSError), connection:
                    while connection.recv(1 << 16):
                        connection.sendall(answer + b"\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
            path.unlink()


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_that_is_none_is_a_sentence(tmp_path: Path, answer: bytes) -> None:
    config = write_config(tmp_path, stream="ws://127.0.0.1:9/", destinations={"bot": "http://127.0.0.1:9/"})
    async with open_outbox(tmp_path / "outbox.db"):  # a daemon holds it, so that commands must ask
        with fake_daemon(tmp_path / "outbox.db.sock", answer):
            for arguments in COMMANDS:
                code, _, err = await command(*arguments, "-c", str(config), limit_s=30)
                assert code in {exit_codes.OK, exit_codes.FAILURE, exit_codes.NO_DAEMON}, (arguments, err)
                assert code == exit_codes.OK or err
                assert "Traceback" not in err
