"""Administration over HTTP (系统管理): documents and their versions, passwords, the health of channels, the audit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import msgspec
from aiohttp import web

from accounts.agent import Agent
from accounts.audit import Audit, Deed
from accounts.errors import AgentTaken, AgentUnknown
from accounts.passwords import generate_password
from accounts.roster import Roster
from gateway.access import Access, Handler, refused
from gateway.body import is_text, small_json
from gateway.workforce import AGENTS
from rulebook.book import InForce, Rulebook
from rulebook.difference import difference
from rulebook.document import LARGEST_BYTES, Document
from rulebook.errors import DocumentMalformed, NoSuchVersion, UnknownKind
from rulebook.kinds import ROLES
from rulebook.roles import Permission
from rulebook.statutory import statutory_days
from session.ids import AssigneeId
from storage.policies import Policy, PolicyMoved

OF_ACCOUNTS = frozenset({AGENTS, ROLES})
LONGEST_WHY = 200
LONGEST_NUMBER = 9
ForAdministrator = Callable[[web.Request, Agent], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Parts:
    """What is looked at and changed."""

    rulebook: Rulebook
    roster: Roster
    audit: Audit
    clock: Callable[[], Awaitable[float]]
    channels: Callable[[float], Sequence[Mapping[str, object]]]
    """How they do, at that time."""
    unopened: Sequence[str]
    """Sections of the settings of channels that are off."""


class Administration:
    """All for administrators, but for what every desk shows."""

    def __init__(self, parts: Parts) -> None:
        self._book, self._parts = parts.rulebook, parts

    def routes(self, access: Access) -> list[web.RouteDef]:
        """One document is one address, whatever its kind."""

        def ruled(handler: ForAdministrator) -> Handler:
            """Who may change one document need not be one who may make administrators."""

            async def by_kind(request: web.Request, agent: Agent) -> web.StreamResponse:
                needed = Permission.ACCOUNTS if _kind(request) in OF_ACCOUNTS else Permission.RULES
                if not access.may(agent, needed):
                    return refused(403, "forbidden")
                return await handler(request, agent)

            return access.for_agents(_typed(by_kind))

        rules = "/api/admin/rules/{kind}"
        return [
            web.get("/api/desk/rules", access.for_agents(self.for_desks)),
            web.get("/api/admin/rules", access.permitted(Permission.RULES, _typed(self.kinds))),
            web.get(rules, ruled(self.show)),
            web.post(rules, ruled(self.put)),
            web.post(f"{rules}/compare", ruled(self.compare)),
            web.get(f"{rules}/versions", ruled(self.versions)),
            web.get(f"{rules}/versions/{{version}}", ruled(self.version)),
            web.post(f"{rules}/rollback", ruled(self.roll_back)),
            web.post("/api/admin/agents/{login}/passwords", access.permitted(Permission.ACCOUNTS, _typed(self.renew))),
            web.get("/api/admin/holidays", access.permitted(Permission.RULES, _typed(self.holidays))),
            web.get("/api/admin/channels", access.permitted(Permission.RULES, _typed(self.channels))),
            web.get("/api/admin/audit", access.permitted(Permission.AUDIT, _typed(self.audited))),
        ]

    async def for_desks(self, _: web.Request, __: Agent) -> web.StreamResponse:
        """What desks show and put in; asked for again when its revision rises."""
        book = self._book
        return _json(
            {
                "revision": book.revision,
                "queues": book.routing.queues,
                "skills": book.routing.skills,
                "roles": book.roles.roles,
                "replies": book.canned.replies,
                "words": book.words.words,
                "wrap": book.wrap,
            }
        )

    async def kinds(self, _: web.Request, __: Agent) -> web.StreamResponse:
        """Every kind, and which version is in force."""
        shown = [{"kind": name, "version": (await self._book.now(name)).version} for name in self._book.kinds]
        return _json({"kinds": shown})

    async def show(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """What is in force."""
        return _json(_shown(await self._book.now(_kind(request))))

    async def compare(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """`{document}`: whether it could be put in force, and what would change by it."""
        kind, given = _kind(request), await small_json(request, LARGEST_BYTES)
        document = await self._book.read(kind, given.get("document"))
        now = await self._book.now(kind)
        return _json({"version": now.version, "changes": _changes(now.document, document)})

    async def put(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """`{document, expected, why}`: put it in force after version `expected`; 409 where another came meanwhile."""
        kind, given = _kind(request), await small_json(request, LARGEST_BYTES)
        document = await self._book.read(kind, given.get("document"))
        return await self._change(kind, document, given, agent)

    async def roll_back(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """`{to, expected, why}`: an earlier version's content in force again, as a version of its own."""
        kind, given = _kind(request), await small_json(request)
        to = given.get("to")
        if not isinstance(to, int) or isinstance(to, bool):
            return refused(400, "malformed")
        earlier = msgspec.to_builtins(await self._book.version(kind, to))
        return await self._change(kind, await self._book.read(kind, earlier), given, agent, to=to)

    async def versions(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """The newest first; `?before=` is the next page."""
        found = await self._book.versions(_kind(request), before=_number(request.query.get("before", "")))
        return _json({"versions": [_listed(one) for one in found]})

    async def version(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """One of them, what it changed, and what would change if it came into force again."""
        kind, number = _kind(request), _number(request.match_info["version"])
        if number is None:
            return refused(404, "no_such_version")
        document, now = await self._book.version(kind, number), await self._book.now(kind)
        before = await self._book.version(kind, number - 1) if number else document
        return _json(
            {
                "version": number,
                "document": document,
                "changes": _changes(before, document),
                "back": _changes(now.document, document),
            }
        )

    async def renew(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """New passwords for an agent, told this once."""
        login = AssigneeId(request.match_info["login"][:64])
        password, sip_password = generate_password(), generate_password()
        await self._parts.audit.note(agent.login, Deed.RENEW, login)
        try:
            renewed = await self._parts.roster.renew(login, password, sip_password)
        except AgentUnknown:
            return refused(404, "no_such_agent")
        has_telephone = renewed.extension is not None
        return _json({"password": password, "sip_password": sip_password if has_telephone else ""})

    async def holidays(self, _: web.Request, __: Agent) -> web.StreamResponse:
        """The days that the State Council has set, year by year."""
        return _json({"years": statutory_days()})

    async def channels(self, _: web.Request, __: Agent) -> web.StreamResponse:
        """How they do now; asked for every few seconds while somebody looks."""
        now = await self._parts.clock()
        return _json({"now": now, "channels": self._parts.channels(now), "off": self._parts.unopened})

    async def audited(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """Who did what, the newest first: `?by=`, `?deed=`, `?before=`."""
        query = request.query
        found = await self._parts.audit.recent(
            by=query.get("by", "")[:64], deed=query.get("deed", "")[:64], before=_number(query.get("before", ""))
        )
        return _json({"notes": [asdict(one) for one in found], "deeds": list(Deed)})

    async def _change(
        self, kind: str, document: Document, given: Mapping[str, object], agent: Agent, *, to: int | None = None
    ) -> web.StreamResponse:
        expected, why = given.get("expected"), given.get("why")
        if not isinstance(expected, int) or isinstance(expected, bool) or not is_text(why):
            return refused(400, "malformed")
        if not 0 < len(why.strip()) <= LONGEST_WHY:
            return refused(400, "why_needed")

        async def noted(version: int) -> None:
            detail = f"{version}" if to is None else f"{version} ← {to}"
            await self._parts.audit.note(agent.login, Deed.CHANGE, kind, detail)

        version = await self._book.put(
            kind,
            document,
            expected=expected,
            author=agent.login,
            at=await self._parts.clock(),
            why=why.strip(),
            noted=noted,
        )
        return _json({"version": version})


def _typed(handler: ForAdministrator) -> ForAdministrator:
    """What the rulebook refuses, as a status and a code."""

    async def typed(request: web.Request, agent: Agent) -> web.StreamResponse:
        try:
            return await handler(request, agent)
        except UnknownKind:
            return refused(404, "unknown_kind")
        except NoSuchVersion:
            return refused(404, "no_such_version")
        except DocumentMalformed as error:
            return refused(400, "invalid", at=error.at, fault=error.fault)
        except AgentTaken as error:
            return refused(400, "invalid", at=error.login, fault=str(error))
        except PolicyMoved as error:
            return refused(409, "moved", version=error.version)

    return typed


def _shown(force: InForce) -> dict[str, object]:
    return {"version": force.version, "document": force.document}


def _listed(policy: Policy) -> dict[str, object]:
    return {"version": policy.version, "author": policy.author, "at": policy.at, "why": policy.why}


def _changes(before: Document, after: Document) -> list[dict[str, object]]:
    return [asdict(one) for one in difference(msgspec.to_builtins(before), msgspec.to_builtins(after))]


def _kind(request: web.Request) -> str:
    return request.match_info["kind"][:64]


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER else None


def _json(shown: Mapping[str, object]) -> web.Response:
    headers = {"Content-Type": "application/json; charset=utf-8", "Cache-Control": "no-store"}
    return web.Response(body=msgspec.json.encode(shown), headers=headers)
