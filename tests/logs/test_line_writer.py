"""Lines are written in the background: whoever logs never waits, and what is lost is counted."""

import json
import os
from pathlib import Path
from threading import Thread

import pytest

from tests.support.logs import Run, records


def test_lines_keep_their_order_over_threads_and_levels(run: Run) -> None:
    done = run(
        """
        def work(who):
            for number in range(2000):
                (log.warning if number % 50 == 0 else log.info)("said", who=who, number=number)
        threads = [threading.Thread(target=work, args=(who,)) for who in range(4)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        """
    )
    lines = records(done.stdout)
    for who in range(4):
        assert [line["number"] for line in lines if line["who"] == who] == list(range(2000))


def test_a_pipe_that_nobody_reads_holds_up_nothing_and_tears_no_line(run: Run) -> None:
    read, write = os.pipe()
    try:
        done = run(
            """
            began = time.monotonic()
            for number in range(30_000):
                log.info("said", number=number, text="x" * (number % 300))
            for number in range(100):
                log.error("bad", number=number)
            print(json.dumps({"took_s": time.monotonic() - began, **asdict(log_status())}), file=sys.stderr)
            """,
            stdout=write,
        )
        os.close(write)
        write = -1
        with os.fdopen(read, "rb") as file:
            read = -1
            lines = records(file.read())
    finally:
        for descriptor in (read, write):
            if descriptor >= 0:
                os.close(descriptor)
    status = json.loads(done.stderr)
    assert done.returncode == 0
    assert status["trouble"] == "it is not read as fast as it is written"
    assert status["lines_dropped"] > 1000
    assert [line["number"] for line in lines] == list(range(len(lines)))


def test_what_was_dropped_is_said_once_when_there_is_room_and_warnings_survive(run: Run) -> None:
    done = run(
        """
        for number in range(30_000):
            log.info("said", number=number, text="x" * 100)
        for number in range(100):
            log.error("bad", number=number)
        held = os.read(read, 1 << 20)
        reader = threading.Thread(target=lambda: [os.write(2, held)] and all(
            os.write(2, more) for more in iter(lambda: os.read(read, 1 << 20), b"")), daemon=True)
        reader.start()
        flush(1, within_s=30)
        log.info("after")
        flush(1, within_s=30)
        os.close(1)
        reader.join(30)
        os._exit(0)
        """,
        before="read, write = os.pipe(); os.dup2(write, 1); os.close(write)",
    )
    lines = records(done.stderr)
    (interrupted,) = (line for line in lines if line["event"] == "log.interrupted")
    said = [line["number"] for line in lines if line["event"] == "said"]
    assert said == list(range(len(said)))
    assert interrupted["lines_dropped"] == 30_000 - len(said) > 0
    assert interrupted["warnings_dropped"] == 0
    assert interrupted["level"] == "warning"
    assert [line["number"] for line in lines if line["event"] == "bad"] == list(range(100))
    assert lines[-1]["event"] == "after"
    assert lines.index(interrupted) == len(lines) - 2


def test_memory_is_bounded_whoever_reads(run: Run) -> None:
    read, write = os.pipe()
    done = run(
        """
        log.info("begin")
        def peak_mb():
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        before = peak_mb()
        for number in range(60_000):
            log.warning("bad", number=number, text="x" * 300)
            if number % 10 == 0:
                print("also here", "y" * 300, file=sys.stderr)
        assert peak_mb() - before < 30, peak_mb() - before
        os._exit(7)
        """,
        stdout=write,
        stderr=write,
    )
    os.close(read)
    os.close(write)
    assert done.returncode == 7


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("os.dup2(os.open('/dev/full', os.O_WRONLY), 1)", "No space left on device"),
        ("r, w = os.pipe(); os.close(r); os.dup2(w, 1)", "the reader has closed it"),
        ("os.close(1)", "Bad file descriptor"),
        ("resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))", "File too large"),
    ],
)
def test_a_log_that_cannot_be_written_is_counted_and_reported_once_when_it_can(
    run: Run, tmp_path: Path, how: str, reason: str
) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        done = run(
            f"""
            saved = os.dup(1)
            {how}
            for number in range(50):
                log.warning("said", number=number)
            while log_status().trouble is None:
                time.sleep(0.01)
            trouble = log_status().trouble
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            os.dup2(saved, 1)
            assert flush(1, within_s=30) is None
            log.info("after", trouble=trouble, status=asdict(log_status()))
            """,
            stdout=file,
        )
    assert done.returncode == 0, done.stderr
    lines = records(log.read_bytes())
    (interrupted,) = (line for line in lines if line["event"] == "log.interrupted")
    assert interrupted["lines_dropped"] == 0  # all of it was held, and came after all
    assert interrupted["reason"] == reason
    assert [line["number"] for line in lines if line["event"] == "said"] == list(range(50))
    assert lines[-1]["trouble"] == reason
    assert lines[-1]["status"] == {"lines_dropped": 0, "trouble": None}


def test_a_line_that_a_full_disk_has_cut_is_continued_when_there_is_room(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with log.open("wb") as file:
        run(
            """
            for number in range(50):
                log.info("said", number=number)
            while log_status().trouble is None:
                time.sleep(0.01)
            assert os.fstat(1).st_size == 1000
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            """,
            before="resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))",
            stdout=file,
        )
    assert [line.get("number") for line in records(log.read_bytes())] == [*range(50), None]


def test_a_standard_output_that_another_has_made_non_blocking_is_waited_for(run: Run) -> None:
    read, write = os.pipe()
    os.set_blocking(write, False)
    taken: list[bytes] = []

    def take() -> None:
        with os.fdopen(read, "rb") as file:
            while more := file.read1(1000):
                taken.append(more)

    reader = Thread(target=take)
    reader.start()
    done = run(
        "for number in range(3000): log.info('said', number=number)\nflush(1, within_s=30)\nassert log_status().trouble is None",
        stdout=write,
    )
    os.close(write)
    reader.join()
    assert done.returncode == 0, done.stderr
    assert [line["number"] for line in records(b"".join(taken))] == list(range(3000))


def test_one_line_that_never_fits_is_counted_and_the_next_are_written(run: Run) -> None:
    done = run("log.info('huge', text='x' * 5_000_000)\nflush(1, within_s=30)\nlog.info('after')")
    interrupted, after = records(done.stdout)
    assert interrupted["event"] == "log.interrupted"
    assert interrupted["lines_dropped"] == 1
    assert after["event"] == "after"


def test_a_process_whose_log_is_stuck_ends_soon(run: Run) -> None:
    read, write = os.pipe()
    done = run(
        """
        import atexit
        for number in range(30_000):
            log.info("said", number=number)
        began = time.monotonic()
        """,
        before="""
        import atexit
        log_end = os.dup(2)
        atexit.register(lambda: os.write(log_end, str(time.monotonic() - began).encode()))  # after the last words: the first to register
        """,
        stdout=write,
    )
    os.close(read)
    os.close(write)
    assert 0.5 < float(done.stderr) < 10
