"""`yihao agents`: the people who answer, from the command line, beside a running gateway too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from accounts.agent import Agent
from accounts.passwords import Passwords, generate_password
from accounts.role import Role
from accounts.roster import Roster
from config.settings import Settings
from gateway.database import open_database
from session.errors import YihaoError
from session.ids import AssigneeId
from session.state import Skill


class SkillMalformed(YihaoError):
    """A skill that is not written `name=level`."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"a skill is written name=level, as english=5; not {text!r}")


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
        role=Role(wanted.role),
        extension=wanted.extension,
        queues=wanted.queues,
        skills=tuple(_skill(text) for text in wanted.skills),
    )
    password, sip_password = generate_password(), generate_password()
    async with _roster(settings) as roster:
        await roster.add(agent, password, sip_password)
    told = [f"login         {agent.login}", f"password      {password}"]
    if agent.extension is not None:
        told += [f"extension     {agent.extension}", f"SIP password  {sip_password}"]
    return "\n".join([*told, "(shown this once)"])


async def listed(settings: Settings) -> str:
    """A line an agent."""
    async with _roster(settings) as roster:
        agents = await roster.agents()
    rows = [("LOGIN", "EXTENSION", "ROLE", "QUEUES", "NAME")]
    rows += [(one.login, one.extension or "-", one.role.value, ",".join(one.queues), one.name) for one in agents]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "\n".join(
        "  ".join([*(row[column].ljust(widths[column]) for column in range(4)), row[4]]).rstrip() for row in rows
    )


async def set_password(settings: Settings, login: str, password: str) -> str:
    """A new password for the desk."""
    async with _roster(settings) as roster:
        await roster.set_password(AssigneeId(login), password)
    return f"the password of {login} is changed; their logins have ended"


@asynccontextmanager
async def _roster(settings: Settings) -> AsyncIterator[Roster]:
    with Passwords() as passwords:
        async with open_database(settings) as database:
            yield Roster(database, passwords, realm=settings.sip.realm)


def _skill(text: str) -> Skill:
    name, equals, level = text.partition("=")
    if not equals or not level.isdecimal():
        raise SkillMalformed(text)
    return Skill(name, int(level))
