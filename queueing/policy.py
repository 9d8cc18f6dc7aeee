"""Who is served next, and by whom. Pure: every rule of the queue that is not about keeping it.

The Lua of `RedisStore` keeps the same order in sorted sets; `tests/queueing/test_score.py` holds it to these functions.
Instants and spans are whole milliseconds here, so that both count alike to the last digit.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from queueing.contract import Presence, Profile, Routing
from queueing.settings import QueueSettings
from session.ids import AssigneeId
from session.state import AssigneeKind, Demand, Medium, Skill

BEST_SHOWN = 3
"""So many candidates stand in an offer's explanation."""
MEASURED_ENOUGH = 8
"""Departures after which a queue's rate of service is worth telling."""
RATE_ALPHA = 0.05
"""The weight of the newest departure, once 20 have been seen."""


def milliseconds(seconds: float) -> int:
    """Seconds as the whole milliseconds that the store counts in."""
    return round(seconds * 1000)


# --- order (law 5) -----------------------------------------------------------------------------------------------


def line_key(since: int, priority: int) -> int:
    """Where a session stands: lowest first, equals by session id (ids sort by birth).

    `since` is when its wait would have begun without a break, so accrued wait counts in full. Ageing is linear: a
    session gains one second a second on every later one, and priority is seconds of head start. So two sessions
    never change places while they wait, the key never changes, and whoever has waited `p` seconds is before every
    newcomer of priority `p`: waiting is bounded.
    """
    return since - 1000 * priority


def assignee_key(idle_since: int, load: int, bonus: int, settings: QueueSettings) -> int:
    """Who is asked first: lowest first, equals by name. The longest idle, corrected by load and proficiency."""
    return idle_since + load * milliseconds(settings.load_s) - bonus


# --- demand ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Class:
    """A class of demand: sessions of one class can be taken by the same assignees."""

    queue: str
    medium: Medium
    skills: tuple[Skill, ...] = ()

    @classmethod
    def of(cls, demand: Demand, medium: Medium) -> Class:
        """The class of a demand; the order of its skills says nothing."""
        return cls(demand.queue, medium, tuple(sorted(demand.skills, key=lambda skill: (skill.name, skill.level))))

    @classmethod
    def parse(cls, key: str) -> Class:
        """The class of that key."""
        queue, medium, skills = json.loads(key)
        return cls(queue, Medium(medium), tuple(Skill(name, level) for name, level in skills))

    @property
    def key(self) -> str:
        """Its name in the store."""
        skills = [[skill.name, skill.level] for skill in self.skills]
        return json.dumps([self.queue, self.medium.value, skills], ensure_ascii=False, separators=(",", ":"))


def bonus(profile: Profile, demand: Class, settings: QueueSettings) -> int | None:
    """What an assignee's proficiency counts for in a class, in ms of idling; None where they cannot serve it."""
    if demand.queue not in profile.queues or not profile.capacity.get(demand.medium, 0):
        return None
    levels = {skill.name: skill.level for skill in profile.skills}
    if any(levels.get(skill.name, 0) < skill.level for skill in demand.skills):
        return None
    above = sum(levels[skill.name] - skill.level for skill in demand.skills)
    return above * milliseconds(settings.proficiency_s)


# --- assignees ---------------------------------------------------------------------------------------------------


class Exclusion(StrEnum):
    """Why an assignee who could serve a class is not asked now. The first that holds, in this order."""

    OFF = "off"
    NOT_RESPONDING = "not_responding"
    UNREACHABLE = "unreachable"
    PAUSED = "paused"
    BUSY = "busy"


READY = "ready"
UNSKILLED = "unskilled"
DECLINED = "declined"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an assignee at one instant."""

    kind: AssigneeKind
    capacity: Mapping[Medium, int]
    presence: Presence = Presence.OFF
    not_responding: bool = False
    paused: bool = False
    reachable: frozenset[Medium] = frozenset()
    charged: Mapping[Medium, int] = field(default_factory=dict)
    """Sessions that they have, by medium."""
    engaged: int = 0
    wrapping: int = 0
    offered: int = 0


def reaches(standing: Standing, medium: Medium) -> bool:
    """Whether an offer of that medium can come to them. A bot runs where we do."""
    return standing.kind is AssigneeKind.BOT or medium in standing.reachable


def has_room(standing: Standing, medium: Medium) -> bool:
    """Law 4. While a call is charged nothing else is taken, but a program has no ears to be taken up."""
    if standing.kind is AssigneeKind.AGENT and standing.charged.get(Medium.VOICE, 0):
        return False
    return standing.charged.get(medium, 0) < standing.capacity.get(medium, 0)


def exclusion(standing: Standing, medium: Medium) -> Exclusion | None:
    """Why nothing of that medium is offered to them now; None where it may be."""
    if standing.presence is not Presence.READY:
        return Exclusion.OFF
    if standing.not_responding:
        return Exclusion.NOT_RESPONDING
    if not reaches(standing, medium):
        return Exclusion.UNREACHABLE
    if standing.paused:
        return Exclusion.PAUSED
    return None if has_room(standing, medium) else Exclusion.BUSY


def routing(standing: Standing) -> Routing:
    """What the system makes of an assignee: of those that hold, the first in the order of this list."""
    holds = (
        (standing.engaged > 0, Routing.ENGAGED),
        (standing.wrapping > 0, Routing.WRAPPING),
        (standing.offered > 0, Routing.OFFERED),
        (standing.kind is AssigneeKind.AGENT and not standing.reachable, Routing.UNREACHABLE),
        (standing.not_responding, Routing.NOT_RESPONDING),
        (standing.presence is not Presence.READY, Routing.OFF),
    )
    return next((routing for held, routing in holds if held), Routing.READY)


# --- choosing ----------------------------------------------------------------------------------------------------


def choose(ready: Sequence[AssigneeId], prefer: AssigneeId | None, declined: Iterable[AssigneeId]) -> AssigneeId | None:
    """Whom to ask, of those `ready` in the order of their keys.

    Nobody is asked again what they declined while another is free (law 13); whom the session had before comes
    first while they are free, and nobody waits for them (who waits for one agent may wait for ever).
    """
    refused = set(declined)
    if prefer in ready and prefer not in refused:
        return prefer
    return next((one for one in ready if one not in refused), next(iter(ready), None))


def why(
    winner: AssigneeId, ready: Sequence[tuple[AssigneeId, int]], now: int, excluded: Mapping[str, int]
) -> Mapping[str, object]:
    """The explanation kept with an offer: the winner, the best few with their scores in seconds, counts by reason."""
    scores = {one: (now - key) / 1000 for one, key in ready}
    best = [[one, (now - key) / 1000] for one, key in ready[:BEST_SHOWN]]
    told: dict[str, object] = {"winner": winner, "score": scores[winner], "best": best}
    return {**told, "excluded": dict(excluded)} if excluded else told


# --- waiting -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Service:
    """The measured rate at which a queue is served: the mean pause between departures while somebody waited."""

    departures: int = 0
    pause_ms: float = 0.0

    def departed(self, pause_ms: int) -> Service:
        """One more departure, `pause_ms` after the one before (or after the line began)."""
        count = self.departures + 1
        weight = max(1 / count, RATE_ALPHA)
        return Service(count, self.pause_ms + weight * (pause_ms - self.pause_ms))

    def estimate_s(self, position: int) -> float | None:
        """The wait to expect at that place (1 is next); None until enough has been measured."""
        return position * self.pause_ms / 1000 if self.departures >= MEASURED_ENOUGH else None
