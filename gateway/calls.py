"""Calls as ladders, for whoever looks after the telephone: `yihao calls`, and the same over HTTP for supervisors.

They are files in the data folder of the node that had the call, so the command works while the gateway is down.
"""

from __future__ import annotations

import asyncio
import shutil
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from accounts.agent import Agent
from accounts.audit import Audit, Deed
from channels.phone.ladder import Row, Way, draw
from channels.phone.ladders import find_capture, find_session, read_ladder, recent
from config.settings import Settings
from gateway.access import Access, refused
from rulebook.roles import Permission
from session.errors import YihaoError

FOLDER = "calls"
LISTED = 50


class CallUnknown(YihaoError):
    """No ladder of that name is kept here."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"no call {name!r} is kept on this machine; `yihao calls list` shows the last ones")


class CaptureAbsent(YihaoError):
    """That call was not captured."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"call {name!r} was not captured; sip.captures = true captures those that come")


def folder(settings: Settings) -> Path:
    """Where this node keeps them."""
    return settings.data / FOLDER


def listed(settings: Settings) -> str:
    """The last calls, a line each: when, its name, how it ended."""
    lines = []
    for name in recent(folder(settings), LISTED):
        rows = read_ladder(folder(settings), name) or []
        if rows:
            lines.append(f"{_clock(rows[0].at)}  {name}  {_outcome(rows)}")
    return "\n".join(lines) or "no calls are kept here"


def shown(settings: Settings, name: str) -> str:
    """One call's ladder, or all of a session's. Raises `CallUnknown`."""
    places = folder(settings)
    names = [name] if read_ladder(places, name) is not None else find_session(places, name)
    if not names:
        raise CallUnknown(name)
    return "\n".join(_page(one, read_ladder(places, one) or []) for one in names)


def save_capture(settings: Settings, name: str, target: Path) -> str:
    """Copy a call's capture. Raises `CallUnknown`, `CaptureAbsent`."""
    if read_ladder(folder(settings), name) is None:
        raise CallUnknown(name)
    capture = find_capture(folder(settings), name)
    if capture is None:
        raise CaptureAbsent(name)
    shutil.copyfile(capture, target)
    return f"{target}: {target.stat().st_size} bytes, for Wireshark"


class Calls:
    """The same over HTTP."""

    def __init__(self, settings: Settings, audit: Audit) -> None:
        self._folder, self._audit = folder(settings), audit

    def routes(self, access: Access) -> list[web.RouteDef]:
        """Ladders for supervisors; captures, which hold numbers and names, for administrators."""
        return [
            web.get("/api/calls", access.permitted(Permission.TRACES, self.last)),
            web.get("/api/calls/{call}", access.permitted(Permission.TRACES, self.show)),
            web.get("/api/calls/{call}/ladder.txt", access.permitted(Permission.TRACES, self.draw)),
            web.get("/api/calls/{call}/capture.pcap", access.permitted(Permission.CAPTURES, self.capture)),
        ]

    async def last(self, request: web.Request, __: Agent) -> web.StreamResponse:
        """The last calls of this node; those of a session, where one is asked for, and whether each was captured."""
        session = request.query.get("session", "")[:64]
        if not session:
            return web.json_response({"calls": await asyncio.to_thread(recent, self._folder, LISTED)})
        names = await asyncio.to_thread(find_session, self._folder, session)
        kept = [
            {"call": name, "captured": await asyncio.to_thread(find_capture, self._folder, name) is not None}
            for name in names[:LISTED]
        ]
        return web.json_response({"calls": kept})

    async def show(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """One call's rows."""
        rows = await self._rows(request)
        if rows is None:
            return refused(404, "call_unknown")
        fields = [
            {
                "at": row.at,
                "way": row.way.value,
                "peer": row.peer,
                "what": row.what,
                "detail": row.detail,
                "place": row.place,
            }
            for row in rows
        ]
        return web.json_response({"call": request.match_info["call"], "rows": fields})

    async def draw(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """The same as people read it."""
        rows = await self._rows(request)
        if rows is None:
            return refused(404, "call_unknown")
        return web.Response(text=_page(request.match_info["call"], rows))

    async def capture(self, request: web.Request, agent: Agent) -> web.StreamResponse:
        """The packets of one call."""
        found = await asyncio.to_thread(find_capture, self._folder, request.match_info["call"])
        if found is None:
            return refused(404, "capture_absent")
        await self._audit.note(agent.login, Deed.CAPTURE, request.match_info["call"])
        return web.FileResponse(found, headers={"Content-Type": "application/vnd.tcpdump.pcap"})

    async def _rows(self, request: web.Request) -> list[Row] | None:
        return await asyncio.to_thread(read_ladder, self._folder, request.match_info["call"])


def _page(name: str, rows: list[Row]) -> str:
    began = _clock(rows[0].at) if rows else "-"
    return f"{name}  {began}  {_outcome(rows)}\n\n{draw(rows)}"


def _clock(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


def _outcome(rows: list[Row]) -> str:
    """Who ended it and why, in the words of its last note about that; a call that runs has none yet."""
    ends = [row.detail for row in rows if row.way is Way.NOTE and row.what == "over"]
    return ends[-1] if ends else "runs, or its node was cut off"
