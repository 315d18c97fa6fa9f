"""What clients send to the receiver puts no traceback on the screen of who looks at it."""

import asyncio
import logging

import pytest

from forwarder.emulator.receiver import Receiver
from forwarder.emulator.web_log import WEB_LOG


@pytest.mark.parametrize(
    "request_",
    [
        b"POST /\xc2\x9b31m HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PO\x1bST / HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
async def test_a_request_that_is_no_http_is_answered_and_not_logged(
    request_: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with Receiver() as receiver:
        port = int(receiver.url.split(":")[2].partition("/")[0])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request_)
        assert (await reader.readline()).split()[1] == b"400"
        writer.close()
    assert caplog.records == []


def test_other_errors_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    WEB_LOG.error("Error handling request", exc_info=ValueError())
    WEB_LOG.log(logging.ERROR, "no error in it")
    assert [record.message for record in caplog.records] == ["Error handling request", "no error in it"]
