"""Pages' calls: taken once they are heard, kept through a reload, let go where nobody comes, refused with a word."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from channels.browser.adapter import BrowserChannel
from channels.browser.settings import BrowserSettings
from channels.calls import Answered, CallRefused
from channels.phone import page_end
from channels.phone.adapter import PhoneChannel
from media.engine import Engine
from queueing.memory import MemoryStore
from session.events import Event, LegAway, LegBack, LegClosed
from session.ids import LegId
from session.state import LegEnd
from tests.channels.browser.far_end import WHO, exchange
from tests.channels.browser.page import Told, microphone
from tests.channels.phone.core import Core
from tests.conftest import Eventually
from tests.media.secret_phone import PagePhone

DEADLINE_S = 15.0


@dataclass
class Town:
    """The channel, whoever carries its calls, and a core that notes what it is told."""

    phone: PhoneChannel
    engine: Engine
    core: Core
    told: Told
    is_open: bool = True
    channel: BrowserChannel = field(init=False)

    async def call(self, page: PagePhone, again: LegId | None = None) -> Answered:
        answered = await self.channel.call(WHO, page.page_sdp("actpass"), again, self.told)
        page.take(answered.description)
        return answered

    async def refused(self, offer: bytes, again: LegId | None = None) -> str:
        with pytest.raises(CallRefused) as refusal:
            await self.channel.call(WHO, offer, again, self.told)
        return refusal.value.code

    @property
    def is_empty(self) -> bool:
        return not self.channel.calls and not self.phone.calls and not self.engine._calls


@pytest.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    core, store = Core(), MemoryStore()
    async with exchange(core, tmp_path) as (phone, engine):
        made = Town(phone, engine, core, Told())
        made.channel = BrowserChannel(
            BrowserSettings(), exchange=phone, shared=store.shared, is_open=lambda: made.is_open
        )
        yield made


@pytest.fixture
async def page() -> AsyncIterator[PagePhone]:
    async with PagePhone() as one:
        yield one


async def test_the_core_hears_of_a_call_once_its_page_is_heard(
    town: Town, page: PagePhone, eventually: Eventually
) -> None:
    answered = await town.call(page)
    assert b"m=audio " in answered.description
    assert town.core.contacts == []
    async with microphone(page):
        await eventually(lambda: town.core.contacts, deadline_s=DEADLINE_S)
        (contact,) = town.core.contacts
        assert (contact.leg, contact.channel, contact.address) == (answered.leg, "browser", WHO)
        await eventually(lambda: town.told.sessions == [f"session-{answered.leg}"], deadline_s=DEADLINE_S)
        town.channel.hang_up(WHO, answered.leg)
        town.channel.hang_up(WHO, answered.leg)
        await eventually(lambda: town.is_empty, deadline_s=DEADLINE_S)
    assert town.told.ends == [(answered.leg, LegEnd.HANGUP)]
    assert [event.reason for event in town.core.said(LegClosed)] == [LegEnd.HANGUP]  # type: ignore[attr-defined]


async def test_a_page_that_never_comes_costs_a_port_for_a_moment(
    town: Town, page: PagePhone, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(page_end, "COMES_S", 0.1)
    answered = await town.channel.call(WHO, page.page_sdp("actpass"), None, town.told)
    await eventually(lambda: town.is_empty, deadline_s=DEADLINE_S)
    assert town.told.ends == [(answered.leg, LegEnd.LOST)]
    assert town.core.contacts == []
    assert town.core.events == []
    assert (await town.call(page)).leg != answered.leg, "and may call again"


async def test_a_page_that_is_loaded_anew_is_back_in_its_call(
    town: Town, page: PagePhone, eventually: Eventually
) -> None:
    first = await town.call(page)
    async with microphone(page):
        await eventually(lambda: town.told.sessions, deadline_s=DEADLINE_S)
        assert await town.refused(page.page_sdp("actpass")) == "one_call"
    await eventually(lambda: comings(town) == [LegAway], deadline_s=DEADLINE_S)
    async with PagePhone() as reloaded:
        again = await town.call(reloaded, first.leg)
        assert again.leg == first.leg
        async with microphone(reloaded):
            await eventually(lambda: comings(town) == [LegAway, LegBack], deadline_s=DEADLINE_S)
    assert len(town.core.contacts) == 1
    assert town.told.ends == []


async def test_a_page_that_is_back_too_late_is_told(town: Town, page: PagePhone) -> None:
    """It would else call anew without its person's word."""
    assert await town.refused(page.page_sdp("actpass"), LegId("page-of-before")) == "gone"
    assert town.is_empty


