"""Lines that report nothing wrong are written together, the others at once, and none is lost or out of order."""

import asyncio
import io

from forwarder.logs import Lines


class File(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.is_flushed = asyncio.Event()

    def flush(self) -> None:
        self.is_flushed.set()


async def test_lines_are_written_together_soon_and_bad_news_at_once() -> None:
    file = File()
    lines = Lines(file)
    lines.info("one")
    lines.info("two")
    assert file.getvalue() == ""
    lines.warning("three")
    assert file.getvalue() == "one\ntwo\nthree\n"
    lines.info("four")
    file.is_flushed.clear()
    await file.is_flushed.wait()
    assert file.getvalue().splitlines() == ["one", "two", "three", "four"]


def test_without_a_loop_each_line_is_written_at_once() -> None:
    file = io.StringIO()
    Lines(file).info("one")
    assert file.getvalue() == "one\n"
