"""A lost BYE, a lost ACK, a telephone that lost its power: within forty seconds nobody and nothing is kept by it.

With the settings that are shipped, but for the time to write up a call.
"""

import asyncio
from collections.abc import Iterator

import pytest

from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.caller import Call, Telephones
from tests.peers.pages import DeskPage
from tests.peers.sound import speech
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import SHORT_WAITS, running
from tests.scenarios.kinds import MakesSoftphone, OpensDesk
from tests.scenarios.test_phone import AGENT, hears, music, picked_up
from tests.scenarios.told import entries, history

WITHIN_S = 40.0
WRITES_UP_S = float(SHORT_WAITS["session.wrap_s"]) + 1.0
"""With a second for the offer to come."""


@pytest.fixture(scope="module")
def gateway() -> Iterator[Yihao]:
    """Whose agents keep a citizen who may dial again, as any gateway's do."""
    yield from running(SHORT_WAITS)


async def in_a_call(
    phones: Telephones, softphone: Baresip, page: DeskPage, talks: list[asyncio.Task[None]]
) -> tuple[Call, str]:
    """A citizen who talks all the while, and the agent; gives the session too."""
    call = await phones.call()
    await picked_up(call, softphone)
    talks.append(asyncio.create_task(call.sound.say(speech(90, seed=13))))
    await hears(call.sound, AGENT)
    return call, str((await page.offer())["session"])


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_who_has_gone_without_a_word_keeps_nobody(
    gateway: Yihao, softphone: MakesSoftphone, desk: OpensDesk, telephones: Telephones, eventually: Eventually
) -> None:
    """Each caller talks on where only the other end is gone: their sound alone must not keep a call alive."""
    first, second = await desk(gateway, "8001"), await desk(gateway, "8002")
    talks: list[asyncio.Task[None]] = []
    one = await softphone(gateway, "8001", says=AGENT)
    async with Telephones(gateway.sip, "127.0.0.9") as lost:
        _, ended = await in_a_call(lost, one, first, talks)
        other = await softphone(gateway, "8002", says=AGENT)
        stays, kept = await in_a_call(telephones, other, second, talks)
        unsure = await telephones.call(acknowledges=False)
        await unsure.answered()

        began = asyncio.get_running_loop().time()
        talks[0].cancel()
        await asyncio.gather(talks[0], return_exceptions=True)
        await lost.vanish()
        other.kill()
        before = len(stays.sound.heard())

        async def is_over() -> bool:
            return any(one["what"] == "finished" for one in entries(await history(first, ended), "recording"))

        await asyncio.gather(
            unsure.ended(WITHIN_S),  # whose ACK is lost
            one.saw("CALL_CLOSED", WITHIN_S),  # whose citizen's BYE is lost
            eventually(is_over, deadline_s=WITHIN_S),
            hears(stays.sound, *music(), after=before, deadline_s=WITHIN_S),
        )
        assert asyncio.get_running_loop().time() - began <= WITHIN_S
    closed = [one["reason"] for one in entries(await history(first, ended), "leg") if one["what"] == "closed"]
    assert closed[0] == "lost"

    # For the citizen whose agent has vanished: the one whose citizen has is kept no longer, and has written up.
    await one.saw("CALL_INCOMING", WITHIN_S, times=2)
    assert asyncio.get_running_loop().time() - began <= WITHIN_S + WRITES_UP_S
    await one.answer()
    since = len(stays.sound.heard())
    await hears(stays.sound, AGENT, after=since)
    back = await softphone(gateway, "8002", says=AGENT)
    await second.make_ready()  # who has vanished takes calls again, by their own word
    late = await telephones.call(caller="13900139000")
    await picked_up(late, back)
    await late.hang_up()
    await stays.hang_up()
    recorded = await eventually(lambda: _whole(second, kept), deadline_s=15)
    assert recorded == ["finished"], "one recording, with its end"
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


async def _whole(page: DeskPage, session: str) -> list[str]:
    """What became of a session's recordings."""
    return [one["what"] for one in entries(await history(page, session), "recording") if one["what"] == "finished"]
