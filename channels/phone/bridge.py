"""One citizen's call and its agent's: what they hear, whom it rings, and to whom it is joined.

Two dialogs stand back to back; the audio session between them has a slot for each. The core decides by its
effects; here is what happens meanwhile on the wire.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from channels.phone.call import Call, Confirmed, EndCause, Ended, Referred, RefreshDue, Reoffered
from channels.phone.endpoint import Endpoint
from channels.phone.number import ANONYMOUS
from channels.phone.outbox import Outbox
from channels.phone.outgoing import OutgoingCall
from channels.phone.registrar import Registrar
from channels.phone.ringing import ELSEWHERE, NoAnswer, PickedUp, Ringing
from channels.phone.sip.address import NameAddress
from channels.phone.sip.digits import InfoDigit
from channels.phone.sip.refer import Reference
from channels.phone.sip.sdp import asks_hold
from channels.phone.sip.uri import Uri
from channels.phone.taping import Taping
from channels.phone.vigil import Vigilance, keep_vigil
from session.audio import (
    CITIZEN_DROPPED,
    KEEP_PLACE,
    Announcement,
    AudioLost,
    AudioSession,
    DigitHeard,
    PlaybackEnded,
    Slot,
)
from session.errors import YihaoError
from session.events import DigitPressed, LegClosed, LegHeld, LegMuted, LegOpened, LegsJoined, PlaceKept
from session.ids import AssigneeId, LegId, NodeId, RecordingId, SessionId
from session.ports import Contact, Handover, Inbox, SharedState, StoreUnavailable, Telephones
from session.ports import Verdict as Accepted
from session.state import Leg, LegEnd, Mark, Medium, Party

log = logging.getLogger(__name__)

MUSIC = (Announcement("hold_music"),)
_LEASE_GRACE_S = 1.0
_SAME_PRESS_S = 1.0
_DROPPED_S = 8.0
_KEEP_PLACE_KEY = "1"


@dataclass(frozen=True, slots=True)
class BridgePorts:
    """What a bridge is given."""

    endpoint: Endpoint
    registrar: Registrar
    inbox: Inbox
    telephones: Telephones
    shared: SharedState
    node: NodeId
    channel: str
    recording_path: Callable[[RecordingId], Path] | None
    vigilance: Vigilance
    handover: Handover | None = None


@dataclass(eq=False)
class AgentEnd:
    """The agent's side of a bridge."""

    leg: LegId
    call: OutgoingCall


