"""Where nobody reads what they write a citizen leaves word in the page, and an agent works it off (留言)."""

import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from typing import Any

import aiohttp
import pytest

from channels.sms.coding import Coding, decode
from rulebook.hours import CITY
from tests.conftest import Eventually
from tests.peers import cmpp as carriers
from tests.peers.browser import MOBILE, Window
from tests.peers.cable import Cable
from tests.peers.looks import Album, breaches, no, sideways_px
from tests.peers.pages import OWN_PAGE, CitizenPage, DeskPage
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import MakesGateway, OpensDesk, OpensWindow
from tests.web.test_citizen import SMALL_TARGETS

PATIENT_S = 15.0
OPEN = ["mon-sun 00:00-24:00"]
FULL = {"queues": [{"queue": "general", "longest": 1}]}


@pytest.mark.parametrize("language", ["zh"])
async def test_word_is_left_in_the_page_kept_through_a_cut_and_worked_off(
    own_gateway: MakesGateway, desk: OpensDesk, window: OpensWindow, eventually: Eventually, screens: Album
) -> None:
    """By the keyboard alone, in English and in the largest letters; without a connection it is kept in the page.

    Then the office opens, and closes around a page that stands open, whose citizen has proven their number meanwhile;
    and opens again, and the line is full.
    """
    in_two_days = datetime.fromtimestamp(time.time() + 2 * 24 * 3600, CITY)
    closed = [f"{in_two_days:%a} 00:00-24:00".lower()]
    async with carriers.listening(carriers.Gateway()) as carrier:
        cmpp = {"host": "127.0.0.1", "port": str(carrier.port), "source_id": "12345"}
        cmpp |= {"account": carriers.ACCOUNT, "secret": carriers.SECRET}
        gateway = own_gateway(
            bots__hours=json.dumps(closed),
            session__chat_grace_s="1",
            **{f"sms__cmpp__{key}": value for key, value in cmpp.items()},
        )
        await gateway.start()
        await out_of_hours(gateway, window, in_two_days, screens)
        agent = await desk(gateway, "8001")
        await is_worked_off(gateway, agent, eventually)
        async with clerk(gateway) as admin:
            await admin.put("hours", week=OPEN)
            page = await window(gateway.http, size=MOBILE)
            await page.sees(".welcome")
            await is_proven(page, carrier, eventually)
            await admin.put("hours", week=closed)
            await closes_around(page, screens)
            await admin.put("ways", **FULL)
            await admin.put("hours", week=OPEN)
            await before_a_full_line(gateway, page, eventually)
        await both_are_worked_off(gateway, agent)


async def out_of_hours(gateway: Yihao, window: OpensWindow, in_two_days: datetime, screens: Album) -> None:
    async with Cable(gateway.http) as cable:
        page = await window(cable.address, size=MOBILE)
        assert "现在不是人工服务时间" in await page.sees(".word")
        await page.sees_no(".standing-who:has-text('在线受理')")
        await screens.shows(page, "citizen-word")
        await page.click(".language")
        await page.sees(".word h2:has-text('Our staff are not here')")
        await page.click(".size-largest")
        await page.sees("html[data-text='largest']")
        assert no(list(await page.evaluate(SMALL_TARGETS)))
        assert no(await breaches(page))
        await screens.shows(page, "citizen-word-largest-english")
        await page.resize((320, 640))
        assert await sideways_px(page) <= 0

        await page.click(".word textarea")
        await page.type(".word textarea", "The lamp in Heping Road is broken")
        await page.press("Enter")
        for _ in ("number", "name", "button"):
            await page.press("Tab")
        await page.press("Enter")
        assert await page.count(".word form :invalid"), "they have proven no number, so one is asked for"
        await page.click(".language")
        await page.sees(".word h2:has-text('现在不是人工服务时间')")
        assert await page.evaluate("document.querySelector('.word textarea').value.trim()"), "a language loses nothing"
        await page.click(".language")
        await page.sees(".word h2:has-text('Our staff are not here')")
        await page.type(".word input[type=tel]", "138 0013 8000")
        await page.press("Tab")
        await page.type(".word input[autocomplete=name]", "Grandpa Li")
        cable.cut()
        await page.press("Enter")
        await page.sees(".word p[role=status]:has-text('kept in this page')")
        cable.mend()
        received = await page.sees(".word p[role=status]:has-text('received')")
        assert f"{in_two_days:%A %-d %B} at 00:00" in received.replace(",", "")
        await page.sees(".standing-parked")
        await screens.shows(page, "citizen-word-left")
        await page.reload()
        await page.sees(".word p[role=status]:has-text('received')")
        assert await page.count(".bubble-citizen") == 1, "once, however often the connection was cut"
        await page.close()


