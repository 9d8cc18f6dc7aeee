"""`yihao agents`: the people who answer, from the command line, beside a running gateway too."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from accounts.agent import Agent
from accounts.passwords import Passwords, generate_password
from accounts.roster import Roster
from config.settings import Settings
from gateway.database import open_database
from gateway.rules import open_rulebook
from rulebook.roles import BUILT_IN, Roles
from rulebook.routing import Named
from session.errors import YihaoError
from session.ids import AssigneeId
from session.state import Skill
from storage.database import Database


class SkillMalformed(YihaoError):
    """A skill that is not written `name=level`."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"a skill is written name=level, as english=5; not {text!r}")


class UnknownName(YihaoError):
    """A queue or a skill that no routing rule knows, for whoever serves only that would wait for ever; or a role."""

    def __init__(self, what: str, name: str, known: Iterable[str]) -> None:
        self.what, self.name = what, name
        super().__init__(f"there is no {what} {name!r}, but {', '.join(sorted(known))}; an administrator can add it")


@dataclass(frozen=True, slots=True)
class Wanted:
    """An agent to be, as it was typed."""

    login: str
    name: str
    extension: str | None
    """Of their telephone; None for one who works without."""
    role: str
    queues: tuple[str, ...]
    skills: tuple[str, ...]


async def add(settings: Settings, wanted: Wanted) -> str:
    """Add an agent; what to tell them, once."""
    agent = Agent(
        login=AssigneeId(wanted.login),
        name=wanted.name,
        role=wanted.role,
        extension=wanted.extension,
        queues=wanted.queues,
        skills=tuple(_skill(text) for text in wanted.skills),
    )
    password, sip_password = generate_password(), generate_password()
    async with _roster(settings) as (roster, database):
        book = await open_rulebook(database, roster, settings.bots.hours)
        _demand_role(agent.role, book.roles)
        _demand_known("queue", agent.queues, book.routing.queues)
        _demand_known("skill", (skill.name for skill in agent.skills), book.routing.skills)
        await roster.add(agent, password, sip_password)
    told = [f"login         {agent.login}", f"password      {password}"]
    if agent.extension is not None:
        told += [f"extension     {agent.extension}", f"SIP password  {sip_password}"]
    return "\n".join([*told, "(shown this once)"])


async def listed(settings: Settings) -> str:
    """A line an agent."""
    async with _roster(settings) as (roster, _):
        agents = await roster.agents()
    rows = [("LOGIN", "EXTENSION", "ROLE", "QUEUES", "NAME")]
    rows += [(one.login, one.extension or "-", one.role, ",".join(one.queues), one.name) for one in agents]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(row[column].ljust(widths[column]) for column in range(4)), row[4]]).rstrip() for row in rows
    )


async def set_password(settings: Settings, login: str, password: str) -> str:
    """A new password for the desk."""
    async with _roster(settings) as (roster, _):
        await roster.set_password(AssigneeId(login), password)
    return f"the password of {login} is changed; their logins have ended"


@asynccontextmanager
async def _roster(settings: Settings) -> AsyncIterator[tuple[Roster, Database]]:
    with Passwords() as passwords:
        async with open_database(settings) as database:
            yield Roster(database, passwords, realm=settings.sip.realm), database


def _demand_role(role: str, roles: Roles) -> None:
    if not roles.has(role):
        raise UnknownName("role", role, [*BUILT_IN, *(one.name for one in roles.roles)])


def _demand_known(what: str, wanted: Iterable[str], listed: Iterable[Named]) -> None:
    known = {one.name for one in listed}
    for name in wanted:
        if name not in known:
            raise UnknownName(what, name, known)


def _skill(text: str) -> Skill:
    name, equals, level = text.partition("=")
    if not equals or not level.isdecimal():
        raise SkillMalformed(text)
    return Skill(name, int(level))
