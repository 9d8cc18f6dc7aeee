"""The HTTP API behind the pages: login, sockets, timelines, recordings, files, health. Every route names its role."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from urllib.parse import unquote

from aiohttp import web

from accounts.agent import Agent
from accounts.audit import Audit, Deed
from accounts.errors import NotLoggedIn, TooManyAttempts, WrongPassword
from accounts.logins import Logins
from gateway import desk_view
from gateway.access import COOKIE, Access, Handler, refused, token_of
from gateway.body import is_text, small_json
from gateway.desk_telephone import DeskTelephones
from gateway.metrics import Metrics
from gateway.oversight import Oversight
from gateway.sight import Sight
from media.playable import NotPlayable, Playable
from realtime.desk import ContactTimeline
from realtime.peer import Refusal
from realtime.socket import Sockets
from realtime.wire import encode
from recordings import byterange
from recordings.errors import RangeUnsatisfiable, RecordingError
from recordings.store import RecordingStore
from rulebook.roles import Permission
from session.errors import YihaoError
from session.ids import AssigneeId, FileId, RecordingId, SessionId
from session.ports import Entry, Files
from session.state import Supervision
from storage.errors import FileRefused, TooLarge
from storage.history import History

LONGEST_NAME = 255
PAGE = 50


@dataclass(frozen=True, slots=True)
class Doors:
    """What the API opens."""

    logins: Logins
    access: Access
    desk: Sockets
    recordings: RecordingStore
    files: Files
    playable: Playable
    timeline: Callable[[SessionId], Awaitable[list[Entry]]]
    sight: Sight
    destinations: Callable[[AssigneeId], Awaitable[dict[str, object]]]
    telephones: DeskTelephones
    history: History
    oversight: Oversight
    metrics: Metrics
    measure: Callable[[], Awaitable[None]]
    ready: Callable[[], Awaitable[dict[str, bool]]]
    scrapers: Sequence[str]
    """Networks that may read `/metrics`."""
    audit: Audit


def routes(doors: Doors) -> list[web.RouteDef]:
    """All of them."""
    api = _Api(doors)
    return [
        web.get("/healthz", api.alive),
        web.get("/readyz", api.ready),
        web.get("/metrics", api.metrics),
        web.post("/api/login", api.log_in),
        web.post("/api/logout", api.log_out),
        web.get("/api/me", doors.access.for_agents(api.me)),
        web.post("/api/desk/ticket", doors.access.for_agents(api.ticket)),
        web.post("/api/desk/telephone", doors.access.for_agents(api.telephone)),
        web.get("/api/desk/socket", doors.desk.handle),
        web.get("/api/desk/destinations", doors.access.for_agents(api.destinations)),
        web.post("/api/desk/files", doors.access.for_agents(api.take_file)),
        web.get("/api/desk/files/{file}", doors.access.for_agents(api.give_file)),
        web.get("/api/desk/files/{file}/sound", doors.access.for_agents(api.give_sound)),
        web.get("/api/sessions", doors.access.for_agents(api.sessions)),
        web.get("/api/sessions/{session}/timeline", doors.access.for_agents(api.timeline)),
        web.get("/api/supervision", doors.access.permitted(Permission.SUPERVISE, api.calls)),
        web.post("/api/supervision/{session}", doors.access.permitted(Permission.SUPERVISE, api.supervise)),
        web.get("/api/recordings/{recording}", doors.access.for_agents(api.recording)),
        web.get("/api/recordings/{recording}/peaks", doors.access.for_agents(api.peaks)),
    ]


@web.middleware
async def typed_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What is refused on purpose becomes a status and a code, never a stack."""
    try:
        return await handler(request)
    except NotLoggedIn:
        return refused(401, "not_logged_in")
    except YihaoError as error:
        if not error.retryable:
            raise
        return web.json_response(
            {"error": "not_accepted"}, status=503, headers={"Retry-After": str(round(error.retry_after_s or 1))}
        )


