"""What one session adds to the figures. Pure; every figure is made of sums of these."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from operator import attrgetter

from session.state import CloseReason, Phase, Session
from session.ways import Obstacle
from storage.record import SessionRecord

PROMPT_S = 15.0
"""An answer within this time is prompt (GB/T 33358-2016: 15 s)."""
PLEASED = 4
"""A rating of this or more, of five, is one of a satisfied citizen."""


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over sessions; one session's are ones and zeros."""

    came: int = 0
    answered: int = 0
    """By a human."""
    prompt: int = 0
    """Answered by a human within `PROMPT_S` of coming."""
    lost: int = 0
    """Over, or owed a call back, without a human's answer, though no bot resolved it."""
    by_bot: int = 0
    waited_s: float = 0.0
    """From coming to a human's answer, of those that were answered."""
    rated: int = 0
    pleased: int = 0
    solved: int = 0
    """Rated, and the citizen says that the matter is solved (解决)."""
    unsaid: int = 0
    """Rated, and they do not say whether it is (未表态): in no share of solved matters, and the formula says so."""
    promises_kept: int = 0
    """Calls that were owed and led to a talk before their deadline, by our call or the citizen's own return."""
    promises_broken: int = 0
    """And those that did not, or too late."""
    promises_due: int = 0
    """Owed now, and still in time."""

    def __add__(self, other: Tally) -> Tally:
        return Tally(*(mine + theirs for mine, theirs in zip(_sums(self), _sums(other), strict=True)))

    def __neg__(self) -> Tally:
        return Tally(*(-one for one in _sums(self)))


_sums = attrgetter(*(one.name for one in fields(Tally)))
NONE = Tally()


def tally_of(record: SessionRecord) -> Tally:
    """One session's, as it stands. One that still waits has only come: it is in no rate yet."""
    kept, broken, due = _promise(record.session)
    return replace(_contact(record), promises_kept=kept, promises_broken=broken, promises_due=due)


def _contact(record: SessionRecord) -> Tally:
    session = record.session
    if session.begun is not None:
        return NONE  # nobody came: an agent called
    rating = _rating(record)
    if record.answered_at is not None:
        waited_s = max(0.0, record.answered_at - session.opened_at)
        return replace(rating, came=1, answered=1, prompt=int(waited_s <= PROMPT_S), waited_s=waited_s)
    if session.close_reason is CloseReason.UNSERVED and not _was_wanted(session):
        return rating
    if session.close_reason is CloseReason.RESOLVED_BY_BOT:
        return replace(rating, came=1, by_bot=1)
    is_lost = session.phase in (Phase.CLOSED, Phase.CALLBACK_PENDING)
    return replace(rating, came=1, lost=int(is_lost))


def _rating(record: SessionRecord) -> Tally:
    if record.rating is None:
        return NONE
    said = {"solved": int(record.solved is True), "unsaid": int(record.solved is None)}
    return Tally(rated=1, pleased=int(record.rating >= PLEASED), **said)


def _was_wanted(session: Session) -> bool:
    """Only a full line is ours to answer for, not the night, nor a flood of calls from one number."""
    return session.detour is not None and session.detour.why is Obstacle.FULL


def _promise(session: Session) -> tuple[int, int, int]:
    """Kept, broken, due: of the last call that was owed. One that another session's call answers too is that one's."""
    if session.close_reason is CloseReason.MERGED:
        return 0, 0, 0
    if session.debt is not None:
        return (0, 1, 0) if session.phase is Phase.CLOSED else (0, 0, 1)
    if session.redeemed is None:
        return 0, 0, 0
    return (1, 0, 0) if session.redeemed.is_kept else (0, 1, 0)
