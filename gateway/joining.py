"""Two sessions of one citizen go on as one on their agent's word (并案), and part again (拆分)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.chronicle import chronicle
from gateway.persons import Persons
from queueing.contract import Log
from session import machine
from session.belonging import JoinedInto, SessionsJoined, SessionsSplit, SplitFrom
from session.errors import YihaoError
from session.ids import AssigneeId, SessionId
from session.joining import legs_given_by, legs_to_give
from session.ports import Entry
from session.state import Medium, Phase, Session

TRIES = 3
"""Somebody may write in either session at the same moment: then it is looked at anew."""
_RUNNING = frozenset({Phase.BOT, Phase.QUEUED, Phase.OFFERED, Phase.ACTIVE, Phase.PARKED})


class JoinRefused(YihaoError):
    """They may not be joined, or parted. `code` is for the desk's dictionary."""

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"not joined: {code}")


@dataclass(frozen=True, slots=True)
class _Pair:
    kept: Session
    other: Session


class Joining:
    """The kept session is the one that the agent has; a call is not joined but answered."""

    def __init__(self, log: Log, persons: Persons, now: Callable[[], Awaitable[float]]) -> None:
        """`now` is the store's clock."""
        self._log, self._persons, self._now = log, persons, now

    async def join(self, kept: SessionId, other: SessionId, by: AssigneeId) -> None:
        """Let the other go on in the kept one. Raises `JoinRefused`."""
        for _ in range(TRIES):
            pair = await self._pair(kept, other, by)
            await self._check(pair)
            waited_s = pair.other.waited_s(await self._now())
            legs = legs_to_give(pair.other)
            joined = SessionsJoined(by=by, other=other, legs=legs, waited_s=waited_s)
            if await self._log.join(_next(pair.kept, joined), _next(pair.other, JoinedInto(by=by, kept=kept))):
                return
        raise JoinRefused("moved_on")

    async def split(self, kept: SessionId, other: SessionId, by: AssigneeId, why: str) -> None:
        """Let the other go on by itself again, with what is left of what it brought. Raises `JoinRefused`."""
        for _ in range(TRIES):
            pair = await self._pair(kept, other, by)
            legs = legs_given_by(pair.kept, other)
            if pair.other.joined_into != kept or not legs:
                raise JoinRefused("not_joined")
            parted = SessionsSplit(by=by, other=other, why=why)
            back = SplitFrom(by=by, kept=kept, legs=legs)
            if await self._log.split(_next(pair.kept, parted), _next(pair.other, back)):
                return
        raise JoinRefused("moved_on")

    async def _pair(self, kept: SessionId, other: SessionId, by: AssigneeId) -> _Pair:
        """Both as their logs make them. Raises `JoinRefused` where the first is not this agent's."""
        one, two = await self._read(kept), await self._read(other)
        if one is None or two is None or kept == other:
            raise JoinRefused("no_such_session")
        if one.phase is not Phase.ACTIVE or one.assignee != by:
            raise JoinRefused("not_yours")
        return _Pair(one, two)

    async def _check(self, pair: _Pair) -> None:
        other = pair.other
        if other.phase not in _RUNNING or other.joined_into is not None or pair.kept.joined_into is not None:
            raise JoinRefused("not_running")
        if other.debt is not None or any(leg.medium is Medium.VOICE for leg in legs_to_give(other)):
            raise JoinRefused("has_call")
        person = await self._persons.person(pair.kept.citizen)
        theirs = person.addresses if person is not None else (pair.kept.citizen,)
        if other.citizen not in theirs:
            raise JoinRefused("not_one_citizen")

    async def _read(self, session: SessionId) -> Session | None:
        entries = await chronicle(self._log, session)
        return machine.replay(session, (entry.event for entry in entries)) if entries else None


def _next(session: Session, event: SessionsJoined | JoinedInto | SessionsSplit | SplitFrom) -> Entry:
    return Entry(session.id, session.version + 1, event)
