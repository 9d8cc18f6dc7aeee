"""A citizen's page and an agent's desk without a browser: real sockets that speak the protocol by hand.

For hundreds of them at once, and for what no browser does (a foreign Origin, another's token). They come back after a
cut and send again what was not acknowledged, as the pages do, to whichever server answers.
"""

import asyncio
import random
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Self

import aiohttp

from channels.webchat.translate import RECALLED

VERSION = 1
_CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
OWN_PAGE = {"X-Yihao": "1"}
REFUSED_FOR_GOOD = {4000, 4001, 4003, 4009}
HELLO_S = 15.0


class Refused(Exception):
    """A command, a login or the socket is refused for good; `code` says why."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(code)


def command_id() -> str:
    """A name that no other command has."""
    return "0" + "".join(secrets.choice(_CROCKFORD) for _ in range(25))


class Page:
    """One page on any number of sockets, one after the other. `frames` holds the durable ones, each once, in order."""

    path = ""

    def __init__(self, servers: Sequence[str]) -> None:
        self.servers = list(servers)
        self.frames: list[dict[str, Any]] = []
        self.mentions: list[dict[str, Any]] = []
        """Ephemeral frames: typing, places in line."""
        self.resumes = 0
        """Sockets that went on where the one before ended."""
        self.closed_with: int | None = None
        """The close code that ended this page for good."""
        self.close_codes: list[int | None] = []
        """Of all sockets that the server closed."""
        self.welcomed = asyncio.Event()
        self.http: aiohttp.ClientSession
        self._socket: aiohttp.ClientWebSocketResponse | None = None
        self._task: asyncio.Task[None] | None = None
        self._resume: str | None = None
        self._last = 0
        self._cseq = 0
        self._turn = asyncio.Lock()
        self._answers: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._news = asyncio.Event()
        self._stays_away = False
        self.takes = False
        """Say in the first hello that this page takes another's place."""
        self.refused_as = ""
        """Why the last hello was refused."""

    async def __aenter__(self) -> Self:
        self.http = aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))
        try:
            await self.prepare()
        except BaseException:
            await self.http.close()
            raise
        self._task = asyncio.create_task(self._live())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self.http.close()

    async def prepare(self) -> None:
        """What comes before the first ticket."""

    async def ticket(self, server: str) -> str:
        raise NotImplementedError

    async def open(self, deadline_s: float = 15.0) -> None:
        """Come back when a socket serves."""
        async with asyncio.timeout(deadline_s):
            await self.welcomed.wait()

    def cut(self) -> None:
        """Lose the connection without a word, as a telephone in a lift."""
        self.welcomed.clear()
        connection = self._socket._response.connection if self._socket is not None else None
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

    def stay_away(self) -> None:
        """Lose the connection and do not come back by oneself."""
        self._stays_away = True
        self.cut()

    def come_back(self) -> None:
        self._stays_away = False

    async def command(self, kind: str, deadline_s: float = 15.0, /, **fields: object) -> dict[str, Any]:
        """Send a command over as many sockets as it takes, until it is acknowledged; gives the ack.

        Commands go one at a time, so that they stay in order. Raises `Refused`, or `TimeoutError` when nobody
        acknowledged it: then it was, or was not, done.
        """
        name = command_id()
        async with self._turn, asyncio.timeout(deadline_s):
            while True:
                await self.welcomed.wait()
                answer = await self._ask({"t": kind, "id": name, "cseq": self._cseq + 1, **fields})
                if answer is None:
                    continue
                if answer["t"] == "ack":
                    self._cseq += 1
                    return answer
                if answer["code"] == "gap":
                    self._cseq = int(answer["expect"]) - 1
                elif not answer["retry"]:
                    self._cseq += 1
                    raise Refused(str(answer["code"]))
                else:
                    await asyncio.sleep(min(float(answer.get("after_s") or 0.2), 1.0))

    async def mention(self, kind: str, **fields: object) -> None:
        """Send now or never."""
        await self.open()
        assert self._socket is not None
        await self._socket.send_json({"t": kind, **fields})

    async def saw(self, kind: str, deadline_s: float = 15.0, **fields: object) -> dict[str, Any]:
        """Wait for the newest frame of this kind whose fields are these; gives it."""
        return await self.until(lambda frame: _fits(frame, kind, fields), deadline_s, f"{kind} {fields}")

    async def until(
        self, fits: Callable[[dict[str, Any]], bool], deadline_s: float = 15.0, what: str = "such frame"
    ) -> dict[str, Any]:
        try:
            async with asyncio.timeout(deadline_s):
                while True:
                    self._news.clear()
                    frame: dict[str, Any]
                    seen = [*self.frames, *self.mentions]
                    for frame in reversed(seen):
                        if fits(frame):
                            return frame
                    await self._news.wait()
        except TimeoutError:
            kinds = [frame["t"] for frame in self.frames]
            raise AssertionError(f"no {what} within {deadline_s} s, but {kinds[-20:]}") from None

    async def _ask(self, command: dict[str, Any]) -> dict[str, Any] | None:
        """One attempt; None when the socket was cut before an answer."""
        assert self._socket is not None
        answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._answers[command["id"]] = answer
        try:
            await self._socket.send_json(command)
            return await answer
        except (ConnectionError, aiohttp.ClientError, asyncio.InvalidStateError):
            await asyncio.sleep(0.02)
            return None
        finally:
            self._answers.pop(command["id"], None)

    async def _live(self) -> None:
        attempt = 0
        while self.closed_with is None:
            server = self.servers[attempt % len(self.servers)]
            attempt += 1
            with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                if not self._stays_away:
                    await self._serve(server)
            self._lose()
            await asyncio.sleep(random.uniform(0.02, 0.1))

    async def _serve(self, server: str) -> None:
        ticket = await self.ticket(server)
        address = f"ws{server.removeprefix('http')}{self.path}"
        async with self.http.ws_connect(address, origin=server, autoping=True) as socket:
            self._socket = socket
            hello = {"t": "hello", "v": VERSION, "ticket": ticket, "resume": self._resume, "last": self._last}
            await socket.send_json({**hello, "build": "test", "take": self.takes})
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await self._take(message.json())
            self.close_codes.append(socket.close_code)
            if socket.close_code in REFUSED_FOR_GOOD:
                if socket.close_code == 4003 and self._resume is not None:
                    self._resume = None
                else:
                    self.closed_with = socket.close_code

    async def _take(self, frame: dict[str, Any]) -> None:
        match frame["t"]:
            case "welcome":
                self._resume = frame["resume"]
                self.takes = False
                self.resumes += 0 if frame["reset"] else 1
                if frame["reset"]:
                    self._last = self._cseq = 0
                self.welcomed.set()
            case "nack" if not frame["id"]:
                self.refused_as = frame["code"]
            case "ack" | "nack":
                answer = self._answers.get(frame["id"])
                if answer is not None and not answer.done():
                    answer.set_result(frame)
            case "pong":
                pass
            case _ if "seq" in frame:
                await self._take_durable(frame)
            case _:
                self.mentions.append(frame)
        self._news.set()

    async def _take_durable(self, frame: dict[str, Any]) -> None:
        assert frame["seq"] == self._last + 1, f"after {self._last} came {frame['seq']}"
        self._last = frame["seq"]
        self.frames.append(frame)
        assert self._socket is not None
        await self._socket.send_json({"t": "rcv", "seq": self._last})

    def _lose(self) -> None:
        self.welcomed.clear()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionResetError("the socket is cut"))
                answer.exception()  # looked at: whoever asked may have stopped waiting


