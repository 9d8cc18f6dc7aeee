"""The ends of one call that say nothing: one may be a muted telephone, all of them are a call that nobody holds."""

from __future__ import annotations

from channels.phone.measuring import received
from session.audio import AudioSession, Slot


class Silence:
    """Of one call."""

    def __init__(self, audio: AudioSession) -> None:
        self._audio = audio
        self._since: dict[Slot, int] = {}

    def forget(self) -> None:
        """Others talk from now on."""
        self._since.clear()

    async def fell(self, slot: Slot) -> set[Slot]:
        """One more end has fallen silent; gives all that have, and have sent nothing since."""
        self._since[slot] = await received(self._audio, slot)
        return {one for one, count in tuple(self._since.items()) if await received(self._audio, one) == count}
