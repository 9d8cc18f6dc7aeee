"""Sounds in any usual form, made into WAVE files by a program of its own (`media.unpack`): it may fail alone."""

from __future__ import annotations

import asyncio
import sys

from media.errors import Undecodable

PROGRAM = "media.unpack"
_AT_ONCE = 2
_PATIENCE_S = 20.0


class Decoder:
    """Two sounds at a time; the next ones wait."""

    def __init__(self, program: str = PROGRAM) -> None:
        self._program = program
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def wave(self, data: bytes, *, rate_hz: int = 0, longest_s: float = 0) -> bytes:
        """One channel of 16 bits, at `rate_hz` (0: as the sound is), of at most `longest_s` (0: ten minutes).

        Raises `Undecodable`: no sound of a form that we know, too long, or the decoder is not installed.
        """
        async with self._turns:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                self._program,
                str(rate_hz),
                str(longest_s),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
            )
            try:
                async with asyncio.timeout(_PATIENCE_S):
                    sound, _ = await child.communicate(data)
            except TimeoutError:
                raise Undecodable from None
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()
        if child.returncode or not sound:
            raise Undecodable
        return sound
