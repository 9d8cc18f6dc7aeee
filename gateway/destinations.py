"""Where a contact may be handed on to (转接): colleagues and lines, and what it asks of the queue there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

from gateway.outgoing import Place
from queueing.contract import AssigneeView, Queue, Routing
from queueing.errors import UnknownAssignee
from realtime.peer import Refusal
from session.events import SessionTransferred
from session.ids import AssigneeId
from session.state import AssigneeKind, Demand

GONE = frozenset({Routing.OFF, Routing.UNREACHABLE, Routing.NOT_RESPONDING})
"""Nobody is there who could be asked."""
GONE_CODE = "agent_away"


class Destinations:
    """Read from the queue at the moment of asking."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue

    async def transfer(
        self, by: AssigneeId, demand: Demand, *, to: str, queue: str, why: str
    ) -> SessionTransferred | Refusal:
        """The event that hands a contact on, or why it may not be."""
        if not why.strip():
            return Refusal("why_needed")
        if bool(to) == bool(queue):
            return Refusal("one_destination")
        if queue:
            return await self._to_queue(by, demand, queue, why)
        return await self._to_agent(by, demand, AssigneeId(to), why)

    async def _to_queue(self, by: AssigneeId, demand: Demand, queue: str, why: str) -> SessionTransferred | Refusal:
        served = {one for view in await self._people() for one in view.profile.queues}
        if queue not in served:
            return Refusal("unknown_queue")
        moved = demand if queue == demand.queue else Demand(queue, demand.priority)
        return SessionTransferred(by=by, demand=_where_it_differs(moved, demand), why=why)

    async def _to_agent(self, by: AssigneeId, demand: Demand, to: AssigneeId, why: str) -> SessionTransferred | Refusal:
        try:
            view = await self._queue.view(to)
        except UnknownAssignee:
            return Refusal("unknown_agent")
        if to == by or view.profile.kind is not AssigneeKind.AGENT or not view.profile.queues:
            return Refusal("unknown_agent")
        if view.routing in GONE:
            return Refusal(GONE_CODE)
        return SessionTransferred(by=by, to=to, demand=_where_it_differs(demand_for(view, demand), demand), why=why)

    async def listed(
        self, by: AssigneeId, names: Mapping[AssigneeId, str], places: Sequence[Place] = ()
    ) -> dict[str, object]:
        """Colleagues, those who are free first, the lines that people serve, and authorities who can be called in."""
        people = [view for view in await self._people() if view.profile.assignee != by]
        people.sort(key=lambda view: (view.routing is not Routing.READY, view.routing in GONE, view.profile.assignee))
        lines = {one for view in people for one in view.profile.queues}
        return {
            "agents": [
                {
                    "login": view.profile.assignee,
                    "name": names.get(view.profile.assignee, view.profile.assignee),
                    "routing": view.routing.value,
                    "queues": list(view.profile.queues),
                    "may": view.routing not in GONE,
                }
                for view in people
            ],
            "queues": [
                {"queue": one.queue, "waiting": one.waiting, "longest_s": one.longest_wait_s, "ready": one.ready}
                for one in await self._queue.queues()
                if one.queue in lines
            ],
            "places": [asdict(one) for one in places],
        }

    async def _people(self) -> list[AssigneeView]:
        return [view for view in await self._queue.roster() if view.profile.kind is AssigneeKind.AGENT]


def demand_for(view: AssigneeView, demand: Demand) -> Demand:
    """What is asked, so that this agent can be the one: in a line that they serve, of skills that they have."""
    has = {skill.name: skill.level for skill in view.profile.skills}
    skills = tuple(skill for skill in demand.skills if has.get(skill.name, 0) >= skill.level)
    queue = demand.queue if demand.queue in view.profile.queues else view.profile.queues[0]
    return replace(demand, queue=queue, skills=skills)


def _where_it_differs(moved: Demand, demand: Demand) -> Demand | None:
    return moved if moved != demand else None
