"""Whatever an agent, a citizen and a third do with a call, in whatever order: nothing of it is left at the end."""

import asyncio
import tempfile
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.adapter import PhoneChannel
from channels.phone.settings import PhoneSettings
from channels.phone.sip.message import Message, Request
from media.announcement import PIECES
from media.engine import Engine
from media.g711 import Law
from media.prompts import PromptLibrary
from recordings.store import RecordingStore
from session.errors import YihaoError
from session.events import CallPassedOn, LegClosed, LegOpened, RecordingFinished, RecordingStarted, ThirdEnded
from session.ids import AssigneeId, LegId, NodeId, RecordingId, SessionId
from session.state import Conference, LegEnd, Party, Supervision
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone

AGENT, COLLEAGUE, BOSS = AssigneeId("a8001"), AssigneeId("a8002"), AssigneeId("a8003")
DEADLINE_S = 20.0
ACTS = st.one_of(
    st.sampled_from(["hold", "resume", "mute", "unmute", "listen", "barge", "take_over", "leave", "park"]),
    st.sampled_from(["call_third", "call_third", "third_hangs_up", "agent_hangs_up", "wait"]),
    st.sampled_from([one.value for one in Conference]),
)
PROMPTS = PromptLibrary({name: dict.fromkeys(Law, b"U" * 800) for name in PIECES})


class Willing(Telephone):
    """A telephone that answers every call with `status`, and says yes to every ending; 180 rings on."""

    status = 200

    def take(self, message: Message) -> None:
        super().take(message)
        if not isinstance(message, Request):
            return
        if message.method == "INVITE":
            self.reply(message, self.status, body=self.offer() if self.status == 200 else "")
        elif message.method == "CANCEL":
            self.reply(message, 200)
            self.reply(next(one for one in self.heard if isinstance(one, Request) and one.method == "INVITE"), 487)
        elif message.method in {"BYE", "OPTIONS", "UPDATE"}:
            self.reply(message, 200)

    def hang_up(self) -> None:
        """End the last call that came, if any did."""
        invites = [one for one in self.heard if isinstance(one, Request) and one.method == "INVITE"]
        if invites and self.status == 200:
            last = invites[-1]
            target = (last.headers.first("contact") or "").partition("<")[2].partition(">")[0]
            lines = [
                f"BYE {target} SIP/2.0",
                f"Via: SIP/2.0/UDP {self.contact.partition('@')[2].rstrip('>')};branch=z9hG4bK{time.monotonic_ns()}",
                f"From: {last.headers.first('to')};tag=dev",
                f"To: {last.headers.first('from')}",
                f"Call-ID: {last.call_id}",
                "CSeq: 7 BYE",
                "Max-Forwards: 70",
                "Content-Length: 0",
            ]
            self.send(("\r\n".join(lines) + "\r\n\r\n").encode())


async def until(holds: object, what: str) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not holds():  # type: ignore[operator]
            await asyncio.sleep(0.005)
    assert what


async def told(flow: list[str], third: int, folder: Path) -> None:
    core = Core()
    async with (
        RecordingStore(folder / "recordings") as recorder,
        Engine(PROMPTS, recorder=recorder.writer) as engine,
        PhoneChannel(
            PhoneSettings(port=0, trunks=("127.0.0.0/8",), debts=folder / "debts"),
            node=NodeId("n1"),
            inbox=core,
            audio=engine,
            shared=core,
            telephones=core,
            reachability=core,
            recording_path=lambda recording: recorder.path(SessionId("s1"), recording),
        ) as phone,
        Telephone(phone.bound) as citizen,
        Willing(phone.bound, user="8001") as agent,
        Willing(phone.bound, user="8002") as colleague,
        Willing(phone.bound, user="8003") as boss,
    ):
        colleague.status = third
        for device in (agent, colleague, boss):
            await device.register(PASSWORD)
        call = await citizen.call()
        call.ack()
        leg = core.contacts[0].leg
        session = SessionId(f"session-{leg}")
        await phone.ring(session, leg, AGENT, 1, time.time() + 20)
        await until(lambda: core.said(LegOpened), "the agent is up")
        (opened,) = core.said(LegOpened)
        assert isinstance(opened, LegOpened)
        await phone.join(session, leg, opened.leg.id, RecordingId("r1"))
        for turn, act in enumerate(flow, 1):
            await _do(phone, leg, opened.leg.id, act, turn, agent, colleague)
        call.bye()
        await citizen.response("BYE")
        await until(lambda: phone.calls == 0, "the call is over")
        await until(lambda: not phone._endpoint.calls, "no dialog is left")
        assert not engine._calls, "no sound and no port is left"
        assert len(core.said(RecordingStarted)) == len(core.said(RecordingFinished)) == 1
        legs = {event.leg.id for event in core.said(LegOpened) if isinstance(event, LegOpened)}
        ended = [event.leg for event in core.said(LegClosed) if isinstance(event, LegClosed)]
        assert sorted(ended) == sorted([*legs, leg]), "every leg that came is told to be gone, once"
        thirds = [one for one in core.said(LegOpened) if isinstance(one, LegOpened) and one.leg.party is Party.THIRD]
        assert len(core.said(CallPassedOn)) <= len(thirds)
        assert len(core.said(ThirdEnded)) <= flow.count("call_third")
    files = [path.name for path in (folder / "recordings").rglob("*") if path.is_file()]
    assert not [name for name in files if name.endswith((".part", ".open", ".tmp"))], files
    assert asyncio.all_tasks() == {asyncio.current_task()}, "no task is left"


async def _do(
    phone: PhoneChannel, leg: LegId, agents: LegId, act: str, turn: int, agent: Willing, colleague: Willing
) -> None:
    try:
        match act:
            case "hold" | "resume":
                await phone.hold(leg, held=act == "hold")
            case "mute" | "unmute":
                await phone.mute(leg, muted=act == "mute")
            case "listen" | "barge" | "take_over" | "leave":
                await phone.supervise(leg, BOSS, Supervision(act), turn)
            case "park":
                await phone.close_leg(SessionId(""), agents, LegEnd.CLOSED)
            case "call_third":
                await phone.call_third(leg, AGENT, (COLLEAGUE,), None, turn)
            case "third_hangs_up":
                colleague.hang_up()
            case "agent_hangs_up":
                agent.hang_up()
            case "wait":
                await asyncio.sleep(0.05)
            case _:
                await phone.confer(leg, Conference(act), turn)
    except YihaoError:
        pass  # refused, where the call is over already
    await asyncio.sleep(0.01)


@settings(max_examples=15, deadline=None)
@given(st.lists(ACTS, max_size=8), st.sampled_from([200, 180, 486]))
def test_nothing_is_left_of_any_flow(flow: list[str], third: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(told(flow, third, Path(folder)))