async def is_worked_off(gateway: Yihao, agent: DeskPage, eventually: Eventually) -> None:
    await agent.make_ready()
    session = await taken(agent)
    (text,) = await eventually(partial(agent.texts, session), deadline_s=PATIENT_S)
    assert text.startswith("The lamp in Heping Road is broken\n")
    assert text.endswith("138 0013 8000")
    person = json.loads(await agent.get(f"/api/sessions/{session}/person"))
    assert [one["address"] for one in person["claims"]] == ["tel 138****8000"], "what is only said binds nothing"
    assert [one["address"].split()[0] for one in person["addresses"]] == ["web"]
    assert names(agent, session) == ["Grandpa Li"]
    await agent.command("msg.send", session=session, text="We mend it tomorrow")
    await agent.command("presence.set", presence="break", reason="meal")
    await agent.command("contact.finish", session=session)
    assert "8000" not in gateway.log()


async def is_proven(page: Window, carrier: carriers.Gateway, eventually: Eventually) -> None:
    """Their number, by a code that comes by text."""
    await page.click(".proof-door summary")
    await page.type(".proof input[type=tel]", "13900139000")
    await page.press("Enter")
    code = await eventually(lambda: code_in(carrier), deadline_s=PATIENT_S)
    await page.type(".proof input[inputmode=numeric]", code)
    await page.press("Enter")
    await page.sees(".proof form:first-of-type:not([hidden])", PATIENT_S)
    await page.click(".proof-door summary")


def code_in(carrier: carriers.Gateway) -> str:
    """The code in what the carrier was given; empty before."""
    texts = "".join(decode(sent.content, Coding.UCS2) for _, sent in carrier.submits)
    found = re.search(r"验证码是(\d{6})", texts)
    return found[1] if found else ""


async def closes_around(page: Window, screens: Album) -> None:
    """Nothing was loaded anew, and no number is asked of whoever has proven one."""
    assert "现在不是人工服务时间" in await page.sees(".word", PATIENT_S)
    assert "已核验过手机号" in await page.sees(".word label:has(input[type=tel])")
    await page.sees_no(".welcome")
    await screens.shows_page(page, "citizen-word")
    await page.type(".word textarea", "停水三天了")
    await page.click(".word .act")
    await page.sees(".word p[role=status]:has-text('已收到您的留言')", PATIENT_S)


async def before_a_full_line(gateway: Yihao, page: Window, eventually: Eventually) -> None:
    """What was left stands in it, and is all that may. Somebody else comes."""

    async def is_full() -> bool:
        async with CitizenPage(gateway.http) as newcomer:
            absence = (await newcomer.saw("snapshot"))["absence"]
            return absence is not None and absence["why"] == "full"

    await eventually(is_full, deadline_s=PATIENT_S)
    await page.evaluate("localStorage.clear()")
    await page.reload()
    told = await page.sees(".word", PATIENT_S)
    assert "现在咨询的人很多" in told
    assert "已核验过手机号" not in told
    await page.type(".word textarea", "路上有坑")
    await page.type(".word input[type=tel]", "13700137000")
    await page.click(".word .act")
    await page.sees(".word p[role=status]:has-text('工作人员一有空就办理')", PATIENT_S)


async def both_are_worked_off(gateway: Yihao, agent: DeskPage) -> None:
    await agent.make_ready()
    both = await taken(agent), await taken(agent)
    proven, claimed = sorted(both, key=lambda session: agent.texts(session) != ["停水三天了"])
    assert (agent.texts(proven), names(agent, proven)) == (["停水三天了"], [])
    person = json.loads(await agent.get(f"/api/sessions/{proven}/person"))
    assert "tel 139****9000" in [one["address"] for one in person["addresses"]]
    assert agent.texts(claimed)[0].endswith("13700137000")
    assert not re.search("停水|Grandpa|139000|137000", gateway.log())


async def taken(agent: DeskPage) -> str:
    """The next offer, accepted."""
    seen = {frame["session"] for frame in agent.frames if frame["t"] == "contact.state"}
    offer = await agent.until(
        lambda frame: frame["t"] == "offer.new" and frame["session"] not in seen, PATIENT_S, "offer"
    )
    assert offer["medium"] == "message"
    await agent.accept(offer)
    await agent.saw("contact.state", PATIENT_S, session=offer["session"], phase="active")
    return str(offer["session"])


def names(agent: DeskPage, session: str) -> list[str]:
    return [str(one["name"]) for one in agent.timeline(session) if one["kind"] == "name"]


class Clerk:
    """Who puts documents of the rulebook in force."""

    def __init__(self, http: str, session: aiohttp.ClientSession) -> None:
        self._http, self._session = http, session

    async def put(self, kind: str, **changed: Any) -> None:
        path, headers = f"{self._http}/api/admin/rules/{kind}", {**OWN_PAGE, "Origin": self._http}
        async with self._session.get(path) as answer:
            now = await answer.json()
        given = {"document": {**now["document"], **changed}, "expected": now["version"], "why": "试"}
        async with self._session.post(path, json=given, headers=headers) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def clerk(gateway: Yihao) -> AsyncIterator[Clerk]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        admin = gateway.agent("8009")
        given = {"login": admin.login, "password": admin.password}
        async with session.post(f"{gateway.http}/api/login", json=given, headers=OWN_PAGE) as answer:
            assert answer.status == 200
        yield Clerk(gateway.http, session)
