"""Consultation, three-way and parked calls, with real telephones: who hears whom, and one recording throughout."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.caller import Call, Telephones
from tests.peers.department import Department
from tests.peers.linphone import Linphone
from tests.peers.pages import DeskPage, Refused
from tests.peers.ports import free_pair
from tests.peers.rtp import RtpEnd
from tests.peers.sound import RATE, Sound, likeness, read_wave, speech
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import SHORT_WAITS, running
from tests.scenarios.kinds import MakesSoftphone, OpensDesk
from tests.scenarios.test_phone import finished_recording, hears, music, picked_up

VOICE_S = 0.6
AGENT, POLICE, CITIZEN, COLLEAGUE = (speech(VOICE_S, seed=seed) for seed in (51, 52, 53, 54))
VOICES = {"agent": AGENT, "third": POLICE, "citizen": CITIZEN, "colleague": COLLEAGUE}
WINDOW = round(2 * VOICE_S * RATE)
HEARD, UNHEARD = 0.3, 0.2
"""Likeness of one voice within the sum of two, and of one that is not in it."""


Calls = Callable[[], Awaitable[Call]]


@pytest.fixture(scope="module")
def trunk() -> int:
    return free_pair()


@pytest.fixture(scope="module")
def gateway(trunk: int) -> Iterator[Yihao]:
    yield from running(
        {**SHORT_WAITS, "session.wrap_s": "30", "outbound.trunk": "127.0.0.1", "outbound.port": str(trunk)}
    )


@pytest.fixture
async def police(trunk: int) -> AsyncIterator[Department]:
    async with Department(trunk, POLICE) as department:
        yield department


@pytest.fixture
async def calling(telephones: Telephones) -> AsyncIterator[Calls]:
    """Makes a citizen's call; they talk all the while, once they are answered."""
    talks: list[asyncio.Task[None]] = []

    async def make() -> Call:
        call = await telephones.call()
        await call.answered()
        talks.append(asyncio.create_task(call.sound.say(np.tile(CITIZEN, 120))))
        return call

    yield make
    for talk in talks:
        talk.cancel()
    await asyncio.gather(*talks, return_exceptions=True)


