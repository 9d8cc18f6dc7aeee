"""The agents as the queue knows them: in step with the accounts within seconds, and what they choose is noted."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from accounts.agent import Agent
from accounts.presence import PresenceLog, PresenceNote
from accounts.roster import Roster
from queueing.contract import AssigneeView, Presence, Profile, Store
from rulebook.roles import Permission, Roles
from session.errors import YihaoError
from session.ids import AssigneeId
from session.state import AssigneeKind

log = logging.getLogger(__name__)

LOOK_S = 2.0


class Staff:
    """The agents that this node has enlisted."""

    def __init__(
        self, roster: Roster, presences: PresenceLog, store: Store, roles: Callable[[], Roles] = Roles
    ) -> None:
        """`roles` are those besides the built-in ones."""
        self._roster, self._presences, self._roles = roster, presences, roles
        self._queue, self._clock = store.queue, store.shared.now
        self._enlisted: dict[AssigneeId, Profile] | None = None
        """None until the first look: then also those whom an earlier process, or another, has enlisted."""
        self._agents: dict[AssigneeId, Agent] = {}

    def badge(self, assignee: AssigneeId) -> str:
        """How an assignee is called before citizens: an agent by their number (工号), a bot by its name."""
        agent = self._agents.get(assignee)
        return (agent.extension or agent.login) if agent else assignee

    def agent(self, assignee: AssigneeId) -> Agent | None:
        """The account, as of the last look; None for who has none, or may not work."""
        return self._agents.get(assignee)

    def agents(self) -> list[Agent]:
        """All who may work, as of the last look."""
        return list(self._agents.values())

    async def look(self) -> None:
        """Enlist who is new or changed, discharge who may work no more."""
        agents = [agent for agent in await self._roster.agents() if not agent.disabled]
        self._agents = {agent.login: agent for agent in agents}
        wanted = {agent.login: profile_of(agent) for agent in agents}
        if self._enlisted is None:
            there = [one.profile for one in await self._queue.roster()]
            self._enlisted = {one.assignee: one for one in there if one.kind is AssigneeKind.AGENT}
        for login, profile in wanted.items():
            if self._enlisted.get(login) != profile:
                await self._queue.enlist(profile)
                self._enlisted[login] = profile
        for login in self._enlisted.keys() - wanted.keys():
            await self._queue.discharge(login)
            del self._enlisted[login]

    async def account(self, login: AssigneeId) -> tuple[Profile, str] | None:
        """A profile and extension; None for who may not work."""
        agent = await self._roster.agent(login)
        if agent is None or agent.disabled:
            return None
        return profile_of(agent), agent.extension or ""

    async def may(self, login: AssigneeId, needed: Permission) -> bool:
        """Whether an account may do this; nothing for one that is no more."""
        agent = await self._roster.agent(login)
        return agent is not None and not agent.disabled and needed in self._roles().permissions(agent.role)

    async def present(self, login: AssigneeId, presence: Presence, reason: str = "") -> AssigneeView:
        """An agent's own choice, and a note of it (考勤). One that cannot be noted is chosen all the same.

        Raises `UnknownAssignee`.
        """
        view = await self._queue.present(login, presence, reason)
        try:
            await self._presences.append(PresenceNote(login, await self._clock(), presence, reason))
        except YihaoError as error:
            log.warning("presence not noted", extra={"why": type(error).__name__})
        return view

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.look()
            except YihaoError as error:
                log.warning("roster not read", extra={"why": type(error).__name__})


def profile_of(agent: Agent) -> Profile:
    """The part of an account that the queue needs."""
    return Profile(agent.login, AssigneeKind.AGENT, agent.queues, agent.capacity, agent.skills)
