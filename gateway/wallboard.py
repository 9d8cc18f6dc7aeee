"""The supervisors' wallboard (监控大屏): the sliding day's figures, queues, agents, live sessions, what may be done.

Figures come from the history by `insight`, so they are the same on every node and can be recounted (`yihao figures`);
queues and agents from the store.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aiohttp import web

from accounts.agent import Agent
from accounts.audit import Audit, Deed
from gateway import desk_view
from gateway.access import Access, refused
from gateway.body import is_text, small_json
from gateway.bulletin import Bulletin
from gateway.staff import Staff
from insight.board import Board
from insight.figures import FIGURES, computed
from insight.tally import Tally
from insight.window import STEP_S, Window
from queueing.contract import AssigneeView, Presence, QueueView, Store
from queueing.errors import UnknownAssignee
from rulebook.roles import Permission
from session.ids import AssigneeId
from session.state import AssigneeKind
from storage.record import SessionRecord

MOST_LIVE = 200
"""Live sessions that are listed, the longest waiting first; the count of all is told."""
LONGEST_TEXT = 500
LONGEST_REASON = 64


@dataclass(frozen=True, slots=True)
class Alarms:
    """From where on the wallboard raises its voice."""

    longest_wait_s: float
    least: int
    """A share over fewer sessions than this says too little to alarm anybody."""


class Wallboard:
    """What a supervisor sees of the whole house, and does to all of it."""

    def __init__(
        self, board: Board, store: Store, staff: Staff, bulletin: Bulletin, alarms: Alarms, audit: Audit
    ) -> None:
        self._board, self._store, self._staff = board, store, staff
        self._bulletin, self._alarms, self._audit = bulletin, alarms, audit

    def routes(self, access: Access) -> list[web.RouteDef]:
        """All for supervisors."""
        return [
            web.get("/api/wallboard", access.permitted(Permission.WALLBOARD, self.show)),
            web.post("/api/agents/{login}/presence", access.permitted(Permission.FORCE, self.force)),
            web.post("/api/notices", access.permitted(Permission.BROADCAST, self.tell_all)),
        ]

    async def show(self, _: web.Request, __: Agent) -> web.StreamResponse:
        """Everything at once; asked for every few seconds while somebody looks."""
        window, queues, roster, now = await asyncio.gather(
            self._board.look(), self._store.queue.queues(), self._store.queue.roster(), self._store.shared.now()
        )
        people = [one for one in roster if one.profile.kind is AssigneeKind.AGENT]
        return web.json_response(
            {
                "now": now,
                "window_s": window.length_s,
                "figures": figures(window.total),
                "queues": [_queue(one, window.by_queue.get(one.queue, Tally())) for one in queues],
                "agents": [self._agent(one) for one in people],
                "sessions": [_live(record, now) for record in _longest_first(window.live.values(), now)[:MOST_LIVE]],
                "live": len(window.live),
                "steps": _steps(window),
                "step_s": STEP_S,
                "alarms": alarms(self._alarms, window.total, queues, people),
            }
        )

    async def force(self, request: web.Request, supervisor: Agent) -> web.StreamResponse:
        """`{presence, reason}`: put an agent into another state, and say why (强制签出, 强制置闲)."""
        login, given = AssigneeId(request.match_info["login"][:64]), await small_json(request)
        presence, reason = given.get("presence"), given.get("reason")
        if presence not in tuple(Presence) or not is_text(reason) or not 0 < len(reason.strip()) <= LONGEST_REASON:
            return refused(400, "malformed")
        try:
            view = await self._staff.present(login, Presence(str(presence)), f"{reason.strip()} ({supervisor.login})")
        except UnknownAssignee:
            return refused(404, "no_such_agent")
        await self._audit.note(supervisor.login, Deed.FORCE, login, f"{presence}: {reason.strip()}")
        return web.json_response({"agent": self._agent(view)})

    async def tell_all(self, request: web.Request, supervisor: Agent) -> web.StreamResponse:
        """`{text}`: a sentence to every desk, on every node, within seconds."""
        text = (await small_json(request)).get("text")
        if not is_text(text) or not 0 < len(text.strip()) <= LONGEST_TEXT:
            return refused(400, "malformed")
        await self._audit.note(supervisor.login, Deed.BROADCAST, detail=text.strip())
        await self._bulletin.post(supervisor.name, text.strip())
        return web.json_response({})

    def _agent(self, view: AssigneeView) -> dict[str, object]:
        account = self._staff.agent(view.profile.assignee)
        return {
            "login": view.profile.assignee,
            "name": account.name if account else view.profile.assignee,
            "extension": (account.extension if account else None) or "",
            "queues": view.profile.queues,
            "routing": view.routing.value,
            "presence": view.presence.value,
            "reason": view.reason,
            "since": view.since,
            "sessions": [charge.session for charge in view.charges],
        }


def figures(sums: Tally) -> list[dict[str, object]]:
    """Each with its names, its formula, and what it should be."""
    values = computed(sums)
    return [
        {
            "key": figure.key,
            "name": figure.name,
            "english": figure.english,
            "formula": figure.formula,
            "unit": figure.unit.value,
            "value": values[figure.key],
            "at_least": figure.at_least,
        }
        for figure in FIGURES
    ]


def alarms(
    bounds: Alarms, sums: Tally, queues: Iterable[QueueView], people: Iterable[AssigneeView]
) -> list[dict[str, object]]:
    """What needs somebody now, each by its kind for the page's dictionary. Pure."""
    served = {queue for one in people if one.presence is Presence.READY for queue in one.profile.queues}
    raised: list[dict[str, object]] = []
    for queue in queues:
        if queue.waiting and queue.queue not in served:
            raised.append({"kind": "nobody", "queue": queue.queue})
        if queue.longest_wait_s > bounds.longest_wait_s:
            raised.append({"kind": "wait", "queue": queue.queue, "seconds": queue.longest_wait_s})
    if sums.answered + sums.lost >= bounds.least:
        values = computed(sums)
        for figure in FIGURES:
            value = values[figure.key]
            if figure.at_least is not None and value is not None and value < figure.at_least:
                raised.append({"kind": "figure", "figure": figure.key, "value": value, "at_least": figure.at_least})
    return raised


def _queue(view: QueueView, sums: Tally) -> dict[str, object]:
    return {
        "queue": view.queue,
        "waiting": view.waiting,
        "longest_wait_s": view.longest_wait_s,
        "ready": view.ready,
        "figures": computed(sums),
    }


def _longest_first(live: Iterable[SessionRecord], now: float) -> list[SessionRecord]:
    return sorted(live, key=lambda one: (-one.session.waited_s(now) if _waits(one) else 0.0, one.session.opened_at))


def _waits(record: SessionRecord) -> bool:
    return record.session.waiting_since is not None


def _live(record: SessionRecord, now: float) -> Mapping[str, object]:
    return {**desk_view.past(record), "waited_s": record.session.waited_s(now), "waiting": _waits(record)}


def _steps(window: Window) -> list[dict[str, float]]:
    """The day's course, the oldest first; a step in which nobody came is left out."""
    return [
        {"at": step * STEP_S, "came": tally.came, "answered": tally.answered, "lost": tally.lost}
        for step, tally in sorted(window.by_step.items())
        if tally.came
    ]