class Ears:
    """What each hears from now on, one likeness for each voice."""

    def __init__(self, eventually: Eventually, **ears: Baresip | Linphone | RtpEnd) -> None:
        self.eventually, self.ears = eventually, ears

    def _so_far(self, ear: str) -> Sound:
        """A softphone keeps a file for each call, and none before the first has sound."""
        end = self.ears[ear]
        is_mute = isinstance(end, Baresip) and not list(end.folder.glob("dump-*-dec.wav"))
        return np.zeros(0) if is_mute else end.heard()

    async def hear(self, **wanted: set[str]) -> None:
        skip = {ear: len(self._so_far(ear)) + RATE // 4 for ear in wanted}
        said: dict[str, dict[str, float]] = {}

        def settled() -> bool:
            for ear in wanted:
                heard = self._so_far(ear)
                if len(heard) < skip[ear] - RATE // 4:
                    skip[ear] = RATE // 4  # of another call
                piece = heard[skip[ear] :][-WINDOW:]
                if len(piece) < WINDOW:
                    return False
                said[ear] = {name: likeness(voice, piece).correlation for name, voice in VOICES.items() if name != ear}
            return all(
                likely >= HEARD if name in wanted[ear] else likely <= UNHEARD
                for ear, voices in said.items()
                for name, likely in voices.items()
            )

        try:
            await self.eventually(settled, deadline_s=20)
        except pytest.fail.Exception:
            raise AssertionError(f"wanted {wanted}, but {said}") from None


async def changed(desk: DeskPage, what: str, detail: str | None = None) -> None:
    await desk.until(
        lambda one: (
            one["t"] == "contact.timeline"
            and one["entry"].get("what") == what
            and detail in (None, one["entry"].get("detail"))
        ),
        what=f"{what} {detail or ''}",
    )


async def talking(desk: DeskPage) -> None:
    """Agent and citizen hear each other, and the desk has been told."""
    await desk.until(lambda one: one.get("entry", {}).get("what") == "joined", what="talk")


@pytest.mark.timeout(120)
async def test_110_is_consulted_taken_in_and_left_to_the_citizen(
    gateway: Yihao,
    softphone: MakesSoftphone,
    calling: Calls,
    desk: OpensDesk,
    police: Department,
    eventually: Eventually,
    tmp_path: Path,
) -> None:
    page = await desk(gateway, "8001")
    phone = await softphone(gateway, "8001", says=AGENT)
    call = await calling()
    await picked_up(call, phone)
    session = (await page.saw("contact.state", phase="active"))["session"]
    await talking(page)
    ears = Ears(eventually, citizen=call.sound, agent=phone, third=police.sound)

    with pytest.raises(Refused, match="number_not_allowed"):
        await page.command("call.consult", session=session, number="16812345")
    await page.command("call.consult", session=session, number="110")
    await changed(page, "confer_changed", "consult")
    assert police.invited[0].startswith("sip:110@")
    from_here = len(call.sound.heard())
    await ears.hear(agent={"third"}, third={"agent"}, citizen=set())
    await hears(call.sound, *music(), after=from_here)
    await page.command("call.confer", session=session, what="citizen")
    await ears.hear(agent={"citizen"}, citizen={"agent"}, third=set())
    await page.command("call.confer", session=session, what="together")
    await ears.hear(agent={"citizen", "third"}, citizen={"agent", "third"}, third={"agent", "citizen"})
    with pytest.raises(Refused, match="third_there"):
        await page.command("call.consult", session=session, number="119")

    await page.command("call.confer", session=session, what="complete")
    await phone.saw("CALL_CLOSED")
    await page.saw("contact.state", session=session, phase="wrapping")
    await ears.hear(citizen={"third"}, third={"citizen"})
    police.hang_up()
    assert await call.ended(15) == "them"
    entry = await finished_recording(page)
    marks = [one["entry"]["mark"] for one in page.frames if one["t"] == "contact.timeline" and one["entry"].get("mark")]
    assert marks == ["consulting", "third_waits", "third_joined", "agent_left", "third_left"]
    file = tmp_path / "recording.wav"
    file.write_bytes(await page.get(f"/api/recordings/{entry['recording']}"))
    _, right = read_wave(file)
    assert likeness(POLICE, right[-3 * RATE :]).correlation >= HEARD, "it runs on when the agent has left"
    await page.command("wrap.save", session=session, kind="求助", note="110 接走")


@pytest.mark.timeout(120)
async def test_a_colleague_is_consulted_and_has_the_call_then_parks_it_and_it_is_fetched(
    gateway: Yihao,
    softphone: MakesSoftphone,
    calling: Calls,
    desk: OpensDesk,
    eventually: Eventually,
) -> None:
    page, other = await desk(gateway, "8001"), await desk(gateway, "8002")
    phone = await softphone(gateway, "8001", says=AGENT)
    call = await calling()
    await picked_up(call, phone)
    session = (await page.saw("contact.state", phase="active"))["session"]
    await talking(page)
    colleague = await softphone(gateway, "8002", says=COLLEAGUE)
    ears = Ears(eventually, citizen=call.sound, agent=phone, colleague=colleague)

    await page.command("call.consult", session=session, to="8002")
    await colleague.saw("CALL_INCOMING")
    await page.command("call.confer", session=session, what="cancel")
    await changed(page, "third_ended", "cancelled")
    await colleague.saw("CALL_CLOSED")
    await ears.hear(citizen={"agent"}, agent={"citizen"})

    await page.command("call.consult", session=session, to="8002")
    await colleague.saw("CALL_INCOMING", times=2)
    await colleague.answer()
    await changed(page, "confer_changed", "consult")
    await ears.hear(agent={"colleague"}, colleague={"agent"}, citizen=set())
    await phone.hang_up()
    await other.saw("contact.state", session=session, phase="active", assignee="8002")
    await ears.hear(citizen={"colleague"}, colleague={"citizen"})

    await colleague.command("transfer", f"sip:*501@{gateway.sip_text}")
    await colleague.saw("CALL_CLOSED", times=2)
    await other.saw("contact.state", session=session, phase="parked")
    with pytest.raises(Refused, match="nobody_parked"):
        await page.command("call.fetch", place="9")
    before = len(call.sound.heard())
    await hears(call.sound, *music(), after=before)
    await page.command("call.fetch", place="1")
    await phone.saw("CALL_INCOMING", times=2)
    await phone.answer()
    await ears.hear(citizen={"agent"}, agent={"citizen"})
    await call.hang_up()
    await finished_recording(page)
    recordings = {one["entry"]["recording"] for one in page.frames if one.get("entry", {}).get("kind") == "recording"}
    assert len(recordings) == 1, "one recording of a citizen's call throughout"
    await page.command("wrap.save", session=session, kind="咨询")


@pytest.mark.timeout(120)
async def test_an_agent_calls_a_number_from_the_desk_and_at_their_softphone(
    gateway: Yihao, softphone: MakesSoftphone, desk: OpensDesk, trunk: int, eventually: Eventually, tmp_path: Path
) -> None:
    """Nobody offers it to them: it is their contact at once, recorded and written up as any other."""
    page = await desk(gateway, "8001")
    phone = await softphone(gateway, "8001", says=AGENT)
    async with Department(trunk, CITIZEN) as outside:
        with pytest.raises(Refused, match="number_not_allowed"):
            await page.command("call.begin", number="16812345")
        await page.command("call.begin", number="13900139000")
        await phone.saw("CALL_INCOMING")
        assert not outside.invited, "the agent's telephone first"
        session = (await page.saw("contact.state", phase="active", assignee="8001"))["session"]
        await page.saw("presence.self", routing="engaged")
        await phone.answer()
        await talking(page)
        assert outside.invited[0].startswith("sip:+8613900139000@")
        ears = Ears(eventually, citizen=outside.sound, agent=phone)
        await ears.hear(citizen={"agent"}, agent={"citizen"})
        outside.hang_up()
        await page.saw("contact.state", session=session, phase="wrapping")
        entry = await finished_recording(page)
        file = tmp_path / "own.wav"
        file.write_bytes(await page.get(f"/api/recordings/{entry['recording']}"))
        left, right = read_wave(file)
        assert likeness(CITIZEN, left[-2 * RATE :]).correlation >= HEARD
        assert likeness(AGENT, right[-2 * RATE :]).correlation >= HEARD
        await page.command("wrap.save", session=session, kind="求助", note="回访")
        await page.saw("presence.self", routing="ready")

        page.frames.clear()
        await phone.command("dial", f"sip:16812345@{gateway.sip_text}")
        await phone.saw("CALL_CLOSED", times=2)
        await phone.command("dial", f"sip:13900139001@{gateway.sip_text}")
        again = (await page.saw("contact.state", phase="active", assignee="8001"))["session"]
        await talking(page)
        await ears.hear(citizen={"agent"}, agent={"citizen"})
        await phone.hang_up()
        await page.saw("contact.state", session=again, phase="wrapping")
        await eventually(lambda: outside.over == 2)
        await page.command("wrap.save", session=again, kind="咨询")
