"""A supervisor on an agent's call, with three telephones: who hears whom, what the timeline and the recording say.

What the supervisor does is clicked at the wallboard in one story, and asked for by a desk's command in the others.
"""

import asyncio
import json
from pathlib import Path
from typing import Self

import numpy as np
import pytest

from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.browser import Window
from tests.peers.caller import Call, Telephones
from tests.peers.looks import Album
from tests.peers.pages import DeskPage, Refused
from tests.peers.sound import RATE, Sound, likeness, read_wave, speech
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import MakesSoftphone, OpensDesk, OpensWindow
from tests.scenarios.test_browser import log_in
from tests.scenarios.test_phone import finished_recording, hears, picked_up

AGENT, BOSS, CITIZEN = (speech(1, seed=seed) for seed in (41, 42, 43))
HEARD, UNHEARD = 0.3, 0.2
"""Likeness of one voice within the sum of two, where it may have stepped back for a whisper; and of one not in it."""


class Three:
    """Citizen, agent 8001 and supervisor 8004. Both softphones say their own words over and over."""

    def __init__(self, call: Call, agent: Baresip, boss: Baresip, desk: DeskPage, session: str) -> None:
        self.call, self.agent, self.boss, self.desk, self.session = call, agent, boss, desk, session
        self._talk: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._talk = asyncio.create_task(self.call.sound.say(np.tile(CITIZEN, 120)))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._talk is not None
        self._talk.cancel()
        await asyncio.gather(self._talk, return_exceptions=True)

    async def asks(self, what: str) -> None:
        await self.desk.command("call.supervise", session=self.session, what=what)

    def heard(self) -> dict[str, Sound]:
        """What each has heard so far."""
        return {"citizen": self.call.sound.heard(), "agent": self.agent.heard(), "boss": self.boss.heard()}

    async def heard_each(self, eventually: Eventually, **wanted: set[str]) -> None:
        """Each comes to hear just these, of what is said from now on."""
        voices = {"citizen": CITIZEN, "agent": AGENT, "boss": BOSS}
        skip = {ear: len(sound) + RATE // 2 for ear, sound in self.heard().items()}
        said: dict[str, dict[str, float]] = {}

        def settled() -> bool:
            heard = self.heard()
            for ear in wanted:
                piece = heard[ear][skip[ear] :][-2 * RATE :]
                if len(piece) < 2 * RATE:
                    return False
                said[ear] = {mouth: likeness(voice, piece).correlation for mouth, voice in voices.items()}
            return all(
                said[ear][mouth] >= HEARD if mouth in wanted[ear] else said[ear][mouth] <= UNHEARD
                for ear in wanted
                for mouth in voices
                if mouth != ear
            )

        try:
            await eventually(settled, deadline_s=15)
        except pytest.fail.Exception:
            raise AssertionError(f"wanted {wanted}, but {said}") from None


@pytest.fixture
async def agents_desk(gateway: Yihao, desk: OpensDesk) -> DeskPage:
    return await desk(gateway, "8001")


@pytest.fixture
async def three(
    gateway: Yihao, softphone: MakesSoftphone, telephones: Telephones, desk: OpensDesk, agents_desk: DeskPage
) -> Three:
    """The agent talks with the citizen; the supervisor is registered, on a break, and has their desk open."""
    agent = await softphone(gateway, "8001", says=AGENT)
    call = await telephones.call()
    await picked_up(call, agent)
    page = await desk(gateway, "8004")
    boss = await softphone(gateway, "8004", says=BOSS)
    await page.command("presence.set", presence="break", reason="班长台")
    session = (await agents_desk.saw("contact.state", phase="active"))["session"]
    await hears(call.sound, AGENT)
    return Three(call, agent, boss, page, session)


async def comes(three: Three, what: str) -> None:
    """The supervisor asks for the call, their telephone rings, and they pick it up."""
    await three.asks(what)
    await three.boss.saw("CALL_INCOMING")
    await three.boss.answer()
    await three.boss.saw("CALL_ESTABLISHED")


class Wallboard:
    """The live sessions of it, as the supervisor sees and clicks them."""

    def __init__(self, window: Window) -> None:
        self._window = window

    async def open(self, gateway: Yihao) -> None:
        await log_in(self._window, gateway.agent("8004"))
        await self._window.click(f".rail .item{self._window.says('rail.wallboard')}")

    async def asks(self, what: str) -> None:
        await self._window.click(
            f".live tr:has-text('8001') .supervise button{self._window.says(f'supervision.ways.{what}')}"
        )

    async def shows(self, what: str) -> None:
        """The button of what the supervisor does now is lit."""
        await self._window.sees(
            f".live tr:has-text('8001') .supervise .el-button--primary{self._window.says(f'supervision.ways.{what}')}"
        )

    async def gives_way_to_the_call(self) -> None:
        """Whoever takes a call over has its page before them."""
        await self._window.sees(f".talk{self._window.says('call.pick_up', extension=8004)}")


@pytest.mark.timeout(120)
async def test_listens_whispers_barges_in_and_takes_over(
    gateway: Yihao,
    three: Three,
    agents_desk: DeskPage,
    window: OpensWindow,
    eventually: Eventually,
    tmp_path: Path,
    screens: Album,
) -> None:
    both = {"citizen", "agent"}
    three.desk.stay_away()  # one desk for each: the supervisor's is the browser meanwhile
    page = await window(f"{gateway.http}/desk")
    wall = Wallboard(page)
    await wall.open(gateway)
    async with three:
        await wall.asks("listen")
        await three.boss.saw("CALL_INCOMING")
        await three.boss.answer()
        await three.boss.saw("CALL_ESTABLISHED")
        await three.heard_each(eventually, citizen={"agent"}, agent={"citizen"}, boss=both)
        await wall.shows("listen")
        if screens.is_open:
            await page.click(f".rail .item{page.says('rail.supervision')}")
            await page.sees(".board .supervise .el-button--primary")
            await screens.shows_desk(page, "desk-supervision")
            await page.click(f".rail .item{page.says('rail.wallboard')}")
            await wall.shows("listen")
        listed = json.loads(await three.desk.get("/api/supervision"))["calls"]
        assert [(one["agent"], one["supervisor"], one["what"]) for one in listed] == [("8001", "8004", "listen")]
        await wall.asks("whisper")
        await three.heard_each(eventually, citizen={"agent"}, agent={"citizen", "boss"}, boss=both)
        await wall.shows("whisper")
        await wall.asks("barge")
        await three.heard_each(eventually, citizen={"agent", "boss"}, agent={"citizen", "boss"}, boss=both)
        await wall.shows("barge")
        await wall.asks("take_over")
        await three.agent.saw("CALL_CLOSED")
        await agents_desk.saw("contact.gone")
        await wall.gives_way_to_the_call()
        await page.close()
        three.desk.takes = True
        three.desk.come_back()
        await three.desk.open()
        since = len(three.call.sound.heard())
        await hears(three.call.sound, BOSS, after=since)
    await three.call.hang_up()
    await three.boss.saw("CALL_CLOSED")
    entry = await finished_recording(three.desk)
    entries = three.desk.timeline(three.session)
    marks = [one for one in entries if one.get("mark")]
    assert [one["mark"] for one in marks] == ["listening", "whispering", "barged_in", "taken_over"]
    what = [one["what"] for one in entries if one["kind"] == "event"]
    assert what.count("supervision_requested") == 4
    assert what.count("supervision_changed") == 3
    assert what.count("taken_over") == 1
    file = tmp_path / "recording.wav"
    file.write_bytes(await three.desk.get(f"/api/recordings/{entry['recording']}"))
    _, right = read_wave(file)
    at = [round(one["at_s"] * RATE) for one in marks]
    whispered, barged, alone = right[at[1] : at[2]], right[at[2] : at[3]], right[at[3] :]
    assert likeness(BOSS, whispered).correlation <= UNHEARD, "what only the agent heard is no part of the call"
    assert likeness(AGENT, whispered).correlation >= HEARD
    assert likeness(BOSS, barged).correlation >= HEARD
    assert likeness(BOSS[: RATE // 2], alone).correlation >= HEARD


async def test_a_supervisor_leaves_and_the_two_talk_on(three: Three, eventually: Eventually) -> None:
    async with three:
        await comes(three, "barge")
        await three.boss.hang_up()
        await three.desk.command("presence.set", presence="break", reason="班长台")
        await three.heard_each(eventually, citizen={"agent"}, agent={"citizen"})
        assert json.loads(await three.desk.get("/api/supervision"))["calls"][0]["supervisor"] == ""
    await three.agent.hang_up()
    assert await three.call.ended() == "them"


async def test_only_a_supervisor_and_only_a_call_that_runs(three: Three, agents_desk: DeskPage) -> None:
    with pytest.raises(Refused, match="forbidden"):
        await agents_desk.command("call.supervise", session=three.session, what="listen")
    with pytest.raises(Refused, match="no_call"):
        await three.desk.command("call.supervise", session="nothing", what="listen")
    await three.asks("listen")
    await three.boss.saw("CALL_INCOMING")
    await three.call.hang_up()
    await three.boss.saw("CALL_CLOSED")
