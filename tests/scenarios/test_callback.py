"""Story 6: a call that nobody answered is a debt, dialled back when an agent is free and closed by contact only."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.browser import Window
from tests.peers.caller import Telephones
from tests.peers.sound import likeness, speech
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import prompt
from tests.scenarios.kinds import Draws, MakesGateway, MakesSoftphone, OpensDesk, OpensWindow, Placed
from tests.scenarios.test_browser import log_in, make_ready
from tests.scenarios.told import entries, figures, history, legs

NUMBER = "+8613800138000"
CITIZEN, AGENT = speech(1.5, seed=31), speech(1.5, seed=32)
NOTICE = prompt("recording_notice")
ALIKE = 0.9
AT_ONCE = {
    "session__missed_after_s": "0.2",
    "session__call_grace_s": "0.3",
    "session__callback_pauses_s": "[0.2, 0.2, 3600]",
    "session__callback_from_s": "0",
    "session__callback_until_s": "86400",
    "session__callback_claims": "true",
    "session__dial_ring_s": "20",
}
"""A story of a day, told in seconds. The callers' numbers are believed, as no network vouches for a test."""


@asynccontextmanager
async def citizens_phone(folder: Path, *, answers: bool = False) -> AsyncIterator[Baresip]:
    """A citizen's telephone, to which the trunk leads."""
    phone = Baresip(folder, "127.0.0.1:9", NUMBER, "none", answers=answers, registers=False, says=CITIZEN)
    async with phone:
        yield phone


async def started(own_gateway: MakesGateway, citizen: Baresip, **more: str) -> Yihao:
    """A gateway whose trunk leads to that telephone."""
    trunk = {"outbound__trunk": "127.0.0.1", "outbound__port": str(citizen.sip_port), "outbound__caller": "02112345"}
    gateway = own_gateway(**AT_ONCE, **trunk, **more)
    await gateway.start()
    return gateway


async def missed(gateway: Yihao) -> None:
    """Somebody calls, waits, and hangs up."""
    async with Telephones(gateway.sip) as phones:
        call = await phones.call()
        await call.answered()
        await asyncio.sleep(0.5)  # they wait: that is what makes it a debt
        await call.hang_up()


async def test_a_missed_call_is_dialled_back_until_there_is_contact(
    own_gateway: MakesGateway,
    softphone: MakesSoftphone,
    window: OpensWindow,
    draws: Draws,
    tmp_path: Path,
    album: Path,
    eventually: Eventually,
) -> None:
    """A machine picks up first: that is no contact, the agent says so, and it is dialled once more."""
    async with citizens_phone(tmp_path / "citizen") as citizen:
        gateway = await started(own_gateway, citizen)
        screen = await window(f"{gateway.http}/desk")
        await log_in(screen, gateway.agent("8001"))
        await make_ready(screen)
        await missed(gateway)
        phone = await softphone(gateway, "8001", says=AGENT)

        async def dialled(times: int) -> None:
            await screen.sees(f".offer{screen.says('offer.owed')}{screen.says('offer.due')}", 15)
            await phone.saw("CALL_INCOMING", times=times)
            assert len(citizen.all("CALL_INCOMING")) == times - 1, "nobody is called before the agent is there"
            await phone.answer()
            await citizen.saw("CALL_INCOMING", times=times)
            await citizen.answer()
            await screen.sees(".acts .reached", 15)

        await dialled(1)
        await eventually(lambda: likeness(NOTICE, citizen.heard()).correlation >= ALIKE, deadline_s=20)
        await screen.click(".acts .machine")
        await citizen.saw("CALL_CLOSED")
        await dialled(2)
        await eventually(lambda: likeness(AGENT, citizen.heard()).correlation >= ALIKE, deadline_s=20)
        await screen.picture(album / "callback-desk.png")
        await screen.click(".acts .reached")
        await screen.sees_no(".acts .reached")
        await citizen.hang_up()
        await phone.saw("CALL_CLOSED", times=2)
        assert len(citizen.all("CALL_INCOMING")) == 2

        placed = await written(screen)
        assert [one["what"] for one in entries(placed, "dial")] == ["started", "machine", "started", "reached"]
        await draws("callback.png", "漏接电话：回拨，语音信箱不算，联系上才销账 · a missed call", placed)


async def test_who_calls_again_by_themselves_is_served_at_their_place_and_owed_nothing(
    own_gateway: MakesGateway,
    softphone: MakesSoftphone,
    desk: OpensDesk,
    draws: Draws,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    async with citizens_phone(tmp_path / "citizen") as citizen:
        gateway = await started(own_gateway, citizen)
        agent = await desk(gateway, "8001")
        await missed(gateway)
        await figures(gateway, waiting=1, owed=1)
        async with Telephones(gateway.sip) as phones:
            call = await phones.call()
            await call.answered()
            await figures(gateway, waiting=1, owed=0)
            phone = await softphone(gateway, "8001", says=AGENT, answers=True)
            await phone.saw("CALL_ESTABLISHED")
            await eventually(lambda: likeness(AGENT, call.sound.heard()).correlation >= ALIKE, deadline_s=15)
            offer = await agent.offer()
            assert offer["owed"] is None
            placed = await history(agent, str(offer["session"]))
            await call.hang_up()
        assert legs(placed) == ["phone", "phone"]
        assert not entries(placed, "dial")
        assert not citizen.all("CALL_INCOMING"), "nobody is called who is here"
        await draws("callback-redial.png", "漏接电话：市民自己打来，不再回拨 · they call again", placed)


async def written(screen: Window) -> Placed:
    """The only session's timeline, once it is written up and in the history."""
    async with asyncio.timeout(15):
        while not (found := (await asked(screen, "/api/sessions"))["sessions"]) or found[0]["phase"] != "closed":
            await asyncio.sleep(0.1)
    return list((await asked(screen, f"/api/sessions/{found[0]['session']}/timeline"))["entries"])


async def asked(screen: Window, path: str) -> Any:
    """What the desk's page is told there."""
    return await screen.evaluate(f"fetch('{path}').then((one) => one.json())")
