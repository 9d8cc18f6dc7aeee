"""Pages that are called: the agent first, then every page of the citizen's; one takes it, or it comes to nothing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from channels.browser.adapter import BrowserChannel
from channels.browser.settings import BrowserSettings
from channels.calls import Answered, CallRefused
from channels.contract import LegUnknown
from channels.phone import calling_page, page_end
from channels.phone.adapter import PhoneChannel
from queueing.memory import MemoryStore
from session.events import DialFailed, DialStarted, LegAway, LegBack, LegOpened, LegsJoined
from session.ids import AssigneeId, LegId, RecordingId, SessionId
from session.state import DialFailure, LegEnd, Party
from tests.channels.browser.far_end import WHO, exchange
from tests.channels.browser.page import Told, microphone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone
from tests.conftest import Eventually
from tests.media.secret_phone import PagePhone

AGENT = AssigneeId("a8001")
SESSION, LEG = SessionId("session-1"), LegId("dial-1")
DEADLINE_S = 15.0


@dataclass
class Scene:
    """The channel, who carries its calls, an agent's device, and a citizen who has pages open or not."""

    phone: PhoneChannel
    core: Core
    device: Telephone
    eventually: Eventually
    told: Told = field(default_factory=Told)
    is_here: bool = True
    channel: BrowserChannel = field(init=False)

    async def agent_is_there(self) -> None:
        """They have picked up."""
        await self.channel.reserve(SESSION, LEG, WHO, "12345", is_taken=True)
        await self.channel.ring(SESSION, LEG, AGENT, 1, time.time() + 20.0)
        invite = await self.device.request("INVITE")
        assert not self.core.said(DialStarted), "no page rings before the agent is there"
        self.device.reply(invite, 200, body=self.device.offer())
        await self.device.request("ACK")
        await self.eventually(lambda: self.core.said(LegOpened), deadline_s=DEADLINE_S)

    async def rings(self, ring_s: float = 20.0) -> None:
        """And the page rings."""
        await self.agent_is_there()
        await self.channel.dial(LEG, ring_s)
        await self.eventually(lambda: self.core.said(DialStarted), deadline_s=DEADLINE_S)

    async def takes(self, page: PagePhone, leg: LegId = LEG) -> Answered:
        answered = await self.channel.take_up(WHO, page.page_sdp("actpass"), leg, self.told)
        page.take(answered.description)
        return answered

    async def refused(self, page: PagePhone, leg: LegId = LEG) -> str:
        with pytest.raises(CallRefused) as refusal:
            await self.channel.take_up(WHO, page.page_sdp("actpass"), leg, self.told)
        return refusal.value.code

    def failure(self) -> DialFailure | None:
        failed = self.core.said(DialFailed)
        assert len(failed) <= 1
        return failed[0].reason if failed and isinstance(failed[0], DialFailed) else None

    def opened(self, party: Party) -> LegId | None:
        legs = [event.leg for event in self.core.said(LegOpened) if isinstance(event, LegOpened)]
        return next((leg.id for leg in legs if leg.party is party), None)

    @property
    def is_over(self) -> bool:
        return not self.phone.calls and not self.channel.calls and not self.channel._rung


@pytest.fixture
async def scene(tmp_path: Path, eventually: Eventually) -> AsyncIterator[Scene]:
    core = Core()
    async with (
        exchange(core, tmp_path) as (phone, _),
        Telephone(phone.bound, user="8001") as device,
    ):
        await device.register(PASSWORD)
        made = Scene(phone, core, device, eventually)
        shared = MemoryStore().shared
        made.channel = BrowserChannel(BrowserSettings(), exchange=phone, shared=shared, is_open=lambda: False)
        made.channel.has_page = lambda who: who == WHO and made.is_here
        yield made


async def hung_up(scene: Scene, eventually: Eventually) -> None:
    """The agent's telephone is, and nothing is left."""
    scene.device.reply(await scene.device.request("BYE"), 200)
    await eventually(lambda: scene.is_over, deadline_s=DEADLINE_S)