def _fits(frame: dict[str, Any], kind: str, fields: dict[str, object]) -> bool:
    return frame["t"] == kind and all(frame.get(name) == value for name, value in fields.items())


class CitizenPage(Page):
    """The web chat of one visitor."""

    path = "/api/webchat/socket"

    def __init__(self, *servers: str) -> None:
        super().__init__(servers)
        self.visitor: str | None = None
        self._own: dict[str, dict[str, Any]] = {}
        """Messages that were said here and acknowledged."""

    async def ticket(self, server: str) -> str:
        asked = {"visitor": self.visitor} if self.visitor else {}
        async with self.http.post(
            f"{server}/api/webchat/visitor", json=asked, headers={**OWN_PAGE, "Origin": server}
        ) as answer:
            answer.raise_for_status()
            given = await answer.json()
        self.visitor = given["visitor"]
        return str(given["ticket"])

    async def command(self, kind: str, deadline_s: float = 15.0, /, **fields: object) -> dict[str, Any]:
        """See `Page.command`."""
        answer = await super().command(kind, deadline_s, **fields)
        if kind in {"msg.send", "file.send", "location.send"}:
            self._own[answer["id"]] = {"text": None, **fields, **answer, "from": "citizen"}
        return answer

    async def write(self, text: str, deadline_s: float = 15.0) -> str:
        """Send a message; gives its id once the gateway has it for certain."""
        return str((await self.command("msg.send", deadline_s, text=text))["id"])

    async def write_all(self, texts: Sequence[str], deadline_s: float = 30.0) -> None:
        """Send them all before the first is answered: on a socket that holds, to a gateway that refuses none."""
        async with self._turn, asyncio.timeout(deadline_s):
            sent = []
            for text in texts:
                self._cseq += 1
                command = {"t": "msg.send", "id": command_id(), "cseq": self._cseq, "text": text}
                sent.append(asyncio.create_task(self._ask(command)))
            answers = await asyncio.gather(*sent)
        for text, answer in zip(texts, answers, strict=True):
            assert answer is not None, "the socket was cut"
            assert answer["t"] == "ack", answer
            self._own[answer["id"]] = {"text": text, **answer, "from": "citizen"}

    def texts(self) -> list[str]:
        """What the page shows, in order: the last snapshot and what came after it."""
        return [str(message["text"]) for message in self.messages() if message.get("text")]

    def messages(self) -> list[dict[str, Any]]:
        shown: dict[str, dict[str, Any]] = {}
        for frame in self.frames:
            if frame["t"] == "snapshot":
                shown = {message["id"]: message for message in frame["messages"]}
            elif frame["t"] == "msg.new":
                assert frame["id"] not in shown or frame["text"] == RECALLED, "a message is shown twice"
                shown[frame["id"]] = frame
        return sorted((self._own | shown).values(), key=lambda one: int(one["rev"]))

    @property
    def phase(self) -> str:
        """Where the matter stands, as the page was told last."""
        return str(self.state.get("phase", ""))

    @property
    def state(self) -> dict[str, Any]:
        """All that the page was told last of where the matter stands."""
        for frame in reversed(self.frames):
            if frame["t"] in {"snapshot", "session.state"}:
                return dict(frame["state"] if frame["t"] == "snapshot" else frame)
        return {}


