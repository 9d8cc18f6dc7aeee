"""Routing rules: which queue, priority and skills a new session gets. Data that a supervisor changes."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from datetime import datetime

from bots.hours import CITY
from session.errors import YihaoError
from session.ports import Contact
from session.state import Demand, Medium, Skill

LONGEST_START_S = 24 * 3600
"""The greatest head start in the line, or the least, that a rule may give."""
_WORD = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_KEYS = {"channel", "medium", "number", "language", "hours", "closed", "queue", "priority", "skills", "bot_queue"}


class RoutingUnreadable(YihaoError):
    """A whole that is no list of rules."""

    def __init__(self, fault: str) -> None:
        self.fault = fault
        super().__init__(f"routing rules: {fault}")


class BadRoutingRule(YihaoError):
    """A rule that cannot be read; names the rule and the fault."""

    def __init__(self, index: int, fault: str) -> None:
        self.index, self.fault = index, fault
        super().__init__(f"routing rule {index + 1}: {fault}")


@dataclass(frozen=True, slots=True)
class Hours:
    """Of the city's clock: from `start` up to, not including, `end`; over midnight where `end` is smaller."""

    start: int
    end: int

    def holds(self, hour: int) -> bool:
        """Whether the hour lies within."""
        if self.start <= self.end:
            return self.start <= hour < self.end
        return hour >= self.start or hour < self.end


@dataclass(frozen=True, slots=True)
class RoutingRule:
    """A rule holds when every condition that it states holds; the first that holds decides."""

    queue: str
    priority: int = 0
    skills: tuple[Skill, ...] = ()
    bot_queue: str = ""
    channel: str | None = None
    medium: Medium | None = None
    number: str | None = None
    language: str | None = None
    hours: Hours | None = None
    closed: bool | None = None
    """Only outside, or only within, the hours in which people answer (`bots.hours`)."""

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
            self.hours is None or self.hours.holds(hour)
        )


@dataclass(frozen=True, slots=True)
class Route:
    """What a contact asks of the queue."""

    demand: Demand
    bot_queue: str


@dataclass(frozen=True, slots=True)
class Routing:
    """All rules, in order. The last resort is the queue `general`, so that a human is always reachable."""

    rules: tuple[RoutingRule, ...]

    def route(self, contact: Contact, at: float, *, closed: bool = False) -> Route:
        """The first rule that holds, at that time; `closed` where nobody is expected to answer then."""
        hour = datetime.fromtimestamp(at, CITY).hour
        for rule in self.rules:
            if rule.holds(contact, hour, closed=closed):
                return Route(Demand(rule.queue, rule.priority, rule.skills), rule.bot_queue)
        return Route(Demand("general"), "")

    @property
    def queues(self) -> tuple[str, ...]:
        """Every human queue that the rules name."""
        return tuple(dict.fromkeys((*(rule.queue for rule in self.rules), "general")))


def read_routing(text: str) -> Routing:
    """Rules from TOML: `[[rule]]` tables. Raises `RoutingUnreadable`, `BadRoutingRule`."""
    try:
        whole = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise RoutingUnreadable(f"no TOML: {error}") from error
    if unknown := whole.keys() - {"rule"}:
        raise RoutingUnreadable(f"unknown key {min(unknown)!r}")
    tables = whole.get("rule", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise RoutingUnreadable("each rule stands under [[rule]]")
    return Routing(tuple(_rule(index, table) for index, table in enumerate(tables)))


def _rule(index: int, table: dict[str, object]) -> RoutingRule:
    unknown = table.keys() - _KEYS
    if unknown:
        raise BadRoutingRule(index, f"unknown key {min(unknown)!r}")
    try:
        return RoutingRule(
            queue=_name(table.get("queue"), "queue"),
            priority=_whole(table.get("priority", 0), "priority", -LONGEST_START_S, LONGEST_START_S),
            skills=_skills(table.get("skills", {})),
            bot_queue=_name(table["bot_queue"], "bot_queue") if "bot_queue" in table else "",
            channel=_text(table.get("channel")),
            medium=Medium(str(table["medium"])) if "medium" in table else None,
            number=_text(table.get("number")),
            language=_text(table.get("language")),
            hours=_hours(table.get("hours")),
            closed=_flag(table.get("closed")),
        )
    except (TypeError, ValueError) as error:
        raise BadRoutingRule(index, str(error)) from error


def _name(value: object, key: str) -> str:
    """As agents' queues and skills are named: nobody could serve another."""
    if not isinstance(value, str) or not _WORD.match(value):
        raise ValueError(f"`{key}` must be a short name in a-z, 0-9, dot, underscore and hyphen")
    return value


def _text(value: object) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError("`channel`, `number` and `language` must be texts")
    return value


def _flag(value: object) -> bool | None:
    if value is not None and not isinstance(value, bool):
        raise TypeError("`closed` must be true or false")
    return value


def _whole(value: object, key: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f"`{key}` must be a whole number from {least} to {most}")
    return value


def _skills(value: object) -> tuple[Skill, ...]:
    if not isinstance(value, dict):
        raise TypeError("`skills` must be a table of name = level")
    return tuple(Skill(_name(name, "skills"), _whole(level, "skills", 1, 10)) for name, level in sorted(value.items()))


def _hours(value: object) -> Hours | None:
    match value:
        case None:
            return None
        case [int(start), int(end)] if 0 <= start < 24 and 0 <= end <= 24:
            return Hours(start, end)
    raise ValueError("`hours` must be two hours of the day, as [9, 17]")
