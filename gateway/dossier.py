"""One citizen as an agent sees them: addresses with their proofs, claims as claims, every session, one timeline.

Addresses are masked (脱敏); in full they are shown on asking, with a reason, which stands in the session.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence

from aiohttp import web

from accounts.agent import Agent
from accounts.audit import Audit, Deed
from gateway import desk_view
from gateway.access import Access, refused
from gateway.body import is_text, small_json
from gateway.joining import Joining, JoinRefused
from gateway.persons import Persons
from gateway.sight import Sight
from gateway.verification import Verification
from identity.errors import LinkUnknown
from realtime.desk import ContactTimeline
from realtime.wire import encode
from session.address import Address
from session.belonging import AddressRevealed
from session.identity import AddressesLinked, IdentityRefused, Person, Proof
from session.ids import LinkId, PersonId, SessionId
from session.number import SCHEME, e164
from session.ports import Entry, Inbox, ProofRefused
from session.provenance import came_by
from session.state import Medium, Party, Phase, Session
from storage.history import History
from storage.timeline import merged

MOST_SESSIONS = 20
MOST_ENTRIES = 2000
LONGEST_WHY = 200
NOBODY = PersonId("")

ForSession = Callable[[web.Request, Agent, Session], Awaitable[web.Response]]


class Dossiers:
    """Routes under a session: what is known of its citizen, and what its agent does about it."""

    def __init__(
        self,
        persons: Persons,
        verification: Verification,
        joining: Joining,
        history: History,
        sight: Sight,
        inbox: Inbox,
        area: str,
        audit: Audit,
    ) -> None:
        self._persons, self._verification, self._joining = persons, verification, joining
        self._history, self._sight, self._inbox, self._area = history, sight, inbox, area
        self._audit = audit

    def routes(self, access: Access) -> list[web.RouteDef]:
        """To read for who may see the session; to change for who has it."""
        base = "/api/sessions/{session}/person"

        def post(act: ForSession) -> web.RouteDef:
            handler = access.for_agents(self._by_its_agent(act))
            return web.post(f"{base}/{act.__name__}", handler)

        return [
            web.get(base, access.for_agents(self.show)),
            web.get(f"{base}/timeline", access.for_agents(self.timeline)),
            *(post(act) for act in (self.verify, self.prove, self.link, self.unlink, self.reveal)),
            *(post(act) for act in (self.join, self.split)),
        ]

    # --- what is shown -----------------------------------------------------------------------------------------------

    async def show(self, request: web.Request, agent: Agent) -> web.Response:
        """Who they are, as far as it is proven, and what is only claimed."""
        seen = await self._sight.seen(agent, _session_in(request))
        if seen is None:
            return refused(404, "no_such_session")
        session, _ = seen
        person = await self._whose(session)
        records = await self._history.sessions_of(*person.addresses, limit=MOST_SESSIONS)
        return web.json_response(
            {
                "person": person.id or None,
                "addresses": [_address(person, one, session) for one in person.addresses],
                "claims": [
                    {"address": desk_view.masked(one.claimed), "by": desk_view.masked(one.holder), "at": one.at}
                    for one in person.claims
                ],
                "sessions": [desk_view.past(one) for one in records],
                "also_open": [
                    {
                        "session": one.session.id,
                        "joined": one.session.joined_into == session.id,
                        "opened_at": one.session.opened_at,
                    }
                    for one in records
                    if one.session.phase not in (Phase.CLOSED, Phase.WRAPPING) and one.session.id != session.id
                ],
            }
        )

    async def timeline(self, request: web.Request, agent: Agent) -> web.Response:
        """All that happened between this citizen and us, over all channels and sessions, as one timeline."""
        seen = await self._sight.seen(agent, _session_in(request))
        if seen is None:
            return refused(404, "no_such_session")
        session, entries = seen
        person = await self._whose(session)
        records = await self._history.sessions_of(*person.addresses, limit=MOST_SESSIONS)
        others = [one.session.id for one in records if one.session.id != session.id]
        timelines = [entries, *[await self._sight.timeline(one) for one in others]]
        theirs = frozenset(person.addresses)
        return web.json_response({"entries": drawn(came_by(one, theirs) for one in timelines)})

    # --- what its agent does -----------------------------------------------------------------------------------------

    def _by_its_agent(self, act: ForSession) -> Callable[[web.Request, Agent], Awaitable[web.StreamResponse]]:
        async def guarded(request: web.Request, agent: Agent) -> web.StreamResponse:
            seen = await self._sight.seen(agent, _session_in(request))
            if seen is None:
                return refused(404, "no_such_session")
            session, _ = seen
            if agent.login not in (session.assignee, session.prefer):
                return refused(403, "not_yours")
            try:
                return await act(request, agent, session)
            except (ProofRefused, IdentityRefused, JoinRefused) as refusal:
                return refused(422, refusal.code)
            except LinkUnknown:
                return refused(404, "no_such_link")

        return guarded

    async def verify(self, request: web.Request, agent: Agent, session: Session) -> web.Response:
        """POST `{number}`: send a code there; the citizen types it in where they write, or reads it to the agent."""
        number = await _word(request, "number")
        holder = _where_they_are(session)
        await self._verification.send_code(holder, number, session=session.id, by=agent.login)
        return web.json_response({})

    async def prove(self, request: web.Request, agent: Agent, session: Session) -> web.Response:
        """POST `{code}`: as the citizen has read it to the agent."""
        code = await _word(request, "code")
        await self._verification.prove(_where_they_are(session), code, session=session.id, by=agent.login)
        return web.json_response({})

    async def link(self, request: web.Request, agent: Agent, session: Session) -> web.Response:
        """POST `{number, why}`: this agent's word that the number is the citizen's."""
        body = await small_json(request)
        written = e164(_text(body.get("number")), self._area)
        if written is None:
            raise ProofRefused("bad_number")
        if not _text(body.get("why")):
            raise ProofRefused("why_needed")
        key = Address(SCHEME, written)
        link = await self._persons.bind(
            key, _where_they_are(session), Proof.AGENT_WORD, session=session.id, by=agent.login
        )
        return web.json_response({"link": link.link})

    async def unlink(self, request: web.Request, agent: Agent, session: Session) -> web.Response:
        """POST `{link, why}`: that link never held; each address gets back what came by it."""
        body = await small_json(request)
        why = _text(body.get("why"))
        if not why:
            raise ProofRefused("why_needed")
        person = await self._whose(session)
        link = LinkId(_text(body.get("link")))
        await self._persons.undo_of(person, link, session=session.id, by=agent.login, why=why)
        return web.json_response({})

    async def join(self, request: web.Request, agent: Agent, session: Session) -> web.Response:
        """POST `{other}`: another running session of this citizen's goes on in this one."""
        other = SessionId(await _word(request, "other"))
        await self._joining.join(session.id, other, agent.login)
        return web.json_response({})

    async def split(self, request: web.Request, agent: Agent, session: Session) -> web.Response:
        """POST `{other, why}`: it goes on by itself again."""
        body = await small_json(request)
        why = _text(body.get("why"))
        if not why:
            raise ProofRefused("why_needed")
        await self._joining.split(session.id, SessionId(_text(body.get("other"))), agent.login, why)
        return web.json_response({})

    async def reveal(self, request: web.Request, agent: Agent, session: Session) -> web.Response:
        """POST `{why}`: the addresses in full. The reason stands in the session's timeline for the audit."""
        why = await _word(request, "why")
        person = await self._whose(session)
        await self._audit.note(agent.login, Deed.REVEAL, session.id)
        await self._inbox.post(session.id, AddressRevealed(by=agent.login, why=why))
        return web.json_response({"addresses": [one.identifier for one in person.addresses]})

    async def _whose(self, session: Session) -> Person:
        """The citizen of a session; one whom nothing was ever said of has that session's first address."""
        known = await self._persons.person(session.citizen)
        return known or Person(NOBODY, (session.citizen,))


