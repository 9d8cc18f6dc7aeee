"""Calls that we make: the agent first, the citizen behind a trunk second, and every way in which it may end."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from channels.contract import LegUnknown
from channels.phone.adapter import PhoneChannel
from channels.phone.sip.message import Request
from channels.phone.trunk import TrunkSettings
from media.g711 import Law
from media.prompts import PromptLibrary
from session.address import Address
from session.events import DialFailed, DialStarted, LegOpened, LegsJoined
from session.ids import AssigneeId, LegId, RecordingId, SessionId
from session.state import DialFailure, LegEnd, Party
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone
from tests.channels.phone.test_sound import Ear, port_of
from tests.conftest import Eventually

AGENT = AssigneeId("a8001")
SESSION, LEG = SessionId("session-1"), LegId("dial-1")
CITIZEN = Address("tel", "+8613800138000")


@dataclass
class Scene:
    """A phone with an agent's device, and the trunk that it calls citizens by."""

    phone: PhoneChannel
    core: Core
    device: Telephone
    trunk: Telephone

    async def reserve(self, *, is_taken: bool = False, token: int = 1, lease_s: float = 20.0) -> None:
        await self.phone.reserve(SESSION, LEG, CITIZEN, "12345", is_taken=is_taken)
        await self.phone.ring(SESSION, LEG, AGENT, token, time.time() + lease_s)

    async def agent_is_there(self, *, is_taken: bool = False) -> LegId:
        """The agent has picked up; gives their leg."""
        await self.reserve(is_taken=is_taken)
        invite = await self.device.request("INVITE")
        self.device.reply(invite, 200, body=self.device.offer())
        await self.device.request("ACK")
        while not self.core.said(LegOpened):
            await asyncio.sleep(0.01)
        (opened,) = self.core.said(LegOpened)
        assert isinstance(opened, LegOpened)
        assert opened.leg.party is Party.ASSIGNEE
        return opened.leg.id

    async def dialled(self, *, is_taken: bool = False, ring_s: float = 20.0) -> tuple[LegId, Request]:
        """And the citizen's INVITE has come to the trunk."""
        agent = await self.agent_is_there(is_taken=is_taken)
        await self.phone.dial(LEG, ring_s)
        return agent, await self.trunk.request("INVITE")

    def failure(self) -> DialFailure | None:
        failed = self.core.said(DialFailed)
        assert len(failed) <= 1
        return failed[0].reason if failed and isinstance(failed[0], DialFailed) else None


@pytest.fixture
async def scene(open_phone: OpenPhone, core: Core) -> AsyncIterator[Scene]:
    async with _scene(open_phone, core) as made:
        yield made


@asynccontextmanager
async def _scene(
    open_phone: OpenPhone,
    core: Core,
    recording_path: Callable[[RecordingId], Path] | None = None,
    **more: object,
) -> AsyncIterator[Scene]:
    async with Telephone(("127.0.0.1", 9), user="citizen") as trunk:
        settings = TrunkSettings(host="127.0.0.1", port=trunk.port, caller="0106512345", **more)  # type: ignore[arg-type]
        async with (
            open_phone(outbound=settings, recording_path=recording_path) as phone,
            Telephone(phone.bound, user="8001") as device,
        ):
            trunk.server = phone.bound
            await device.register(PASSWORD)
            yield Scene(phone, core, device, trunk)


