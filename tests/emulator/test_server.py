"""The local scrape.st keeps to what is known of the real one."""

import aiohttp

from forwarder.emulator.server import Emulator
from tests.support.packaged import first_of

TELEGRAM = first_of("telegram")


async def test_faults_and_frames_can_be_asked_for_over_http() -> None:
    async with Emulator() as emulator, aiohttp.ClientSession() as session:

        async def fault(**asked: object) -> int:
            async with session.post(f"{emulator.url}/emulator/fault", json=asked) as response:
                return response.status

        async with session.ws_connect(emulator.ws_url, headers={"x-api-key": "test-key"}) as socket:
            async with session.post(f"{emulator.url}/emulator/send", data=TELEGRAM) as response:
                assert response.status == 200
            assert (await socket.receive_str()).encode() == TELEGRAM
            assert await fault(fault="drop") == 200
            assert (await socket.receive()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        assert await fault(fault="refuse", status=429, handshakes=1) == 200
        async with session.get(f"{emulator.url}/ws", headers={"x-api-key": "test-key"}) as response:
            assert response.status == 429
            assert (await response.json())["retry_after"] == 60
        assert await fault(fault="nonsense") == 400
        async with session.get(f"{emulator.url}/emulator/stats") as response:
            assert (await response.json())["sent"] == 1
