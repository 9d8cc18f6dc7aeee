"""A telephone in a page that is gone in the middle of a call: loaded again, crashed, or on another network.

Its sound lives here, so nothing is lost but the moment. The other waits with music; the page registers again, and is
called back into the call, which it answers by itself (RFC 5373). A page that has only lost its socket has its call
still: its dialog goes on by the new one. One that does not come back in time has vanished.
"""

from __future__ import annotations

import asyncio

from channels.phone.guest import Guest, Host
from channels.phone.handling import Handling
from channels.phone.ladder import Ladder
from channels.phone.measuring import received
from channels.phone.ports import BridgePorts
from channels.phone.ringing import PickedUp, Ringing, way_to
from channels.phone.sip.uri import Uri
from channels.phone.summons import Summons
from session.audio import AudioSession, Slot
from session.errors import YihaoError
from session.events import LegAway, LegBack
from session.ports import Binding, StoreUnavailable
from session.state import Mark

_LOOK_S = 0.2
_RINGS_S = 5.0
_PAUSE_S = 1.0
"""Behind a page that does not take its call back: it may be without a microphone yet."""


class Comeback:
    """To one citizen's call. `turn` is the lock under which its audio session is spoken to."""

    def __init__(
        self,
        host: Host,
        ports: BridgePorts,
        audio: AudioSession,
        turn: asyncio.Lock,
        *,
        summons: Summons,
        handling: Handling,
        ladder: Ladder,
    ) -> None:
        self._host, self._ports, self._audio, self._turn = host, ports, audio, turn
        self._summons, self._handling, self._ladder = summons, handling, ladder

    async def of(self, guest: Guest) -> None:
        """Come back once `guest.call` is one that runs, or is over: as lost, where the page stays away."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._ports.vigilance.page_s
        lost, is_away = guest.call.flow, False
        before = await received(self._audio, guest.slot)
        while not guest.call.is_over:
            if loop.time() >= until:
                guest.call.give_up()
                return
            pause_s = _LOOK_S
            page = await self._page(guest)
            if page is not None and way_to(page, self._ports.node) != lost:
                if await self._is_regained(guest, page):
                    await self._sound_again(guest, was_away=is_away)
                    return
                pause_s = _PAUSE_S
            await asyncio.sleep(pause_s)
            count = await received(self._audio, guest.slot)
            if not is_away and count == before:
                # As long as its sound comes nobody need hear that the socket is gone.
                is_away = True
                await self._wait_for(guest)
            before = count

    async def _page(self, guest: Guest) -> Binding | None:
        """The page that is registered for whose call it is; the newest where there are several."""
        if guest.assignee is None:
            return None
        try:
            extension = await self._ports.telephones.extension_of(guest.assignee)
            bindings = await self._ports.registrar.bindings(extension) if extension else ()
        except StoreUnavailable:
            return None
        pages = [one for one in bindings if not way_to(one, self._ports.node).can_be_made]
        return max(pages, key=lambda one: one.expires_at, default=None)

    async def _wait_for(self, guest: Guest) -> None:
        """Who would hear only them hears music."""
        async with self._turn:
            await self._audio.hold(guest.slot, held=True)
        self._host.tell(LegAway(leg=guest.leg))
        self._ladder.note("page gone", "it is waited for", guest.slot)
        if guest.slot is Slot.AGENT:
            self._host.mark(Mark.AGENT_AWAY)

    async def _is_regained(self, guest: Guest, page: Binding) -> bool:
        """By the dialog that there is, where it is the same page; else by another call."""
        target = guest.call.dialog.remote_target if guest.call.dialog is not None else None
        contact = Uri.parse(page.contact)
        if target is not None and (target.user, target.host) == (contact.user, contact.host):
            guest.call.move(way_to(page, self._ports.node))
            return True
        return await self._call_back(guest, page)

    async def _call_back(self, guest: Guest, page: Binding) -> bool:
        if guest.assignee is None:
            return False
        async with self._turn:
            await self._audio.drop(guest.slot)
            await self._audio.hold(guest.slot, held=True)
        await self._host.sound()
        ringing = Ringing(
            self._ports.endpoint,
            self._ports.node,
            guest.assignee,
            0,
            self._ladder,
            peer=f"{guest.slot} again",
            answers_itself=True,
        )
        picked = await self._summons.call_back(ringing, guest.slot, page, _RINGS_S)
        if not isinstance(picked, PickedUp):
            return False
        before, guest.call = guest.call, picked.call
        before.hang_up()
        try:
            async with self._turn:
                await self._audio.accept(guest.slot, picked.answer)
        except YihaoError:
            guest.call.give_up()
        return True

    async def _sound_again(self, guest: Guest, *, was_away: bool) -> None:
        async with self._turn:
            await self._handling.take_up(guest.slot, guest.leg)
        await self._host.sound()
        self._ladder.note("page back", peer=guest.slot)
        if was_away:
            self._host.tell(LegBack(leg=guest.leg, owner=self._ports.node))
            if guest.slot is Slot.AGENT:
                self._host.mark(Mark.AGENT_BACK)
