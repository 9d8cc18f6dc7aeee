"""Brings events to platforms: in order for each session, at least once, over crashes of ours and of theirs.

What was brought is a cursor in the shared state, and what is still to bring is the timeline after it: no event is
stored twice. Any node may bring; a lease lets one at a time do it for a session. Only the address in the settings is
called, and no redirect of it is followed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

import aiohttp
from yarl import URL

from channels.agenda import Agenda, AgendaFull
from channels.contract import failed
from channels.govapi import signature as rfc9421
from channels.govapi.matter import Matter
from channels.govapi.matters import Matters
from channels.govapi.page import page
from channels.govapi.settings import Client, GovApiSettings
from channels.govapi.shapes import written
from channels.govapi.structured import Bare, quoted
from session.errors import YihaoError
from session.events import LegOpened, MessageDelivered
from session.ids import SessionId
from session.ports import Entry, Inbox, SharedState, StoreUnavailable
from session.state import Failure, Party

log = logging.getLogger(__name__)

TAG = "yihao-callback-v1"
COVERS = ("@method", "@authority", "@path", "@query", "content-digest", "idempotency-key")

_LEASE_S = 15.0
"""Of one session while a page of it is brought: so long does it wait where a process dies in the midst."""
_SWEEP_LEASE_S = 3.0
_LET_GO_S = 0.001
_AT_ONCE = 8
"""Calls of one client's address under way at a node."""
_A_PAGE = 100
_PROGRESS_S = _AGENDA_S = 30 * 24 * 3600.0
_MAPS = 128
"""Some eight thousand open sessions in all."""
_STORE_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class Watched:
    """One session whose events are brought, and the client that is told of it."""

    client: str
    session: SessionId

    def __str__(self) -> str:
        return f"{self.client}/{self.session}"

    @classmethod
    def parse(cls, text: str) -> Watched:
        """What `str` wrote."""
        client, _, session = text.partition("/")
        return cls(client, SessionId(session))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one session was brought."""

    cursor: int = 0
    tries: int = 0
    failing_since: float = 0.0
    not_before: float = 0.0

    def failed(self, now: float, longest_pause_s: float, asked_s: float) -> Progress:
        """To be tried again, later each time; as late as the platform asks, within the bound."""
        pause_s = min(longest_pause_s, max(2.0**self.tries * (0.75 + 0.5 * secrets.randbelow(1000) / 1000), asked_s))
        since = self.failing_since if self.tries else now
        return replace(self, tries=min(self.tries + 1, 32), failing_since=since, not_before=now + pause_s)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a platform said to a call."""

    taken: bool
    asked_s: float = 0.0
    """How long it asks us to wait."""