def drawn(timelines: Iterable[Sequence[Entry]]) -> list[object]:
    """Several timelines as one, the newest entries of it, each with its session."""
    shown = []
    for entry in merged(timelines)[-MOST_ENTRIES:]:
        placed = desk_view.entry_of(entry.event)
        if placed is not None:
            frame = ContactTimeline(session=entry.session, version=entry.version, entry=placed)
            shown.append(json.loads(encode(frame)))
    return shown


def _address(person: Person, address: Address, session: Session) -> dict[str, object]:
    legs = [leg for leg in session.legs if leg.party is Party.CITIZEN and leg.address == address]
    return {
        "address": desk_view.masked(address),
        "here": bool(legs) or address == session.citizen,
        "vouched": address.scheme == SCHEME and any(leg.asserted for leg in legs),
        "links": [_link(address, one) for one in person.links_of(address)],
    }


def _link(address: Address, link: AddressesLinked) -> dict[str, object]:
    other = link.holder if link.key == address else link.key
    return {
        "link": link.link,
        "with": desk_view.masked(other),
        "proof": link.proof.value,
        "confidence": link.proof.confidence,
        "at": link.at,
        "by": link.by,
    }


def _where_they_are(session: Session) -> Address:
    """The address that the citizen is at now: where they write rather than where they speak."""
    legs = sorted(session.live_legs(Party.CITIZEN), key=lambda leg: leg.medium is Medium.VOICE)
    return next((leg.address for leg in legs if leg.address is not None), session.citizen)


def _session_in(request: web.Request) -> SessionId:
    return SessionId(request.match_info["session"][:64])


async def _word(request: web.Request, name: str) -> str:
    word = _text((await small_json(request)).get(name))
    if not word:
        raise ProofRefused(f"{name}_needed")
    return word


def _text(value: object) -> str:
    return value.strip()[:LONGEST_WHY] if is_text(value) else ""
