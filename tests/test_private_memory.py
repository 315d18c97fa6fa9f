"""The memory of a process that holds secrets is not for other processes of the same user."""

import os
from pathlib import Path

import pytest

from tests.support.crash import until
from tests.support.process import forwarder, write_config
from tests.support.users import NOBODY, as_root, run_as

NOWHERE = "ws://127.0.0.1:9/ws"
SAME_USER = """
from pathlib import Path
from forwarder.private_memory import keep_memory_private

ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as it is after the start of a program; a change of the user has switched it off
ready, end = os.pipe(), os.pipe()
if (child := os.fork()) == 0:
    if sys.argv[1] == "private":
        keep_memory_private()
    os.write(ready[1], b"x")
    os.close(end[1])
    os.read(end[0], 1)
    os._exit(0)
os.read(ready[0], 1)
try:
    Path(f"/proc/{child}/environ").read_bytes()
    print("readable")
except PermissionError:
    print("refused")
os.close(end[1])
os.waitpid(child, 0)
"""


@as_root
@pytest.mark.parametrize(("how", "said"), [("private", "refused"), ("open", "readable")])
def test_a_process_of_the_same_user_cannot_read_the_memory(how: str, said: str) -> None:
    done = run_as(NOBODY, SAME_USER, how)
    assert (done.stdout.strip(), done.stderr) == (said, "")


async def test_the_daemon_keeps_its_memory_private(tmp_path: Path) -> None:
    config = write_config(tmp_path, stream=NOWHERE, destinations={"bot": "http://127.0.0.1:9/"})
    async with forwarder(config) as daemon:
        await daemon.wait_for("daemon.ready")
        # What belongs to a process that may not be dumped belongs to root (proc(5)).
        environ = Path(f"/proc/{daemon.process.pid}/environ")
        await until(lambda: environ.stat().st_uid == 0, limit_s=20, what="the files of a private process")
        if os.geteuid() != 0:
            with pytest.raises(PermissionError):
                environ.read_bytes()