class Callbacks:
    """`hear` is given every event of the hotline."""

    def __init__(
        self,
        settings: GovApiSettings,
        channel: str,
        matters: Matters,
        inbox: Inbox,
        shared: SharedState,
        http: aiohttp.ClientSession,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._settings, self._channel, self._matters, self._inbox = settings, channel, matters, inbox
        self._shared, self._http, self._clock = shared, http, clock
        self._clients = {client.id: client for client in settings.clients if client.callback}
        self._rooms = {client: asyncio.Semaphore(_AT_ONCE) for client in self._clients}
        self._agenda = Agenda(shared, "govapi:agenda", maps=_MAPS, ttl_s=_AGENDA_S)
        self._holder = secrets.token_hex(8)
        self._watched: dict[SessionId, set[str]] = {}
        self._running: dict[Watched, asyncio.Task[None]] = {}
        self._again: set[Watched] = set()
        """Something happened while it was being brought."""
        self._timers: dict[Watched, asyncio.TimerHandle] = {}

    async def watch(self, client: Client, session: SessionId) -> None:
        """The client is to be told of a session; survives this node once it returns. Raises `StoreUnavailable`."""
        if client.id not in self._clients:
            return
        one = Watched(client.id, session)
        await self._look_at(one, await self._shared.now() + self._settings.callback_look_s)
        self._watch(one)
        self._start(one)

    def hear(self, entry: Entry) -> None:
        """The next event of any session."""
        event = entry.event
        if isinstance(event, LegOpened) and event.leg.channel == self._channel and event.leg.address is not None:
            client = event.leg.address.account
            if client in self._clients:
                self._watch(Watched(client, entry.session))
        for client in self._watched.get(entry.session, ()):
            self._start(Watched(client, entry.session))

    async def run(self) -> None:
        """Until cancelled: look at what nobody has looked at, wherever its node has gone."""
        while True:
            await asyncio.sleep(self._settings.sweep_s)
            try:
                if await self._shared.lease("govapi:agenda", self._holder, ttl_s=_SWEEP_LEASE_S) is not None:
                    for one in await self._agenda.due(await self._shared.now()):
                        self._start(Watched.parse(one))
            except YihaoError as error:
                log.warning("callbacks not looked at", extra={"why": type(error).__name__})
            except Exception:  # a task's top: one bad entry must not end the looking for all others
                log.exception("callbacks not looked at")

    async def close(self) -> None:
        """Stop; what was not brought is brought by another node, or after the next start."""
        for timer in self._timers.values():
            timer.cancel()
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        with suppress(StoreUnavailable):
            await self._shared.lease("govapi:agenda", self._holder, ttl_s=_LET_GO_S)

    # --- one session ------------------------------------------------------------------------------------------------

    def _watch(self, one: Watched) -> None:
        self._watched.setdefault(one.session, set()).add(one.client)

    def _unwatch(self, one: Watched) -> None:
        clients = self._watched.get(one.session, set())
        clients.discard(one.client)
        if not clients:
            self._watched.pop(one.session, None)

    def _start(self, one: Watched) -> None:
        if one.client not in self._clients:
            return
        if one in self._running:
            self._again.add(one)
            return
        if (timer := self._timers.pop(one, None)) is not None:
            timer.cancel()
        task = self._running[one] = asyncio.create_task(self._bring(one), name="govapi callback")
        task.add_done_callback(lambda _: self._ended(one))

    def _ended(self, one: Watched) -> None:
        del self._running[one]
        if one in self._again:
            self._again.discard(one)
            self._start(one)

    def _start_in(self, one: Watched, pause_s: float) -> None:
        if one not in self._timers:
            loop = asyncio.get_running_loop()
            self._timers[one] = loop.call_later(pause_s, self._start, one)

    async def _bring(self, one: Watched) -> None:
        name = f"govapi:bring:{one}"
        try:
            async with self._rooms[one.client]:
                if await self._shared.lease(name, self._holder, ttl_s=_LEASE_S) is None:
                    return
                try:
                    while await self._bring_next(one):
                        await self._shared.lease(name, self._holder, ttl_s=_LEASE_S)
                finally:
                    with suppress(StoreUnavailable):
                        await self._shared.lease(name, self._holder, ttl_s=_LET_GO_S)
        except YihaoError as error:
            log.warning("callback put off", extra={"session": one.session, "why": type(error).__name__})
            self._start_in(one, _STORE_PAUSE_S)
        except Exception:  # a task's top: one session must not end the bringing of others
            log.exception("callback failed", extra={"session": one.session})

    async def _bring_next(self, one: Watched) -> bool:
        """One page; whether there may be another."""
        client, now = self._clients[one.client], await self._shared.now()
        progress = await self._progress(one)
        if progress.not_before > now:
            self._start_in(one, progress.not_before - now)
            return False
        matter = await self._matters.of(one.client, one.session)
        if not matter.after(progress.cursor, 1):
            await self._rest(one, matter, now)
            return False
        self._watch(one)
        events = page(matter, progress.cursor, _A_PAGE)
        outcome = await self._call(client, written(events), f"{one.session}-{events.cursor}")
        if not outcome.taken:
            await self._put_off(one, progress, now, outcome)
            return False
        await self._note(one, Progress(events.cursor))
        await self._note_arrived(matter, events.cursor)
        return True

    async def _look_at(self, one: Watched, due_at: float) -> None:
        """Where too much is watched already, one that is not noted is still told of by this node while it lives."""
        try:
            await self._agenda.put(str(one), due_at)
        except AgendaFull:
            log.warning("too many sessions to watch", extra={"client": one.client})

    async def _rest(self, one: Watched, matter: Matter, now: float) -> None:
        """All is brought."""
        if matter.is_over:
            await self._agenda.done(str(one))
            self._unwatch(one)
        else:
            self._watch(one)
            await self._look_at(one, now + self._settings.callback_look_s)

    async def _put_off(self, one: Watched, progress: Progress, now: float, outcome: Outcome) -> None:
        failed = progress.failed(now, self._settings.callback_longest_pause_s, outcome.asked_s)
        if now - failed.failing_since > self._settings.callback_give_up_s:
            log.error("callback given up", extra={"session": one.session, "client": one.client})
            await self._note_lost(one)
            await self._agenda.done(str(one))
            self._unwatch(one)
            return
        await self._note(one, failed)
        await self._look_at(one, failed.not_before)
        self._start_in(one, failed.not_before - now)

    async def _note_lost(self, one: Watched) -> None:
        """So the agent sees that their words are still with us."""
        matter = await self._matters.of(one.client, one.session)
        for message in matter.unreached(matter.version)[:_A_PAGE]:
            event, dedupe = failed(self._channel, message, Failure.UNDELIVERED)
            await self._inbox.post(one.session, event, dedupe=dedupe)

    async def _note_arrived(self, matter: Matter, cursor: int) -> None:
        """So the agent sees that the platform has their words."""
        for message in matter.unreached(cursor)[:_A_PAGE]:
            event = MessageDelivered(message=message, to=Party.CITIZEN)
            dedupe = f"govapi:arrived:{matter.client}:{message}"
            self._matters.posted(matter.session_id, await self._inbox.post(matter.session_id, event, dedupe=dedupe))

    async def _progress(self, one: Watched) -> Progress:
        stored = await self._shared.get(f"govapi:brought:{one}")
        return Progress(**json.loads(stored)) if stored is not None else Progress()

    async def _note(self, one: Watched, progress: Progress) -> None:
        await self._shared.put(f"govapi:brought:{one}", json.dumps(asdict(progress)).encode(), ttl_s=_PROGRESS_S)

    # --- one call ---------------------------------------------------------------------------------------------------

    async def _call(self, client: Client, body: bytes, key: str) -> Outcome:
        url = URL(client.callback)
        headers = self._signed(client, url, body, key)
        timeout = aiohttp.ClientTimeout(total=self._settings.callback_timeout_s)
        try:
            async with self._http.post(
                url, data=body, headers=headers, allow_redirects=False, timeout=timeout
            ) as response:
                outcome = Outcome(200 <= response.status < 300, _seconds(response.headers.get("Retry-After", "")))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.info("callback not answered", extra={"client": client.id, "why": type(error).__name__})
            return Outcome(taken=False)
        if not outcome.taken:
            log.info("callback not taken", extra={"client": client.id, "status": response.status})
        return outcome

    def _signed(self, client: Client, url: URL, body: bytes, key: str) -> dict[str, str]:
        fields = {
            "content-type": "application/json",
            "content-digest": rfc9421.content_digest(body),
            "idempotency-key": quoted(key),
        }
        message = rfc9421.Message("POST", url.host_port_subcomponent or "", url.raw_path, url.raw_query_string, fields)
        parameters: dict[str, Bare] = {
            "created": int(self._clock()),
            "nonce": secrets.token_hex(16),
            "keyid": client.id,
            "alg": rfc9421.ALGORITHM,
            "tag": TAG,
        }
        return dict(rfc9421.signed(message, COVERS, parameters, client.keys[0]).fields)


def _seconds(text: str) -> float:
    """`Retry-After` in seconds (RFC 9110, section 10.2.3); a date is not waited for."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0.0
