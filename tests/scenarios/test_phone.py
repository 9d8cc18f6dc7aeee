"""A citizen calls, an agent answers on a softphone: sound, recording, and every way in which a call may end."""

import asyncio
import signal
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.caller import Call, Telephones
from tests.peers.pages import DeskPage
from tests.peers.ports import free_pair
from tests.peers.rtp import RtpEnd
from tests.peers.sipp import ANSWERED, CALLED, ECHO, HUNG_UP, INVITE, Sipp, registration
from tests.peers.sound import RATE, Sound, likeness, read_wave, speech, voice
from tests.peers.yihao import Yihao
from tests.scenarios.conftest import prompt
from tests.scenarios.kinds import MakesGateway, MakesSoftphone, OpensDesk

ALIKE = 0.9
CITIZEN = speech(1.5, seed=11)
AGENT = speech(1.5, seed=12)
WELCOME = prompt("welcome")[: 2 * RATE]
BOTH_CHANNELS_WITHIN_MS = 40


async def hears(sound: RtpEnd, *pieces: Sound, deadline_s: float = 15.0, after: int = 0) -> None:
    """Come back when one of these has been heard, from this sample on.

    The judge must not take the time that the speakers need: it listens five times a second, and to nothing twice but
    what may have been the beginning of a piece.
    """
    overlap = max(map(len, pieces)) + RATE
    ends_at = asyncio.get_running_loop().time() + deadline_s
    while True:
        await asyncio.sleep(0.2)
        heard = sound.heard()
        if any(likeness(piece, heard[after:]).correlation >= ALIKE for piece in pieces):
            return
        assert asyncio.get_running_loop().time() < ends_at, f"not heard within {deadline_s} s"
        after = max(after, len(heard) - overlap)


