"""The durable history of sessions: what is read, and the one way in which it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Row,
    Select,
    String,
    Table,
    bindparam,
    insert,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from session.address import Address
from session.codec import decode_event, decode_session, encode_event, encode_session, tag_of
from session.events import Event, LegOpened, NoteAdded, SessionOpened
from session.ids import AssigneeId, SessionId
from session.machine import DEFAULT_RULES
from session.ports import Entry
from session.rules import Rules
from storage.database import Database
from storage.errors import EarlierMissing, StaleCursor
from storage.metadata import METADATA, Instant
from storage.record import SessionRecord

BEGINNING = "0"
"""The cursor before anything."""
_ARCHIVE = "archive"
_CHUNK = 200
"""Values in one IN (…): SQLite takes 32,766 in all, and short statements are planned sooner."""

SESSIONS = Table(
    "sessions",
    METADATA,
    Column("id", String(64), nullable=False),
    Column("citizen", String(320), nullable=False),
    Column("number", String(64), nullable=False),
    Column("queue", String(64), nullable=False),
    Column("phase", String(32), nullable=False),
    Column("version", Integer, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("answered_at", Instant),
    Column("closed_at", Instant),
    Column("close_reason", String(32)),
    Column("assignee", String(64)),
    Column("assignee_kind", String(16)),
    Column("accrued_wait_s", Double, nullable=False),
    Column("offers", Integer, nullable=False),
    Column("contact_kind", String(64)),
    Column("rating", Integer),
    Column("solved", Boolean),
    Column("state", LargeBinary, nullable=False),
    Column("turn", Integer, nullable=False),
    PrimaryKeyConstraint("id"),
    Index(None, "citizen", "id"),
    Index(None, "assignee", "id"),
    Index(None, "turn", "id"),
    Index(None, "opened_at"),
    Index(None, "closed_at"),
)
"""The columns beside `state` are for asking; `state` (the snapshot's wire form) is what the next event is folded on.

`turn` is the archive's commit that last changed the row: whoever keeps figures asks for what came after the last one
that they saw.
"""

EVENTS = Table(
    "events",
    METADATA,
    Column("session", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Column("tag", String(64), nullable=False),
    Column("body", LargeBinary, nullable=False),
    PrimaryKeyConstraint("session", "version"),
)
"""No foreign key to `sessions`: an event is kept even where the opening of its session was lost."""

SESSION_ADDRESSES = Table(
    "session_addresses",
    METADATA,
    Column("address", String(320), nullable=False),
    Column("session", String(64), nullable=False),
    PrimaryKeyConstraint("address", "session"),
)
"""Every address that a session has had: a citizen may begin by text and go on in a chat."""

MENTIONS = Table(
    "mentions",
    METADATA,
    Column("login", String(32), nullable=False),
    Column("session", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("seen", Boolean, nullable=False),
    PrimaryKeyConstraint("login", "session", "version"),
    Index(None, "login", "seen"),
)
"""What the note says is read from its event, and goes with it."""

CURSORS = Table(
    "cursors",
    METADATA,
    Column("name", String(32), nullable=False),
    Column("position", String(64), nullable=False),
    Column("turn", Integer, nullable=False),
    PrimaryKeyConstraint("name"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """How far somebody has read what the archive changed."""

    turn: int = 0
    session: str = ""


class History:
    """Sessions and timelines in SQL. Behind the live log by as much as the archiver has not yet drained."""

    def __init__(self, database: Database, rules: Rules = DEFAULT_RULES) -> None:
        """`rules` are the gateway's: the rows stand where its sessions do."""
        self._database, self.rules = database, rules

    async def timeline(self, session: SessionId, after: int = 0, limit: int = 1000) -> list[Entry]:
        """The archived events after a version, in order."""
        wanted = (
            select(EVENTS.c.version, EVENTS.c.at, EVENTS.c.body)
            .where(EVENTS.c.session == session, EVENTS.c.version > after)
            .order_by(EVENTS.c.version)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(wanted)
            return [Entry(session, row.version, decode_event(row.body, row.at)) for row in rows]

    async def session(self, session: SessionId) -> SessionRecord | None:
        """One session, or None where nothing of it is archived."""
        found = await self._records(select(SESSIONS).where(SESSIONS.c.id == session))
        return found[0] if found else None

    async def sessions_of(
        self, *addresses: Address, limit: int = 50, before: SessionId | None = None
    ) -> list[SessionRecord]:
        """The sessions of a citizen's addresses, the newest first; the next page is `before` the last one's id."""
        theirs = SESSION_ADDRESSES.c.address.in_([str(one) for one in addresses])
        had = select(SESSION_ADDRESSES.c.session).where(theirs)
        return await self._records(_newest(limit, before).where(SESSIONS.c.id.in_(had)))

    async def recent(
        self, *, limit: int = 50, before: SessionId | None = None, assignee: AssigneeId | None = None
    ) -> list[SessionRecord]:
        """All sessions, or one assignee's, the newest first."""
        wanted = _newest(limit, before)
        return await self._records(wanted.where(SESSIONS.c.assignee == assignee) if assignee else wanted)

    async def changed(self, place: Place, *, since: float, limit: int = 500) -> tuple[Place, list[SessionRecord]]:
        """Sessions that the archive has changed after a place, in the order of its commits, and the next place.

        Only those that are open, or were opened or closed since then. An empty list says that this was all.
        """
        wanted = (
            select(SESSIONS)
            .where(
                tuple_(SESSIONS.c.turn, SESSIONS.c.id) > (place.turn, place.session),
                or_(SESSIONS.c.closed_at.is_(None), SESSIONS.c.closed_at >= since, SESSIONS.c.opened_at >= since),
            )
            .order_by(SESSIONS.c.turn, SESSIONS.c.id)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = list(await connection.execute(wanted))
        return Place(rows[-1].turn, rows[-1].id) if rows else place, [_record(row) for row in rows]

    async def came(self, since: float, until: float, *, after: str = "", limit: int = 200) -> list[SessionRecord]:
        """The sessions that were opened in that time, in the order of their ids; the next page is `after` the last."""
        wanted = select(SESSIONS).where(SESSIONS.c.opened_at >= since, SESSIONS.c.opened_at < until)
        return await self._records(wanted.where(SESSIONS.c.id > after).order_by(SESSIONS.c.id).limit(limit))

    async def events(
        self, since: float, until: float, *, after: tuple[str, int] = ("", 0), limit: int = 1000
    ) -> list[Entry]:
        """All events of the sessions that were opened in that time, session by session; the next page is `after`."""
        theirs = select(SESSIONS.c.id).where(SESSIONS.c.opened_at >= since, SESSIONS.c.opened_at < until)
        wanted = (
            select(EVENTS)
            .where(EVENTS.c.session.in_(theirs), tuple_(EVENTS.c.session, EVENTS.c.version) > after)
            .order_by(EVENTS.c.session, EVENTS.c.version)
            .limit(limit)
        )
        async with self._database.reading() as connection:
            rows = await connection.execute(wanted)
            return [Entry(SessionId(row.session), row.version, decode_event(row.body, row.at)) for row in rows]

    async def _records(self, wanted: Select[Any]) -> list[SessionRecord]:
        async with self._database.reading() as connection:
            return [_record(row) for row in await connection.execute(wanted)]

    async def cursor(self) -> str:
        """How far the log has been archived; `BEGINNING` at first."""
        async with self._database.reading() as connection:
            found = await connection.scalar(select(CURSORS.c.position).where(CURSORS.c.name == _ARCHIVE))
            return str(found)

    async def archive(self, entries: Sequence[Entry], *, since: str, upto: str, holes: bool = False) -> int:
        """Write entries and move the cursor from `since` to `upto`, together or not at all; how many were new.

        An entry that is there already is left alone, so nothing is ever written twice. Raises, and then writes
        nothing: `StaleCursor` where another archiver has moved the cursor, and, unless `holes` are allowed,
        `EarlierMissing` where a session's entries do not follow upon what is there. A session with a hole keeps all
        its events, while its row stays as it was before the hole.
        """
        async with self._database.writing() as connection:
            turn = await _move_cursor(connection, since, upto)
            fresh = await _unwritten(connection, entries)
            if not fresh:
                return 0
            records = await _stored(connection, sorted({entry.session for entry in fresh}))
            missing = _missing(records, fresh)
            if missing and not holes:
                raise EarlierMissing(missing)
            await connection.execute(insert(EVENTS), [_event_row(entry) for entry in fresh])
            await _note_addresses(connection, fresh)
            await _note_mentions(connection, fresh)
            await _write_rows(connection, records, _folded(records, fresh, self.rules), turn)
            return len(fresh)


def _newest(limit: int, before: SessionId | None) -> Select[Any]:
    """Ids are ULIDs: they sort by birth, so a page goes on exactly where the last one ended."""
    wanted = select(SESSIONS).order_by(SESSIONS.c.id.desc()).limit(limit)
    return wanted.where(SESSIONS.c.id < before) if before else wanted


async def _move_cursor(connection: AsyncConnection, since: str, upto: str) -> int:
    """Compare and set, and by that the lock that keeps two archivers apart; gives the number of this commit."""
    at_its_place = (CURSORS.c.name == _ARCHIVE) & (CURSORS.c.position == since)
    moved = await connection.execute(update(CURSORS).where(at_its_place).values(position=upto, turn=CURSORS.c.turn + 1))
    if moved.rowcount != 1:
        raise StaleCursor(since)
    return int((await connection.execute(select(CURSORS.c.turn).where(CURSORS.c.name == _ARCHIVE))).scalar_one())


async def _unwritten(connection: AsyncConnection, entries: Sequence[Entry]) -> list[Entry]:
    """The entries that are not in SQL yet, each once, in the order of their versions."""
    offered = {(entry.session, entry.version): entry for entry in entries}
    lowest: dict[SessionId, int] = {}
    for entry in entries:
        lowest[entry.session] = min(entry.version, lowest.get(entry.session, entry.version))
    sessions = sorted(lowest)
    for start in range(0, len(sessions), _CHUNK):
        chunk = sessions[start : start + _CHUNK]
        wanted = select(EVENTS.c.session, EVENTS.c.version).where(
            EVENTS.c.session.in_(chunk), EVENTS.c.version >= min(lowest[session] for session in chunk)
        )
        for row in await connection.execute(wanted):
            offered.pop((row.session, row.version), None)
    return sorted(offered.values(), key=lambda entry: (entry.session, entry.version))


def _missing(records: Mapping[SessionId, SessionRecord], fresh: Sequence[Entry]) -> dict[SessionId, int]:
    """For each session whose fresh entries do not follow upon its record: the version after which some are missing."""
    reached = {session: record.session.version for session, record in records.items()}
    missing: dict[SessionId, int] = {}
    for entry in fresh:
        at = reached.get(entry.session, 0)
        if entry.version == at + 1:
            reached[entry.session] = entry.version
        else:
            missing.setdefault(entry.session, at)
    return missing


def _folded(
    records: Mapping[SessionId, SessionRecord], fresh: Sequence[Entry], rules: Rules
) -> dict[SessionId, SessionRecord]:
    """The records that have grown."""
    grown: dict[SessionId, SessionRecord] = {}
    for entry in fresh:
        record = grown.get(entry.session) or records.get(entry.session)
        if record is None and entry.version == 1 and isinstance(entry.event, SessionOpened):
            grown[entry.session] = SessionRecord.begin(entry.session, entry.event, rules)
        elif record is not None and entry.version == record.session.version + 1:
            grown[entry.session] = record.after(entry.event, rules)
    return grown


async def _note_addresses(connection: AsyncConnection, fresh: Sequence[Entry]) -> None:
    """The addresses that these entries have brought to their sessions."""
    brought = {(str(address), entry.session) for entry in fresh for address in _brought_by(entry.event)}
    pair = tuple_(SESSION_ADDRESSES.c.address, SESSION_ADDRESSES.c.session)
    for start in range(0, len(wanted := sorted(brought)), _CHUNK):
        chunk = wanted[start : start + _CHUNK]
        known = await connection.execute(select(SESSION_ADDRESSES).where(pair.in_(chunk)))
        new = sorted(set(chunk) - {(row.address, SessionId(row.session)) for row in known})
        if new:
            rows = [{"address": address, "session": session} for address, session in new]
            await connection.execute(insert(SESSION_ADDRESSES), rows)


async def _note_mentions(connection: AsyncConnection, fresh: Sequence[Entry]) -> None:
    """Whom these entries, which are being archived, name."""
    rows = [
        {"login": login, "session": entry.session, "version": entry.version, "seen": False}
        for entry in fresh
        if isinstance(entry.event, NoteAdded)
        for login in dict.fromkeys(entry.event.mentions)
    ]
    if rows:
        await connection.execute(insert(MENTIONS), rows)


def _brought_by(event: Event) -> tuple[Address, ...]:
    match event:
        case SessionOpened():
            return (event.citizen,)
        case LegOpened() if event.leg.address is not None:
            return (event.leg.address,)
    return ()


async def _write_rows(
    connection: AsyncConnection,
    before: Mapping[SessionId, SessionRecord],
    grown: Mapping[SessionId, SessionRecord],
    turn: int,
) -> None:
    born = [_session_row(record, turn) for session, record in grown.items() if session not in before]
    if born:
        await connection.execute(insert(SESSIONS), born)
    changed = [_session_row(record, turn) for session, record in grown.items() if session in before]
    if changed:
        by_id = update(SESSIONS).where(SESSIONS.c.id == bindparam("its_id"))
        await connection.execute(
            by_id.values({name: bindparam(name) for name in changed[0]}),
            [{**row, "its_id": row["id"]} for row in changed],
        )


async def _stored(connection: AsyncConnection, sessions: Sequence[SessionId]) -> dict[SessionId, SessionRecord]:
    found = {}
    for start in range(0, len(sessions), _CHUNK):
        wanted = select(SESSIONS).where(SESSIONS.c.id.in_(sessions[start : start + _CHUNK]))
        for row in await connection.execute(wanted):
            record = _record(row)
            found[record.session.id] = record
    return found


def _event_row(entry: Entry) -> dict[str, Any]:
    return {
        "session": entry.session,
        "version": entry.version,
        "at": entry.event.at,
        "tag": tag_of(entry.event),
        "body": encode_event(entry.event),
    }


def _session_row(record: SessionRecord, turn: int) -> dict[str, Any]:
    session = record.session
    return {
        "id": session.id,
        "citizen": str(session.citizen),
        "number": session.number,
        "queue": session.demand.queue,
        "phase": session.phase.value,
        "version": session.version,
        "opened_at": session.opened_at,
        "answered_at": record.answered_at,
        "closed_at": session.closed_at,
        "close_reason": session.close_reason.value if session.close_reason else None,
        "assignee": session.assignee,
        "assignee_kind": session.assignee_kind.value if session.assignee_kind else None,
        "accrued_wait_s": session.accrued_wait_s,
        "offers": record.offers,
        "contact_kind": record.contact_kind,
        "rating": record.rating,
        "solved": record.solved,
        "state": encode_session(session),
        "turn": turn,
    }


def _record(row: Row[Any]) -> SessionRecord:
    return SessionRecord(
        session=decode_session(row.state),
        answered_at=row.answered_at,
        offers=row.offers,
        contact_kind=row.contact_kind,
        rating=row.rating,
        solved=row.solved,
    )
