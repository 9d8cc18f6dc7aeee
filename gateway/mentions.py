"""A colleague's note that names an agent (@): told at their desk at once, and again until they have looked."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict

from aiohttp import web

from accounts.agent import Agent
from gateway.access import Access, refused
from gateway.body import is_text, small_json
from gateway.staff import Staff
from realtime.desk import Mentioned
from realtime.messages import Durable
from session.events import NoteAdded
from session.ids import AssigneeId, SessionId
from session.ports import Entry
from storage.mentions import Mentions

Show = Callable[[AssigneeId, Iterable[Durable]], None]


class Callings:
    """Who is called to what, for the desks and their pages."""

    def __init__(self, mentions: Mentions, staff: Staff, show: Show) -> None:
        """`show` puts frames on an agent's desk, where it is open at this node."""
        self._mentions, self._staff, self._show = mentions, staff, show

    async def follow(self, entry: Entry) -> None:
        """See `gateway.feed`: tell those whom a note names."""
        note = entry.event
        if not isinstance(note, NoteAdded):
            return
        for login in dict.fromkeys(note.mentions):
            told = Mentioned(session=entry.session, version=entry.version, at=note.at, by=note.by, text=note.text)
            self._show(login, [told])

    def routes(self, access: Access) -> list[web.RouteDef]:
        """For every agent, of their own."""
        return [
            web.get("/api/desk/colleagues", access.for_agents(self.colleagues)),
            web.get("/api/desk/mentions", access.for_agents(self.unseen)),
            web.post("/api/desk/mentions", access.for_agents(self.look)),
        ]

    async def colleagues(self, _: web.Request, agent: Agent) -> web.StreamResponse:
        """Everybody else who works here, whether they are there now or not."""
        others = [one for one in self._staff.agents() if one.login != agent.login]
        return web.json_response({"colleagues": [{"login": one.login, "name": one.name} for one in others]})

    async def unseen(self, _: web.Request, agent: Agent) -> web.StreamResponse:
        """The notes that name this agent and that they have not looked at. Times are seconds since 1970."""
        return web.json_response({"mentions": [asdict(one) for one in await self._mentions.unseen(agent.login)]})

    async def look(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """`{session}`: they have looked there."""
        session = (await small_json(request)).get("session")
        if not is_text(session) or len(session) > 64:
            return refused(400, "malformed")
        await self._mentions.look(agent.login, SessionId(session))
        return web.json_response({})
