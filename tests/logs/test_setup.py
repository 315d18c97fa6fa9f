"""How lines look, and that nobody who logs waits for whoever reads."""

import json
import os
import subprocess
from pathlib import Path

from tests.support.logs import Run, records


def test_what_happened_comes_first_and_every_key_is_there(run: Run) -> None:
    done = run("log.info('delivery.delivered', event_id='e', attempt=1)\nlog.error('x', text='\\ud800')")
    first, second = done.stdout.splitlines()
    assert first.startswith(b'{"event":"delivery.delivered","level":"info","event_id":"e","attempt":1,"timestamp":"2')
    assert json.loads(second)["text"] == "\ud800"
    assert done.stderr == b""


def test_characters_that_would_act_upon_a_terminal_are_written_as_codes(run: Run) -> None:
    done = run(r"log.info('x', author='\u202e\x7f\x9b\u2066é\U000e0041')")
    (line,) = done.stdout.splitlines()
    assert r'"author":"\u202e\u007f\u009b\u2066é\udb40\udc41"'.encode() in line
    assert json.loads(line)["author"] == "\u202e\x7f\x9b\u2066é\U000e0041"


def test_standard_error_holds_up_nothing_either(run: Run) -> None:
    """What Python and libraries say there: warnings, tracebacks of threads, the module `logging`, asyncio."""
    read, write = os.pipe()
    done = run(
        """
        import asyncio
        async def fail():
            asyncio.get_running_loop().call_exception_handler({"message": "odd " + "z" * 500})
        def work():
            1 / 0
        began = time.monotonic()
        for number in range(300):
            print("y" * 300, file=sys.stderr, flush=True)
            logging.getLogger("aiohttp").error("x" * 300)
            warnings.warn(f"number {number}")
            asyncio.run(fail())
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        log.info("done")
        """,
        stderr=write,
    )
    os.close(read)
    os.close(write)
    assert done.returncode == 0
    assert records(done.stdout)[-1]["event"] == "done"


def test_standard_error_has_whole_lines_in_order_and_the_last_one_without_an_end(run: Run) -> None:
    done = run(
        "print('one'); print('two', file=sys.stderr); sys.stderr.write('th'); sys.stderr.write('ree\\nfour é \\ud800')"
    )
    assert done.stderr.decode() == "two\nthree\nfour é \\ud800\n"


def test_the_journal_gets_priorities_and_nobody_else(run: Run, tmp_path: Path) -> None:
    text = """
        for level in ("debug", "info", "warning", "error", "critical"):
            getattr(log, level)("said")
        try:
            1 / 0
        except ZeroDivisionError:
            log.exception("broken")
        print("warning: a file", file=sys.stderr)
        print("it is wrong", file=sys.stderr)
        """
    at = "os.environ['JOURNAL_STREAM'] = f'{os.fstat(1).st_dev}:{os.fstat(%s).st_ino}'"
    with (tmp_path / "journal").open("w+b") as file:
        run(text, before=at % 1, stdout=file, stderr=subprocess.STDOUT, format_="console")
        file.seek(0)
        lines = file.read().decode().splitlines()
    assert [line[:3] for line in lines if "said" in line] == ["<7>", "<6>", "<4>", "<3>", "<2>"]
    assert all(line.startswith("<") for line in lines)
    assert {"<3>it is wrong", "<4>warning: a file", "<3>ZeroDivisionError: division by zero"} <= {*lines}
    for_another = run(text, before=at % 0)
    assert all(record["event"] for record in records(for_another.stdout))
    assert for_another.stderr == b"warning: a file\nit is wrong\n"
