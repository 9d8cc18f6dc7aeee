"""One dialogue, the same on every channel: it comes, is answered, goes both ways, ends, and stands in one timeline."""

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from importlib import import_module

import pytest

from tests.channels.citizen import ALIKE, DEADLINE_S, Citizen, Lives, sound_of
from tests.channels.test_contract import CHANNELS
from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.pages import DeskPage
from tests.peers.sound import likeness
from tests.scenarios.kinds import MakesGateway, MakesSoftphone, OpensDesk

MATTER, QUESTION, ANSWER = "路灯坏了", "在哪条路？", "人民路"


@dataclass
class Agent:
    """One person at one desk, with a softphone beside it, who takes whatever comes."""

    desk: DeskPage
    phone: Baresip
    eventually: Eventually
    taken: set[str] = field(default_factory=set)
    calls: int = 0

    async def takes(self, citizen: Citizen) -> str:
        offer = await self.desk.until(
            lambda one: one["t"] == "offer.new" and one["session"] not in self.taken, DEADLINE_S, "offer"
        )
        assert offer["channel"] == citizen.channel
        if citizen.speaks:
            self.calls += 1
            await self.phone.saw("CALL_INCOMING", DEADLINE_S, times=self.calls)
            await self.phone.answer()
            await self.phone.saw("CALL_ESTABLISHED", DEADLINE_S, times=self.calls)
        else:
            await self.desk.accept(offer)
        session = str(offer["session"])
        self.taken.add(session)
        await self.desk.saw("contact.state", DEADLINE_S, session=session, phase="active")
        return session

    async def says(self, session: str, words: str, citizen: Citizen) -> None:
        if not citizen.speaks:  # the softphone says its words from the answer on
            await self.desk.command("msg.send", session=session, text=words)

    async def hears(self, session: str, words: str, citizen: Citizen) -> None:
        if citizen.speaks:
            await self.eventually(
                lambda: likeness(sound_of(words), self.phone.heard()).correlation >= ALIKE, deadline_s=DEADLINE_S
            )
        else:
            await self.eventually(lambda: words in self.desk.texts(session), deadline_s=DEADLINE_S)


async def dialogue(citizen: Citizen, agent: Agent) -> None:
    """The script. Nothing in it knows the channel but that some words are sounds."""
    await citizen.says(MATTER)
    session = await agent.takes(citizen)
    if not citizen.speaks:
        await agent.hears(session, MATTER, citizen)
    await agent.says(session, QUESTION, citizen)
    await citizen.hears(QUESTION)
    await citizen.says(ANSWER)
    await agent.hears(session, ANSWER, citizen)
    if not await citizen.leaves():
        await agent.desk.command("contact.finish", session=session)
    await agent.desk.saw("contact.state", DEADLINE_S, session=session, phase="wrapping")
    if not citizen.speaks:
        assert agent.desk.texts(session) == [MATTER, QUESTION, ANSWER]
    await agent.desk.command("wrap.save", session=session, kind="求助", note="")


@pytest.mark.timeout(180)
async def test_one_dialogue_on_every_channel(
    own_gateway: MakesGateway, desk: OpensDesk, softphone: MakesSoftphone, eventually: Eventually
) -> None:
    async with AsyncExitStack() as stack:
        sides = [await stack.enter_async_context(_living(channel)(eventually)) for channel in CHANNELS]
        filled_in = {key.replace(".", "__"): value for side in sides for key, value in side.settings.items()}
        hotline = own_gateway(**filled_in)
        await hotline.start()
        page = await desk(hotline, "8001")
        phone = await softphone(hotline, "8001", says=sound_of(QUESTION))
        await page.make_ready()
        agent = Agent(page, phone, eventually)
        for channel, side in zip(CHANNELS, sides, strict=True):
            try:
                async with side.comes(hotline) as citizen:
                    await dialogue(citizen, agent)
            except (AssertionError, TimeoutError) as error:
                raise AssertionError(f"on {channel}: {error}") from error
    assert len(agent.taken) == len(CHANNELS)


def _living(channel: str) -> Lives:
    """The far side of a channel, from its own tests."""
    lives: Lives = import_module(f"tests.channels.{channel}.citizen").living
    return lives
