"""A webhook receiver that fails on demand."""

import asyncio
import socket
from urllib.parse import urlsplit

import aiohttp
import pytest

from forwarder.emulator.receiver import Receiver


async def test_a_receiver_that_is_down_refuses_connections_and_keeps_its_port() -> None:
    async with Receiver() as receiver, aiohttp.ClientSession() as session:
        address = ("127.0.0.1", urlsplit(receiver.url).port)
        await receiver.stop_listening()
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection(*address)
        with socket.socket() as other, pytest.raises(OSError, match="in use"):
            other.bind(address)
        await receiver.start_listening()
        async with session.post(receiver.url) as response:
            assert response.status == 200
