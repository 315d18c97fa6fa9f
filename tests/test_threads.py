"""What looks at files has a thread that nothing has to wait for."""

import asyncio
import subprocess
import sys
import threading

import pytest

from forwarder.threads import start_in_thread


async def test_the_result_or_the_error_comes_back_and_another_thread_did_the_work() -> None:
    assert await start_in_thread(threading.get_ident, name="a") != threading.get_ident()

    def fail() -> None:
        raise FileNotFoundError(2, "none")

    with pytest.raises(FileNotFoundError):
        await start_in_thread(fail, name="a")


async def test_whoever_gives_up_is_not_told_the_end() -> None:
    go = threading.Event()

    def fail() -> None:
        go.wait(30)
        raise FileNotFoundError(2, "none")

    for function in (fail, lambda: go.wait(30)):
        waiting = start_in_thread(function, name="left")
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    go.set()
    await start_in_thread(lambda: None, name="after")


def test_a_process_ends_while_such_a_thread_waits_and_after_its_loop_is_closed() -> None:
    script = (
        "import asyncio, threading\n"
        "from forwarder.threads import start_in_thread\n"
        "go = threading.Event()\n"
        "async def main():\n"
        "    start_in_thread(threading.Event().wait, name='forever')\n"
        "    start_in_thread(go.wait, name='late')\n"
        "asyncio.run(main())\n"
        "late = next(each for each in threading.enumerate() if each.name == 'late')\n"
        "go.set()\n"
        "late.join()\n"
        "print('ended')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("ended\n", "")