def music() -> list[Sound]:
    """Pieces of it, one of which comes within seconds."""
    whole = prompt("music")
    return [whole[start * RATE : start * RATE + RATE] for start in range(0, len(whole) // RATE - 1, 2)]


async def picked_up(call: Call, phone: Baresip) -> None:
    """The call is answered, the phone rings and is picked up."""
    await call.answered()
    await phone.saw("CALL_INCOMING")
    await phone.answer()
    await phone.saw("CALL_ESTABLISHED")


async def finished_recording(desk: DeskPage) -> dict[str, object]:
    """The recording's entry in the session's timeline, as the desk shows it."""
    frame = await desk.until(
        lambda one: (
            one["t"] == "contact.timeline"
            and one["entry"]["kind"] == "recording"
            and one["entry"]["what"] == "finished"
        ),
        what="finished recording",
    )
    return dict(frame["entry"])


async def heard_of_both_legs(desk: DeskPage) -> list[dict[str, object]]:
    """How each leg sounded, once both have ended."""

    def told() -> list[dict[str, object]]:
        entries = [frame["entry"] for frame in desk.frames if frame["t"] == "contact.timeline"]
        return [entry for entry in entries if entry["kind"] == "quality"]

    await desk.until(lambda _: len(told()) == 2, what="two legs' quality")
    return told()


async def test_one_waits_with_music_then_they_hear_each_other_and_are_recorded(
    gateway: Yihao, softphone: MakesSoftphone, desk: OpensDesk, tmp_path: Path
) -> None:
    agent = await desk(gateway, "8001")
    steps = [INVITE, ANSWERED, HUNG_UP]
    async with RtpEnd() as sound, Sipp(tmp_path / "sipp", gateway.sip_text, steps, sound.port) as sipp:
        await hears(sound, WELCOME)
        await hears(sound, *music())
        phone = await softphone(gateway, "8001", says=AGENT)
        await phone.saw("CALL_INCOMING")
        await phone.answer()
        await phone.saw("CALL_ESTABLISHED")
        await hears(sound, AGENT)
        said_at = asyncio.get_running_loop().time()
        await sound.say(np.pad(CITIZEN, (0, RATE // 2)))  # what is on its way as they hang up is lost
        await phone.hang_up()
        await sipp.succeeded()
        await phone.saw("CALL_CLOSED")
        assert likeness(CITIZEN, phone.heard()).correlation >= ALIKE
        heard = likeness(AGENT, sound.heard())
        agent_at = sound.arrival(round(heard.lag_ms * RATE / 1000))

    entry = await finished_recording(agent)
    assert entry["whole"]
    quality = await heard_of_both_legs(agent)
    assert all(one["heard"] and float(str(one["mos"])) > 4 for one in quality)
    file = tmp_path / "recording.wav"
    file.write_bytes(await agent.get(f"/api/recordings/{entry['recording']}"))
    left, right = read_wave(file)
    citizen, agents = likeness(CITIZEN, left), likeness(AGENT, right)
    assert citizen.correlation >= ALIKE
    assert agents.correlation >= ALIKE
    # The agent's words come round and round: what counts is where in the round they are.
    round_ms = len(AGENT) * 1000 / RATE
    shift_ms = (citizen.lag_ms - agents.lag_ms) - (said_at - agent_at) * 1000
    assert abs((shift_ms + round_ms / 2) % round_ms - round_ms / 2) <= BOTH_CHANNELS_WITHIN_MS


@pytest.mark.parametrize("codec", ["opus/48000/2", "G722/16000"])
async def test_a_telephone_that_knows_no_g711_is_understood(
    gateway: Yihao, softphone: MakesSoftphone, tmp_path: Path, codec: str, eventually: Eventually
) -> None:
    asks, tells = voice(1.5, 13), voice(1.5, 14)
    agent = await softphone(gateway, "8001", answers=True, says=tells)
    folder = tmp_path / "citizen"
    citizen = Baresip(folder, gateway.sip_text, "13800138000", "", registers=False, codecs=codec, says=asks)
    async with citizen:
        await citizen.command("dial", f"sip:12345@{gateway.sip_text}")
        await agent.saw("CALL_ESTABLISHED")

        async def hear_each_other() -> bool:
            await asyncio.sleep(0.5)  # the judge must not take the time that the speakers need
            pairs = (asks, agent.heard()), (tells, citizen.heard())
            return all(likeness(said, heard).correlation >= 0.8 for said, heard in pairs)

        await eventually(hear_each_other, deadline_s=25)
        await citizen.hang_up()
        await agent.saw("CALL_CLOSED")


@pytest.mark.parametrize("who", ["citizen", "agent"])
async def test_either_side_hangs_up(
    gateway: Yihao, softphone: MakesSoftphone, telephones: Telephones, who: str
) -> None:
    phone = await softphone(gateway, "8001")
    call = await telephones.call()
    await picked_up(call, phone)
    if who == "citizen":
        assert await call.hang_up() == 200
    else:
        await phone.hang_up()
        assert await call.ended() == "them"
    await phone.saw("CALL_CLOSED")


async def test_an_agent_on_tcp(gateway: Yihao, softphone: MakesSoftphone, telephones: Telephones) -> None:
    phone = await softphone(gateway, "8001", transport="tcp")
    call = await telephones.call()
    await picked_up(call, phone)
    assert await call.hang_up() == 200
    await phone.saw("CALL_CLOSED")


async def test_an_agent_whose_telephone_is_sipp(gateway: Yihao, telephones: Telephones, tmp_path: Path) -> None:
    """It registers by digest, takes what it is offered, and says what it hears: the caller hears themselves."""
    here = ("-m", "1", "-p", str(free_pair()))
    secret = gateway.agent("8001").sip_password

    async def register(expires_s: int) -> None:
        step = registration("8001", secret, expires_s)
        async with Sipp(tmp_path / f"for {expires_s}", gateway.sip_text, [step], arguments=here) as registering:
            await registering.succeeded()

    await register(600)
    echoes = (*here, "-rtp_echo", "-mp", str(free_pair()))
    async with Sipp(tmp_path / "agent", "", [CALLED, ECHO, HUNG_UP], arguments=echoes) as agent:
        call = await telephones.call()
        await call.answered()
        talk = asyncio.create_task(call.sound.say(np.tile(CITIZEN, 20)))
        await hears(call.sound, CITIZEN)
        talk.cancel()
        await call.hang_up()
        await agent.succeeded()
    await register(0)


@pytest.mark.parametrize("how", ["no answer", "refuses"])
async def test_the_next_agent_is_rung_and_the_wait_is_kept(
    gateway: Yihao, softphone: MakesSoftphone, telephones: Telephones, desk: OpensDesk, how: str
) -> None:
    phones = {extension: await softphone(gateway, extension) for extension in ("8001", "8002")}
    desks = {extension: await desk(gateway, extension) for extension in phones}
    call = await telephones.call()
    await call.answered()
    rung = [asyncio.create_task(phone.saw("CALL_INCOMING")) for phone in phones.values()]
    await asyncio.wait(rung, return_when=asyncio.FIRST_COMPLETED)
    first, second = ("8001", "8002") if phones["8001"].all("CALL_INCOMING") else ("8002", "8001")
    assert not phones[second].all("CALL_INCOMING"), "two agents are rung at once"
    if how == "refuses":
        await asyncio.sleep(0)
        await phones[first].hang_up()
    await phones[first].saw("CALL_CLOSED")
    await phones[second].saw("CALL_INCOMING")
    offers = [await desks[extension].offer() for extension in (first, second)]
    assert offers[0]["session"] == offers[1]["session"]
    assert offers[1]["token"] > offers[0]["token"]
    if how == "no answer":
        assert offers[1]["waited_s"] >= offers[0]["waited_s"] + 3.5
    await phones[second].answer()
    await phones[second].saw("CALL_ESTABLISHED")
    await call.hang_up()
    await phones[second].saw("CALL_CLOSED")
    assert len(phones[first].all("CALL_INCOMING")) == 1
    await asyncio.gather(*rung)


async def test_the_caller_leaves_while_it_rings(
    gateway: Yihao, softphone: MakesSoftphone, telephones: Telephones
) -> None:
    phone = await softphone(gateway, "8001")
    call = await telephones.call()
    await call.answered()
    await phone.saw("CALL_INCOMING")
    assert await call.hang_up() == 200
    await phone.saw("CALL_CLOSED")
    again = await telephones.call()
    await phone.saw("CALL_INCOMING", times=2)  # nobody was made to wait for it, and no agent leaked
    await again.hang_up()


async def test_on_hold_the_caller_hears_music(
    gateway: Yihao, softphone: MakesSoftphone, telephones: Telephones
) -> None:
    phone = await softphone(gateway, "8001", says=AGENT)
    call = await telephones.call()
    await picked_up(call, phone)
    await hears(call.sound, AGENT)
    before = len(call.sound.heard())
    await phone.hold()
    await hears(call.sound, *music(), after=before)
    await phone.resume()
    since = len(call.sound.heard())
    await hears(call.sound, AGENT, after=since)
    await call.hang_up()
    await phone.saw("CALL_CLOSED")


async def test_a_number_that_is_not_ours(gateway: Yihao, telephones: Telephones) -> None:
    call = await telephones.call("99999")
    assert await call.ended() == "404"


async def test_sigterm_lets_the_running_call_finish(
    own_gateway: MakesGateway, softphone: MakesSoftphone, eventually: Eventually
) -> None:
    gateway = own_gateway(media__workers="1")
    await gateway.start()
    phone = await softphone(gateway, "8001", says=AGENT)
    async with Telephones(gateway.sip) as phones:
        call = await phones.call()
        await picked_up(call, phone)
        gateway.signal(signal.SIGTERM)
        await eventually(lambda: "draining" in gateway.log())
        late = await phones.call()
        assert await late.ended() == "503"
        before = len(call.sound.heard())
        await hears(call.sound, AGENT, after=before)
        assert not call.over
        assert gateway.lives()
        await call.hang_up()
        assert await gateway.ended(15) == 0
