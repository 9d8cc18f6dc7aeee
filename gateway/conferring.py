"""Whom an agent may call to a citizen's call: a colleague, somebody free in a line, or a number outside by rule."""

from __future__ import annotations

from gateway.destinations import GONE, GONE_CODE
from gateway.outgoing import CallRefused, Outgoing
from queueing.contract import AssigneeView, Queue, Routing
from queueing.errors import UnknownAssignee
from realtime.peer import Refusal
from session.events import ThirdRequested
from session.ids import AssigneeId
from session.state import AssigneeKind, Medium

MOST_TRIED = 5
"""Of those who are free in a line, one after the other: the citizen waits meanwhile."""


class Conferring:
    """Read from the queue at the moment of asking."""

    def __init__(self, queue: Queue, outgoing: Outgoing) -> None:
        self._queue, self._outgoing = queue, outgoing

    async def third(self, by: AssigneeId, *, to: str, queue: str, number: str) -> ThirdRequested | Refusal:
        """The event that asks for them, or why they may not be called. Raises `StoreUnavailable`."""
        if [bool(one) for one in (to, queue, number)].count(True) != 1:
            return Refusal("one_destination")
        if to:
            return await self._colleague(by, AssigneeId(to))
        return await (self._line(by, queue) if queue else self._outside(by, number))

    async def _colleague(self, by: AssigneeId, to: AssigneeId) -> ThirdRequested | Refusal:
        try:
            view = await self._queue.view(to)
        except UnknownAssignee:
            return Refusal("unknown_agent")
        if to == by or view.profile.kind is not AssigneeKind.AGENT:
            return Refusal("unknown_agent")
        if view.routing in GONE:
            return Refusal(GONE_CODE)
        if Medium.VOICE not in view.reachable:
            return Refusal("no_phone_there")
        return ThirdRequested(by=by, agents=(to,), name=to)

    async def _line(self, by: AssigneeId, queue: str) -> ThirdRequested | Refusal:
        serving = [view for view in await self._queue.roster() if queue in view.profile.queues and _is_agent(view)]
        if not serving:
            return Refusal("unknown_queue")
        free = [view for view in serving if _is_free(view) and view.profile.assignee != by]
        if not free:
            return Refusal("nobody_free")
        longest_idle = sorted(free, key=lambda view: view.since)[:MOST_TRIED]
        return ThirdRequested(by=by, agents=tuple(view.profile.assignee for view in longest_idle), name=queue)

    async def _outside(self, by: AssigneeId, number: str) -> ThirdRequested | Refusal:
        try:
            address, name = await self._outgoing.outside(number, by)
        except CallRefused as refused:
            return Refusal(refused.why.value)
        return ThirdRequested(by=by, number=address, name=name)


def _is_agent(view: AssigneeView) -> bool:
    return view.profile.kind is AssigneeKind.AGENT


def _is_free(view: AssigneeView) -> bool:
    return view.routing is Routing.READY and Medium.VOICE in view.reachable