async def test_the_agent_first_then_the_citizen_and_they_are_joined(scene: Scene, eventually: Eventually) -> None:
    await scene.reserve()
    invite = await scene.device.request("INVITE")
    assert "13800138000" in (invite.headers.first("from") or ""), "they see whom they are going to speak with"
    assert not scene.trunk.heard, "nobody is called before the agent is there"
    agent = await scene.agent_is_there()
    await scene.phone.dial(LEG, 20.0)
    invite = await scene.trunk.request("INVITE")
    assert scene.core.said(DialStarted), "the attempt is noted before it is made"
    assert str(invite.uri) == f"sip:+8613800138000@127.0.0.1:{scene.trunk.port};user=phone"
    for name in ("from", "p-asserted-identity"):
        assert "0106512345" in (invite.headers.first(name) or "")
    scene.trunk.reply(invite, 180)
    scene.trunk.reply(invite, 200, body=scene.trunk.offer())
    await scene.trunk.request("ACK")
    await eventually(lambda: len(scene.core.said(LegOpened)) == 2)
    opened = scene.core.said(LegOpened)[1]
    assert isinstance(opened, LegOpened)
    assert (opened.leg.id, opened.leg.party, opened.leg.address) == (LEG, Party.CITIZEN, CITIZEN)
    await scene.phone.join(SESSION, LEG, agent, RecordingId("r1"))
    await eventually(lambda: scene.core.said(LegsJoined))
    # Either side ends it.
    scene.trunk.send(_bye(scene.trunk, invite))
    scene.device.reply(await scene.device.request("BYE"), 200)
    await eventually(lambda: scene.phone.calls == 0)
    assert scene.core.closed() == [("dial", LegEnd.HANGUP), ("agent", LegEnd.CLOSED)]
    assert scene.failure() is None


def _bye(telephone: Telephone, invite: Request) -> bytes:
    """The citizen, whom we had called, hangs up."""
    mine, theirs = f"{invite.headers.first('to')};tag=dev", invite.headers.first("from") or ""
    lines = [
        f"BYE sip:{telephone.server[0]}:{telephone.server[1]} SIP/2.0",
        f"Via: SIP/2.0/UDP {telephone.host}:{telephone.port};branch=z9hG4bKbye;rport",
        f"From: {mine}",
        f"To: {theirs}",
        f"Call-ID: {invite.call_id}",
        "CSeq: 1 BYE",
        "Max-Forwards: 70",
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (486, DialFailure.BUSY),
        (600, DialFailure.BUSY),
        (603, DialFailure.DECLINED),
        (480, DialFailure.NO_ANSWER),
        (404, DialFailure.UNREACHABLE),
        (503, DialFailure.UNREACHABLE),
    ],
)
async def test_why_a_citizen_was_not_reached(
    scene: Scene, eventually: Eventually, status: int, reason: DialFailure
) -> None:
    _, invite = await scene.dialled()
    scene.trunk.reply(invite, status)
    await scene.trunk.request("ACK")
    scene.device.reply(await scene.device.request("BYE"), 200)
    await eventually(lambda: scene.phone.calls == 0)
    assert scene.failure() is reason
    assert scene.core.closed() == [("agent", LegEnd.CLOSED)], "a call that never was is not closed either"


async def test_it_rings_no_longer_than_it_may(scene: Scene, eventually: Eventually) -> None:
    _, invite = await scene.dialled(ring_s=0.3)
    scene.trunk.reply(invite, 180)
    await scene.trunk.request("CANCEL")
    await eventually(lambda: scene.failure() is DialFailure.NO_ANSWER)


async def test_the_agent_hangs_up_while_it_rings(scene: Scene, eventually: Eventually) -> None:
    """Nobody is left who would speak to a citizen that picks up now."""
    agent, invite = await scene.dialled()
    scene.trunk.reply(invite, 180)
    await eventually(lambda: scene.core.said(DialStarted))
    await scene.phone.close_leg(SESSION, agent, LegEnd.CLOSED)
    await scene.trunk.request("CANCEL")
    await eventually(lambda: scene.failure() is DialFailure.NO_ANSWER or scene.failure() is DialFailure.NO_AGENT)
    assert scene.failure() is DialFailure.NO_AGENT


async def test_a_citizen_who_answers_as_we_hang_up_is_let_go_at_once(scene: Scene, eventually: Eventually) -> None:
    _, invite = await scene.dialled()
    scene.trunk.reply(invite, 180)
    await scene.phone.close_leg(SESSION, LEG, LegEnd.CLOSED)
    await scene.trunk.request("CANCEL")
    scene.trunk.reply(invite, 200, body=scene.trunk.offer())
    await scene.trunk.request("BYE")
    await eventually(lambda: scene.phone.calls == 0)
    assert len(scene.core.said(LegOpened)) == 1
    assert scene.failure() is None, "the core has asked for it, and knows"


