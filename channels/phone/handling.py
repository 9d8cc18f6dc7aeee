"""What the agent does with a call, from the desk or at their telephone: hold (保持), mute (静音), digits (送号)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from channels.phone.taping import Taping
from session.audio import AudioSession, Slot
from session.events import Event, LegHeld, LegMuted
from session.ids import LegId
from session.state import Mark

_PARTIES = (Slot.CITIZEN, Slot.AGENT)


class Handling:
    """Of one citizen's call. `turn` is the lock under which its audio session is spoken to."""

    def __init__(self, audio: AudioSession, turn: asyncio.Lock, taping: Taping, tell: Callable[[Event], None]) -> None:
        self._audio, self._turn, self._taping, self._tell = audio, turn, taping, tell
        self._held: dict[Slot, set[str]] = {slot: set() for slot in Slot}
        self._muted = False
        self._pressed_turn = 0

    async def hold(self, leg: LegId, *, held: bool) -> None:
        """Let the citizen wait with music and the agent hear nothing, whatever their telephone sends; or talk on."""
        async with self._turn:
            await self._audio.hold(Slot.AGENT, held=held)
        self.holds(Slot.AGENT, leg, "asked", held=held)

    async def mute(self, leg: LegId, *, muted: bool) -> None:
        """Let the agent not be heard, or be heard again."""
        if muted is self._muted:
            return
        async with self._turn:
            await self._audio.mute(Slot.AGENT, muted=muted)
        self._muted = muted
        self._tell(LegMuted(leg=leg, muted=muted))
        self._taping.mark(Mark.MUTED if muted else Mark.UNMUTED)

    async def press(self, digits: str, turn: int) -> None:
        """Send digits to the citizen's end, once for each turn. Raises `YihaoError` where it takes none."""
        if turn <= self._pressed_turn:
            return
        self._pressed_turn = turn
        async with self._turn:
            await self._audio.send_digits(Slot.CITIZEN, digits)

    def holds(self, slot: Slot, leg: LegId, why: str, *, held: bool) -> None:
        """A leg is held as long as anybody wants it: its own telephone (`signalled`), or its assignee (`asked`)."""
        reasons = self._held[slot]
        was = bool(reasons)
        (reasons.add if held else reasons.discard)(why)
        if bool(reasons) is not was and slot in _PARTIES:
            self._tell(LegHeld(leg=leg, held=held))
            self._taping.mark(Mark.HELD if held else Mark.RESUMED)

    async def take_up(self, slot: Slot, leg: LegId) -> None:
        """Another far end stands for the same leg: it is held and muted as the one before was from the desk.

        To be called in one's turn. What the telephone before had signalled went with it.
        """
        self.holds(slot, leg, "signalled", held=False)
        await self._audio.hold(slot, held="asked" in self._held[slot])
        if slot is Slot.AGENT:
            await self._audio.mute(slot, muted=self._muted)

    def forget(self) -> None:
        """Another agent begins neither held nor muted."""
        self._muted = False
        self._held[Slot.AGENT].clear()
