"""Calls with citizens that one channel signals and another carries.

Agents have telephones on one channel, and whoever rings those carries the sound, plays what is heard in line, joins and
records. So a channel whose citizens call in a way of their own brings no more than their description of it: it finds an
`Exchange` among the house's parts, gives it each call, and passes on what the core asks of its legs. Where we call,
the exchange has the agent on the line first, and then asks the channel to ring for its citizen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from channels.contract import CarriesAudio, ChannelError, HandlesCalls, ShowsOut
from session.address import Address
from session.audio import Announcement
from session.ids import AssigneeId, LegId, RecordingId, SessionId
from session.ports import Contact
from session.state import Conference, DialFailure, LegEnd, Supervision


class CallRefused(ChannelError):
    """A call that is not taken; `code` is the word for it that its caller's page knows."""

    code: str

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"the call is not taken: {code}")


class ExchangeFull(CallRefused):
    """As many calls run, or come, as may; or the node is going away."""

    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("full")


class Caller(Protocol):
    """Whoever signals a call, and is told what becomes of it. None of its methods may wait."""

    def admitted(self, session: SessionId) -> None:
        """The core has the call, in that session."""
        ...

    def over(self, leg: LegId, reason: LegEnd) -> None:
        """It has ended, whether or not the core had heard of it; told once."""
        ...


class Callee(Protocol):
    """Whoever signals a call that we make, and rings for its citizen. None of its methods may wait."""

    def ring(self) -> DialFailure | None:
        """The agent is there: ring. Why it cannot be; what becomes of it is told by `take_up` and `refuse`."""
        ...

    @property
    def is_there(self) -> bool:
        """Whether there is anybody now to hear it."""
        ...

    def over(self, reason: LegEnd) -> None:
        """Nobody is called any more, or the call has ended; told once."""
        ...


@dataclass(frozen=True, slots=True)
class Answered:
    """Our side of a call that was taken: the leg that it may be, and the description for its far end."""

    leg: LegId
    description: bytes


class TakesCalls(Protocol):
    """Takes the calls of pages, for whoever holds the pages' sockets. `who` is the page's, which signs for it."""

    has_page: Callable[[Address], bool]
    """Set once by them: whether a page of that person is connected now."""

    @property
    def calls_at_once(self) -> int:
        """How many may run here; 0 takes none."""
        ...

    async def call(self, who: Address, offer: bytes, again: LegId | None, caller: Caller) -> Answered:
        """A page offers to call; `again` is the call that it was in before it was loaded anew.

        Raises `CallRefused`, `StoreUnavailable`.
        """
        ...

    async def take_up(self, who: Address, offer: bytes, leg: LegId, caller: Caller) -> Answered:
        """A page takes the call that rings in it. Raises `CallRefused`, `StoreUnavailable`."""
        ...

    def refuse(self, who: Address, leg: LegId, why: DialFailure) -> None:
        """What rings in it is not taken. Idempotent; a call that is none of theirs is no error."""
        ...

    def hang_up(self, who: Address, leg: LegId) -> None:
        """Its person hangs up. Idempotent; a call that is none of theirs is no error."""
        ...


class Exchange(CarriesAudio, HandlesCalls, ShowsOut, Protocol):
    """Rings agents' telephones for calls of any channel, and carries their sound."""

    async def take(self, contact: Contact, offer: bytes, caller: Caller) -> bytes:
        """Carry a page's call; gives our description. The core hears of it once the page is heard.

        Raises `ExchangeFull`, and what the engine says of the offer.
        """
        ...

    async def take_again(self, leg: LegId, offer: bytes) -> bytes:
        """The page of a call that runs offers anew: it has lost its way to us, or was loaded again.

        Raises `LegUnknown`, and what the engine says of the offer.
        """
        ...

    async def take_over(self, leg: LegId, who: Address, offer: bytes, caller: Caller) -> bytes:
        """That person's page was in a call that is not here: it may have come from another node, which has it still.

        From then on `take_again`, `hang_up` and `caller` are as if the call were here. Raises `LegUnknown`,
        `StoreUnavailable`, and what the engine says of the offer.
        """
        ...

    async def make_ready(self, session: SessionId, contact: Contact, callee: Callee, *, is_taken: bool) -> None:
        """A call that is to be made to a page: see `Dials.reserve`."""
        ...

    async def dial(self, leg: LegId, ring_s: float) -> None:
        """The agent is there: see `Dials.dial`. Raises `LegUnknown`."""
        ...

    async def take_up(self, leg: LegId, offer: bytes) -> bytes:
        """The page takes the call that rings in it; gives our description.

        Raises `LegUnknown` where it rings no more, and what the engine says of the offer.
        """
        ...

    def refuse(self, leg: LegId, why: DialFailure) -> None:
        """The page does not take it. Idempotent."""
        ...

    def is_heard(self, leg: LegId) -> bool:
        """Whether that call runs and its far end is there now."""
        ...

    def hang_up(self, leg: LegId, reason: LegEnd) -> None:
        """The call is over, for that reason. Idempotent."""
        ...


class Carried:
    """What a channel does whose calls an exchange carries: it passes on what is asked of their legs."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    async def play(self, leg: LegId, items: Sequence[Announcement], *, music: bool) -> None:
        """See `CarriesAudio`, as for what follows."""
        await self._exchange.play(leg, items, music=music)

    async def ring(
        self, session: SessionId, citizen_leg: LegId, assignee: AssigneeId, token: int, lease_until: float
    ) -> None:
        """Call the assignee's devices."""
        await self._exchange.ring(session, citizen_leg, assignee, token, lease_until)

    async def stop_ringing(self, citizen_leg: LegId, assignee: AssigneeId, token: int) -> None:
        """Cancel what rings for an offer."""
        await self._exchange.stop_ringing(citizen_leg, assignee, token)

    async def join(self, session: SessionId, citizen_leg: LegId, assignee_leg: LegId, recording: RecordingId) -> None:
        """Let both hear each other, and record them."""
        await self._exchange.join(session, citizen_leg, assignee_leg, recording)

    async def let_go(self, leg: LegId, items: Sequence[Announcement]) -> None:
        """See `ShowsOut`, as for what follows."""
        await self._exchange.let_go(leg, items)

    async def take_message(self, leg: LegId, recording: RecordingId, longest_s: float) -> None:
        """Ask for a voice message, and record it."""
        await self._exchange.take_message(leg, recording, longest_s)

    async def hold(self, leg: LegId, *, held: bool) -> None:
        """See `HandlesCalls`, as for what follows."""
        await self._exchange.hold(leg, held=held)

    async def mute(self, leg: LegId, *, muted: bool) -> None:
        """Let the assignee not be heard, or be heard again."""
        await self._exchange.mute(leg, muted=muted)

    async def press(self, leg: LegId, digits: str, turn: int) -> None:
        """Send digits to the far end."""
        await self._exchange.press(leg, digits, turn)

    async def supervise(self, leg: LegId, by: AssigneeId, what: Supervision, turn: int) -> None:
        """Call a supervisor to the call."""
        await self._exchange.supervise(leg, by, what, turn)

    async def call_third(
        self, leg: LegId, by: AssigneeId, agents: tuple[AssigneeId, ...], number: Address | None, turn: int
    ) -> None:
        """Call a third to the call."""
        await self._exchange.call_third(leg, by, agents, number, turn)

    async def confer(self, leg: LegId, what: Conference, turn: int) -> None:
        """Let others of the call hear each other."""
        await self._exchange.confer(leg, what, turn)
