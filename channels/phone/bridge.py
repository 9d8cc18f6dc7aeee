"""One citizen's call and its agent's: what they hear, whom it rings, and to whom it is joined.

Two dialogs stand back to back; the audio session between them has a slot for each. The core decides by its
effects; here is what happens meanwhile on the wire.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from weakref import proxy

from channels.phone.agreeing import Agreeing
from channels.phone.call import Call, Confirmed, EndCause, Ended, Referred, RefreshDue, Reoffered, Stranded
from channels.phone.comeback import Comeback
from channels.phone.dropped import Dropped
from channels.phone.guest import Guest
from channels.phone.handling import Handling
from channels.phone.hearing import hearing, talking, waiting
from channels.phone.invitations import Invitations
from channels.phone.ladder import Ladder
from channels.phone.measuring import LOOK_S, Measures, keep_listening, received
from channels.phone.outbox import Outbox
from channels.phone.parting import leg_end, who_ended
from channels.phone.ports import BridgePorts
from channels.phone.presses import Presses
from channels.phone.referral import FORBIDDEN, answer_to
from channels.phone.ringing import ELSEWHERE, PickedUp, Ringing
from channels.phone.silence import Silence
from channels.phone.sip.digits import InfoDigit
from channels.phone.sip.refer import Reference
from channels.phone.sip.sdp import asks_hold
from channels.phone.succession import Succession
from channels.phone.summons import Summons
from channels.phone.supervision import Supervisor
from channels.phone.taping import Taping
from channels.phone.third import Third
from channels.phone.vigil import vigil
from session.address import Address
from session.audio import (
    KEEP_PLACE,
    Announcement,
    AudioGone,
    AudioLost,
    AudioSession,
    DigitHeard,
    PlaybackEnded,
    Slot,
)
from session.errors import YihaoError
from session.events import (
    DigitPressed,
    Event,
    LegClosed,
    LegOpened,
    LegSilent,
    LegsJoined,
    PlaceKept,
)
from session.ids import AssigneeId, LegId, RecordingId, SessionId
from session.ports import Contact
from session.state import Conference, Leg, LegEnd, Mark, Medium, Party, Supervision

log = logging.getLogger(__name__)

MUSIC = (Announcement("hold_music"),)
RINGBACK = (Announcement("ringback"),)
_PARTIES = (Slot.CITIZEN, Slot.AGENT)
_KEEP_PLACE_KEY = "1"


class Bridge:
    """One citizen's call, whoever has made it (`channels.phone.incoming`, `channels.phone.outgoing`)."""

    def __init__(
        self,
        ports: BridgePorts,
        contact: Contact,
        audio: AudioSession,
        call: Call | None = None,
        ladder: Ladder | None = None,
    ) -> None:
        """`ladder` is where a call that we are to make is drawn, where that has begun already."""
        self.contact = contact
        self.call = call  # the citizen's; None while they are yet to be called
        self.ladder = ladder or (call.ladder if call is not None else ports.endpoint.tracer.begin())
        self.ladder.named(contact.leg)
        self.session: SessionId | None = None
        self.is_joined = False
        self._ports = ports
        self._audio = audio
        self._audio_turn = asyncio.Lock()
        self._agreeing = Agreeing(audio, self._audio_turn)
        self._outbox = Outbox(ports.inbox)
        self._taping = Taping(audio, self._audio_turn, self._outbox, contact.leg, ports.recording_path)
        host: Bridge = proxy(self)  # what a call is made of is gone with it, and does not wait for the collector
        self._handling = Handling(audio, self._audio_turn, self._taping, partial(Bridge.tell, host))
        self._summons = Summons(ports, audio, self._audio_turn, contact.address)
        self._agent: Guest | None = None
        self._guests = Invitations(ports, audio, self._audio_turn, contact, self.ladder)
        self._supervisor = Supervisor(host, self._guests)
        self._third = Third(host, self._guests)
        self._comeback = Comeback(
            *(host, ports, audio, self._audio_turn),
            summons=self._summons,
            handling=self._handling,
            ladder=self.ladder,
        )
        self.succession = Succession(
            *(ports, audio, self._audio_turn),
            third=self._third,
            handling=self._handling,
            ladder=self.ladder,
            talks=lambda: host._agent if host.is_joined else None,
        )
        self._introduced: list[Guest] = []
        self._waits: Slot | None = None
        self._ringing: Ringing | None = None
        self._ring_turn = asyncio.Lock()
        self._ring_tasks: set[asyncio.Task[None]] = set()
        self._music_next = self._may_keep_place = False
        self._played = asyncio.Event()
        self._dropped = Dropped(audio, self._audio_turn)
        self._silence = Silence(audio)
        self._presses = Presses()
        self._measures = Measures(audio, self.ladder)
        self._end = LegEnd.HANGUP
        self._is_leaving = asyncio.Event()

    # -- the citizen's end -------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _living(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Tell the core and hear the sound while the block lasts, and until all has been told. Gives those tasks."""
        background = [asyncio.create_task(self._outbox.run()), asyncio.create_task(self._hear_audio())]

        def listen() -> None:
            background.append(asyncio.create_task(keep_listening(self, self._audio, self._ports.sounded)))

        listening = asyncio.get_running_loop().call_later(LOOK_S, listen)
        try:
            yield background
        finally:
            listening.cancel()
            try:
                await self._leave()
                await self._outbox.drained()
            finally:
                for task in background:
                    task.cancel()
                await asyncio.gather(*background, return_exceptions=True)

    @property
    def is_over(self) -> bool:
        """The citizen's end is gone."""
        return self.call is not None and self.call.is_over

    @property
    def end(self) -> LegEnd:
        """Why the citizen's call is over, once it is."""
        return self._end

    def hang_up(self, reason: LegEnd) -> None:
        """End the citizen's call from our side."""
        if self.call is not None and not self.is_over:
            self._end = reason
            self.call.hang_up()

    async def received(self) -> int:
        """Packets of sound that the citizen's telephone has sent."""
        return await received(self._audio, Slot.CITIZEN)

    async def lose(self) -> None:
        """The citizen's telephone is there no more: returns once the core knows."""
        if self.call is not None and not self.is_over:
            self._end = LegEnd.LOST
            self._tell_end()
            self.call.give_up()
            await self._outbox.drained()

    async def ended(self) -> None:
        """Once the core knows that a call which is over is over."""
        await self._is_leaving.wait()
        await self._outbox.drained()

    async def play(self, items: Sequence[Announcement], *, music: bool) -> None:
        """Let the citizen hear announcements, then music where `music`; ignored once joined."""
        if self.is_joined or self.is_over:
            return
        self._may_keep_place = self._may_keep_place or KEEP_PLACE in items
        self._music_next = music and bool(items)
        self._played.clear()
        async with self._audio_turn:
            if items:
                await self._audio.play(Slot.CITIZEN, items)
            elif music:
                await self._audio.play(Slot.CITIZEN, MUSIC, loop=True)
            else:
                await self._audio.stop(Slot.CITIZEN)

    async def _leave(self) -> None:
        """The citizen is gone: nothing rings, nobody is left talking to silence, and the core is told."""
        if self.call is not None:
            self.call.hang_up()
        self._tell_end()  # before all else: who dials again at once must find that this call is over
        self._is_leaving.set()
        talked = {Slot.AGENT: self._agent.leg} if self._agent is not None else {}
        await self._measure({Slot.CITIZEN: self.contact.leg, **talked})
        if self._end is LegEnd.LOST and self.is_joined and self._agent is not None:
            await self._tell_dropped()
        for task in tuple(self._ring_tasks):
            task.cancel()
        for guest in self._introduced:  # also one who has come to be the agent
            guest.call.hang_up()
        agent = self._agent
        self._supervisor.let_go()
        self._third.let_go()
        if self._ring_tasks:
            await asyncio.gather(*self._ring_tasks, return_exceptions=True)
        await self._supervisor.close()
        await self._third.close()
        if agent is not None:
            await self._agent_gone(agent, LegEnd.CLOSED)
        await self._taping.finish()
        await self._audio.close()

    def _tell_end(self) -> None:
        if self.session is not None:
            leg = self.contact.leg
            self._outbox.put(self.session, LegClosed(leg=leg, reason=self._end), f"closed:{leg}")

    async def _tell_dropped(self) -> None:
        """The agent hears why it is quiet, unless their telephone is needed."""
        self.is_joined = False
        self._ports.telling.add(self)
        try:
            await self._dropped.tell()
        finally:
            self._ports.telling.discard(self)

    # -- the agent's end ---------------------------------------------------------------------------------------

    def ring(self, session: SessionId, assignee: AssigneeId, token: int, lease_until: float) -> None:
        """Call an assignee's devices for an offer; the same offer rings once."""
        self.session = session
        if self.is_over or (self._ringing is not None and token <= self._ringing.token):
            return
        if self._ringing is not None:
            self._ringing.stop()
        self._ringing = Ringing(self._ports.endpoint, self._ports.node, assignee, token, self.ladder)
        task = asyncio.create_task(self._ring(self._ringing, lease_until))
        self._ring_tasks.add(task)
        task.add_done_callback(self._ring_tasks.discard)

    def stop_ringing(self, assignee: AssigneeId, token: int) -> None:
        """The offer is over; idempotent."""
        ringing = self._ringing
        if ringing is not None and (ringing.assignee, ringing.token) == (assignee, token):
            ringing.stop()

    async def join(self, assignee_leg: LegId, recording: RecordingId) -> bool:
        """Let both hear each other, and record them; False when that leg of the agent is not here (any more)."""
        if self._agent is None or self._agent.leg != assignee_leg or self.session is None:
            return False
        if self.is_joined:
            return True
        self.is_joined = True
        self._silence.forget()
        await self.sound()
        self.ladder.note("joined")
        joined = LegsJoined(citizen_leg=self.contact.leg, assignee_leg=assignee_leg)
        self._outbox.put(self.session, joined, f"joined:{assignee_leg}")
        await self._taping.begin(self.session, recording)
        return True

    def hang_up_leg(self, leg: LegId, reason: LegEnd) -> None:
        """End the call of the agent, who first hears if it broke off, or of a guest, where that leg is theirs."""
        if self._agent is not None and self._agent.leg == leg:
            if not (reason is LegEnd.LOST and self._dropped.is_told):
                self._agent.call.hang_up()
        elif self._supervisor.has(leg):
            self._supervisor.let_go()
        elif self._third.leg == leg:
            self._third.let_go()

    async def hold(self, *, held: bool) -> None:
        """Let the citizen wait with music and the agent hear nothing, whatever their telephone sends; or talk on."""
        if self._agent is not None and self.is_joined:
            await self._handling.hold(self._agent.leg, held=held)

    async def mute(self, *, muted: bool) -> None:
        """Let the agent not be heard, or be heard again."""
        if self._agent is not None and self.is_joined:
            await self._handling.mute(self._agent.leg, muted=muted)

    async def press(self, digits: str, turn: int) -> None:
        """Send digits to the citizen's end, once for each turn. Raises `YihaoError` where it takes none."""
        if self.is_joined:
            await self._handling.press(digits, turn)

    def spare(self, assignee: AssigneeId) -> None:
        """That agent is to be rung for the call that was dialled again: they need not hear any longer that it broke."""
        agent = self._agent
        if self._dropped.is_told and agent is not None and agent.assignee == assignee:
            agent.call.hang_up()

    async def _ring(self, ringing: Ringing, lease_until: float) -> None:
        """One offer, from the first ring to the end of the call that may come of it. Offers have the slot in turn."""
        async with self._ring_turn:
            if ringing is not self._ringing or self.session is None:
                return
            try:
                outcome = await self._summons.ring(ringing, Slot.AGENT, lease_until)
                if isinstance(outcome, PickedUp):
                    await self._picked_up(self.session, ringing, outcome, lease_until)
                elif outcome is not None:
                    await self._summons.decline(self.session, ringing, outcome)
            except Exception:  # the task's top: the lease brings the session on
                log.exception("an agent's devices could not be rung")
            finally:
                if not self.is_over and self._agent is None:
                    async with self._audio_turn:
                        await self._audio.drop(Slot.AGENT)

    async def _picked_up(self, session: SessionId, ringing: Ringing, picked: PickedUp, lease_until: float) -> None:
        """Picking up is accepting. The 200 has been acknowledged; only a granted accept lets sound through."""
        agent = Guest(ringing.assignee, LegId(f"agent-{secrets.token_hex(12)}"), picked.call, Slot.AGENT)
        try:
            verdict = await self._summons.accept(session, ringing, lease_until)
            if not verdict.granted:
                picked.call.hang_up(ELSEWHERE)
                return
            self._agent = agent
            leg = Leg(agent.leg, self._ports.channel, Medium.VOICE, Party.ASSIGNEE, self._ports.node)
            try:
                async with self._audio_turn:
                    await self._audio.accept(Slot.AGENT, picked.answer)
            except YihaoError:
                self._outbox.put(session, LegOpened(leg=leg), f"leg:{agent.leg}")
                await self._agent_gone(agent, LegEnd.LOST)
                return
            self._outbox.put(session, LegOpened(leg=leg), f"leg:{agent.leg}")
            await self._see_agent_through(agent)
        finally:
            agent.call.hang_up(ELSEWHERE)

    async def _see_agent_through(self, agent: Guest) -> None:
        """Follow the agent's telephone to the end of its call."""
        ended = await self._follow(agent)
        self.ladder.note("agent over", who_ended(ended, "the agent", LegEnd.CLOSED))
        await self._agent_gone(agent, leg_end(ended.cause))

    async def _agent_gone(self, agent: Guest, reason: LegEnd) -> None:
        if self._agent is not agent or (reason is LegEnd.HANGUP and await self._third.complete()):
            return
        self._agent = None
        self.is_joined = False
        self._dropped.enough()
        self._handling.forget()
        self._supervisor.let_go()
        self._third.let_go()
        agent.call.hang_up()
        await self._measure({Slot.AGENT: agent.leg})
        if self.session is not None:
            self._outbox.put(self.session, LegClosed(leg=agent.leg, reason=reason), f"closed:{agent.leg}")
        if not self.is_over:
            async with self._audio_turn:
                await self._audio.part()
            await self.play((), music=True)

    # -- guests (`guest.Host`) ---------------------------------------------------------------------------------

    async def supervise(self, by: AssigneeId, what: Supervision, turn: int) -> None:
        """Call a supervisor to this call, or let the one who is there do what they ask for."""
        if self.is_joined and self.session is not None:
            await self._supervisor.ask(by, what, turn)

    async def call_third(
        self, by: AssigneeId, agents: tuple[AssigneeId, ...], number: Address | None, turn: int
    ) -> None:
        """Call a third to this call, while the citizen waits."""
        if self.is_joined and self.session is not None and self._agent is not None:
            await self.hold(held=False)
            await self._third.call(by, agents, number, turn)

    async def confer(self, what: Conference, turn: int) -> None:
        """Let others talk with each other than do."""
        if self.is_joined and self._agent is not None:
            await self._third.ask(what, turn)

    def introduce(self, guest: Guest, party: Party) -> None:
        """Tell of a guest's leg; one who comes when the call is over is let go."""
        self._introduced.append(guest)
        leg = Leg(guest.leg, self._ports.channel, Medium.VOICE, party, self._ports.node)
        self.tell(LegOpened(leg=leg), f"leg:{guest.leg}")
        if self.is_over:
            guest.call.hang_up()

    async def attend(self, guest: Guest) -> LegEnd:
        """Follow the telephone of an agent or guest until its call is over."""
        return leg_end((await self._follow(guest)).cause)

    async def _follow(self, guest: Guest) -> Ended:
        """As `attend`; a telephone in a page that is gone is awaited for a while."""
        while True:
            ended = await self._hear_watched(guest.call, guest.leg)
            if guest.call.is_over:
                return ended
            await self._comeback.of(guest)

    async def see_off(self, guest: Guest, reason: LegEnd) -> None:
        """Let go of a guest who is not the agent."""
        await self._measure({guest.slot: guest.leg})
        self.tell(LegClosed(leg=guest.leg, reason=reason), f"closed:{guest.leg}")
        guest.carried.close()
        if not self.is_over:
            async with self._audio_turn:
                await self._audio.drop(guest.slot)
            await self.sound()

    async def put_in_charge(self, guest: Guest) -> None:
        """Make a guest the agent. The recording runs on; whoever was the agent hears no more, and is let go."""
        before, self._agent = self._agent, guest
        async with self._audio_turn:
            await self._audio.move(guest.slot, Slot.AGENT)
        guest.slot = Slot.AGENT
        self._handling.forget()
        await self.sound()
        self._dismiss(before)

    async def let_agent_go(self) -> None:
        """The citizen and a third outside go on by themselves."""
        before, self._agent = self._agent, None
        self._handling.forget()
        self._supervisor.let_go()
        if before is not None:
            await self._measure({Slot.AGENT: before.leg})
        await self.sound()
        self._dismiss(before)

    def _dismiss(self, before: Guest | None) -> None:
        """Whoever was the agent is not any more."""
        if before is None:
            return
        before.call.hang_up()
        # Told behind what the change was asked for: the core then knows whose leg it no longer is.
        closed = LegClosed(leg=before.leg, reason=LegEnd.CLOSED)
        asyncio.get_running_loop().call_soon(self.tell, closed, f"closed:{before.leg}")

    async def hang_up_citizen(self) -> None:
        """Nobody is left for them."""
        self.hang_up(LegEnd.CLOSED)

    async def ring_back(self) -> None:
        """The agent hears that somebody's telephone rings."""
        async with self._audio_turn:
            await self._audio.play(Slot.AGENT, RINGBACK, loop=True)

    async def agent_left(self, guest: Guest, reason: LegEnd) -> None:
        """As when an agent who was offered the call has gone: the slot is free for the next."""
        async with self._ring_turn:
            await self._agent_gone(guest, reason)
            if not self.is_over and self._agent is None:
                async with self._audio_turn:
                    await self._audio.drop(Slot.AGENT)

    async def sound(self) -> None:
        """Let everybody hear whom they are to hear."""
        async with self._audio_turn:
            conference = self._third.what if self.is_joined else None
            supervised = self._supervisor.what
            await self._audio.mix(hearing(joined=self.is_joined, conference=conference, supervision=supervised))
            waits = waiting(conference)
            if waits is not None and waits is not self._waits:
                await self._audio.play(waits, MUSIC, loop=True)
            self._waits = waits

    def tell(self, event: Event, dedupe: str | None = None) -> None:
        """Bring an event to the core."""
        if self.session is not None:
            self._outbox.put(self.session, event, dedupe)

    def mark(self, mark: Mark) -> None:
        """Remember this moment in the recording."""
        self._taping.mark(mark)

    # -- either end --------------------------------------------------------------------------------------------

    async def _hear_watched(self, call: Call, leg: LegId) -> Ended:
        """As `_hear`, with an eye on whether that telephone is still there."""
        async with vigil(call, lambda: received(self._audio, self._slot_of(leg)), self._ports.vigilance):
            return await self._hear(call, leg)

    async def _hear(self, call: Call, leg: LegId) -> Ended:
        """Serve one end's signalling until its call is over, or the page that it is of is gone."""
        async for event in call:
            match event:
                case Ended():
                    return event
                case Reoffered(offer=offer):
                    await self._reoffered(call, leg, offer)
                case RefreshDue():
                    await self._agreeing.refresh(call, partial(self._slot_of, leg))
                case Referred(reference=reference):
                    if reference.replaces is not None and self.succession.is_of(call):
                        await self.succession.referred(call, reference)
                    else:
                        call.decide_reference(await self._refer(self._slot_of(leg), reference))
                case Confirmed(body=body):
                    self._acknowledged(call)
                    if body:
                        await self._agreeing.take(call, self._slot_of(leg), body)
                case InfoDigit(digit=digit):
                    if self._slot_of(leg) in _PARTIES:
                        self._pressed(leg, digit, "info")
                case Stranded() if call is not self.call:
                    break
        return Ended(EndCause.LOST)

    async def _reoffered(self, call: Call, leg: LegId, offer: bytes | None) -> None:
        slot = self._slot_of(leg)
        if await self._agreeing.answer(call, slot, offer):
            self._handling.holds(slot, leg, "signalled", held=bool(offer) and asks_hold(offer or b""))

    async def _refer(self, slot: Slot, reference: Reference) -> int:
        """The answer to a REFER: only the agent whose contact it is hands it on."""
        agent, session = self._agent, self.session
        if slot is not Slot.AGENT or agent is None or agent.assignee is None or session is None or not self.is_joined:
            return FORBIDDEN
        status, why = await answer_to(reference, self._ports.handover, session, agent.assignee)
        self.ladder.note("transfer", why, slot)
        return status

    async def _hear_audio(self) -> None:
        async for event in self._audio.events():
            match event:
                case DigitHeard(slot=slot, digit=digit):
                    leg = self._leg_of(slot)
                    if leg is not None:
                        self._pressed(leg, digit, "rtp")
                case PlaybackEnded(slot=Slot.CITIZEN):
                    self._played.set()
                    if self._music_next:
                        await self.play((), music=True)
                case PlaybackEnded(slot=Slot.AGENT):
                    self._dropped.enough()
                case AudioLost(slot=slot, silent_s=silent_s):
                    await self._fell_silent(slot, silent_s)
                case AudioGone():
                    self.ladder.note("sound gone", "what carried it has died")
                    self.hang_up(LegEnd.NODE_LOST)

    def _acknowledged(self, call: Call) -> None:
        """A far end has acknowledged an answer of ours."""

    def _pressed(self, leg: LegId, digit: str, way: str) -> None:
        """Tell of a digit once, although a phone may send it both as telephone-event and as INFO."""
        if self.session is None or not self._presses.is_new(digit, way):
            return
        self._outbox.put(self.session, DigitPressed(leg=leg, digit=digit))
        if digit == _KEEP_PLACE_KEY and leg == self.contact.leg and self._may_keep_place and not self.is_joined:
            self._outbox.put(self.session, PlaceKept(leg=leg))

    async def _fell_silent(self, slot: Slot, silent_s: float) -> None:
        """End a joined call when nothing comes from either end. One silent end may only be a muted telephone."""
        self.ladder.note("silence", peer=slot)
        leg = self._leg_of(slot)
        if leg is None:
            return
        if self.is_joined:
            self.tell(LegSilent(leg=leg, silent_s=round(silent_s, 1)))
        still = await self._silence.fell(slot)
        if self.is_joined and set(talking(self._third.what)) <= still:
            log.warning("a joined call fell silent at both ends", extra={"leg": self.contact.leg})
            self.hang_up(LegEnd.LOST)

    async def _measure(self, ends: Mapping[Slot, LegId]) -> None:
        """Tell how legs sounded that end."""
        for figures in await self._measures.of(ends):
            self.tell(figures, f"quality:{figures.leg}")

    def _leg_of(self, slot: Slot) -> LegId | None:
        """Whose digits count: the citizen's and the agent's."""
        if slot is Slot.CITIZEN:
            return self.contact.leg
        if slot is Slot.THIRD:
            return self._third.leg
        return self._agent.leg if self._agent is not None and slot is Slot.AGENT else None

    def _slot_of(self, leg: LegId) -> Slot:
        """Where a leg is heard now: a guest may have come to be the agent."""
        if leg == self.contact.leg:
            return Slot.CITIZEN
        if leg == self._third.leg:
            return Slot.THIRD
        return Slot.SUPERVISOR if self._supervisor.has(leg) else Slot.AGENT