async def test_nobody_is_dialled_twice_for_one_leg(scene: Scene, eventually: Eventually) -> None:
    _, invite = await scene.dialled()
    await scene.phone.dial(LEG, 20.0)
    await scene.phone.reserve(SESSION, LEG, CITIZEN, "12345", is_taken=False)
    scene.trunk.reply(invite, 486)
    await eventually(lambda: scene.phone.calls == 0)
    with pytest.raises(LegUnknown):
        await scene.phone.dial(LEG, 20.0)
    calls = {one.call_id for one in scene.trunk.heard if isinstance(one, Request) and one.method == "INVITE"}
    assert len(calls) == 1


async def test_what_is_owed_to_the_log_is_written_before_the_citizens_telephone_rings(
    scene: Scene, eventually: Eventually
) -> None:
    """While the store is away nobody is called: a process that died then could not say whether it had."""
    await scene.agent_is_there()
    scene.core.is_away = True
    asked = scene.core.asked
    await scene.phone.dial(LEG, 20.0)
    await eventually(lambda: scene.core.asked > asked)
    assert not scene.trunk.heard
    scene.core.is_away = False
    await scene.trunk.request("INVITE")
    assert scene.core.said(DialStarted)


async def test_no_device_no_call_and_the_next_offer_begins_anew(scene: Scene, eventually: Eventually) -> None:
    await scene.reserve()
    scene.device.reply(await scene.device.request("INVITE"), 486)
    await eventually(lambda: scene.core.declined == [(AGENT, 1, "busy")])
    await eventually(lambda: scene.phone.calls == 0)
    assert scene.failure() is None, "the offer says it"
    await scene.reserve(token=2)
    await scene.device.request("INVITE", count=2)


async def test_an_agent_who_has_it_and_does_not_pick_up_is_told_of(scene: Scene, eventually: Eventually) -> None:
    await scene.reserve(is_taken=True, lease_s=0.3)
    await scene.device.request("INVITE")
    await eventually(lambda: scene.failure() is DialFailure.NO_AGENT)
    assert not scene.trunk.heard


async def test_numbers_as_they_are_dialled_within_the_country(
    open_phone: OpenPhone, core: Core, eventually: Eventually
) -> None:
    async with _scene(open_phone, core, form="national") as scene:
        _, invite = await scene.dialled()
        assert invite.uri.user == "13800138000"
        scene.trunk.reply(invite, 486)
        await eventually(lambda: scene.phone.calls == 0)


async def test_without_a_trunk_nobody_is_reached(open_phone: OpenPhone, core: Core, eventually: Eventually) -> None:
    async with open_phone() as phone, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        scene = Scene(phone, core, device, device)
        await scene.agent_is_there()
        await phone.dial(LEG, 20.0)
        await eventually(lambda: scene.failure() is DialFailure.UNREACHABLE)


async def test_a_demonstration_calls_back_where_the_call_came_from(
    open_phone: OpenPhone, core: Core, eventually: Eventually
) -> None:
    async with (
        open_phone(outbound=TrunkSettings(returns=True)) as phone,
        Telephone(phone.bound, user="8001") as device,
        Telephone(phone.bound, user="13800138000") as citizen,
    ):
        await device.register(PASSWORD)
        call = await citizen.call(extra=("P-Asserted-Identity: <tel:+8613800138000>",))
        call.bye()
        await eventually(lambda: phone.calls == 0)
        core.events.clear()
        scene = Scene(phone, core, device, citizen)
        _, invite = await scene.dialled()
        citizen.reply(invite, 486)
        await eventually(lambda: scene.failure() is DialFailure.BUSY)


