"""Who may ask over HTTP: the cookie of a login, what a route permits to whom, and that it is our own page that asks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from accounts.agent import Agent
from accounts.logins import Logins
from realtime.origin import may_connect
from rulebook.roles import Permission, Roles

COOKIE = "yihao"
CSRF = "X-Yihao"
"""A header that no foreign page can send without a preflight, which we never answer."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ForAgent = Callable[[web.Request, Agent], Awaitable[web.StreamResponse]]


class Access:
    """The one door before every route that is not for everybody."""

    def __init__(self, logins: Logins, origins: Sequence[str], roles: Callable[[], Roles]) -> None:
        self._logins, self._origins, self._roles = logins, origins, roles

    def for_agents(self, handler: ForAgent) -> Handler:
        """For whoever is logged in."""
        return self._guarded(None, handler)

    def permitted(self, needed: Permission, handler: ForAgent) -> Handler:
        """Only for whose role may this."""
        return self._guarded(needed, handler)

    def permissions(self, agent: Agent) -> frozenset[Permission]:
        """What somebody may now: a role that has been changed is asked anew each time."""
        return self._roles().permissions(agent.role)

    def may(self, agent: Agent, needed: Permission) -> bool:
        """Whether it is among these."""
        return needed in self.permissions(agent)

    def _guarded(self, needed: Permission | None, handler: ForAgent) -> Handler:
        """A request that changes something must be our page's."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            if request.method != "GET" and not self.is_own(request):
                return refused(403, "foreign_page")
            agent = await self._logins.agent(token_of(request))
            if needed is not None and not self.may(agent, needed):
                return refused(403, "forbidden")
            return await handler(request, agent)

        return guarded

    def is_own(self, request: web.Request) -> bool:
        """Whether a page of ours asks."""
        origin = request.headers.get("Origin")
        return CSRF in request.headers and (origin is None or may_connect(origin, request.host, self._origins))


def token_of(request: web.Request) -> str:
    """The cookie; empty for none, and for bytes that none of ours has."""
    token = request.cookies.get(COOKIE, "")
    return token if token.isascii() else ""


def refused(status: int, code: str, **more: object) -> web.Response:
    """A typed refusal: `code` is for the page's dictionary."""
    return web.json_response({"error": code, **more}, status=status)
