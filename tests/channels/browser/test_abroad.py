"""A page that is loaded anew at another node than has its call: it is back in it, or told that it is over."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from channels.browser.adapter import BrowserChannel
from channels.browser.settings import BrowserSettings
from channels.calls import Answered, CallRefused
from channels.phone.adapter import PhoneChannel
from queueing.memory import MemoryStore
from session.address import Address
from session.events import LegAway, LegBack, LegClosed
from session.ids import LegId, NodeId
from session.state import LegEnd
from tests.channels.browser.far_end import WHO, exchange
from tests.channels.browser.page import Told, microphone
from tests.channels.phone.core import Core
from tests.conftest import Eventually
from tests.media.secret_phone import PagePhone

HERE, THERE = NodeId("n1"), NodeId("n2")
DEADLINE_S = 15.0


@dataclass
class Node:
    """One of two, and what the pages that are there are told."""

    phone: PhoneChannel
    channel: BrowserChannel
    told: Told = field(default_factory=Told)

    async def call(self, page: PagePhone, again: LegId | None = None, who: Address = WHO) -> Answered:
        answered = await self.channel.call(who, page.page_sdp("actpass"), again, self.told)
        page.take(answered.description)
        return answered

    async def refused(self, offer: bytes, again: LegId, who: Address = WHO) -> str:
        with pytest.raises(CallRefused) as refusal:
            await self.channel.call(who, offer, again, self.told)
        return refusal.value.code


@dataclass
class Country:
    """Two nodes on one store."""

    core: Core
    store: MemoryStore
    here: Node
    there: Node

    @property
    def is_empty(self) -> bool:
        nodes = (self.here, self.there)
        return not any(one.phone.calls or one.channel.calls or one.phone._abroad._away for one in nodes)  # type: ignore[union-attr]  # there is mail


@pytest.fixture
async def country(tmp_path: Path) -> AsyncIterator[Country]:
    core, store = Core(), MemoryStore()
    async with AsyncExitStack() as stack:
        nodes = []
        for node in (HERE, THERE):
            await store.mailboxes.beat(node, ttl_s=3600)
            opened = exchange(core, tmp_path / node, node=node, mail=store.mail)
            phone, _ = await stack.enter_async_context(opened)
            channel = BrowserChannel(BrowserSettings(), exchange=phone, shared=store.shared, is_open=lambda: True)
            nodes.append(Node(phone, channel))
        yield Country(core, store, *nodes)


@pytest.fixture
async def page() -> AsyncIterator[PagePhone]:
    async with PagePhone() as one:
        yield one


async def begun(country: Country, page: PagePhone, eventually: Eventually) -> LegId:
    """A call that is up at the first node, and whose page is gone."""
    answered = await country.here.call(page)
    async with microphone(page):
        await eventually(lambda: country.here.told.sessions, deadline_s=DEADLINE_S)
    await eventually(lambda: country.core.said(LegAway), deadline_s=DEADLINE_S)
    return answered.leg


@asynccontextmanager
async def back_there(country: Country, leg: LegId, times: int, eventually: Eventually) -> AsyncIterator[None]:
    """The page is loaded anew at the other node, and heard, until the end of the block."""
    async with PagePhone() as reloaded:
        assert (await country.there.call(reloaded, leg)).leg == leg
        async with microphone(reloaded):
            await eventually(lambda: len(country.core.said(LegBack)) == times, deadline_s=DEADLINE_S)
            yield


@pytest.mark.parametrize("by", ["the page", "the other end"])
async def test_a_page_is_back_in_its_call_and_either_end_hangs_up(
    country: Country, page: PagePhone, eventually: Eventually, by: str
) -> None:
    leg = await begun(country, page, eventually)
    async with back_there(country, leg, 1, eventually):
        pass
    await eventually(lambda: len(country.core.said(LegAway)) == 2, deadline_s=DEADLINE_S)
    async with back_there(country, leg, 2, eventually):  # loaded anew where it is now
        if by == "the page":
            country.there.channel.hang_up(WHO, leg)
        else:
            country.here.phone.hang_up(leg, LegEnd.HANGUP)
        await eventually(lambda: country.is_empty, deadline_s=DEADLINE_S)
    assert len(country.core.contacts) == 1, "one call throughout"
    assert [event.reason for event in country.core.said(LegClosed)] == [LegEnd.HANGUP]  # type: ignore[attr-defined]
    await eventually(lambda: country.there.told.ends == [(leg, LegEnd.HANGUP)], deadline_s=DEADLINE_S)
    assert set(country.there.told.sessions) == {f"session-{leg}"}


async def test_it_is_told_that_its_call_is_over(country: Country, page: PagePhone, eventually: Eventually) -> None:
    """One that ended, one of somebody else's, and one whose node has died; none of them is begun anew."""
    leg = await begun(country, page, eventually)
    offer = page.page_sdp("actpass")
    stranger = replace(WHO, identifier="another")
    assert await country.there.refused(offer, leg, stranger) == "gone"
    assert await country.there.refused(offer.replace(b"SAVPF 8 96", b"SAVPF 111"), leg) == "bad_offer"
    country.there.phone.end_for(leg, stranger)
    country.here.phone.end_for(leg, stranger)
    assert country.here.phone.calls == 1, "a stranger hangs up on nobody"
    assert (await country.there.call(page, leg)).leg == leg
    await country.store.mailboxes.leave(HERE)
    assert await country.there.refused(offer, leg) == "gone"
    assert country.there.told.ends == [(leg, LegEnd.LOST)]
    assert country.there.channel.calls == 0
    country.here.phone.hang_up(leg, LegEnd.HANGUP)
    await eventually(lambda: country.is_empty, deadline_s=DEADLINE_S)
    assert await country.there.refused(offer, leg) == "gone"
    assert len(country.core.contacts) == 1
