"""An agent hands a contact on in a real Chromium: colleagues and lines are there, and the choice is sent."""

from collections.abc import Awaitable, Callable

from tests.conftest import Eventually
from tests.peers.browser import DESKTOP, Window
from tests.peers.looks import Album, breaches, no
from tests.peers.pages import CitizenPage
from tests.peers.yihao import Yihao
from tests.web.test_pages import log_in

OpensWindow = Callable[..., Awaitable[Window]]


async def test_a_contact_is_handed_to_a_line_from_the_menu(
    gateway: Yihao, window: OpensWindow, eventually: Eventually, screens: Album
) -> None:
    desk = await window(f"{gateway.http}/desk", DESKTOP)
    await log_in(desk, gateway, "8001")
    await desk.click(".presence")
    await desk.click(f".el-dropdown-menu__item{desk.says('presence.set_ready')}")
    async with CitizenPage(gateway.http) as citizen:
        await citizen.open()
        await citizen.write("路灯不亮")
        await desk.sees(".offer .accept")
        await desk.press("F2")
        await desk.click(f".talk button{desk.says('transfer.open')}")
        await desk.sees(".transfer select")
        await desk.sees_no(".transfer [role=alert]")

        async def colleagues() -> list[str]:
            return await desk.texts(f".transfer optgroup[label='{desk.words('transfer.agents')}'] option")

        await eventually(colleagues)
        assert any("8002" in one for one in await colleagues())
        assert not any("8001" in one for one in await colleagues())
        lines = await desk.texts(f".transfer optgroup[label='{desk.words('transfer.queues')}'] option")
        assert any(one.strip().startswith(f"{desk.words('queues.general')} ·") for one in lines), lines
        await desk.evaluate(
            """const list = document.querySelector('.transfer select');
               list.value = 'queue/general';
               list.dispatchEvent(new Event('change', {bubbles: true}))"""
        )
        await desk.write(".transfer textarea", "请路灯科的同事看")
        assert no(await breaches(desk))
        await screens.shows(desk, "desk-transfer")
        before = len(citizen.frames)
        await desk.click(".transfer .el-button--primary")
        await citizen.until(
            lambda one: one["t"] == "session.state" and one["phase"] == "waiting" and one in citizen.frames[before:],
            20.0,
            "word that the citizen waits again",
        )
