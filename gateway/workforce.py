"""The agents (坐席) as a document of the rulebook: their accounts stay where they are, versions are kept besides."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import Annotated

from msgspec import Meta, field, structs
from sqlalchemy.ext.asyncio import AsyncConnection

from accounts.agent import Agent
from accounts.errors import AgentMalformed
from accounts.role import Role
from accounts.roster import Roster
from rulebook.document import Document, Line, Name, once
from rulebook.kinds import ROLES, Elsewhere, Kind
from rulebook.roles import Permission, RoleName, Roles
from rulebook.routing import Level, Routing
from session.ids import AssigneeId
from session.state import Medium, Skill

AGENTS = "agents"
NOBODY = "no administrator would be left"


class AgentEntry(Document, frozen=True):
    """One account, without anything that proves who somebody is."""

    login: Line
    name: Line
    role: RoleName = Role.AGENT
    extension: Line | None = None
    queues: tuple[Name, ...] = ()
    skills: dict[Name, Level] = field(default_factory=dict)
    capacity: dict[Medium, Annotated[int, Meta(ge=0, le=100)]] = field(default_factory=dict)
    disabled: bool = False


class Workforce(Document, frozen=True):
    """All of them, by login."""

    agents: Annotated[tuple[AgentEntry, ...], Meta(max_length=5000)] = ()

    def __post_init__(self) -> None:
        once((one.login for one in self.agents), "login")
        once((one.extension for one in self.agents if one.extension), "extension")
        for one in self.agents:
            try:
                account(one)
            except AgentMalformed as error:
                raise ValueError(f"{one.login}: {error}") from error


def kind(roster: Roster, routing: Callable[[], Routing], roles: Callable[[], Roles]) -> Kind:
    """How the rulebook keeps the accounts of this roster: of the queues, skills and roles that are in force."""

    async def now() -> Workforce:
        return Workforce(agents=tuple(map(entry, await roster.agents())))

    async def put(connection: AsyncConnection, document: Document) -> None:
        if isinstance(document, Workforce):
            await roster.become(connection, [account(one) for one in document.agents])

    return Kind(AGENTS, Workforce, Workforce(), Elsewhere(now, partial(_becoming, now, routing, roles), put))


async def _becoming(
    now: Callable[[], Awaitable[Workforce]],
    routing: Callable[[], Routing],
    roles: Callable[[], Roles],
    document: Document,
) -> Document:
    """Who is left out is disabled: nobody whose work stands in the history is forgotten."""
    if not isinstance(document, Workforce):
        return document
    before = {one.login: one for one in (await now()).agents}
    wanted = {one.login for one in document.agents}
    left = [structs.replace(one, disabled=True) for one in before.values() if one.login not in wanted]
    agents = sorted((*document.agents, *left), key=lambda one: one.login)
    if _rules(before.values(), roles()) and not _rules(agents, roles()):
        raise ValueError(NOBODY)
    queues, skills = ({one.name for one in named} for named in (routing().queues, routing().skills))
    for one in agents:
        was = before.get(one.login)
        if not one.disabled and not roles().has(one.role):
            raise ValueError(f"{one.login} is to be {one.role!r}, which is no role")
        for queue in set(one.queues) - queues - set(was.queues if was else ()):
            raise ValueError(f"{one.login} is to serve the queue {queue!r}, which is not in the list")
        for skill in one.skills.keys() - skills - (was.skills.keys() if was else set()):
            raise ValueError(f"{one.login} is to have the skill {skill!r}, which is not in the list")
    return Workforce(agents=tuple(entry(account(one)) for one in agents))


def roles_kind(roster: Roster) -> Kind:
    """The roles besides the built-in ones: none is taken from whoever has it, nor the last word over accounts."""

    async def holds(document: Document) -> None:
        if not isinstance(document, Roles):
            return
        working = [entry(one) for one in await roster.agents() if not one.disabled]
        for one in working:
            if not document.has(one.role):
                raise ValueError(f"{one.login} has the role {one.role!r}: give them another first")
        if working and not _rules(working, document):
            raise ValueError(NOBODY)

    return Kind(ROLES, Roles, Roles(), proof=holds)


def _rules(agents: Iterable[AgentEntry], roles: Roles) -> bool:
    """Whether somebody may still administer accounts, who can give everything else."""
    return any(Permission.ACCOUNTS in roles.permissions(one.role) and not one.disabled for one in agents)


def account(one: AgentEntry) -> Agent:
    """Raises `AgentMalformed`."""
    return Agent(
        login=AssigneeId(one.login),
        name=one.name,
        role=one.role,
        extension=one.extension or None,
        queues=one.queues,
        skills=tuple(Skill(name, level) for name, level in sorted(one.skills.items())),
        capacity=one.capacity,
        disabled=one.disabled,
    )


def entry(agent: Agent) -> AgentEntry:
    """An account as the document has it: always written alike, whatever the order in which its skills were given."""
    return AgentEntry(
        login=agent.login,
        name=agent.name,
        role=agent.role,
        extension=agent.extension,
        queues=agent.queues,
        skills=dict(sorted((skill.name, skill.level) for skill in agent.skills)),
        capacity=dict(sorted(agent.capacity.items())),
        disabled=agent.disabled,
    )
