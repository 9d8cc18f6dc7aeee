"""A call of an agent's telephone that is no citizen's: to a colleague's (内线), to somebody in a line, or to a number
outside that they consult about the call which they have. No session: nobody is recorded, charged, or offered less.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from channels.phone.agreeing import Agreeing
from channels.phone.call import Call, Confirmed, Ended, Referred, RefreshDue, Reoffered, Stranded
from channels.phone.guest import Guest
from channels.phone.incoming import IncomingCall
from channels.phone.invitations import Invitations
from channels.phone.load import Seat
from channels.phone.measuring import received
from channels.phone.ports import BridgePorts
from channels.phone.referral import FORBIDDEN, NOT_HERE
from channels.phone.ringing import NoAnswer
from channels.phone.sip.digits import InfoDigit
from channels.phone.sip.refer import Reference
from channels.phone.vigil import vigil
from session.address import Address
from session.audio import AudioGone, AudioSession, DigitHeard, Slot
from session.errors import YihaoError
from session.ids import AssigneeId, LegId
from session.ports import Aside, Contact, Credential
from session.state import Medium, Party

_NO_ANSWER = 480
_STATUSES = {NoAnswer.BUSY: 486, NoAnswer.REJECTED: 603, NoAnswer.UNREACHABLE: 480}
_OTHER = {Slot.CITIZEN: Slot.AGENT, Slot.AGENT: Slot.CITIZEN}


class SideCall:
    """`serve` lasts until one of the two hangs up, or the other has come to a citizen's call."""

    def __init__(
        self, ports: BridgePorts, call: IncomingCall, by: Credential, aside: Aside, audio: AudioSession, seat: Seat
    ) -> None:
        self._ports, self._call, self._aside, self._audio, self._seat = ports, call, aside, audio, seat
        self._by = by
        self._turn = asyncio.Lock()
        self._agreeing = Agreeing(audio, self._turn)
        host, _ = ports.endpoint.bound
        shown = Address("sip", f"{by.extension}@{host}")
        contact = Contact(LegId(f"side-{call.tag}"), ports.channel, Medium.VOICE, shown, ports.number)
        call.ladder.named(contact.leg)
        self._guests = Invitations(ports, audio, self._turn, contact, call.ladder)
        self._far: Guest | None = None
        self._given = asyncio.Event()

    @property
    def by(self) -> AssigneeId:
        """Whose telephone has called."""
        return self._by.login

    @property
    def far(self) -> Guest | None:
        """Who has picked up and is on this call still."""
        return None if self._given.is_set() or self._far is None or self._far.call.is_over else self._far

    async def serve(self) -> None:
        """See it through."""
        leaving = asyncio.create_task(self._follow(self._call, Slot.CITIZEN))
        tasks: list[asyncio.Task[object]] = [leaving, asyncio.create_task(self._hear_audio())]
        self._ports.asides.began(self, self._call)
        try:
            self._call.provisional(180)
            reaching = asyncio.create_task(self._reach())
            tasks.append(reaching)
            await asyncio.wait({reaching, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if reaching.done() and not leaving.done():
                await self._connect(reaching.result(), leaving, tasks)
        except YihaoError:
            if not self._call.is_answered:
                self._call.refuse(488)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._ports.asides.ended(self._call)
            self._call.hang_up()
            if self._far is not None and not self._given.is_set():
                self._far.call.hang_up()
                self._far.carried.close()
            await self._audio.close()

    async def give(self, offer: Callable[[], Awaitable[bytes]]) -> bytes:
        """Offer who has picked up the sound of another call, whose they are once they take it; gives their answer.

        Raises `YihaoError`: then they are here still.
        """
        if (far := self.far) is None:
            raise AsideOver
        answer = await far.call.reinvite(offer)
        self._given.set()
        return answer

    async def _reach(self) -> Guest | NoAnswer | None:
        """Whoever picks up first, or why nobody did."""
        outcome: Guest | NoAnswer | None = NoAnswer.UNREACHABLE
        if self._aside.number is not None:
            outcome = await self._guests.call_out(self._aside.number, Slot.AGENT, Party.THIRD, _hears_nothing)
        for colleague in self._aside.agents:
            outcome = await self._guests.call_in(colleague, Slot.AGENT, Party.THIRD)
            if isinstance(outcome, Guest):
                break
        self._far = outcome if isinstance(outcome, Guest) else None
        return outcome

    async def _connect(
        self, reached: Guest | NoAnswer | None, leaving: asyncio.Task[None], tasks: list[asyncio.Task[object]]
    ) -> None:
        """Let both hear each other, until one goes."""
        if not isinstance(reached, Guest):
            self._call.refuse(_STATUSES.get(reached, _NO_ANSWER) if reached is not None else _NO_ANSWER)
            return
        secrecies, flow = self._ports.secrecies, self._call.flow
        async with self._turn:
            if self._call.offer is None:
                described = await self._audio.offer(Slot.CITIZEN, secrecies.offering(flow))
            else:
                described = await self._audio.answer(Slot.CITIZEN, self._call.offer, secrecies.answering(flow))
        self._call.answer(described)
        async with self._turn:
            await self._audio.join()
        ends = [asyncio.create_task(self._follow(reached.call, Slot.AGENT)), asyncio.create_task(self._given.wait())]
        tasks += ends
        await asyncio.wait({leaving, *ends}, return_when=asyncio.FIRST_COMPLETED)

    async def _follow(self, call: Call, slot: Slot) -> None:
        """Serve one end's signalling until it is over, with an eye on whether it is there."""
        async with vigil(call, lambda: received(self._audio, slot), self._ports.vigilance):
            async for event in call:
                match event:
                    case Ended() | Stranded():
                        return
                    case Reoffered(offer=offer):
                        await self._agreeing.answer(call, slot, offer)
                    case RefreshDue():
                        await self._agreeing.refresh(call, lambda: slot)
                    case Referred(reference=reference):
                        await self._refer(call, reference)
                    case Confirmed(body=body):
                        self._seat.confirm()
                        if body:
                            await self._agreeing.take(call, slot, body)
                    case InfoDigit(digit=digit):
                        await self._pass_on(slot, digit)

    async def _refer(self, call: Call, reference: Reference) -> None:
        """Only who has called may bring the other to the citizen whom they have; no citizen is here to be handed on."""
        bridge = None
        if call is self._call and reference.replaces is not None:
            bridge = self._ports.asides.bridge_of(reference.replaces)
        if bridge is None:
            call.decide_reference(FORBIDDEN, NOT_HERE if reference.replaces is not None else "")
        else:
            await bridge.succession.join(call, self)

    async def _hear_audio(self) -> None:
        """Digits, which a machine at the far end may ask for; and that what carries the sound has died."""
        async for event in self._audio.events():
            match event:
                case DigitHeard(slot=slot, digit=digit) if slot in _OTHER:
                    await self._pass_on(slot, digit)
                case AudioGone():
                    self._call.hang_up()

    async def _pass_on(self, slot: Slot, digit: str) -> None:
        with suppress(YihaoError):
            async with self._turn:
                await self._audio.send_digits(_OTHER[slot], digit)


class AsideOver(YihaoError):
    """Nobody is at the other end of that call any more."""

    def __init__(self) -> None:
        super().__init__("nobody is on the other end")


async def _hears_nothing(_: bool) -> None:
    """The telephone that called plays its own ringing tone, by our 180."""
