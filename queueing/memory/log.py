"""`contract.Log` in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from queueing.contract import NoRoom
from queueing.errors import TooLarge
from queueing.log import SETTLE_STEP_S, vital_kind
from queueing.memory.shared import MemoryShared
from queueing.memory.world import Kept, World
from queueing.policy import has_room, reaches
from session import codec
from session.events import CallBegun, Event, LegOpened, SessionOpened
from session.ids import NodeId, SessionId
from session.machine import begin
from session.ports import Entry, Note, SessionGone, Thread, ThreadMoved
from session.state import Medium, Session


class MemoryLog:
    """Lists."""

    def __init__(self, world: World, shared: MemoryShared, hold: Callable[[NodeId], None]) -> None:
        self._world, self._shared, self._hold = world, shared, hold

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
        world, citizen, contact = self._world, str(opened.citizen), f"contact:{dedupe}"
        for event in (opened, first_leg, first_word):
            _check_size(event)
        if known := world.known(citizen, contact):
            return known[0], known[2]
        stamp = world.now / 1000 if at is None else min(at, world.now / 1000)
        is_call = first_leg.leg.medium is Medium.VOICE
        addresses = world.kin.get(citizen, (citizen,)) if first_leg.leg.asserted else (citizen,)
        await self._settled(addresses, is_call=is_call)
        kept = self._open_session(addresses, is_call=is_call)
        fresh = kept is None
        again = next((known for one in addresses if (known := world.known(one, word_dedupe))), None)
        if fresh and first_word is not None and again is not None:
            return again[0], again[2]
        self._stands(thread)
        if kept is None:
            kept = world.sessions[session] = Kept(session, node, citizen, round(stamp * 1000))
            self._hold(node)
            world.write(kept, replace(opened, at=stamp))
        kept.call = kept.call or is_call
        kept.vital, kept.vital_kind = world.write(kept, replace(first_leg, at=stamp)), "came"
        world.remember(citizen, contact, kept.id, kept.vital, fresh=fresh)
        if first_word is not None and again is None:
            version = world.write(kept, replace(first_word, at=stamp))
            for one in {citizen, kept.citizen}:
                world.remember(one, word_dedupe, kept.id, version, fresh=False)
        if thread is not None:
            moved = Note(thread.key, Thread.record(first_leg.leg.id, kept.id), thread.ttl_s)
            self._shared.note([moved])
        self._shared.note(notes)
        return kept.id, fresh

    async def begin(
        self, session: SessionId, node: NodeId, opened: SessionOpened, begun: CallBegun, *, dedupe: str
    ) -> SessionId | NoRoom:
        world, citizen, contact = self._world, str(opened.citizen), f"contact:{dedupe}"
        for event in (opened, begun):
            _check_size(event)
        if known := world.known(citizen, contact):
            return known[0]
        worker = world.workers.get(begun.by)
        if worker is None or not worker.enlisted:
            return NoRoom.UNKNOWN
        if not reaches(worker.standing, Medium.VOICE):
            return NoRoom.NO_PHONE
        if not has_room(worker.standing, Medium.VOICE):
            return NoRoom.NO_SLOT
        kept = world.sessions[session] = Kept(session, node, citizen, world.now, token=begun.token, holder=begun.by)
        self._hold(node)
        world.write(kept, replace(opened, at=world.now / 1000))
        version = world.write(kept, replace(begun, at=world.now / 1000))
        world.charge(begun.by, session, Medium.VOICE, "engaged")
        world.remember(citizen, contact, session, version, fresh=True)
        return session

    def _stands(self, thread: Thread | None) -> None:
        if thread is not None and (held := self._shared.held(thread.key) or b"") != thread.held:
            raise ThreadMoved(held)

    async def _settled(self, addresses: Sequence[str], *, is_call: bool) -> None:
        """Whether another call of theirs has just ended is not known before that is absorbed."""
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._world.settings.settle_s
        while is_call and any(self._is_unsettled(kept) for kept in self._theirs(addresses)):
            if loop.time() >= give_up_at:
                return
            await asyncio.sleep(SETTLE_STEP_S)

    def _is_unsettled(self, kept: Kept) -> bool:
        return kept.open and kept.call and kept.vital_kind == "gone" and kept.vital > kept.absorbed

    def _theirs(self, addresses: Sequence[str]) -> list[Kept]:
        return [kept for kept in self._world.sessions.values() if kept.citizen in addresses and kept.findable]

    def _open_session(self, addresses: Sequence[str], *, is_call: bool) -> Kept | None:
        newest_first = sorted(self._theirs(addresses), key=lambda kept: (kept.began, kept.id), reverse=True)
        return next((kept for kept in newest_first if kept.open and not (is_call and kept.call)), None)

    async def append(
        self,
        session: SessionId,
        event: Event,
        *,
        dedupe: str | None = None,
        thread: Thread | None = None,
        notes: Sequence[Note] = (),
    ) -> int:
        _check_size(event)
        world = self._world
        kept = world.sessions.get(session)
        if kept is None:
            raise SessionGone(session)
        if known := world.known(kept.citizen, dedupe):
            return known[1]
        if kept.into is not None:
            kept = world.sessions.get(kept.into)
            if kept is None:
                raise SessionGone(session)
            if known := world.known(kept.citizen, dedupe):
                return known[1]
        if not kept.open and not event.late:
            raise SessionGone(session)
        self._stands(thread)
        version = world.write(kept, replace(event, at=world.now / 1000))
        if event.vital and kept.open:
            kept.vital, kept.vital_kind = version, vital_kind(event)
        world.remember(kept.citizen, dedupe, kept.id, version, fresh=False)
        self._shared.note(notes)
        return version

    async def join(self, kept: Entry, other: Entry) -> bool:
        world = self._world
        one, two = world.sessions.get(kept.session), world.sessions.get(other.session)
        if one is None or two is None or one is two or not one.open or not two.open or one.into or two.into:
            return False
        if (len(one.log), len(two.log)) != (kept.version - 1, other.version - 1):
            return False
        world.write(one, replace(kept.event, at=world.now / 1000))
        two.vital, two.vital_kind = world.write(two, replace(other.event, at=world.now / 1000)), "gone"
        two.into = one.id
        return True

    async def split(self, kept: Entry, other: Entry) -> bool:
        world = self._world
        one, two = world.sessions.get(kept.session), world.sessions.get(other.session)
        if one is None or two is None or not one.open or not two.open or two.into != one.id:
            return False
        if len(one.log) != kept.version - 1:
            return False
        two.into = None
        world.write(one, replace(kept.event, at=world.now / 1000))
        world.write(two, replace(other.event, at=world.now / 1000))
        return True

    async def read(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        kept = self._world.sessions.get(session)
        found = kept.log[after : after + limit] if kept else []
        return [Entry(session, after + offset, event) for offset, event in enumerate(found, 1)]

    async def follow(self, after: str = "$", *, block_s: float = 5.0) -> tuple[str, list[Entry]]:
        world = self._world
        seen = world.trimmed + len(world.feed) if after == "$" else int(after)
        await world.until(lambda: world.trimmed + len(world.feed) > seen, block_s)
        found = world.feed[max(0, seen - world.trimmed) :]
        return str(max(seen, world.trimmed) + len(found)), found

    async def trim(self, cursor: str) -> None:
        world = self._world
        upto = int(cursor)
        young = world.now - round(world.settings.feed_s * 1000)
        while world.trimmed < upto and world.fed_at[0] <= young:
            del world.feed[0], world.fed_at[0]
            world.trimmed += 1
        old = world.now - round(world.settings.forget_s * 1000)
        for kept in list(world.sessions.values()):
            if kept.closed_at is not None and kept.closed_at <= old and kept.cursor <= upto:
                del world.sessions[kept.id]

    async def open_session_of(self, session: SessionId) -> Session | None:
        kept = self._world.sessions.get(session)
        return snapshot_of(kept) if kept else None


def snapshot_of(kept: Kept) -> Session:
    """The snapshot, or where nothing is absorbed yet the session before its first event."""
    opened = kept.log[0]
    assert isinstance(opened, SessionOpened)  # noqa: S101 - a log begins so
    return kept.snapshot or begin(kept.id, opened)


def _check_size(event: Event | None) -> None:
    if event is not None and (size := len(codec.encode_event(event))) > codec.LARGEST_BYTES:
        raise TooLarge(codec.tag_of(event), size, codec.LARGEST_BYTES)