async def test_one_that_does_not_come_back_is_lost(
    town: Town, page: PagePhone, monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(page_end, "GRACE_S", 1.5)
    await town.call(page)
    async with microphone(page):
        await eventually(lambda: town.told.sessions, deadline_s=DEADLINE_S)
    await eventually(lambda: town.is_empty, deadline_s=DEADLINE_S)
    assert [event.reason for event in town.core.said(LegClosed)] == [LegEnd.LOST]  # type: ignore[attr-defined]


Bends = Callable[[bytes], bytes]
HOSTILE: dict[str, Bends] = {
    "empty": lambda _: b"",
    "no description": lambda _: b"\xff\x00 v=0",
    "oversize": lambda offer: offer + b"a=x:" + b"y" * 16_384,
    "no fingerprint": lambda offer: without(offer, b"a=fingerprint"),
    "a fingerprint that is none": lambda offer: offer.replace(b"a=fingerprint:sha-256 ", b"a=fingerprint:md5 "),
    "no ufrag": lambda offer: without(offer, b"a=ice-ufrag"),
    "a thousand candidates": lambda offer: offer + b"a=candidate:1 1 udp 1 1.2.3.4 9 typ host\r\n" * 1000,
    "a hundred candidates": lambda offer: offer + b"a=candidate:1 1 udp 1 1.2.3.4 9 typ host\r\n" * 100,
    "in the clear": lambda offer: offer.replace(b"UDP/TLS/RTP/SAVPF", b"RTP/AVP"),
    "no codec of ours": lambda offer: offer.replace(b"SAVPF 8 96", b"SAVPF 111"),
    "pictures too": lambda offer: offer + b"m=video 9 UDP/TLS/RTP/SAVPF 96\r\n",
    "no sound": lambda offer: offer.replace(b"m=audio", b"m=application"),
}


def without(offer: bytes, beginning: bytes) -> bytes:
    return b"".join(line for line in offer.splitlines(keepends=True) if not line.startswith(beginning))


async def test_hostile_offers_are_refused_with_a_word_and_cost_nothing(town: Town, page: PagePhone) -> None:
    offer = page.page_sdp("actpass")
    for kind, bend in HOSTILE.items():
        who = replace(WHO, identifier=kind)
        with pytest.raises(CallRefused) as refusal:
            await town.channel.call(who, bend(offer), None, town.told)
        assert refusal.value.code == "bad_offer", kind
        assert town.is_empty, kind


async def test_an_offer_of_somebody_who_is_heard_changes_nothing(
    town: Town, page: PagePhone, eventually: Eventually
) -> None:
    """Neither a second one, nor a broken one for the call that runs."""
    first = await town.call(page)
    async with microphone(page):
        await eventually(lambda: town.told.sessions, deadline_s=DEADLINE_S)
        assert await town.refused(page.page_sdp("actpass"), LegId("page-another")) == "one_call"
        broken = page.page_sdp("actpass").replace(b"SAVPF 8 96", b"SAVPF 111")
        assert await town.refused(broken, first.leg) == "bad_offer"
        before = len(page.arrived)
        await eventually(lambda: len(page.arrived) > before + 10, deadline_s=DEADLINE_S)
    assert town.phone.calls == 1


async def test_nothing_is_sent_to_where_a_page_points(town: Town, page: PagePhone, eventually: Eventually) -> None:
    """We answer checks only (ICE lite): nobody has us knock at another's door."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as victim:
        victim.bind(("127.0.0.1", 0))
        victim.setblocking(False)
        port = victim.getsockname()[1]
        offer = page.page_sdp("actpass") + b"a=candidate:1 1 udp 2130706431 127.0.0.1 %d typ host\r\n" % port
        page.take((await town.channel.call(WHO, offer, None, town.told)).description)
        async with microphone(page):
            await eventually(lambda: len(page.arrived) > 20, deadline_s=DEADLINE_S)
        with pytest.raises(BlockingIOError):
            victim.recv(1)


async def test_a_law_comes_first_whatever_the_page_likes_best(town: Town, page: PagePhone) -> None:
    offer = page.page_sdp("actpass").replace(b"SAVPF 8 96", b"SAVPF 111 0 8 96")
    answered = await town.channel.call(WHO, offer, None, town.told)
    assert b"UDP/TLS/RTP/SAVPF 8 0 96\r\n" in answered.description


async def test_calls_are_taken_in_hours_and_up_to_the_bound(town: Town, page: PagePhone) -> None:
    town.is_open = False
    assert await town.refused(page.page_sdp("actpass")) == "closed"
    town.is_open = True
    town.channel._settings = replace(town.channel._settings, calls=0)
    assert await town.refused(page.page_sdp("actpass")) == "full"
    town.channel._settings = BrowserSettings()
    for _ in range(8):
        assert await town.refused(b"") == "bad_offer"
    assert await town.refused(page.page_sdp("actpass")) == "rate"


async def test_two_offers_at_once_are_one_call(town: Town, page: PagePhone) -> None:
    async with PagePhone() as other:
        both = await asyncio.gather(town.call(page), town.call(other), return_exceptions=True)
    assert town.phone.calls == 1
    assert len([one for one in both if isinstance(one, Answered)]) >= 1


async def test_the_house_closes_with_calls_open(tmp_path: Path) -> None:
    core, told, store = Core(), Told(), MemoryStore()
    async with AsyncExitStack() as stack:
        page = await stack.enter_async_context(PagePhone())
        async with exchange(core, tmp_path) as (phone, _):
            channel = BrowserChannel(BrowserSettings(), exchange=phone, shared=store.shared, is_open=lambda: True)
            answered = await channel.call(WHO, page.page_sdp("actpass"), None, told)
    assert told.ends == [(answered.leg, LegEnd.NODE_LOST)]


def comings(town: Town) -> list[type[Event]]:
    return [type(event) for event in town.core.events if isinstance(event, LegAway | LegBack)]
