"""A page in Python: what `web/shared/client.ts` does, for tests. One writer, a pointer, an outbox until acked."""

import asyncio
import itertools
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import aiohttp

from realtime.messages import VERSION

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
Json = dict[str, Any]


def ulid() -> str:
    """An id of the right form; these need not sort."""
    return "0" + "".join(secrets.choice(_ALPHABET) for _ in range(25))


class Client:
    """Runs until `stop`; connects again whenever it is cut."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        ticket: Callable[[], Awaitable[str]],
        *,
        origin: str | None = None,
        take: bool = False,
    ) -> None:
        self._http, self._ticket = http, ticket
        self.url, self.take = url, take
        self.headers = {"Origin": origin or url.replace("ws://", "http://").split("/api")[0].rsplit("/socket")[0]}
        self.durable: list[Json] = []
        """Every durable frame, in the order in which it came, once."""
        self.ephemeral: list[Json] = []
        self.nacks: list[Json] = []
        self.acked: dict[str, int] = {}
        self.sent: dict[str, Json] = {}
        """Every command, by its id."""
        self.refused: dict[str, str] = {}
        self.welcomes: list[Json] = []
        self.closes: list[int] = []
        self.outbox: list[Json] = []
        self.doubled = 0
        self.resume: str | None = None
        self.last = 0
        self._next_cseq = 1
        self._pointer = 0
        self._unanswered: Counter[str] = Counter()
        self._ws: aiohttp.ClientWebSocketResponse | None = None
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run())

    @property
    def is_open(self) -> bool:
        return self._ws is not None and not self._ws.closed and bool(self.welcomes)

    @property
    def snapshot(self) -> Json:
        """The newest snapshot."""
        return next(frame for frame in reversed(self.durable) if frame["t"] == "snapshot")

    def of(self, tag: str) -> list[Json]:
        return [frame for frame in self.durable if frame["t"] == tag]

    def send(self, tag: str, **fields: Any) -> str:
        command = {"t": tag, "id": ulid(), "cseq": 0, **fields}
        self.outbox.append(command)
        self.sent[command["id"]] = command
        self._wake.set()
        return str(command["id"])

    async def put(self, frame: Json) -> None:
        assert self._ws is not None
        await self._ws.send_json(frame)

    def cut(self) -> bool:
        """Break the connection as a network does: no close, no flush."""
        ws = self._ws
        if ws is None or ws._response.connection is None or ws._response.connection.transport is None:
            return False
        ws._response.connection.transport.abort()
        return True

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        if self._ws is not None:
            await self._ws.close()

    async def _run(self) -> None:
        for attempt in itertools.count():
            try:
                ticket = await self._ticket()
                async with self._http.ws_connect(self.url, headers=self.headers, max_msg_size=0) as ws:
                    await ws.send_json(
                        {
                            "t": "hello",
                            "v": VERSION,
                            "ticket": ticket,
                            "resume": self.resume,
                            "last": self.last,
                            "take": self.take,
                        }
                    )
                    await self._serve(ws)
                    self.closes.append(ws.close_code or 0)
                    if ws.close_code in (4001, 4003, 4009):
                        return
            except (aiohttp.ClientError, ConnectionError):
                pass
            finally:
                self._ws = None
            await asyncio.sleep(random.uniform(0.0, 0.02) * min(attempt, 10))

    async def _serve(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        writer: asyncio.Task[None] | None = None
        try:
            async for message in ws:
                if message.type is not aiohttp.WSMsgType.TEXT:
                    break
                frame = message.json()
                if frame["t"] == "welcome":
                    self._ws = ws
                    self._welcome(frame)
                    writer = asyncio.create_task(self._write(ws))
                else:
                    await self._hear(ws, frame)
        finally:
            if writer is not None:
                writer.cancel()
                with suppress(asyncio.CancelledError, ConnectionError):
                    await writer

    def _welcome(self, frame: Json) -> None:
        self.welcomes.append(frame)
        if frame["reset"]:
            self.last = 0
            self._next_cseq = 1
            for command in self.outbox:
                command["cseq"] = 0
        self.resume = frame["resume"]
        self._pointer = 0
        self._unanswered.clear()
        self._wake.set()

    async def _hear(self, ws: aiohttp.ClientWebSocketResponse, frame: Json) -> None:
        match frame["t"]:
            case "ack":
                self._settle(frame["id"])
                self.acked[frame["id"]] = frame["rev"]
            case "nack":
                self.nacks.append(frame)
                if not frame["retry"]:
                    self._settle(frame["id"])
                    self.refused[frame["id"]] = frame["code"]
                else:
                    await self._rewind(frame)
            case "pong":
                pass
            case _ if "seq" in frame:
                if frame["seq"] != self.last + 1:
                    self.doubled += 1
                self.last = frame["seq"]
                self.durable.append(frame)
                await ws.send_json({"t": "rcv", "seq": self.last})
            case _:
                self.ephemeral.append(frame)

    async def _rewind(self, nack: Json) -> None:
        """Write again from the oldest on; but only for the answer to the latest writing of a command."""
        command = next((one for one in self.outbox if one["id"] == nack["id"]), None)
        if command is None:
            return
        self._unanswered[nack["id"]] -= 1
        if self._unanswered[nack["id"]] == 0:
            await asyncio.sleep(nack["after_s"] or 0.0)
            self._pointer = 0
            self._wake.set()

    def _settle(self, command_id: str) -> None:
        for index, command in enumerate(self.outbox):
            if command["id"] == command_id:
                del self.outbox[index]
                if index < self._pointer:
                    self._pointer -= 1

    async def _write(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        with suppress(ConnectionError):
            while True:
                while self._pointer < len(self.outbox):
                    command = self.outbox[self._pointer]
                    self._pointer += 1
                    if not command["cseq"]:
                        command["cseq"] = self._next_cseq
                        self._next_cseq += 1
                    self._unanswered[command["id"]] += 1
                    await ws.send_json(command)
                self._wake.clear()
                await self._wake.wait()
