"""Keeps the queue's roster in step with the accounts: who is added, changed or disabled is so within seconds."""

from __future__ import annotations

import asyncio
import logging

from accounts.agent import Agent
from accounts.roster import Roster
from queueing.contract import Profile, Queue
from session.errors import YihaoError
from session.ids import AssigneeId
from session.state import AssigneeKind

log = logging.getLogger(__name__)

LOOK_S = 2.0


class Staff:
    """The agents that this node has enlisted."""

    def __init__(self, roster: Roster, queue: Queue) -> None:
        self._roster, self._queue = roster, queue
        self._enlisted: dict[AssigneeId, Profile] | None = None
        """None until the first look: then also those whom an earlier process, or another, has enlisted."""
        self._badges: dict[AssigneeId, str] = {}

    def badge(self, assignee: AssigneeId) -> str:
        """How an assignee is called before citizens: an agent by their number (工号), a bot by its name."""
        return self._badges.get(assignee, assignee)

    async def look(self) -> None:
        """Enlist who is new or changed, discharge who may work no more."""
        agents = [agent for agent in await self._roster.agents() if not agent.disabled]
        self._badges = {agent.login: agent.extension or agent.login for agent in agents}
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
