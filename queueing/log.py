"""`contract.Log` in Redis."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from queueing.contract import NoRoom
from queueing.errors import TooLarge
from queueing.library import MOST
from queueing.policy import milliseconds
from queueing.server import Argument, Server
from queueing.wire import Blinding
from session import codec
from session.events import CallBegun, Event, LegClosed, LegOpened, SessionOpened
from session.ids import NodeId, SessionId
from session.machine import begin
from session.ports import Entry, Note, SessionGone, Thread, ThreadMoved
from session.state import Medium, Session

FEED_BATCH = 1000
TRIMMED = 100
"""Of the feed at once: others wait meanwhile."""
SETTLE_STEP_S = 0.02


class RedisLog:
    """One stream a session, whose ids are the versions, and one feed of all."""

    def __init__(self, server: Server, prefix: str, blinding: Blinding, settle_s: float) -> None:
        """`settle_s` is how long a caller waits to be told whether the call before theirs has ended."""
        self._server, self._prefix, self._blinding, self._settle_s = server, prefix, blinding, settle_s

    async def open(
        self,
        session: SessionId,
        node: NodeId,
        opened: SessionOpened,
        first_leg: LegOpened,
        first_word: Event | None = None,
        *,
        dedupe: str,
        word_dedupe: str | None = None,
        at: float | None = None,
        thread: Thread | None = None,
        notes: Sequence[Note] = (),
    ) -> tuple[SessionId, bool]:
        asked = (
            session,
            node,
            self._blinding.citizen(opened.citizen),
            self._blinding.contact(dedupe),
            self._blinding.word(word_dedupe),
            _bounded(opened),
            _bounded(first_leg),
            int(first_leg.leg.medium is Medium.VOICE),
            b"" if first_word is None else _bounded(first_word),
            "" if at is None else round(at * 1000),
            int(first_leg.leg.asserted),
        )
        key, held, ttl_s = ("", b"", 0.0) if thread is None else (thread.key, thread.held, thread.ttl_s)
        beside = (key, held, milliseconds(ttl_s), first_leg.leg.id, *_flat(notes))
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._settle_s
        while True:
            outcome, *held = await self._server.call("open", *asked, int(loop.time() >= give_up_at), *beside)
            if outcome == b"moved":
                raise ThreadMoved(*held)
            if outcome != b"unsettled":
                known, _, fresh = _written(outcome)
                return known, fresh
            await asyncio.sleep(SETTLE_STEP_S)

    async def begin(
        self, session: SessionId, node: NodeId, opened: SessionOpened, begun: CallBegun, *, dedupe: str
    ) -> SessionId | NoRoom:
        contact = self._blinding.citizen(opened.citizen), self._blinding.contact(dedupe)
        written = _bounded(opened), _bounded(begun)
        outcome, *known = await self._server.call("begin", session, node, *contact, *written, begun.by, begun.token)
        return _written(*known)[0] if outcome == b"begun" else NoRoom(outcome.decode())

    async def append(
        self,
        session: SessionId,
        event: Event,
        *,
        dedupe: str | None = None,
        thread: Thread | None = None,
        notes: Sequence[Note] = (),
    ) -> int:
        word = self._blinding.word(dedupe)
        asked = (session, word, _bounded(event), vital_kind(event), int(event.late))
        given = ("", b"") if thread is None else (thread.key, thread.held)
        outcome, *held = await self._server.call("append", *asked, *given, *_flat(notes))
        if outcome == b"gone":
            raise SessionGone(session)
        if outcome == b"moved":
            raise ThreadMoved(*held)
        return _written(outcome)[1]

    async def join(self, kept: Entry, other: Entry) -> bool:
        return bool(
            await self._server.call(
                "join",
                kept.session,
                kept.version - 1,
                other.session,
                other.version - 1,
                _bounded(kept.event),
                _bounded(other.event),
            )
        )

    async def split(self, kept: Entry, other: Entry) -> bool:
        return bool(
            await self._server.call(
                "split", kept.session, kept.version - 1, other.session, _bounded(kept.event), _bounded(other.event)
            )
        )

    async def read(self, session: SessionId, after: int = 0, limit: int = FEED_BATCH) -> list[Entry]:
        found = await self._server.send("XRANGE", f"{self._prefix}log:{session}", f"{after + 1}-0", "+", "COUNT", limit)
        return [_entry(session, int(stream_id.partition(b"-")[0]), values) for stream_id, values in found]

    async def follow(self, after: str = "$", *, block_s: float = 5.0) -> tuple[str, list[Entry]]:
        feed = f"{self._prefix}feed"
        if after == "$":
            newest = await self._server.send("XREVRANGE", feed, "+", "-", "COUNT", 1)
            after = newest[0][0].decode() if newest else "0"
        block_ms = max(1, round(block_s * 1000))
        found = await self._server.wait_for(
            block_s, "XREAD", "COUNT", FEED_BATCH, "BLOCK", block_ms, "STREAMS", feed, after
        )
        if not found:
            return after, []
        ((_, items),) = found
        entries = []
        for _, values in items:
            by_name = _by_name(values)
            entries.append(_entry(SessionId(by_name[b"s"].decode()), int(by_name[b"v"]), values))
        return items[-1][0].decode(), entries

    async def trim(self, cursor: str) -> None:
        if cursor in ("0", "$"):
            return
        while await self._server.call("trim", cursor, TRIMMED) == TRIMMED:
            pass
        while await self._server.call("forget", cursor, MOST) == MOST:
            pass

    async def open_session_of(self, session: SessionId) -> Session | None:
        snapshot = await self._server.send("HGET", f"{self._prefix}session:{session}", "snapshot")
        if snapshot is not None:
            return codec.decode_session(snapshot)
        return await self.newborn(session)

    async def newborn(self, session: SessionId) -> Session | None:
        """A session that no mailbox has absorbed anything of yet."""
        first = await self.read(session, limit=1)
        if not first or not isinstance(first[0].event, SessionOpened):
            return None
        return begin(session, first[0].event)


def _bounded(event: Event) -> bytes:
    data = codec.encode_event(event)
    if len(data) > codec.LARGEST_BYTES:
        raise TooLarge(codec.tag_of(event), len(data), codec.LARGEST_BYTES)
    return data


def _flat(notes: Sequence[Note]) -> list[Argument]:
    """As the scripts take them."""
    return [part for note in notes for part in (note.key, note.value, milliseconds(note.ttl_s))]


def vital_kind(event: Event) -> str:
    """What the queue must know of a vital event: whether somebody may be gone."""
    if not event.vital:
        return ""
    return "gone" if isinstance(event, LegClosed) else "came"


def _written(outcome: bytes) -> tuple[SessionId, int, bool]:
    session, version, fresh = outcome.decode().rsplit("#", 2)
    return SessionId(session), int(version), fresh == "1"


def _by_name(values: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(values[::2], values[1::2], strict=True))


def _entry(session: SessionId, version: int, values: list[Any]) -> Entry:
    by_name = _by_name(values)
    return Entry(session, version, codec.decode_event(by_name[b"e"], int(by_name[b"at"]) / 1000))