class DeskPage(Page):
    """The desk of one agent."""

    path = "/api/desk/socket"

    def __init__(self, login: str, password: str, *servers: str) -> None:
        super().__init__(servers)
        self.login = login
        self.password = password

    async def prepare(self) -> None:
        await self.log_in(self.servers[0])

    async def log_in(self, server: str) -> None:
        """Raises `Refused` with the error's code."""
        given = {"login": self.login, "password": self.password}
        async with self.http.post(f"{server}/api/login", json=given, headers={**OWN_PAGE, "Origin": server}) as answer:
            if answer.status != 200:
                raise Refused(str((await answer.json())["error"]))

    async def ticket(self, server: str) -> str:
        async with self.http.post(f"{server}/api/desk/ticket", headers={**OWN_PAGE, "Origin": server}) as answer:
            if answer.status == 401:
                await self.log_in(server)
                return ""
            answer.raise_for_status()
            return str((await answer.json())["ticket"])

    async def make_ready(self) -> None:
        await self.command("presence.set", presence="ready")

    async def offer(self, deadline_s: float = 15.0, *, after: int = 0) -> dict[str, Any]:
        """The newest offer whose token is higher than `after`."""
        return await self.until(lambda frame: frame["t"] == "offer.new" and frame["token"] > after, deadline_s, "offer")

    async def accept(self, offer: dict[str, Any]) -> None:
        await self.command("offer.accept", session=offer["session"], token=offer["token"])

    def timeline(self, session: str) -> list[dict[str, Any]]:
        """The entries of a session that the desk shows: those of the last snapshot, and what came after it."""
        shown: list[dict[str, Any]] = []
        for frame in self.frames:
            if frame["t"] == "snapshot":
                contacts = [one for one in frame["contacts"] if one["session"] == session]
                shown = [placed["entry"] for contact in contacts for placed in contact["timeline"]]
            elif frame["t"] == "contact.timeline" and frame["session"] == session:
                shown.append(frame["entry"])
        return shown

    def texts(self, session: str) -> list[str]:
        """What was written in a session, as the desk shows it."""
        return [str(entry["text"]) for entry in self.timeline(session) if entry["kind"] == "text"]

    async def get(self, path: str) -> bytes:
        """Something that only a logged-in agent may fetch."""
        async with self.http.get(f"{self.servers[0]}{path}") as answer:
            answer.raise_for_status()
            return await answer.read()
