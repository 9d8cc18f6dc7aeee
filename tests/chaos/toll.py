"""A toll bar between a gateway and its store: from a named step of somebody's story on, nothing of theirs gets through.

A step is a command that writes something about one who is `watched` (whoever is named in it: a citizen's number, a
page, the session that a command of theirs began). It never reaches the store, or it is done and its answer is lost; the
gateway knows only that the store did not confirm. What it tries after that is refused, so that what the store has is
what a gateway leaves that was killed right there; then the test kills it. Others go on meanwhile: all of a gateway's
commands share one connection, and one that hung would hold them all.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Self

READS = frozenset({"place", "view", "queue", "debts", "kin_known", "lives", "dead_nodes", "orphans", "unabsorbed"})
WRITES = frozenset({"FCALL", "SET", "DEL"})
_LIBRARY = re.compile(r"yihao_[0-9a-f]{16}_")
_TAG = re.compile(rb"[a-z_]+\.[a-z_.]+")


class Passage(Enum):
    """What becomes of a command."""

    FREE = auto()
    REFUSED = auto()
    """It never reaches the store."""
    UNHEARD = auto()
    """It is done, and nobody hears of it."""


@dataclass(frozen=True)
class Step:
    """One writing command of a story: what it is, and the how manieth of its kind."""

    what: str
    turn: int = 1

    def __str__(self) -> str:
        return f"{self.what} ({self.turn})"


@dataclass
class Watched:
    """Whose story is watched: known by any of `names`, which may stand in a key, an event or a letter."""

    names: set[bytes]
    stops_at: Step | None = None
    done: bool = False
    """Whether that step still takes effect, and only its answer is lost."""
    steps: list[Step] = field(default_factory=list)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    session: str = ""
    """The one that their first command began."""
    _turns: Counter[str] = field(default_factory=Counter)

    def has_begun(self) -> bool:
        return bool(self.steps)

    def is_named_in(self, command: list[bytes]) -> bool:
        return any(name in argument for argument in command for name in self.names)

    def passage(self, command: list[bytes]) -> Passage:
        """Count the command, and say what becomes of it."""
        if self.stopped.is_set():
            return Passage.REFUSED
        what = named(command)
        if what == "open" and not self.session:
            self.session = command[4].decode()
            self.names.add(command[4])
        self._turns[what] += 1
        self.steps.append(Step(what, self._turns[what]))
        if self.steps[-1] != self.stops_at:
            return Passage.FREE
        self.stopped.set()
        return Passage.UNHEARD if self.done else Passage.REFUSED


class Toll:
    """Listens at `url`, leads to the unix socket of a store."""

    def __init__(self, folder: Path, store: str) -> None:
        self._path, self._store = folder / "toll.sock", store.removeprefix("unix://")
        self.watched: list[Watched] = []
        self._running: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"unix://{self._path}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._begin, self._path, limit=2**24)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _serve(self, near: asyncio.StreamReader, near_end: asyncio.StreamWriter) -> None:
        far, far_end = await asyncio.open_unix_connection(self._store, limit=2**24)
        try:
            with suppress(OSError, EOFError):
                await self._carry(near, near_end, far, far_end)
        finally:
            near_end.close()
            far_end.close()

    async def _carry(
        self,
        near: asyncio.StreamReader,
        near_end: asyncio.StreamWriter,
        far: asyncio.StreamReader,
        far_end: asyncio.StreamWriter,
    ) -> None:
        while True:
            raw = await whole(near)
            command = arguments(raw)
            passage = self._passage(command)
            if passage is not Passage.REFUSED:
                far_end.write(raw)
                answer = await whole(far)
            if passage is not Passage.FREE:
                answer = b"-ERR held at the toll bar\r\n"
            near_end.write(answer)
            if command[0].upper() == b"SUBSCRIBE":
                await self._relay(far, near_end)

    async def _relay(self, far: asyncio.StreamReader, near_end: asyncio.StreamWriter) -> None:
        while data := await far.read(65536):
            near_end.write(data)

    def _passage(self, command: list[bytes]) -> Passage:
        if command[0].upper().decode() not in WRITES or named(command) in READS:
            return Passage.FREE
        for one in self.watched:
            if one.is_named_in(command):
                return one.passage(command)
        return Passage.FREE


def named(command: list[bytes]) -> str:
    """A writing command in a word: the library's function, with the event that it writes; or what is kept."""
    if command[0].upper() != b"FCALL":
        kind = command[1].partition(b"shared:")[2].split(b":")[0].decode()
        return f"{command[0].decode().lower()} {kind}"
    function = _LIBRARY.sub("", command[1].decode())
    if function == "append":
        tag = _TAG.search(command[6])
        return f"append {tag[0].decode() if tag else '?'}"
    return function


def arguments(raw: bytes) -> list[bytes]:
    """Of a command as clients pack it (RESP: an array of bulk strings)."""
    return list(_bulks(raw))


def _bulks(raw: bytes) -> Iterator[bytes]:
    head, _, rest = raw.partition(b"\r\n")
    for _ in range(int(head[1:])):
        length, _, rest = rest.partition(b"\r\n")
        size = int(length[1:])
        yield rest[:size]
        rest = rest[size + 2 :]


async def whole(reader: asyncio.StreamReader) -> bytes:
    """One whole value of RESP 2 or 3, raw."""
    line = await reader.readuntil(b"\r\n")
    kind, rest = line[:1], line[1:-2]
    if kind in b"$=!":
        return line + (await reader.readexactly(int(rest) + 2) if int(rest) >= 0 else b"")
    if kind in b"*~>%":
        many = max(0, int(rest)) * (2 if kind == b"%" else 1)
        return line + b"".join([await whole(reader) for _ in range(many)])
    return line
