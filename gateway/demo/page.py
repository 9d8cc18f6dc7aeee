"""A page's socket as a browser has it: ticket, hello, commands one at a time, frames confirmed; cut, it comes back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import aiohttp

from gateway.ulid import new_ulid
from realtime.messages import VERSION

Frame = dict[str, Any]
PATIENCE_S = 10.0
AGAIN_S = 1.0
OWN = {"X-Yihao": "1"}


class NotTaken(Exception):
    """A command was refused; `code` says why."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


class Page:
    """One person's page. `hear` is shown every frame but answers, in order."""

    path = ""

    def __init__(self, server: str, hear: Callable[[Frame], None]) -> None:
        self._server, self._hear = server, hear
        self._http: aiohttp.ClientSession
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._resume: str | None = None
        self._last = self._cseq = 0
        self._welcomed = asyncio.Event()
        self._turn = asyncio.Lock()
        self._answer: asyncio.Future[Frame] | None = None
        self._living: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        self._living = asyncio.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._living is not None:
            self._living.cancel()
            await asyncio.gather(self._living, return_exceptions=True)
        await self._http.close()

    async def send(self, kind: str, /, **fields: object) -> str:
        """A command, over as many sockets as it takes; gives its id. Raises `NotTaken`, `TimeoutError`."""
        name = new_ulid()
        async with self._turn, asyncio.timeout(PATIENCE_S):
            while True:
                await self._welcomed.wait()
                answer = await self._ask({"t": kind, "id": name, "cseq": self._cseq + 1, **fields})
                if answer is not None and answer["t"] != "nack":
                    self._cseq += 1
                    return name
                if answer is not None:
                    await self._amend(answer)

    async def mention(self, kind: str, /, **fields: object) -> None:
        """Something that may be lost: typing."""
        if self._socket is not None and self._welcomed.is_set():
            with suppress(ConnectionError, aiohttp.ClientError):
                await self._socket.send_json({"t": kind, **fields})

    async def _amend(self, refusal: Frame) -> None:
        if refusal["code"] == "gap":
            self._cseq = int(refusal["expect"]) - 1
        elif refusal["retry"]:
            await asyncio.sleep(min(float(refusal.get("after_s") or 0.2), AGAIN_S))
        else:
            self._cseq += 1
            raise NotTaken(str(refusal["code"]))

    async def _ask(self, command: Frame) -> Frame | None:
        """One attempt; None when the socket was cut before an answer."""
        if self._socket is None:
            return None
        self._answer = asyncio.get_running_loop().create_future()
        try:
            await self._socket.send_json(command)
            return await self._answer
        except (ConnectionError, aiohttp.ClientError):
            return None

    async def ticket(self) -> str:
        """A pass for the socket."""
        raise NotImplementedError

    async def post(self, path: str, **given: object) -> Frame:
        """Ask over HTTP as the page does."""
        headers = {**OWN, "Origin": self._server}
        async with self._http.post(f"{self._server}{path}", json=given, headers=headers) as answer:
            answer.raise_for_status()
            found: Frame = await answer.json()
            return found

    async def _live(self) -> None:
        while True:
            with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                await self._serve()
            self._lose()
            await asyncio.sleep(AGAIN_S)

    async def _serve(self) -> None:
        hello = {"t": "hello", "v": VERSION, "ticket": await self.ticket(), "resume": self._resume, "last": self._last}
        address = f"ws{self._server.removeprefix('http')}{self.path}"
        async with self._http.ws_connect(address, origin=self._server) as socket:
            self._socket = socket
            await socket.send_json({**hello, "build": "demo", "take": False})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await self._take(json.loads(message.data), socket)

    async def _take(self, frame: Frame, socket: aiohttp.ClientWebSocketResponse) -> None:
        if frame["t"] == "welcome":
            self._resume = frame["resume"]
            if frame["reset"]:
                self._last = self._cseq = 0
            self._welcomed.set()
            return
        if "seq" in frame:
            self._last = int(frame["seq"])
            await socket.send_json({"t": "rcv", "seq": self._last})
        if frame["t"] in {"ack", "nack"}:
            if self._answer is not None and not self._answer.done():
                self._answer.set_result(frame)
        elif frame["t"] != "pong":
            self._hear(frame)

    def _lose(self) -> None:
        self._socket = None
        self._welcomed.clear()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionResetError())
            self._answer.exception()


class CitizenPage(Page):
    """The web chat."""

    path = "/api/webchat/socket"

    def __init__(self, server: str, hear: Callable[[Frame], None]) -> None:
        super().__init__(server, hear)
        self._visitor: str | None = None

    async def ticket(self) -> str:
        given = await self.post("/api/webchat/visitor", **({"visitor": self._visitor} if self._visitor else {}))
        self._visitor = given["visitor"]
        return str(given["ticket"])


class DeskPage(Page):
    """An agent's desk."""

    path = "/api/desk/socket"

    def __init__(self, server: str, hear: Callable[[Frame], None], login: str, password: str) -> None:
        super().__init__(server, hear)
        self._login, self._password = login, password
        self._is_in = False

    async def ticket(self) -> str:
        if not self._is_in:
            await self.post("/api/login", login=self._login, password=self._password)
            self._is_in = True
        return str((await self.post("/api/desk/ticket"))["ticket"])
