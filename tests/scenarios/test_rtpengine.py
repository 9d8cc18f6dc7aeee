"""Sound through rtpengine: a caller and an agent talk straight, pages with telephones; killed, nobody is stuck."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import Eventually
from tests.peers.caller import Telephones
from tests.peers.rtpengine import Rtpengine
from tests.peers.sound import likeness, speech, tone
from tests.scenarios.kinds import MakesGateway, MakesSoftphone, OpensDesk, OpensWindow
from tests.scenarios.test_browser import log_in, write
from tests.scenarios.test_page_telephone import OUTSIDE_HZ, beeps, both_ways, hums_in, talking
from tests.scenarios.test_phone import ALIKE, hears
from tests.scenarios.told import entries, figures, history

AGENT, CITIZEN = speech(1.2, seed=71), speech(1.2, seed=72)


@pytest.fixture
async def daemons(tmp_path: Path) -> AsyncIterator[tuple[Rtpengine, Rtpengine]]:
    one, other = Rtpengine(tmp_path), Rtpengine(tmp_path)
    while other.ports == one.ports:
        other = Rtpengine(tmp_path)
    yield one.start(), other.start()
    for daemon in (one, other):
        daemon.stop()


def through(daemons: tuple[Rtpengine, ...]) -> dict[str, str]:
    """The settings of a gateway whose sound goes by these."""
    named = ", ".join(f'"127.0.0.1:{daemon.port}"' for daemon in daemons)
    return {"media__engine": "rtpengine", "media__rtpengine": f"[{named}]"}


@pytest.mark.timeout(120)
async def test_pages_talk_with_telephones_that_it_carries(
    daemons: tuple[Rtpengine, Rtpengine],
    own_gateway: MakesGateway,
    softphone: MakesSoftphone,
    desk: OpensDesk,
    window: OpensWindow,
    eventually: Eventually,
) -> None:
    """An agent's page and a citizen's telephone; then a citizen's page that rings, and an agent's telephone."""
    gateway = own_gateway(**through(daemons))
    await gateway.start()
    carried = {port for daemon in daemons for port in daemon.ports}
    page = await window("about:blank")
    await page.tap()
    await page.open(f"{gateway.http}/desk/")
    await log_in(page, gateway.agent("8001"))
    await page.click(".item.phone")
    await page.click(".presence")
    await page.click(f".el-dropdown-menu__item{page.says('presence.set_ready')} >> nth=0")
    async with Telephones(gateway.sip) as phones:
        call = await phones.call(vouched=True)
        await call.answered(15)
        await page.click(".offer .accept")
        async with talking(call):
            await both_ways(page, call, eventually)
            assert call.sound.target is not None
            assert call.sound.target[1] in carried
        assert await call.hang_up() == 200
        await page.sees(".item.phone.idle", deadline_s=20)

    agent = await desk(gateway, "8002")
    phone = await softphone(gateway, "8002", says=tone(OUTSIDE_HZ, 60.0), answers=True)
    await agent.make_ready()
    citizen = await window("about:blank")
    await citizen.tap()
    await citizen.open(gateway.http)
    await citizen.sees(".welcome")
    await write(citizen, "打字说不清楚")
    offer = await agent.offer(20)
    await agent.accept(offer)
    await agent.saw("contact.reach", 20, session=offer["session"], page=True)
    await agent.command("call.start", session=offer["session"], at="page")
    await phone.saw("CALL_ESTABLISHED", 20)
    await citizen.click(".call-accept")
    await citizen.sees(".call[data-stage=talking]", 20)
    await eventually(lambda: beeps(phone.heard()), deadline_s=20)
    await eventually(lambda: hums_in(citizen, OUTSIDE_HZ), deadline_s=20)
    await citizen.click(".call-end")
    await phone.saw("CALL_CLOSED", 20)


async def test_a_killed_rtpengine_leaves_nobody_stuck(
    daemons: tuple[Rtpengine, Rtpengine],
    own_gateway: MakesGateway,
    softphone: MakesSoftphone,
    desk: OpensDesk,
    eventually: Eventually,
) -> None:
    gateway = own_gateway(**through(daemons))
    await gateway.start()
    agent = await desk(gateway, "8001")
    phone = await softphone(gateway, "8001", says=AGENT, answers=True)
    async with Telephones(gateway.sip) as phones:
        call = await phones.call(vouched=True)
        await call.answered(15)
        await phone.saw("CALL_ESTABLISHED", 20)
        await hears(call.sound, AGENT)
        await call.sound.say(CITIZEN)
        assert call.sound.target is not None
        carrier = next(one for one in daemons if call.sound.target[1] in one.ports)
        carrier.kill()
        assert await call.ended(20) == "them"
        await phone.saw("CALL_CLOSED", 20)
        assert likeness(CITIZEN, phone.heard()).correlation >= ALIKE
        await figures(gateway, waiting=0, owed=1)
        session = str((await agent.offer())["session"])

        async def is_recorded() -> bool:
            return any(one["what"] == "finished" for one in entries(await history(agent, session), "recording"))

        await eventually(is_recorded, deadline_s=20)

        again = await phones.call(caller="13900139000")
        await again.answered(15)
        await phone.saw("CALL_ESTABLISHED", 20, times=2)
        await hears(again.sound, AGENT)
        assert again.sound.target is not None
        assert again.sound.target[1] not in carrier.ports, "the other one carries it"