class Bridge:
    """One citizen's call, whoever has made it (`channels.phone.incoming`, `channels.phone.outgoing`)."""

    def __init__(self, ports: BridgePorts, contact: Contact, audio: AudioSession, call: Call | None = None) -> None:
        self.contact = contact
        self.call = call
        """The citizen's; None while they are yet to be called."""
        self.ladder = call.ladder if call is not None else ports.endpoint.tracer.begin()
        self.ladder.named(contact.leg)
        self.session: SessionId | None = None
        self.is_joined = False
        self._ports = ports
        self._audio = audio
        self._audio_turn = asyncio.Lock()
        self._outbox = Outbox(ports.inbox)
        self._taping = Taping(audio, self._audio_turn, self._outbox, contact.leg, ports.recording_path)
        self._agent: AgentEnd | None = None
        self._ringing: Ringing | None = None
        self._ring_turn = asyncio.Lock()
        self._ring_tasks: set[asyncio.Task[None]] = set()
        self._music_next = False
        self._may_keep_place = False
        """The caller has heard that they may keep their place and go on elsewhere."""
        self._played = asyncio.Event()
        self._telling: asyncio.Event | None = None
        """Set once the agent has heard that the call broke off; None where nobody is being told so."""
        self._silent: dict[Slot, int] = {}
        self._held: dict[Slot, set[str]] = {slot: set() for slot in Slot}
        self._muted = False
        self._pressed_turn = 0
        self._last_press = ("", "", 0.0)
        self._end = LegEnd.HANGUP

    # -- the citizen's end -------------------------------------------------------------------------------------

    @asynccontextmanager
    async def _living(self) -> AsyncIterator[list[asyncio.Task[None]]]:
        """Tell the core and hear the sound while the block lasts, and until all has been told. Gives those tasks."""
        background = [asyncio.create_task(self._outbox.run()), asyncio.create_task(self._hear_audio())]
        try:
            yield background
        finally:
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

    def hang_up(self, reason: LegEnd) -> None:
        """End the citizen's call from our side."""
        if self.call is not None and not self.is_over:
            self._end = reason
            self.call.hang_up()

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
        self._note_sound(Slot.CITIZEN)
        self._tell_end()
        if self._end is LegEnd.LOST and self.is_joined:
            await self._tell_dropped()
        for task in tuple(self._ring_tasks):
            task.cancel()
        agent = self._agent
        await asyncio.gather(*self._ring_tasks, return_exceptions=True)
        if agent is not None:
            await self._agent_gone(agent, LegEnd.CLOSED)
        await self._audio.close()

    def _tell_end(self) -> None:
        if self.session is not None:
            leg = self.contact.leg
            self._outbox.put(self.session, LegClosed(leg=leg, reason=self._end), f"closed:{leg}")

    async def _tell_dropped(self) -> None:
        """The agent hears why it is quiet, unless they hang up or their telephone is needed."""
        self._telling = asyncio.Event()
        self.is_joined = False
        with suppress(YihaoError, TimeoutError):
            async with self._audio_turn:
                await self._audio.part()
                await self._audio.play(Slot.AGENT, (CITIZEN_DROPPED,))
            async with asyncio.timeout(_DROPPED_S):
                await self._telling.wait()

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
        self._silent.clear()
        async with self._audio_turn:
            await self._audio.join()
        self.ladder.note("joined")
        joined = LegsJoined(citizen_leg=self.contact.leg, assignee_leg=assignee_leg)
        self._outbox.put(self.session, joined, f"joined:{assignee_leg}")
        await self._taping.begin(self.session, recording)
        return True

    def has_agent_leg(self, leg: LegId) -> bool:
        """Whether that leg is the agent's end of this bridge."""
        return self._agent is not None and self._agent.leg == leg

    async def hold(self, *, held: bool) -> None:
        """Let the citizen wait with music and the agent hear nothing, whatever their telephone sends; or talk on."""
        agent = self._agent
        if agent is None or not self.is_joined:
            return
        async with self._audio_turn:
            await self._audio.hold(Slot.AGENT, held=held)
        self._holds(Slot.AGENT, agent.leg, "asked", held=held)

    async def mute(self, *, muted: bool) -> None:
        """Let the agent not be heard, or be heard again."""
        agent = self._agent
        if agent is None or self.session is None or not self.is_joined or muted is self._muted:
            return
        async with self._audio_turn:
            await self._audio.mute(Slot.AGENT, muted=muted)
        self._muted = muted
        self._outbox.put(self.session, LegMuted(leg=agent.leg, muted=muted))
        self._taping.mark(Mark.MUTED if muted else Mark.UNMUTED)

    async def press(self, digits: str, turn: int) -> None:
        """Send digits to the citizen's end, once for each turn. Raises `YihaoError` where it takes none."""
        if turn <= self._pressed_turn or not self.is_joined:
            return
        self._pressed_turn = turn
        async with self._audio_turn:
            await self._audio.send_digits(Slot.CITIZEN, digits)

    def hang_up_agent(self, reason: LegEnd) -> None:
        """End the agent's call from our side; the citizen's stays. Who is told that it broke off hears that first."""
        if self._agent is not None and not (reason is LegEnd.LOST and self._telling is not None):
            self._agent.call.hang_up()

    def spare(self, assignee: AssigneeId) -> None:
        """That agent is to be rung for the call that was dialled again: they need not hear any longer that it broke."""
        if self._telling is not None and self._ringing is not None and self._ringing.assignee == assignee:
            self.hang_up_agent(LegEnd.CLOSED)

    async def _ring(self, ringing: Ringing, lease_until: float) -> None:
        """One offer, from the first ring to the end of the call that may come of it. Offers have the slot in turn."""
        async with self._ring_turn:
            if ringing is not self._ringing or self.session is None:
                return
            try:
                outcome = await self._ring_devices(ringing, lease_until)
                if isinstance(outcome, PickedUp):
                    await self._picked_up(self.session, ringing, outcome, lease_until)
                elif outcome is not None:
                    await self._decline(self.session, ringing, outcome)
            except Exception:  # the task's top: the lease brings the session on
                log.exception("an agent's devices could not be rung")
            finally:
                if not self.is_over:
                    async with self._audio_turn:
                        await self._audio.drop(Slot.AGENT)

    async def _ring_devices(self, ringing: Ringing, lease_until: float) -> PickedUp | NoAnswer | None:
        try:
            extension = await self._ports.telephones.extension_of(ringing.assignee)
            bindings = await self._ports.registrar.bindings(extension) if extension else ()
            left_s = lease_until - await self._ports.shared.now()
        except StoreUnavailable:
            return None
        async with self._audio_turn:
            offer = await self._audio.offer(Slot.AGENT)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, left_s)):
                return await ringing.run(bindings, self._shown_caller(), offer)
        return None

    async def _picked_up(self, session: SessionId, ringing: Ringing, picked: PickedUp, lease_until: float) -> None:
        """Picking up is accepting. The 200 has been acknowledged; only a granted accept lets sound through."""
        agent = AgentEnd(LegId(f"agent-{secrets.token_hex(12)}"), picked.call)
        try:
            verdict = await self._accept(session, ringing, lease_until)
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
            ended = await self._hear_watched(picked.call, Slot.AGENT, agent.leg)
            self.ladder.note("agent over", who_ended(ended, "the agent", LegEnd.CLOSED))
            await self._agent_gone(agent, _leg_end(ended.cause))
        finally:
            picked.call.hang_up(ELSEWHERE)

    async def _accept(self, session: SessionId, ringing: Ringing, lease_until: float) -> Accepted:
        """The core's verdict; asked again while the store is away, as long as the offer can stand."""
        loop = asyncio.get_running_loop()
        gives_up = loop.time() + _LEASE_GRACE_S
        with suppress(StoreUnavailable):
            gives_up += max(0.0, lease_until - await self._ports.shared.now())
        while True:
            try:
                return await self._ports.inbox.accept(session, ringing.assignee, ringing.token)
            except StoreUnavailable as trouble:
                pause_s = trouble.retry_after_s or 1.0
                if loop.time() + pause_s > gives_up:
                    return Accepted.EXPIRED
                await asyncio.sleep(pause_s)

    async def _decline(self, session: SessionId, ringing: Ringing, why: NoAnswer) -> None:
        """The device refuses for its agent. Where the store is away the lease runs out instead."""
        with suppress(StoreUnavailable):
            await self._ports.inbox.decline(session, ringing.assignee, ringing.token, why)

    async def _agent_gone(self, agent: AgentEnd, reason: LegEnd) -> None:
        if self._agent is not agent:
            return
        self._agent = None
        self.is_joined = self._muted = False
        if self._telling is not None:
            self._telling.set()
        self._held[Slot.AGENT].clear()
        agent.call.hang_up()
        await self._taping.finish()
        if self.session is not None:
            self._outbox.put(self.session, LegClosed(leg=agent.leg, reason=reason), f"closed:{agent.leg}")
        if not self.is_over:
            async with self._audio_turn:
                await self._audio.part()
            await self.play((), music=True)

    # -- either end --------------------------------------------------------------------------------------------

    async def _hear_watched(self, call: Call, slot: Slot, leg: LegId) -> Ended:
        """As `_hear`, with an eye on whether that telephone is still there."""
        vigilance = self._ports.vigilance
        first_s = vigilance.citizen_s if slot is Slot.CITIZEN else vigilance.agent_s
        vigil = asyncio.create_task(
            keep_vigil(call, lambda: self._audio.stats(slot).packets_received, vigilance, first_s=first_s)
        )
        try:
            return await self._hear(call, slot, leg)
        finally:
            vigil.cancel()
            await asyncio.gather(vigil, return_exceptions=True)

    async def _hear(self, call: Call, slot: Slot, leg: LegId) -> Ended:
        """Serve one end's signalling until its call is over."""
        async for event in call:
            match event:
                case Ended():
                    return event
                case Reoffered(offer=offer):
                    await self._reoffered(call, slot, leg, offer)
                case RefreshDue():
                    await self._refresh(call, slot)
                case Referred(reference=reference):
                    call.decide_reference(await self._refer(slot, reference))
                case Confirmed(body=body):
                    self._acknowledged(call)
                    if body:
                        await self._confirmed(call, slot, body)
                case InfoDigit(digit=digit):
                    self._pressed(leg, digit, "info")
                case _:
                    pass
        return Ended(EndCause.LOST)

    async def _reoffered(self, call: Call, slot: Slot, leg: LegId, offer: bytes | None) -> None:
        """Answer a re-INVITE or UPDATE; what cannot be agreed leaves the session as it was."""
        try:
            async with self._audio_turn:
                body = await (self._audio.answer(slot, offer) if offer else self._audio.offer(slot))
            call.accept_reoffer(body)
        except YihaoError:
            call.refuse_reoffer(488)
            return
        self._holds(slot, leg, "signalled", held=bool(offer) and asks_hold(offer or b""))

    def _holds(self, slot: Slot, leg: LegId, why: str, *, held: bool) -> None:
        """A leg is held as long as anybody wants it: its own telephone (`signalled`), or its assignee (`asked`)."""
        reasons = self._held[slot]
        was = bool(reasons)
        (reasons.add if held else reasons.discard)(why)
        if bool(reasons) is not was and self.session is not None:
            self._outbox.put(self.session, LegHeld(leg=leg, held=held))
            self._taping.mark(Mark.HELD if held else Mark.RESUMED)

    async def _refer(self, slot: Slot, reference: Reference) -> int:
        """The answer to a REFER. Only the agent whose contact it is hands it on, and to whom the desk would let them.

        A call of theirs to be joined with this one (Replaces) is not ours to give: consultation is the desk's.
        """
        handover, ringing = self._ports.handover, self._ringing
        if slot is not Slot.AGENT or handover is None or ringing is None or self.session is None or not self.is_joined:
            return 403
        if reference.replaces is not None:
            return 403
        try:
            why_not = await handover.hand_on(self.session, ringing.assignee, reference.target.number or "")
        except StoreUnavailable:
            return 503
        self.ladder.note("transfer", why_not or "handed on", slot)
        return _REFERRED.get(why_not, 404)

    async def _refresh(self, call: Call, slot: Slot) -> None:
        """Offer anew what there is. What is refused leaves the session its time, which its timer watches."""

        async def offer() -> bytes:
            async with self._audio_turn:
                return await self._audio.offer(slot)

        with suppress(YihaoError):
            answer = await call.reinvite(offer)
            async with self._audio_turn:
                await self._audio.accept(slot, answer)

    async def _confirmed(self, call: Call, slot: Slot, answer: bytes) -> None:
        """The ACK brought the answer to an offer of ours; without one that fits there is no call."""
        try:
            async with self._audio_turn:
                await self._audio.accept(slot, answer)
        except YihaoError:
            call.hang_up()

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
                case PlaybackEnded(slot=Slot.AGENT) if self._telling is not None:
                    self._telling.set()
                case AudioLost(slot=slot):
                    self._fell_silent(slot)
                case _:
                    pass

    def _acknowledged(self, call: Call) -> None:
        """A far end has acknowledged an answer of ours."""

    def _pressed(self, leg: LegId, digit: str, way: str) -> None:
        """Tell of a digit once, although a phone may send it both as telephone-event and as INFO."""
        now = asyncio.get_running_loop().time()
        last_digit, last_way, at = self._last_press
        if self.session is None or (digit == last_digit and way != last_way and now - at < _SAME_PRESS_S):
            return
        self._last_press = (digit, way, now)
        self._outbox.put(self.session, DigitPressed(leg=leg, digit=digit))
        if digit == _KEEP_PLACE_KEY and leg == self.contact.leg and self._may_keep_place and not self.is_joined:
            self._outbox.put(self.session, PlaceKept(leg=leg))

    def _fell_silent(self, slot: Slot) -> None:
        """End a joined call when nothing comes from either end. One silent end may only be a muted telephone."""
        self.ladder.note("silence", peer=slot)
        self._silent[slot] = self._audio.stats(slot).packets_received
        still = [one for one, count in self._silent.items() if self._audio.stats(one).packets_received == count]
        if self.is_joined and len(still) == len(Slot):
            log.warning("a joined call fell silent at both ends", extra={"leg": self.contact.leg})
            self.hang_up(LegEnd.LOST)

    def _note_sound(self, slot: Slot) -> None:
        """How it arrived, onto the ladder."""
        stats = self._audio.stats(slot)
        figures = f"{stats.packets_received} packets, {stats.packets_lost} lost, jitter {stats.jitter_ms:.1f} ms"
        self.ladder.note("sound heard", figures, slot)

    def _leg_of(self, slot: Slot) -> LegId | None:
        if slot is Slot.CITIZEN:
            return self.contact.leg
        return self._agent.leg if self._agent is not None else None

    def _shown_caller(self) -> NameAddress:
        """The citizen's number as the agent's telephone shows it; hidden where the citizen hid it."""
        address = self.contact.address
        host, port = self._ports.endpoint.bound
        if address.scheme == ANONYMOUS:
            return NameAddress(Uri("sip", "anonymous.invalid", "anonymous"), "Anonymous")
        user = quote(address.identifier.partition("@")[0], safe="+")
        return NameAddress(Uri("sip", host, user, port=port))


_REFERRED = {"": 202, "not_yours": 403, "agent_away": 480}
"""How a transfer that is asked for by telephone is answered; what names nobody is not found."""


def who_ended(ended: Ended, whom: str, reason: LegEnd) -> str:
    """In words for the ladder."""
    match ended.cause:
        case EndCause.FAR_END:
            return f"{whom} hung up"
        case EndCause.OURS:
            return f"we hung up: {reason}"
        case EndCause.REFUSED:
            return f"refused with {ended.status}"
        case EndCause.LOST:
            return f"{whom} was lost: what must be answered was not"


def _leg_end(cause: EndCause) -> LegEnd:
    """Why the agent's leg ended, in the core's words."""
    return {EndCause.FAR_END: LegEnd.HANGUP, EndCause.OURS: LegEnd.CLOSED}.get(cause, LegEnd.LOST)
