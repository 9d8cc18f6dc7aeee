"""One connection to an rtpengine: its ng protocol over TCP, many commands under way at once, each within a time.

Over UDP some hundreds of them overflow its socket. A command is a cookie and a bencoded table, and so is the answer.
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from contextlib import suppress

from media.errors import AudioRefused, EngineFull, EngineLost, EngineSlow
from media.rtpengine.bencode import Cut, Said, Value, decoded, encoded

CONNECTS_S = 2.0
ANSWERS_S = 3.0
_MOST_BYTES = 1 << 20
"""Of one answer."""
_LOAD, _PORTS = b"load limit", b"Ran out of ports"


class Ng:
    """Made by `connected`. `run` hears the answers until the connection ends; then all that wait are told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        # It answers a cookie that it has seen, on whichever connection, as it did before.
        self._prefix = secrets.token_hex(8)
        self._cookies = itertools.count(1)
        self._waiting: dict[bytes, asyncio.Future[dict[str, Value]]] = {}
        self.is_gone = False

    @classmethod
    async def connected(cls, host: str, port: int) -> Ng:
        """Raises `EngineLost`."""
        try:
            async with asyncio.timeout(CONNECTS_S):
                return cls(*await asyncio.open_connection(host, port))
        except OSError as error:  # a time-out is one
            raise EngineLost from error

    async def run(self) -> None:
        """Until the connection is closed, by whomever; what comes then is nobody's."""
        try:
            with suppress(OSError, ValueError):
                await self._hear()
        finally:
            self.is_gone = True
            self._writer.close()
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(EngineLost())
            self._waiting.clear()

    def close(self) -> None:
        """End it."""
        self.is_gone = True
        self._writer.close()

    async def ask(self, command: str, fields: dict[str, Said] | None = None) -> dict[str, Value]:
        """Raises `EngineSlow` where no answer comes in time, `EngineLost` where none can come any more, `AudioRefused`
        or `EngineFull` where it is no.
        """
        if self.is_gone:
            raise EngineLost
        cookie = f"{self._prefix}-{next(self._cookies)}".encode()
        waiting: asyncio.Future[dict[str, Value]] = asyncio.get_running_loop().create_future()
        self._waiting[cookie] = waiting
        try:
            self._writer.write(cookie + b" " + encoded({"command": command, **(fields or {})}))
            # Not `asyncio.timeout`: where our loop stood still it would cancel what is read in the same turn.
            await asyncio.wait({waiting}, timeout=ANSWERS_S)
            if not waiting.done():
                raise EngineSlow
            answer = waiting.result()
        finally:
            self._waiting.pop(cookie, None)
            waiting.cancel()
        result = answer.get("result")
        if result in {b"ok", b"pong"}:
            return answer
        reason = answer.get("error-reason")
        if result == _LOAD or reason == _PORTS:
            raise EngineFull(0)
        raise AudioRefused(f"rtpengine says {_text(reason if isinstance(reason, bytes) else result)}")

    async def _hear(self) -> None:
        heard = b""
        while more := await self._reader.read(65_536):
            heard += more
            while heard:
                cookie, space, body = heard.partition(b" ")
                if not space:
                    break
                try:
                    answer, end = decoded(body)
                except Cut:
                    break
                heard = body[end:]
                waiting = self._waiting.get(cookie)
                if waiting is not None and not waiting.done() and isinstance(answer, dict):
                    waiting.set_result(answer)
            if len(heard) > _MOST_BYTES:
                return


def _text(value: Value | None) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else "nothing"
    return "".join(letter for letter in text[:120] if letter.isprintable())
