"""Routing rules: which queue, priority and skills a new session gets; and the queues and skills that there are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta, field

from rulebook.document import Document, Line, Name, Title, once
from rulebook.hours import CITY
from session.ports import Contact
from session.state import Demand, Medium, Skill

LONGEST_START_S = 24 * 3600
"""The greatest head start in the line, or the least, that a rule may give."""
LAST_RESORT = "general"
"""The queue of whom no rule is for, so that a human is always reachable."""
Hour = Annotated[int, Meta(ge=0, le=24)]
Level = Annotated[int, Meta(ge=1, le=10)]


class Named(Document, frozen=True):
    """A queue or a skill: how the rules name it, and how people do."""

    name: Name
    title: Title
    english: Line = ""


class RoutingRule(Document, frozen=True):
    """A rule holds when every condition that it states holds; the first that holds decides."""

    queue: Name
    priority: Annotated[int, Meta(ge=-LONGEST_START_S, le=LONGEST_START_S)] = 0
    """Seconds of head start in the line."""
    skills: Annotated[dict[Name, Level], Meta(max_length=16)] = field(default_factory=dict)
    """The least level of each that is asked for."""
    bot_queue: Name | None = None
    """The bots that a chat meets first; a citizen's 人工 always leads on to the queue."""
    channel: Line | None = None
    medium: Medium | None = None
    number: Line | None = None
    language: Line | None = None
    hours: tuple[Hour, Hour] | None = None
    """Of the city's clock: from the first up to, not including, the second; over midnight where that is smaller."""
    closed: bool | None = None
    """Only outside, or only within, the hours in which people answer."""

    def __post_init__(self) -> None:
        if self.hours is not None and self.hours[0] == 24:
            raise ValueError("`hours` begin at 0 to 23")

    def holds(self, contact: Contact, hour: int, *, closed: bool) -> bool:
        """Whether this rule is for the contact."""
        wanted = (
            (self.channel, contact.channel),
            (self.medium, contact.medium),
            (self.number, contact.number),
            (self.language, contact.language),
            (self.closed, closed),
        )
        return all(want is None or want == is_ for want, is_ in wanted) and (
            self.hours is None or within(self.hours, hour)
        )


@dataclass(frozen=True, slots=True)
class Route:
    """What a contact asks of the queue."""

    demand: Demand
    bot_queue: str
    by_night: bool = False
    """By a rule that is for closed hours alone: somebody is there all the same."""


class Routing(Document, frozen=True):
    """All rules, in order, and what they may name."""

    queues: Annotated[tuple[Named, ...], Meta(max_length=200)]
    skills: Annotated[tuple[Named, ...], Meta(max_length=200)] = ()
    rules: Annotated[tuple[RoutingRule, ...], Meta(max_length=500)] = ()

    def __post_init__(self) -> None:
        once((one.name for one in self.queues), "queue")
        once((one.name for one in self.skills), "skill")
        queues, skills = {one.name for one in self.queues}, {one.name for one in self.skills}
        if LAST_RESORT not in queues:
            raise ValueError(f"the queue {LAST_RESORT!r} is missing: who fits no rule waits there")
        for index, rule in enumerate(self.rules, 1):
            if rule.queue not in queues:
                raise ValueError(f"rule {index} names the queue {rule.queue!r}, which is not in the list")
            if unknown := rule.skills.keys() - skills:
                raise ValueError(f"rule {index} names the skill {min(unknown)!r}, which is not in the list")

    def route(self, contact: Contact, at: float, *, closed: bool = False) -> Route:
        """The first rule that holds, at that time; `closed` where nobody is expected to answer then."""
        hour = datetime.fromtimestamp(at, CITY).hour
        for rule in self.rules:
            if rule.holds(contact, hour, closed=closed):
                skills = tuple(Skill(name, level) for name, level in sorted(rule.skills.items()))
                by_night = rule.closed is True
                return Route(Demand(rule.queue, rule.priority, skills), rule.bot_queue or "", by_night)
        return Route(Demand(LAST_RESORT), "")


def within(hours: tuple[int, int], hour: int) -> bool:
    """Whether the hour lies from the first up to the second, over midnight where that is smaller."""
    start, end = hours
    if start <= end:
        return start <= hour < end
    return hour >= start or hour < end
