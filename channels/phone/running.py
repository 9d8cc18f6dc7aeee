"""The citizens' calls that run here, and what the core asks of each, brought to the right bridge."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence

from channels.contract import LegUnknown
from channels.phone.abroad import TakenUp
from channels.phone.bridge import Bridge
from channels.phone.call import Call
from channels.phone.calling_page import PageCallingBridge
from channels.phone.entrusted import EntrustedBridge
from channels.phone.incoming_bridge import ComingBridge
from channels.phone.ports import Spares
from session.address import Address
from session.audio import Announcement
from session.ids import AssigneeId, LegId, RecordingId, SessionId
from session.state import Conference, DialFailure, LegEnd, Supervision

_OF_PAGES = (EntrustedBridge, PageCallingBridge)


class Running:
    """What a channel of calls does for `CarriesAudio`, `HandlesCalls`, `ShowsOut` and `channels.calls.Exchange`."""

    def __init__(self) -> None:
        self._bridges: dict[LegId, Bridge] = {}
        self._telling: set[Spares] = set()
        self._made: set[asyncio.Task[None]] = set()
        """Calls that we make, and those of pages."""
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def calls(self) -> int:
        """Citizens' calls that run."""
        return len(self._bridges)

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:  # noqa: ARG002 - the contract's
        """Hang up the citizen's or the agent's end."""
        bridge = self._bridges.get(leg)
        if bridge is not None:
            bridge.hang_up(reason)
            return
        for other in self._bridges.values():
            other.hang_up_leg(leg, reason)

    async def play(self, leg: LegId, items: Sequence[Announcement], *, music: bool) -> None:
        """Let a citizen hear announcements, then music where `music`."""
        await self._bridge(leg).play(items, music=music)

    async def ring(
        self,
        session: SessionId,
        citizen_leg: LegId,
        assignee: AssigneeId,
        token: int,
        lease_until: float,
    ) -> None:
        """Call the assignee's registered devices."""
        for other in tuple(self._telling):
            other.spare(assignee)
        self._bridge(citizen_leg).ring(session, assignee, token, lease_until)

    async def stop_ringing(self, citizen_leg: LegId, assignee: AssigneeId, token: int) -> None:
        """Cancel what rings for that offer."""
        bridge = self._bridges.get(citizen_leg)
        if bridge is not None:
            bridge.stop_ringing(assignee, token)

    async def join(
        self,
        session: SessionId,  # noqa: ARG002 - the contract's
        citizen_leg: LegId,
        assignee_leg: LegId,
        recording: RecordingId,
    ) -> None:
        """Let citizen and assignee hear each other, and record them."""
        if not await self._bridge(citizen_leg).join(assignee_leg, recording):
            raise LegUnknown(assignee_leg)

    async def let_go(self, leg: LegId, items: Sequence[Announcement]) -> None:
        """Let a citizen hear announcements to the end, then hang up."""
        self._coming(leg).let_go(items)

    async def take_message(self, leg: LegId, recording: RecordingId, longest_s: float) -> None:
        """Ask a citizen for a voice message, and record it."""
        self._coming(leg).take_message(recording, longest_s)

    async def hold(self, leg: LegId, *, held: bool) -> None:
        """Music for the citizen and silence for the agent, or both again."""
        await self._bridge(leg).hold(held=held)

    async def mute(self, leg: LegId, *, muted: bool) -> None:
        """Let the agent not be heard, or be heard again."""
        await self._bridge(leg).mute(muted=muted)

    async def press(self, leg: LegId, digits: str, turn: int) -> None:
        """Send digits to the citizen's end."""
        await self._bridge(leg).press(digits, turn)

    async def supervise(self, leg: LegId, by: AssigneeId, what: Supervision, turn: int) -> None:
        """Call a supervisor to a citizen's call, or let the one who is there do what they ask for."""
        await self._bridge(leg).supervise(by, what, turn)

    async def call_third(
        self, leg: LegId, by: AssigneeId, agents: tuple[AssigneeId, ...], number: Address | None, turn: int
    ) -> None:
        """Call a third to a citizen's call."""
        await self._bridge(leg).call_third(by, agents, number, turn)

    async def confer(self, leg: LegId, what: Conference, turn: int) -> None:
        """Let others of a citizen's call talk with each other than do."""
        await self._bridge(leg).confer(what, turn)

    async def take_again(self, leg: LegId, offer: bytes) -> bytes:
        """The page of a call that runs offers anew."""
        return await self._pages(leg).page.answer(offer)

    async def take_back(self, leg: LegId, who: Address, offer: bytes) -> TakenUp:
        """See `abroad.Carries`."""
        bridge = self._pages(leg)
        if bridge.contact.address != who:
            raise LegUnknown(leg)
        return TakenUp(await bridge.page.answer(offer), bridge.session)

    def end_for(self, leg: LegId, who: Address) -> None:
        """See `abroad.Carries`."""
        bridge = self._bridges.get(leg)
        if bridge is not None and bridge.contact.address == who:
            bridge.hang_up(LegEnd.HANGUP)

    async def take_up(self, leg: LegId, offer: bytes) -> bytes:
        """The page takes the call that rings in it."""
        bridge = self._pages(leg)
        if not isinstance(bridge, PageCallingBridge):
            raise LegUnknown(leg)
        return await bridge.take_up(offer)

    def refuse(self, leg: LegId, why: DialFailure) -> None:
        """The page does not take it."""
        bridge = self._bridges.get(leg)
        if isinstance(bridge, PageCallingBridge):
            bridge.refuse(why)

    def is_heard(self, leg: LegId) -> bool:
        """Whether that call runs and its page is there now."""
        bridge = self._bridges.get(leg)
        return isinstance(bridge, _OF_PAGES) and not bridge.is_over and not bridge.page.is_away

    def hang_up(self, leg: LegId, reason: LegEnd) -> None:
        """End a call, for that reason."""
        bridge = self._bridges.get(leg)
        if bridge is not None:
            bridge.hang_up(reason)

    def _pages(self, leg: LegId) -> EntrustedBridge | PageCallingBridge:
        bridge = self._bridges.get(leg)
        if not isinstance(bridge, _OF_PAGES) or bridge.is_over:
            raise LegUnknown(leg)
        return bridge

    def _see_to(self, work: Coroutine[None, None, None], leg: LegId) -> None:
        """A call that has no request to last as long as."""
        task = asyncio.create_task(work, name=f"call {leg}")
        self._made.add(task)
        task.add_done_callback(self._made.discard)

    def _forget(self, bridge: Bridge) -> None:
        """Unless another stands in its place: a call may be reserved anew while the last one is being told of."""
        if self._bridges.get(bridge.contact.leg) is bridge:
            del self._bridges[bridge.contact.leg]
        if not self._bridges:
            self._idle.set()

    def _bridge_of_agent(self, call: Call) -> Bridge | None:
        """The citizen's call whose agent is on by that one."""
        return next((bridge for bridge in self._bridges.values() if bridge.succession.is_of(call)), None)

    def _bridge(self, leg: LegId) -> Bridge:
        bridge = self._bridges.get(leg)
        if bridge is None:
            raise LegUnknown(leg)
        return bridge

    def _coming(self, leg: LegId) -> ComingBridge:
        bridge = self._bridge(leg)
        if not isinstance(bridge, ComingBridge):
            raise LegUnknown(leg)
        return bridge
