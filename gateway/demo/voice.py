"""What a telephone of the demonstration says: a recorded voice over RTP, in A-law, every 20 ms; it hears nothing."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import socket
from contextlib import suppress
from functools import cache

from media import sdp
from media.g711 import FRAME_SAMPLES, Law
from media.prompts import PromptLibrary
from media.rtp import Outgoing
from session.audio import Announcement

FRAME_S = 0.02
FORMATS = (sdp.Format(Law.PCMA, "PCMA", 8000),)
SAID = ("welcome", "keep_waiting", "callback_promised", "apology")
"""Recorded pieces of the house stand in for what a citizen would say."""


@cache
def _speech() -> tuple[bytes, ...]:
    sounds = PromptLibrary.load().sounds([Announcement(name) for name in SAID])
    said = b"".join(sound[Law.PCMA] for sound in sounds)
    return tuple(said[at : at + FRAME_SAMPLES] for at in range(0, len(said) - FRAME_SAMPLES, FRAME_SAMPLES))


class Voice:
    """One end of a call's sound."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._speaking: asyncio.Task[None] | None = None
        self._port = 0
        self._address = ""

    async def open(self, address: str) -> None:
        """Take a port there. The first voice of all reads the recordings, in a thread."""
        self._socket.bind((address, 0))
        self._address, self._port = self._socket.getsockname()
        await asyncio.to_thread(_speech)

    def close(self) -> None:
        """Give the port back."""
        self.hush()
        self._socket.close()

    def description(self) -> bytes:
        """The offer, or answer, for a call."""
        return sdp.write(secrets.randbits(31), 1, self._address, [sdp.Ours(self._port, FORMATS)])

    def speak_to(self, target: tuple[str, int]) -> None:
        """Talk until hushed."""
        self.hush()
        self._speaking = asyncio.create_task(self._speak(target))

    def hush(self) -> None:
        """Say no more."""
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None

    async def _speak(self, target: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        stream = Outgoing(secrets.randbits(32), secrets.randbits(15), secrets.randbits(31))
        due_s = loop.time()
        for frame in itertools.cycle(_speech()):
            with suppress(OSError):
                self._socket.sendto(stream.paced(Law.PCMA, frame, loop.time()), target)
            due_s = max(due_s + FRAME_S, loop.time() - 5 * FRAME_S)
            await asyncio.sleep(due_s - loop.time())
