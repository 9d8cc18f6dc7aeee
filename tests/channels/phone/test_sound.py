"""What the two ends of a bridge hear: through real sockets, with the real audio engine and the real recorder."""

import asyncio
import socket
import struct
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.settings import PhoneSettings
from media.engine import Engine
from media.prompts import PromptLibrary
from recordings.store import RecordingStore
from session.events import DigitPressed, LegOpened, LegsJoined, RecordingFailed, RecordingFinished, RecordingStarted
from session.ids import AssigneeId, LegId, NodeId, RecordingId, SessionId
from session.state import LegEnd
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import SDP, Telephone
from tests.conftest import Eventually


class Ear:
    """One RTP socket that says one octet all the time and notes which octets it hears."""

    def __init__(self, says: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.says = says
        self.heard: set[int] = set()
        self.target: tuple[str, int] | None = None
        self._number = 0

    @property
    def sdp(self) -> str:
        return SDP.format(port=self.socket.getsockname()[1])

    async def run(self) -> None:
        while True:
            if self.target is not None:
                head = struct.pack("!BBHII", 0x80, 8, self._number, self._number * 160, self.says)
                self.socket.sendto(head + bytes([self.says]) * 160, self.target)
                self._number += 1
            try:
                while True:
                    self.heard |= set(self.socket.recv(2048)[12:])
            except BlockingIOError:
                await asyncio.sleep(0.02)

    def press(self, digit: int) -> None:
        """One key as telephone-events (RFC 4733), its end said three times."""
        assert self.target is not None
        began = self._number * 160
        for _ in range(3):
            head = struct.pack("!BBHII", 0x80, 101, self._number, began, self.says)
            self.socket.sendto(head + struct.pack("!BBH", digit, 0x8A, 1600), self.target)
            self._number += 1


def port_of(body: bytes) -> tuple[str, int]:
    (line,) = [one for one in body.decode().splitlines() if one.startswith("m=audio")]
    return ("127.0.0.1", int(line.split()[1]))


@pytest.fixture
async def recording_phone(core: Core, prompts: PromptLibrary, tmp_path: Path) -> AsyncIterator[PhoneChannel]:
    async with (
        RecordingStore(tmp_path) as recorder,
        Engine(prompts, recorder=recorder.writer) as audio,
        PhoneChannel(
            PhoneSettings(port=0, trunks=("127.0.0.0/8",), debts=tmp_path / "debts"),
            node=NodeId("n1"),
            inbox=core,
            audio=audio,
            shared=core,
            telephones=core,
            reachability=core,
            recording_path=lambda recording: recorder.path(SessionId("s1"), recording),
        ) as phone,
    ):
        yield phone


@pytest.fixture
async def ears() -> AsyncIterator[list[Ear]]:
    both = [Ear(0x31), Ear(0x47)]
    talking = [asyncio.create_task(ear.run()) for ear in both]
    yield both
    for one in talking:
        one.cancel()
    await asyncio.gather(*talking, return_exceptions=True)
    for ear in both:
        ear.socket.close()


async def test_both_hear_each_other_and_are_recorded(
    recording_phone: PhoneChannel, core: Core, eventually: Eventually, tmp_path: Path, ears: list[Ear]
) -> None:
    phone, (citizen, agent) = recording_phone, ears
    async with Telephone(phone.bound) as caller, Telephone(phone.bound, user="8001") as device:
        await device.register(PASSWORD)
        caller.offer = lambda: citizen.sdp  # type: ignore[method-assign]  # this caller says where its sound goes
        call = await caller.call()
        citizen.target = port_of(call.answer.body)
        leg = core.contacts[0].leg
        session = SessionId(f"session-{leg}")
        await phone.play(leg, (), music=True)
        await eventually(lambda: 0x55 in citizen.heard)

        await phone.ring(session, leg, AssigneeId("a8001"), 1, time.time() + 20)
        invite = await device.request("INVITE")
        agent.target = port_of(invite.body)
        device.reply(invite, 200, body=agent.sdp)
        (opened,) = await eventually(lambda: core.said(LegOpened))
        assert isinstance(opened, LegOpened)
        assert 0x47 not in citizen.heard, "nothing is heard before the core has joined them"
        await phone.join(session, leg, opened.leg.id, RecordingId("r1"))
        await phone.join(session, leg, opened.leg.id, RecordingId("r1"))
        await eventually(lambda: 0x47 in citizen.heard and 0x31 in agent.heard)
        assert len(core.said(LegsJoined)) == len(core.said(RecordingStarted)) == 1

        citizen.press(5)
        await eventually(lambda: core.said(DigitPressed) == [DigitPressed(leg=leg, digit="5")])
        caller.send(call.within("INFO", 2, body="Signal=5\r\nDuration=160\r\n", kind="application/dtmf-relay"))
        await caller.response("INFO")
        assert len(core.said(DigitPressed)) == 1, "the same key by another way is the same key"

        await asyncio.sleep(0.2)  # sound for the recording
        await phone.close_leg(session, leg, LegEnd.CLOSED)
        await caller.request("BYE")
        await device.request("BYE")
        (finished,) = await eventually(lambda: core.said(RecordingFinished))
        assert isinstance(finished, RecordingFinished)
        assert finished.duration_s > 0.1
        (path,) = tmp_path.rglob("r1.wav")
        with wave.open(str(path)) as file:
            assert file.getnchannels() == 2
            assert len(set(file.readframes(10**6))) > 2


async def test_call_that_falls_silent_at_both_ends_is_ended(
    core: Core, prompts: PromptLibrary, tmp_path: Path, eventually: Eventually
) -> None:
    from media.engine import Limits

    async with (
        Engine(prompts, limits=Limits(lost_after_s=0.3)) as audio,
        PhoneChannel(
            PhoneSettings(port=0, trunks=("127.0.0.0/8",), debts=tmp_path / "debts"),
            node=NodeId("n1"),
            inbox=core,
            audio=audio,
            shared=core,
            telephones=core,
            reachability=core,
            recording_path=lambda recording: tmp_path / f"{recording}.wav",
        ) as phone,
        Telephone(phone.bound) as caller,
        Telephone(phone.bound, user="8001") as device,
    ):
        await device.register(PASSWORD)
        await caller.call()
        leg: LegId = core.contacts[0].leg
        session = SessionId(f"session-{leg}")
        await phone.ring(session, leg, AssigneeId("a8001"), 1, time.time() + 20)
        device.reply(await device.request("INVITE"), 200, body=device.offer())
        (opened,) = await eventually(lambda: core.said(LegOpened))
        assert isinstance(opened, LegOpened)
        await phone.join(session, leg, opened.leg.id, RecordingId("r1"))
        await eventually(lambda: len(core.said(RecordingFailed)) == len(core.said(LegsJoined)) == 1)
        await eventually(lambda: ("call", LegEnd.LOST) in core.closed(), deadline_s=10)
