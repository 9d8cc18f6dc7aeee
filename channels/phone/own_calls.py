"""What an agent's telephone dials beside our own numbers and codes: a colleague, a line, somebody outside by rule."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from channels.phone.begun_bridge import BegunBridge
from channels.phone.incoming import IncomingCall
from channels.phone.load import Seat
from channels.phone.ports import BridgePorts
from channels.phone.side_call import SideCall
from session.audio import Audio, AudioSession, Slot
from session.errors import YihaoError
from session.ids import AssigneeId
from session.ports import Beginnings, Credential, StoreUnavailable

NOT_FOUND = 404
_SOON = (("Retry-After", "5"),)
FORBIDDEN = 403
_BUSY_HERE = 486
_UNAVAILABLE = 503
_ANSWERS: Mapping[str, int] = {
    "no_slot": _BUSY_HERE,
    "no_phone": 480,
    "nobody_free": 480,
    "no_way_to_call": _UNAVAILABLE,
    "unknown_agent": NOT_FOUND,
    "unknown_queue": NOT_FOUND,
}
"""To the codes of why a call may not be made; all others are forbidden by rule."""


class OwnCalls:
    """Of one node."""

    def __init__(self, ports: BridgePorts, audio: Audio, beginnings: Beginnings | None) -> None:
        """Without `beginnings` nobody calls anybody: as if no such number existed."""
        self._ports, self._audio, self._beginnings = ports, audio, beginnings

    async def place(self, call: IncomingCall, by: Credential, typed: str, seat: Seat) -> BegunBridge | None:
        """See it through where it is no citizen's; else as `_begin`."""
        if self._beginnings is None:
            call.refuse(NOT_FOUND)
            return None
        try:
            aside = await self._beginnings.aside(by.login, typed)
        except StoreUnavailable:
            call.refuse(_UNAVAILABLE, _SOON)
            return None
        if aside is None:
            return await self._begin(self._beginnings, call, by.login, typed, seat)
        if isinstance(aside, str):
            self._refuse(call, aside)
            return None
        try:
            audio = await self._audio.open(f"side-{call.tag}")
        except YihaoError:
            call.refuse(_UNAVAILABLE, _SOON)
            return None
        await SideCall(self._ports, call, by, aside, audio, seat).serve()
        return None

    async def _begin(
        self, beginnings: Beginnings, call: IncomingCall, by: AssigneeId, typed: str, seat: Seat
    ) -> BegunBridge | None:
        """The bridge of a session that begins so, to be seen through; None once the call has been refused.

        The sound is prepared first: what is begun must not fail for want of it.
        """
        async with AsyncExitStack() as undo:
            try:
                audio = await self._audio.open(f"own-{call.tag}")
                undo.push_async_callback(audio.close)
                described = await self._described(audio, call)
                begun = await beginnings.begin(by, typed, is_up=True, dedupe=f"dialled:{call.call_id}:{call.tag}")
            except StoreUnavailable:
                call.refuse(_UNAVAILABLE, _SOON)
                return None
            except YihaoError:
                call.refuse(488)
                return None
            if isinstance(begun, str):
                self._refuse(call, begun)
                return None
            undo.pop_all()
            bridge = BegunBridge(self._ports, begun, audio, call, seat)
            bridge.connect(by, described)
            return bridge

    def _refuse(self, call: IncomingCall, why: str) -> None:
        call.ladder.note("not allowed", why)
        call.refuse(_ANSWERS.get(why, FORBIDDEN))

    async def _described(self, audio: AudioSession, call: IncomingCall) -> bytes:
        secrecies = self._ports.secrecies
        if call.offer is None:
            return await audio.offer(Slot.AGENT, secrecies.offering(call.flow))
        return await audio.answer(Slot.AGENT, call.offer, secrecies.answering(call.flow))
