"""Out of hours a citizen leaves word in the page, and an agent works it off (留言)."""

import json
import time
from datetime import datetime
from functools import partial

from rulebook.hours import CITY
from tests.conftest import Eventually
from tests.peers.browser import MOBILE
from tests.peers.cable import Cable
from tests.peers.looks import breaches, no, sideways_px
from tests.scenarios.kinds import MakesGateway, OpensDesk, OpensWindow
from tests.web.test_citizen import SMALL_TARGETS

PATIENT_S = 15.0


async def test_word_is_left_in_the_page_kept_through_a_cut_and_worked_off(
    own_gateway: MakesGateway, desk: OpensDesk, window: OpensWindow, eventually: Eventually
) -> None:
    """By the keyboard alone, in English and in the largest letters; without a connection it is kept in the page."""
    in_two_days = datetime.fromtimestamp(time.time() + 2 * 24 * 3600, CITY)
    gateway = own_gateway(bots__hours=json.dumps([f"{in_two_days:%a} 00:00-24:00".lower()]), session__chat_grace_s="1")
    await gateway.start()
    async with Cable(gateway.http) as cable:
        page = await window(cable.address, size=MOBILE)
        assert "现在不是人工服务时间" in await page.sees(".word")
        await page.click(".language")
        await page.sees(".word h2:has-text('Our staff are not here')")
        await page.click(".size-largest")
        await page.sees("html[data-text='largest']")
        assert no(list(await page.evaluate(SMALL_TARGETS)))
        assert no(await breaches(page))
        await page.resize((320, 640))
        assert await sideways_px(page) <= 0

        await page.click(".word textarea")
        await page.type(".word textarea", "The lamp in Heping Road is broken")
        await page.press("Enter")
        await page.press("Tab")
        await page.press("Tab")
        await page.press("Enter")
        assert await page.count(".word form :invalid"), "they have proven no number, so one is asked for"
        await page.click(".language")
        await page.sees(".word h2:has-text('现在不是人工服务时间')")
        assert await page.evaluate("document.querySelector('.word textarea').value.trim()"), "a language loses nothing"
        await page.click(".language")
        await page.sees(".word h2:has-text('Our staff are not here')")
        await page.type(".word input", "138 0013 8000")
        cable.cut()
        await page.press("Enter")
        await page.sees(".word p[role=status]:has-text('kept in this page')")
        cable.mend()
        received = await page.sees(".word p[role=status]:has-text('received')")
        assert f"{in_two_days:%A %-d %B} at 00:00" in received.replace(",", "")
        await page.sees(".standing-parked")
        await page.reload()
        await page.sees(".word p[role=status]:has-text('received')")
        assert await page.count(".bubble-citizen") == 1, "once, however often the connection was cut"
        await page.close()

    agent = await desk(gateway, "8001")
    await agent.make_ready()
    offer = await agent.offer(PATIENT_S)
    assert offer["medium"] == "message"
    await agent.accept(offer)
    session = str(offer["session"])
    (text,) = await eventually(partial(agent.texts, session), deadline_s=PATIENT_S)
    assert text.startswith("The lamp in Heping Road is broken\n")
    assert text.endswith("138 0013 8000")
    person = json.loads(await agent.get(f"/api/sessions/{session}/person"))
    assert [one["address"] for one in person["claims"]] == ["tel 138****8000"], "what is only said binds nothing"
    assert [one["address"].split()[0] for one in person["addresses"]] == ["web"]
    await agent.command("msg.send", session=session, text="We mend it tomorrow")
    assert "8000" not in gateway.log()