@pytest.fixture
async def network() -> AsyncIterator[Ear]:
    """What the network says before anybody has picked up."""
    ear = Ear(0x31)
    speaking = asyncio.create_task(ear.run())
    yield ear
    speaking.cancel()
    await asyncio.gather(speaking, return_exceptions=True)
    ear.socket.close()


@pytest.fixture
async def agent_hears(scene: Scene) -> AsyncIterator[Ear]:
    """The agent's telephone, which listens."""
    ear = Ear(0x47)
    scene.device.offer = lambda: ear.sdp  # type: ignore[method-assign]  # this device says where its sound goes
    listening = asyncio.create_task(ear.run())
    yield ear
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    ear.socket.close()


RINGBACK_OR_PROMPT, OF_THE_NETWORK = 0x55, 0x31


async def test_the_networks_own_words_are_heard_before_the_answer(
    scene: Scene, eventually: Eventually, network: Ear, agent_hears: Ear
) -> None:
    """Early media (183): the agent hears that the number is switched off, and no longer our ringback."""
    _, invite = await scene.dialled()
    network.target = port_of(invite.body)
    scene.trunk.reply(invite, 180)
    await eventually(lambda: RINGBACK_OR_PROMPT in agent_hears.heard)
    assert OF_THE_NETWORK not in agent_hears.heard, "nothing was agreed on yet"
    scene.trunk.reply(invite, 183, body=network.sdp)
    await eventually(lambda: OF_THE_NETWORK in agent_hears.heard)
    agent_hears.heard.clear()
    scene.trunk.reply(invite, 180)
    await eventually(lambda: OF_THE_NETWORK in agent_hears.heard)
    assert RINGBACK_OR_PROMPT not in agent_hears.heard, "a 180 behind it brings no ringback over the announcement"
    scene.trunk.reply(invite, 200, body=network.sdp)
    await scene.trunk.request("ACK")
    await eventually(lambda: len(scene.core.said(LegOpened)) == 2)
    await scene.phone.close_leg(SESSION, LEG, LegEnd.CLOSED)
    scene.trunk.reply(await scene.trunk.request("BYE"), 200)
    await eventually(lambda: ("dial", LegEnd.CLOSED) in scene.core.closed())


async def test_whom_we_call_hears_that_they_are_recorded_before_they_are(
    open_phone: OpenPhone, core: Core, eventually: Eventually, network: Ear, tmp_path: Path
) -> None:
    """The notice first, to both; the core hears of the citizen behind it, and only then can it record."""
    async with _scene(open_phone, core, lambda recording: tmp_path / f"{recording}.wav") as scene:
        _, invite = await scene.dialled()
        network.target = port_of(invite.body)
        scene.trunk.reply(invite, 200, body=network.sdp)
        await scene.trunk.request("ACK")
        await eventually(lambda: len(scene.core.said(LegOpened)) == 2)
        assert RINGBACK_OR_PROMPT in network.heard, "they have heard it to its end"
        assert scene.failure() is None


async def test_who_hangs_up_on_the_notice_was_not_reached(
    open_phone: OpenPhone, core: Core, eventually: Eventually, prompts: PromptLibrary, tmp_path: Path
) -> None:
    prompts.put("recording_notice", dict.fromkeys(Law, b"U" * 80_000))  # ten seconds
    async with _scene(open_phone, core, lambda recording: tmp_path / f"{recording}.wav") as scene:
        _, invite = await scene.dialled()
        scene.trunk.reply(invite, 200, body=scene.trunk.offer())
        await scene.trunk.request("ACK")
        scene.trunk.send(_bye(scene.trunk, invite))
        await eventually(lambda: scene.failure() is DialFailure.DECLINED)
        assert len(scene.core.said(LegOpened)) == 1, "the agent's alone"


async def test_a_node_that_goes_down_leaves_an_attempt_of_unknown_outcome(
    open_phone: OpenPhone, core: Core, eventually: Eventually
) -> None:
    async with _scene(open_phone, core) as scene:
        _, invite = await scene.dialled()
        scene.trunk.reply(invite, 180)
    assert scene.failure() is DialFailure.UNKNOWN