class _Api:
    def __init__(self, doors: Doors) -> None:
        self._doors = doors

    # --- the machine's own ----------------------------------------

    async def alive(self, _: web.Request) -> web.StreamResponse:
        """The process runs its loop."""
        return web.json_response({"alive": True})

    async def ready(self, _: web.Request) -> web.StreamResponse:
        """It serves: store reachable and durable, SIP bound, not draining."""
        parts = await self._doors.ready()
        return web.json_response(parts, status=200 if all(parts.values()) else 503)

    async def metrics(self, request: web.Request) -> web.StreamResponse:
        """For Prometheus, from the networks that are allowed."""
        address = ipaddress.ip_address(request.remote or "0.0.0.0")  # noqa: S104 - nobody's address, refused below
        if not any(address in ipaddress.ip_network(one) for one in self._doors.scrapers):
            return refused(403, "forbidden")
        await self._doors.measure()
        return web.Response(body=self._doors.metrics.exposition(), content_type="text/plain", charset="utf-8")

    # --- logins ----------------------------------------

    async def log_in(self, request: web.Request) -> web.StreamResponse:
        """`{login, password}`; a cookie that scripts cannot read."""
        if not self._doors.access.is_own(request):
            return refused(403, "foreign_page")
        given = await small_json(request)
        login, password = given.get("login"), given.get("password")
        if not is_text(login) or not is_text(password):
            return refused(400, "malformed")
        try:
            token, agent = await self._doors.logins.log_in(
                login, password, address=request.remote or "", old_token=token_of(request)
            )
        except WrongPassword:
            # What is no login may be a password that went into the wrong field: it is not noted.
            await self._doors.audit.note(await self._doors.logins.known(login), Deed.LOGIN_REFUSED)
            return refused(401, "wrong_password")
        except TooManyAttempts as error:
            answer = refused(429, "too_many_attempts", retry_after_s=error.retry_after_s)
            answer.headers["Retry-After"] = f"{max(1.0, error.retry_after_s or 1.0):.0f}"
            return answer
        await self._doors.audit.note(agent.login, Deed.LOG_IN)
        response = web.json_response({"agent": self._shown(agent)})
        response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=request.secure, path="/api")
        return response

    async def log_out(self, request: web.Request) -> web.StreamResponse:
        """End the login and close the desk."""
        if not self._doors.access.is_own(request):
            return refused(403, "foreign_page")
        token = token_of(request)
        try:
            agent = await self._doors.logins.agent(token)
        except NotLoggedIn:
            return web.json_response({})
        await self._doors.audit.note(agent.login, Deed.LOG_OUT)
        await self._doors.logins.log_out(token)
        self._doors.desk.dismiss(agent.login)
        response = web.json_response({})
        response.del_cookie(COOKIE, path="/api")
        return response

    async def me(self, _: web.Request, agent: Agent) -> web.StreamResponse:
        """Who is logged in."""
        return web.json_response({"agent": self._shown(agent)})

    async def ticket(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """A one-time pass for the desk's socket."""
        return web.json_response({"ticket": await self._doors.logins.ticket(token_of(request))})

    async def telephone(self, _: web.Request, agent: Agent) -> web.StreamResponse:
        """What the telephone in the desk registers with, for an hour."""
        lent = await self._doors.telephones.lend(agent.login)
        if lent is None:
            return refused(404, "no_extension")
        return web.json_response(asdict(lent), headers={"Cache-Control": "no-store"})

    async def destinations(self, _: web.Request, agent: Agent) -> web.StreamResponse:
        """Colleagues and lines that a contact may be handed on to, as they stand now."""
        return web.json_response(await self._doors.destinations(agent.login))

    # --- what is kept ----------------------------------------

    async def sessions(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """Past contacts, the newest first: an agent's own, a supervisor's everybody's. `?before=` is the next page."""
        before = SessionId(request.query.get("before", "")[:64]) or None
        whose = None if self._doors.access.may(agent, Permission.SEE_ALL) else agent.login
        found = await self._doors.history.recent(limit=PAGE, before=before, assignee=whose)
        return web.json_response({"sessions": [desk_view.past(one) for one in found], "more": len(found) == PAGE})

    async def calls(self, _: web.Request, _agent: Agent) -> web.StreamResponse:
        """The calls that run now, on every node."""
        return web.json_response({"calls": [asdict(one) for one in await self._doors.oversight.calls()]})

    async def supervise(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """`{what}`: listen, whisper, barge, take_over or leave; the supervisor's own telephone is called."""
        given = (await small_json(request)).get("what")
        if not is_text(given) or given not in [one.value for one in Supervision]:
            return refused(400, "malformed")
        session = SessionId(request.match_info["session"][:64])
        await self._doors.audit.note(agent.login, Deed.SUPERVISE, session, given)
        answer = await self._doors.oversight.ask(agent.login, session, Supervision(given))
        if isinstance(answer, Refusal):
            return refused(409, answer.code)
        return web.json_response({"version": answer}, status=202)

    async def timeline(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """A session's timeline, live or from history."""
        session = SessionId(request.match_info["session"][:64])
        entries = await self._doors.timeline(session)
        if not entries or not await self._doors.sight.may_read(agent, session, entries):
            return refused(404, "no_such_session")
        drawn = [
            json.loads(encode(ContactTimeline(session=entries[0].session, version=one.version, entry=one.entry)))
            for one in desk_view.timeline(entries)
        ]
        return web.json_response({"entries": drawn})

    async def recording(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """A call's sound, in ranges as a player asks for it."""
        recording = RecordingId(request.match_info["recording"][:128])
        session = session_of(recording)
        if not await self._doors.sight.may_see(agent, session):
            return refused(404, "no_such_recording")
        try:
            found = await self._doors.recordings.get(session, recording)
            span = byterange.parse(request.headers.get("Range"), found.card.size_bytes)
        except RangeUnsatisfiable as error:
            headers = {"Content-Range": f"bytes */{error.size_bytes}"}
            return web.json_response({"error": "range"}, status=416, headers=headers)
        except RecordingError:
            return refused(404, "no_such_recording")
        if span is None or span[0] == 0:  # a player asks for the rest in pieces
            await self._doors.audit.note(agent.login, Deed.LISTEN, recording)
        size = found.card.size_bytes
        first, last = span or (0, size - 1)
        headers = {"Accept-Ranges": "bytes", "Cache-Control": "no-store", "Content-Type": "audio/wav"}
        headers["Content-Length"] = str(last - first + 1)
        if span is not None:
            headers["Content-Range"] = f"bytes {first}-{last}/{size}"
        response = web.StreamResponse(status=206 if span else 200, headers=headers)
        return await _pour(request, response, self._doors.recordings.read(found, first, last))

    async def peaks(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """A call's waveform, as it was made while the call was recorded: nobody need read the sound to draw it."""
        recording = RecordingId(request.match_info["recording"][:128])
        session = session_of(recording)
        if not await self._doors.sight.may_see(agent, session):
            return refused(404, "no_such_recording")
        try:
            found = await self._doors.recordings.peaks(await self._doors.recordings.get(session, recording))
        except (RecordingError, FileNotFoundError):
            return refused(404, "no_such_recording")
        headers = {"Cache-Control": "private, max-age=3600"}
        return web.Response(body=found, content_type="application/octet-stream", headers=headers)

    async def take_file(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """A file for a citizen: the raw body, its name in `X-Filename`."""
        name = unquote(request.headers.get("X-Filename", ""))[:LONGEST_NAME] or "file"
        try:
            kept = await self._doors.files.keep(request.content.iter_chunked(64 * 1024), request.content_type)
        except TooLarge:
            return refused(413, "too_large")
        except FileRefused as error:
            return refused(415, type(error).__name__)
        return web.json_response(
            {"file": kept.id, "name": name, "content_type": kept.content_type, "size": kept.size_bytes}
        )

    async def give_file(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """A file of a conversation: pictures in place, all else as a download that no browser runs."""
        try:
            kept, chunks = await self._doors.files.read(FileId(request.match_info["file"][:128]))
        except YihaoError:
            return refused(404, "no_such_file")
        in_place = kept.content_type.startswith(("image/", "audio/", "video/"))
        headers = {
            "Content-Type": kept.content_type,
            "Content-Length": str(kept.size_bytes),
            "Content-Disposition": "inline" if in_place else "attachment",
            "Content-Security-Policy": "sandbox; default-src 'none'",
            "Cache-Control": "private, max-age=3600",
        }
        return await _pour(request, web.StreamResponse(headers=headers), chunks)

    async def give_sound(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """A telephone's voice message as browsers play it; the file itself is at `give_file`."""
        try:
            sound = await self._doors.playable.sound(FileId(request.match_info["file"][:128]))
        except YihaoError as error:
            return refused(404, "not_playable" if isinstance(error, NotPlayable) else "no_such_file")
        return web.Response(body=sound, content_type="audio/wav", headers={"Cache-Control": "private, max-age=3600"})

    def _shown(self, agent: Agent) -> dict[str, object]:
        may = sorted(self._doors.access.permissions(agent))
        return {
            "login": agent.login,
            "name": agent.name,
            "extension": agent.extension,
            "role": agent.role,
            "permissions": may,
        }


async def _pour(request: web.Request, response: web.StreamResponse, chunks: AsyncIterator[bytes]) -> web.StreamResponse:
    await response.prepare(request)
    async for chunk in chunks:
        await response.write(chunk)
    await response.write_eof()
    return response


def session_of(recording: RecordingId) -> SessionId:
    """The session that a recording is of: the machine names it after session and version."""
    return SessionId(recording.rpartition("-")[0])