async def test_the_page_that_takes_it_is_joined_and_may_be_loaded_anew(
    scene: Scene, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    await scene.rings()
    async with AsyncExitStack() as first, PagePhone() as other:
        page = await first.enter_async_context(PagePhone())
        assert (await scene.takes(page)).leg == LEG
        assert await scene.refused(other) == "one_call", "of two pages one has it, also while it is not heard"
        async with microphone(page):
            await eventually(lambda: scene.opened(Party.CITIZEN) == LEG, deadline_s=DEADLINE_S)
            citizen = scene.core.said(LegOpened)[1]
            assert isinstance(citizen, LegOpened)
            assert (citizen.leg.channel, citizen.leg.address) == ("browser", WHO)
            agent = scene.opened(Party.ASSIGNEE)
            assert agent is not None
            await scene.channel.join(SESSION, LEG, agent, RecordingId("r1"))
            await eventually(lambda: scene.core.said(LegsJoined), deadline_s=DEADLINE_S)
        await eventually(lambda: scene.core.said(LegAway), deadline_s=DEADLINE_S)
        again = await scene.channel.call(WHO, other.page_sdp("actpass"), LEG, scene.told)
        other.take(again.description)
        async with microphone(other):
            await eventually(lambda: scene.core.said(LegBack), deadline_s=DEADLINE_S)
            scene.channel.hang_up(WHO, LEG)
            await hung_up(scene, eventually)
    assert scene.core.closed() == [("dial", LegEnd.HANGUP), ("agent", LegEnd.CLOSED)]
    assert scene.told.ends == [(LEG, LegEnd.HANGUP)]
    assert scene.failure() is None


@pytest.mark.parametrize("why", [DialFailure.DECLINED, DialFailure.NO_MICROPHONE])
async def test_the_citizen_does_not_take_it_or_cannot(scene: Scene, eventually: Eventually, why: DialFailure) -> None:
    await scene.rings()
    scene.channel.refuse(WHO, LegId("another"), why)
    assert not scene.is_over
    scene.channel.refuse(WHO, LEG, why)
    scene.channel.refuse(WHO, LEG, DialFailure.DECLINED)
    await hung_up(scene, eventually)
    assert scene.failure() is why
    assert scene.core.closed() == [("agent", LegEnd.CLOSED)], "a call that never was is not closed either"
    async with PagePhone() as page:
        assert await scene.refused(page) == "gone"
    assert scene.told.ends == []


async def test_it_rings_no_longer_than_it_may(scene: Scene, eventually: Eventually) -> None:
    await scene.rings(ring_s=0.3)
    await hung_up(scene, eventually)
    assert scene.failure() is DialFailure.NO_ANSWER


async def test_a_page_that_is_closed_while_it_rings_and_one_that_comes_back(
    scene: Scene, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling_page, "BACK_WITHIN_S", 1.0)
    await scene.rings()
    scene.is_here = False
    await asyncio.sleep(0)
    scene.is_here = True
    async with PagePhone() as page:
        await scene.takes(page)
        async with microphone(page):
            await eventually(lambda: scene.opened(Party.CITIZEN), deadline_s=DEADLINE_S)
            scene.channel.hang_up(WHO, LEG)
            await hung_up(scene, eventually)
    assert scene.failure() is None


async def test_a_page_that_stays_away_is_not_waited_for_long(
    scene: Scene, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calling_page, "BACK_WITHIN_S", 0.3)
    await scene.rings()
    scene.is_here = False
    await hung_up(scene, eventually)
    assert scene.failure() is DialFailure.UNREACHABLE


async def test_the_agent_hangs_up_while_it_rings(scene: Scene, eventually: Eventually) -> None:
    await scene.rings()
    agent = scene.opened(Party.ASSIGNEE)
    assert agent is not None
    await scene.phone.close_leg(SESSION, agent, LegEnd.CLOSED)
    await hung_up(scene, eventually)
    assert scene.failure() is DialFailure.NO_AGENT


async def test_the_core_gives_it_up_while_it_rings(scene: Scene, eventually: Eventually) -> None:
    await scene.rings()
    await scene.channel.close_leg(SESSION, LEG, LegEnd.CLOSED)
    await hung_up(scene, eventually)
    assert scene.failure() is None, "the core has asked for it, and knows"


async def test_a_page_that_takes_it_and_is_never_heard(
    scene: Scene, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_end, "COMES_S", 0.2)
    await scene.rings()
    await scene.channel.take_up(WHO, PagePhone().page_sdp("actpass"), LEG, scene.told)
    await hung_up(scene, eventually)
    assert scene.failure() is DialFailure.UNREACHABLE
    assert scene.told.ends == [(LEG, LegEnd.HANGUP)], "and knows that it is over"


async def test_a_page_that_takes_it_and_hangs_up_at_once_has_declined(scene: Scene, eventually: Eventually) -> None:
    await scene.rings()
    async with PagePhone() as page:
        await scene.takes(page)
        scene.channel.hang_up(WHO, LEG)
        await hung_up(scene, eventually)
    assert scene.failure() is DialFailure.DECLINED


async def test_whoever_calls_while_their_page_rings_takes_what_rings(scene: Scene, eventually: Eventually) -> None:
    await scene.rings()
    async with PagePhone() as page:
        answered = await scene.channel.call(WHO, page.page_sdp("actpass"), None, scene.told)
        assert answered.leg == LEG
    assert scene.core.contacts == [], "and begins no second session"


async def test_who_is_quick_takes_it_while_the_attempt_is_being_noted(scene: Scene, eventually: Eventually) -> None:
    await scene.agent_is_there()
    scene.core.posts.clear()
    await scene.channel.dial(LEG, 20.0)
    async with PagePhone() as page:
        await scene.takes(page)
        assert not scene.core.said(DialStarted)
        scene.core.posts.set()
        async with microphone(page):
            await eventually(lambda: scene.opened(Party.CITIZEN), deadline_s=DEADLINE_S)
            scene.channel.hang_up(WHO, LEG)
            await hung_up(scene, eventually)
    assert scene.failure() is None


async def test_a_description_that_is_none_leaves_it_ringing(scene: Scene) -> None:
    await scene.rings()
    with pytest.raises(CallRefused) as refusal:
        await scene.channel.take_up(WHO, b"v=0", LEG, scene.told)
    assert refusal.value.code == "bad_offer"
    async with PagePhone() as page:
        assert (await scene.takes(page)).leg == LEG


async def test_who_is_in_a_call_is_busy(scene: Scene, eventually: Eventually) -> None:
    scene.channel._is_open = lambda: True
    async with PagePhone() as page:
        answered = await scene.channel.call(WHO, page.page_sdp("actpass"), None, scene.told)
        await scene.rings()
        await eventually(lambda: scene.failure() is DialFailure.BUSY, deadline_s=DEADLINE_S)
        scene.channel.hang_up(WHO, answered.leg)


async def test_no_page_rings_where_no_agent_is(scene: Scene) -> None:
    with pytest.raises(LegUnknown):
        await scene.channel.dial(LEG, 20.0)
    assert scene.channel.calls_out
    assert not BrowserChannel(
        BrowserSettings(calls=0), exchange=scene.phone, shared=MemoryStore().shared, is_open=lambda: True
    ).calls_out
