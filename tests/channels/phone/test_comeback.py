"""An agent's page that is gone in the middle of a call: waited for with music, called back in, or given up."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.sip.message import Request
from channels.phone.vigil import Vigilance
from session.events import Event, LegAway, LegBack, LegClosed, LegHeld, LegOpened, LegsJoined
from session.ids import AssigneeId, LegId, RecordingId, SessionId
from session.state import LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.pages import PagePhone, web_server
from tests.channels.phone.telephone import Telephone
from tests.channels.phone.test_sound import Ear, port_of
from tests.conftest import Eventually

MUSIC = 0x55
FLOWS = ("Supported: path, outbound",)
PAGE_SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 8\r\nc=IN IP4 0.0.0.0\r\n"
    "a=mid:audio0\r\na=rtcp-mux\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\na=setup:active\r\n"
    f"a=fingerprint:sha-256 {':'.join(['AB'] * 32)}\r\n"
)


@dataclass
class Scene:
    """A call that is joined: the caller hums, the agent's telephone is a page."""

    phone: PhoneChannel
    core: Core
    http: str
    stack: AsyncExitStack
    eventually: Eventually
    caller: Ear = field(default_factory=lambda: Ear(0x31))
    turn: int = 0

    async def page(self, device: str = "first", *, name: str = "1") -> PagePhone:
        """Registered; `device` is what it calls itself since it was loaded, `name` what its window is called."""
        self.turn += 10
        params = f';reg-id=1;+sip.instance="<urn:uuid:{name}>"'
        page = PagePhone(self.phone.bound, user="8001", device=device, contact_params=params, http=self.http)
        await self.stack.enter_async_context(page)
        await page.register(PASSWORD, extra=FLOWS, cseq=self.turn)
        return page

    @property
    def leg(self) -> LegId:
        return self.core.contacts[0].leg

    async def begin(self) -> PagePhone:
        dialling = await self.stack.enter_async_context(Telephone(self.phone.bound))
        dialling.offer = lambda: self.caller.sdp  # type: ignore[method-assign]  # says where its sound goes
        self.caller.target = port_of((await dialling.call()).answer.body)
        page = await self.page()
        session = SessionId(f"session-{self.leg}")
        await self.phone.ring(session, self.leg, AssigneeId("a8001"), 1, time.time() + 20)
        page.reply(await page.request("INVITE"), 200, body=PAGE_SDP)
        (opened,) = await self.eventually(lambda: self.core.said(LegOpened))
        assert isinstance(opened, LegOpened)
        await self.phone.join(session, self.leg, opened.leg.id, RecordingId("r1"))
        await self.eventually(lambda: self.core.said(LegsJoined))
        return page

    async def says(self, kind: type[Event]) -> list[Event]:
        return list(await self.eventually(lambda: self.core.said(kind), deadline_s=15))

    async def hears_music(self) -> None:
        self.caller.heard.clear()
        await self.eventually(lambda: MUSIC in self.caller.heard, deadline_s=15)

    def rung(self, page: PagePhone) -> list[Request]:
        return [one for one in page.heard if isinstance(one, Request) and one.method == "INVITE"]


@pytest.fixture
async def scene(open_phone: OpenPhone, core: Core, eventually: Eventually) -> AsyncIterator[Scene]:
    async with (
        open_phone(vigilance=Vigilance(page_s=20.0)) as phone,
        web_server(phone) as http,
        AsyncExitStack() as stack,
    ):
        one = Scene(phone, core, http, stack, eventually)
        humming = asyncio.create_task(one.caller.run())
        yield one
        humming.cancel()
        await asyncio.gather(humming, return_exceptions=True)
        one.caller.socket.close()


async def test_a_page_that_is_loaded_again_is_called_back_into_its_call(scene: Scene) -> None:
    page = await scene.begin()
    page.disconnect()
    await scene.says(LegAway)
    await scene.hears_music()
    again = await scene.page("second")
    invite = await again.request("INVITE")
    assert invite.headers.first("answer-mode") == "Auto"
    await scene.hears_music()
    again.reply(invite, 200, body=PAGE_SDP)
    await scene.says(LegBack)
    assert len(scene.core.accepted) == 1, "no second offer"
    assert scene.core.said(LegClosed) == []
    await scene.phone.close_leg(SessionId(""), scene.leg, LegEnd.CLOSED)
    await again.request("BYE")


async def test_what_was_held_at_the_desk_stays_held(scene: Scene) -> None:
    page = await scene.begin()
    await scene.phone.hold(scene.leg, held=True)
    page.disconnect()
    await scene.says(LegAway)
    again = await scene.page("second")
    again.reply(await again.request("INVITE"), 200, body=PAGE_SDP)
    await scene.says(LegBack)
    await scene.hears_music()
    assert [one.held for one in scene.core.said(LegHeld) if isinstance(one, LegHeld)] == [True]


async def test_a_page_that_takes_nothing_yet_is_asked_again(scene: Scene) -> None:
    page = await scene.begin()
    page.disconnect()
    again = await scene.page("second")
    again.reply(await again.request("INVITE"), 480)
    again.reply(await again.request("INVITE", 2), 200, body=PAGE_SDP)
    await scene.says(LegBack)


async def test_a_page_that_has_only_lost_its_socket_has_its_call_still(scene: Scene) -> None:
    page = await scene.begin()
    page.disconnect()
    await scene.says(LegAway)
    again = await scene.page("first")
    await scene.says(LegBack)
    assert scene.rung(again) == []
    await scene.phone.close_leg(SessionId(""), scene.leg, LegEnd.CLOSED)
    await again.request("BYE")


async def test_a_socket_that_hangs_is_given_up_for_the_new_one(scene: Scene) -> None:
    """A network that changes tells nobody: the page's own return does."""
    page = await scene.begin()
    again = await scene.page("second")
    again.reply(await again.request("INVITE"), 200, body=PAGE_SDP)
    await page.until(lambda: page.is_closed)
    await scene.phone.close_leg(SessionId(""), scene.leg, LegEnd.CLOSED)
    await again.request("BYE")


async def test_a_page_that_is_closed_takes_nothing_from_the_one_in_its_place(scene: Scene) -> None:
    await scene.page("second")
    late = PagePhone(
        scene.phone.bound,
        user="8001",
        device="first",
        contact_params=';reg-id=1;+sip.instance="<urn:uuid:1>"',
        http=scene.http,
    )
    async with late:
        answer = await late.register(PASSWORD, extra=FLOWS, cseq=90, expires=0)
        assert answer.status == 200
        assert "second" in (answer.headers.first("contact") or "")


async def test_one_that_stays_away_has_vanished(open_phone: OpenPhone, core: Core, eventually: Eventually) -> None:
    async with (
        open_phone(vigilance=Vigilance(page_s=0.3)) as phone,
        web_server(phone) as http,
        AsyncExitStack() as stack,
    ):
        scene = Scene(phone, core, http, stack, eventually)
        page = await scene.begin()
        page.disconnect()
        await eventually(lambda: core.closed() == [("agent", LegEnd.LOST)], deadline_s=15)
        assert phone.calls == 1, "the citizen stays for the core to decide"
        scene.caller.socket.close()


async def test_a_caller_who_hangs_up_meanwhile_is_let_go(scene: Scene) -> None:
    page = await scene.begin()
    page.disconnect()
    await scene.says(LegAway)
    await scene.phone.close_leg(SessionId(""), scene.leg, LegEnd.CLOSED)
    await scene.eventually(lambda: scene.phone.calls == 0, deadline_s=15)
