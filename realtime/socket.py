"""The server side of a page's socket, for citizens and desks alike: `Sockets` is one WebSocket endpoint.

A socket says hello with a one-time ticket; the ticket's subject owns the socket's link. A link that is still here is
resumed from the last frame that the page saw. Otherwise (another node, too long away, a reloaded page) it is a new
one, which begins with a snapshot: all that is shown derives from durable timelines, so nothing is lost by it.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from aiohttp import web

from realtime.bucket import Bucket
from realtime.errors import TokenRefused
from realtime.link import Link
from realtime.messages import VERSION, Close, Control, Frame, Hello, Welcome
from realtime.origin import may_connect
from realtime.page import Page
from realtime.peer import Peer, Refusal
from realtime.settings import SocketSettings
from realtime.talk import Talk
from realtime.tokens import Signer
from realtime.turn import Turn
from realtime.wire import Reader
from realtime.workers import Workers
from session.ports import StoreUnavailable

Redeem = Callable[[str], Awaitable[str]]
"""Whose ticket it is; raises `TokenRefused` or `StoreUnavailable`. `Tickets.redeem` is one."""


class TakesSeat(Protocol):
    """Claims the one page that a subject may have, over all nodes, for a link (named by its sid)."""

    async def __call__(self, subject: str, sid: str, former: str, /, *, from_another: bool) -> bool:
        """False where the subject has another page, which is not to give way; the link that it had before (`former`)
        is no other. Raises `StoreUnavailable`.
        """
        ...


async def _unseated(subject: str, sid: str, former: str, /, *, from_another: bool) -> bool:
    del subject, sid, former, from_another
    return True


_RESUME_TTL_S = 24 * 3600.0
_TRY_AGAIN_LATER = 1013
_LONGEST_DRAIN_SPREAD_S = 5.0


class _Refused(Exception):
    """The socket is refused at its hello, with this code."""

    def __init__(self, code: int, reason: str, last_word: Control | None = None) -> None:
        self.code, self.reason, self.last_word = code, reason, last_word
        super().__init__(reason)


class _Subject:
    """All that one visitor or agent has here."""

    __slots__ = ("commands", "links")

    def __init__(self, commands: Bucket) -> None:
        self.links: dict[str, Link] = {}
        self.commands = commands
        """What they may still ask, on whichever link."""


class Sockets:
    """`handle` is the route's handler. Open it as an async context manager; `drain` before leaving."""

    def __init__(
        self,
        kinds: Mapping[str, type[Frame]],
        peer: Peer,
        redeem: Redeem,
        key: bytes,
        settings: SocketSettings,
        takes_seat: TakesSeat = _unseated,
    ) -> None:
        """`takes_seat` is asked where a subject may have one page only (`SocketSettings.exclusive`)."""
        self._takes_seat = takes_seat
        self._reader, self._peer, self._redeem, self._settings = Reader(kinds), peer, redeem, settings
        self._resume = Signer(key, "resume")
        self._subjects: dict[str, _Subject] = {}
        self._served: dict[str, Page] = {}
        """The socket that serves a link, by the link's sid."""
        self._parked: dict[str, asyncio.TimerHandle] = {}
        """When to forget a link that has no socket."""
        self._turn, self._workers = Turn(), Workers()
        self._by_ip: Counter[str] = Counter()
        self._open = 0
        self._is_draining = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain(0.0)
        await self._workers.close()
        for timer in self._parked.values():
            timer.cancel()
        self._parked.clear()
        self._subjects.clear()

    @property
    def open(self) -> int:
        """Sockets that are open now."""
        return self._open

    def links_of(self, subject: str) -> list[Link]:
        """The links of a subject, connected or not, oldest first."""
        known = self._subjects.get(subject)
        return list(known.links.values()) if known else []

    def dismiss(self, subject: str, code: Close = Close.REPLACED, reason: str = "replaced") -> None:
        """Close all that a subject has here and forget it: logged out, or open on another node."""
        for link in self.links_of(subject):
            link.close(code, reason)
            self._gone(link)
            self._forget(link)

    async def drain(self, within_s: float) -> None:
        """Take no new socket and send the pages elsewhere, spread over time so that they do not come all at once."""
        self._is_draining = True
        spread_s = min(within_s, _LONGEST_DRAIN_SPREAD_S)
        await asyncio.gather(*(self._send_away(page, spread_s) for page in list(self._served.values())))

    async def _send_away(self, page: Page, spread_s: float) -> None:
        await asyncio.sleep(random.uniform(0.0, spread_s))  # noqa: S311 - no secret hangs on it
        page.close(Close.DRAIN, "drain")
        await page.closed()

    # --- one socket --------------------------------------------------------------------------------------------

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one socket until it closes."""
        ip = request.remote or ""
        refusal = self._refusal(request, ip)
        if refusal is not None:
            return refusal
        self._by_ip[ip] += 1
        self._open += 1
        try:
            await self._serve(Page.accept(request, self._reader, self._settings))
            return web.Response(status=101)  # for aiohttp's log: there is nobody left to send it to
        finally:
            self._open -= 1
            self._by_ip[ip] -= 1
            if not self._by_ip[ip]:
                del self._by_ip[ip]

    def _refusal(self, request: web.Request, ip: str) -> web.Response | None:
        """Why no socket is opened at all, in plain HTTP."""
        if not may_connect(request.headers.get("Origin"), request.host, self._settings.origins):
            return web.json_response({"error": "origin"}, status=403)
        if self._is_draining or self._open >= self._settings.sockets:
            return web.json_response({"error": "full"}, status=503, headers={"Retry-After": "5"})
        if self._by_ip[ip] >= self._settings.sockets_per_ip:
            return web.json_response({"error": "too_many_sockets"}, status=429, headers={"Retry-After": "30"})
        return None

    async def _serve(self, page: Page) -> None:
        try:
            link = await self._greet(page)
        except _Refused as refused:
            page.close(refused.code, refused.reason, refused.last_word)
            await page.closed()
            return
        Talk(page, link, self._peer, self._workers).begin()
        try:
            await page.closing()
        finally:
            if self._served.get(link.sid) is page:
                self._gone(link)
        await page.closed()

    async def _greet(self, page: Page) -> Link:
        """The hello: who it is, and which link it goes on with. Raises `_Refused`."""
        hello = await self._hello(page)
        if hello.v != VERSION:
            raise _Refused(Close.VERSION, "version")
        try:
            subject = await self._redeem(hello.ticket)
            former = self._resumes(hello, subject)
            link, after = self._resumable(subject, former, hello.last), hello.last
            sid = link.sid if link is not None else secrets.token_urlsafe(12)
            if self._settings.exclusive:
                await self._demand_sole_page(hello, subject, sid, former)
                link = self._resumable(subject, sid, after)  # it may have been forgotten meanwhile
            if link is None:
                link, after = await self._begun(subject, sid, former), 0
        except TokenRefused as refused:
            raise _Refused(Close.AUTH, refused.purpose) from None
        except StoreUnavailable:
            raise _Refused(_TRY_AGAIN_LATER, "store") from None
        self._attach(page, link, after)
        return link

    async def _hello(self, page: Page) -> Hello:
        try:
            async with asyncio.timeout(self._settings.hello_s):
                heard = await page.first()
        except TimeoutError:
            heard = None
        if not isinstance(heard, Hello):
            raise _Refused(Close.MALFORMED, "hello")
        return heard

    def _resumes(self, hello: Hello, subject: str) -> str:
        """The link that the page had, here or at another node. Raises `TokenRefused` for a token that is another's."""
        if hello.resume is None:
            return ""
        owner, sid = self._resume.open(hello.resume, now=time.time())
        if owner != subject:
            raise TokenRefused("resume")
        return sid

    def _resumable(self, subject: str, sid: str, last: int) -> Link | None:
        return next((one for one in self.links_of(subject) if one.sid == sid and one.can_resume(last)), None)

    async def _demand_sole_page(self, hello: Hello, subject: str, sid: str, former: str) -> None:
        """An agent has one desk. A second is refused, unless it says that it takes the first one's place."""
        others = [one for one in self.links_of(subject) if one.sid not in (sid, former)]
        if not hello.take and any(one.is_connected for one in others):
            raise _already_open()
        if not await self._takes_seat(subject, sid, former, from_another=hello.take):
            raise _already_open()
        for other in others:
            other.close(Close.REPLACED, "replaced")
            self._gone(other)
            self._forget(other)

    async def _begun(self, subject: str, sid: str, former: str) -> Link:
        """A new link in place of one that cannot be resumed, with all that it is to show as its first frame."""
        for stale in self.links_of(subject):
            if stale.sid == former:
                self._gone(stale)
                self._forget(stale)
        link = Link(sid, subject, self._settings, self._turn)
        link.publish(await self._peer.snapshot(link))
        known = self._subjects.setdefault(subject, _Subject(link.commands))
        known.links[link.sid] = link
        link.commands = known.commands
        return link

    def _attach(self, page: Page, link: Link, after: int) -> None:
        self._make_room(link)
        welcome = Welcome(
            sid=link.sid,
            resume=self._resume.seal(link.subject, link.sid, ttl_s=_RESUME_TTL_S, now=time.time()),
            seq=link.last if after else 0,
            reset=after == 0,
            srv_ts=time.time(),
            hb_s=self._settings.heartbeat_s,
            limits=self._settings.limits(),
        )
        timer = self._parked.pop(link.sid, None)
        if timer is not None:
            timer.cancel()
        if welcome.reset:
            link.expects = None
        self._served[link.sid] = page
        former = link.attach(page, welcome, after)
        if former is not None:
            former.close(Close.REPLACED, "replaced")
        self._peer.connected(link)

    def _make_room(self, newcomer: Link) -> None:
        """Keep the number of a subject's sockets and links, at the cost of the oldest."""
        others = [link for link in self.links_of(newcomer.subject) if link is not newcomer]
        connected = [link for link in others if link.is_connected]
        for link in connected[: max(0, len(connected) + 1 - self._settings.sockets_per_subject)]:
            link.close(Close.REPLACED, "replaced")
            self._gone(link)
        apart = [link for link in others if not link.is_connected]
        for link in apart[: max(0, len(others) + 1 - self._settings.links_per_subject)]:
            self._forget(link)

    def _gone(self, link: Link) -> None:
        """The link has no socket now; forget it unless its page comes back in time."""
        if self._served.pop(link.sid, None) is None:
            return
        link.detach()
        self._parked[link.sid] = asyncio.get_running_loop().call_later(self._settings.resume_s, self._forget, link)
        self._peer.disconnected(link)

    def _forget(self, link: Link) -> None:
        timer = self._parked.pop(link.sid, None)
        if timer is not None:
            timer.cancel()
        known = self._subjects.get(link.subject)
        if known is None or known.links.pop(link.sid, None) is None:
            return
        if not known.links:
            del self._subjects[link.subject]
        self._peer.forgotten(link)


def _already_open() -> _Refused:
    return _Refused(Close.REPLACED, "already_open", Refusal("already_open").nack(""))
