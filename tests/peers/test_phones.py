"""The phones of the tests, one against the other: what they cannot do alone they cannot show about a gateway."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.peers.baresip import Baresip
from tests.peers.caller import Telephones
from tests.peers.sound import likeness, speech


async def test_a_softphone_and_a_caller_hear_each_other(tmp_path: Path, free_port: Callable[[], int]) -> None:
    said, answered = speech(2, seed=1), speech(2, seed=2)
    port = free_port()
    softphone = Baresip(tmp_path, f"127.0.0.1:{port}", "8001", "-", port, free_port(), answers=True, says=answered)
    async with softphone, Telephones(("127.0.0.1", port)) as phones:
        call = await phones.call("8001")
        await call.answered()
        await softphone.saw("CALL_ESTABLISHED")
        await call.sound.say(said)
        await call.sound.say(speech(0.5, seed=3))
        await call.hang_up()
        await softphone.saw("CALL_CLOSED")
        assert likeness(said, softphone.heard()).correlation >= 0.9
        assert likeness(answered, call.sound.heard()).correlation >= 0.9


async def test_a_softphone_rings_until_the_caller_gives_up(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    softphone = Baresip(tmp_path, f"127.0.0.1:{port}", "8001", "-", port, free_port())
    async with softphone, Telephones(("127.0.0.1", port)) as phones:
        call = await phones.call("8001")
        await softphone.saw("CALL_INCOMING")
        assert call.status == 180
        assert await call.hang_up() == 200
        assert await call.ended() == "487"
        await softphone.saw("CALL_CLOSED")


async def test_a_softphone_refuses(tmp_path: Path, free_port: Callable[[], int]) -> None:
    port = free_port()
    softphone = Baresip(tmp_path, f"127.0.0.1:{port}", "8001", "-", port, free_port())
    async with softphone, Telephones(("127.0.0.1", port)) as phones:
        call = await phones.call("8001")
        await softphone.saw("CALL_INCOMING")
        await softphone.hang_up()
        assert await call.ended() in {"486", "603"}
        assert await asyncio.wait_for(call.ended(), 1) == call.over
