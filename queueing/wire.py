"""How the queue's own values are written in the store. (Events, effects and sessions are `session.codec`'s.)"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any, cast

import msgpack

from queueing.contract import AssigneeView, Charge, Commit, Presence, Profile, Routing
from queueing.policy import Class, milliseconds
from session.address import Address
from session.effects import (
    ClearTimer,
    EndSession,
    Engage,
    Enqueue,
    LetCitizenGo,
    Owe,
    PauseOffers,
    QueueChange,
    Raise,
    Release,
    ResumeOffers,
    SetTimer,
    Settle,
    Withdraw,
    Wrap,
)
from session.ids import AssigneeId, SessionId
from session.state import AssigneeKind, Medium, Skill


class Blinding:
    """Makes names of keys out of what must not stand in one, under a pepper: a number's bare hash is soon guessed."""

    def __init__(self, pepper: bytes) -> None:
        # Keyed BLAKE2 (RFC 7693) is as good as HMAC, and takes a third of its time; its keys have 64 bytes at most.
        self._keyed = hashlib.blake2b(key=hashlib.blake2b(pepper).digest(), digest_size=20)

    def citizen(self, address: Address) -> str:
        """The name of a citizen."""
        return self._mac(f"citizen:{address}")

    def contact(self, dedupe: str) -> str:
        """The name under which a contact is known again."""
        return self._mac(f"contact:{dedupe}")

    def word(self, dedupe: str | None) -> str:
        """The name under which a word is known again; empty for one that has none."""
        return self._mac(f"word:{dedupe}") if dedupe is not None else ""

    def _mac(self, text: str) -> str:
        mac = self._keyed.copy()
        mac.update(text.encode())
        return mac.hexdigest()


def pack_profile(profile: Profile) -> bytes:
    """All of a profile."""
    skills = [[skill.name, skill.level] for skill in profile.skills]
    capacity = {medium.value: many for medium, many in profile.capacity.items()}
    values = [profile.assignee, profile.kind.value, list(profile.queues), capacity, skills]
    return cast("bytes", msgpack.packb(values))


def unpack_profile(data: bytes) -> Profile:
    """What `pack_profile` wrote."""
    who, kind, queues, capacity, skills = msgpack.unpackb(data)
    return Profile(
        AssigneeId(who),
        AssigneeKind(kind),
        tuple(queues),
        {Medium(medium): many for medium, many in capacity.items()},
        tuple(Skill(name, level) for name, level in skills),
    )


def unpack_view(reply: Sequence[bytes]) -> AssigneeView:
    """The reply of the function `view`, without its status."""
    profile, presence, reason, routing, since, reach, *charges = reply
    return AssigneeView(
        unpack_profile(profile),
        Presence(presence.decode()),
        reason.decode(),
        Routing(routing.decode()),
        int(since) / 1000,
        frozenset(Medium(medium) for medium in reach.decode().split(",") if medium),
        tuple(_charge(session, held) for session, held in zip(charges[::2], charges[1::2], strict=True)),
    )


def _charge(session: bytes, held: bytes) -> Charge:
    medium, _, state = held.decode().partition(":")
    return Charge(SessionId(session.decode()), Medium(medium), state)


def pack_changes(commit: Commit) -> bytes:
    """A commit's changes, as `change.lua` reads them."""
    return cast("bytes", msgpack.packb([_change(change, commit) for change in commit.changes]))


_BARE: Mapping[type[QueueChange], str] = {
    Withdraw: "withdraw",
    PauseOffers: "pause",
    ResumeOffers: "resume",
    LetCitizenGo: "let_go",
    EndSession: "finish",
}
"""Changes that the script needs to know nothing else of."""


def _change(change: QueueChange, commit: Commit) -> Mapping[str, Any]:
    match change:
        case Enqueue():
            return _enqueue(change, commit)
        case Wrap(assignee) | Release(assignee):
            return {"kind": type(change).__name__.lower(), "assignee": assignee}
        case SetTimer(name, after_s):
            return {"kind": "set_timer", "name": name, "after": milliseconds(after_s)}
        case ClearTimer(name):
            return {"kind": "clear_timer", "name": name}
        case Raise() | Engage() | Owe() | Settle():
            return _about_a_call(change)
    return {"kind": _BARE[type(change)]}


def _about_a_call(change: Raise | Engage | Owe | Settle) -> Mapping[str, Any]:
    match change:
        case Raise(assignee, medium) | Engage(assignee, medium):
            return {"kind": type(change).__name__.lower(), "assignee": assignee, "medium": medium.value}
        case Owe(due_at):
            return {"kind": "owe", "due": milliseconds(due_at)}
        case Settle(end):
            return {"kind": "settle", "end": end.value}


def _enqueue(change: Enqueue, commit: Commit) -> Mapping[str, Any]:
    """Where the session waits, its wait is counted from the event that put it there, not from this commit."""
    waiting_since = commit.session.waiting_since
    return {
        "kind": "enqueue",
        "class": Class.of(change.demand, change.medium).key,
        "queue": change.demand.queue,
        "medium": change.medium.value,
        "waiting_since": None if waiting_since is None else milliseconds(waiting_since),
        "accrued": milliseconds(change.accrued_s),
        "priority": change.demand.priority,
        "prefer": change.prefer or "",
        "refused": change.refused or "",
    }
