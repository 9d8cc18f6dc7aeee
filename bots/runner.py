"""Brings bots and sessions together: shows each bot its sessions' entries, and does what it says.

Every node may run it over the same log: what a bot does is named by the entry that moved it to it, so that the store
keeps it once however many nodes say it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from bots.contract import Act, Bot, Finish, HandOver, Part, Say, View
from bots.watch import Watch
from session import events as ev
from session.ids import AssigneeId, MessageId, NodeId, SessionId
from session.ports import Entry, Inbox, Lines, SessionGone, StoreUnavailable
from session.state import AssigneeKind, Medium, Party, Phase

log = logging.getLogger(__name__)

LOOK_S = 2.0
"""How often those who wait are looked at."""
RETRY_S = 0.5
_MOST_WATCHED = 20_000
_MOST_UNSEEN = 10_000


class ReadLog(Protocol):
    """A session's entries after a version, a page at a time: `queueing`'s log."""

    async def __call__(self, session: SessionId, after: int = 0, limit: int = 1000) -> Sequence[Entry]:
        """The next entries, in order; none at the end."""
        ...


class BotRunner:
    """All bots of one node. `follow` is given every entry of the log; `run` does the work, in a task of its own."""

    def __init__(
        self,
        inbox: Inbox,
        lines: Lines,
        read: ReadLog,
        bots: Sequence[Bot],
        *,
        node: NodeId,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._inbox, self._lines, self._read, self._node, self._clock = inbox, lines, read, node, clock
        self.bots = tuple(bots)
        self._watched: OrderedDict[tuple[SessionId, AssigneeId], Watch] = OrderedDict()
        self._posted: dict[tuple[SessionId, AssigneeId], int] = {}
        self._unseen: asyncio.Queue[Entry] = asyncio.Queue(_MOST_UNSEEN)

    async def follow(self, entry: Entry) -> None:
        """One more entry of any session. Returns at once."""
        try:
            self._unseen.put_nowait(entry)
        except asyncio.QueueFull:
            # The session is read anew at its next entry: a bot may be late, but never sees a log with a hole.
            for bot in self.bots:
                self._forget(entry.session, bot.name)

    async def run(self) -> None:
        """Work until cancelled."""
        next_look_at = time.monotonic()
        while True:
            entry = await self._next(next_look_at - time.monotonic())
            if entry is not None:
                await self._persist(partial(self.see, entry))
            else:
                await self._persist(self.look)
                next_look_at = time.monotonic() + LOOK_S

    async def _next(self, within_s: float) -> Entry | None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                return await self._unseen.get()
        return None

    async def _persist(self, work: Callable[[], Awaitable[None]]) -> None:
        """Until the store takes it: everything that is done here may be done again."""
        while True:
            try:
                return await work()
            except StoreUnavailable:
                await asyncio.sleep(RETRY_S)
            except Exception:  # a task's top: one bot's failure must not silence the others
                log.exception("a bot could not act")
                return None

    async def see(self, entry: Entry) -> None:
        """Show an entry to every bot, and do what they say."""
        for bot in self.bots:
            watch = await self._watch(bot, entry)
            if watch is None:
                continue
            await self._take_offer(bot, entry)
            if watch.part is not None:
                now = entry.event.at
                await self._meet(
                    bot, View(watch.part, watch.session, watch.memory, now, entry, speaking=self._speaking(watch))
                )

    async def look(self) -> None:
        """Time has passed for those who wait, on the node where they read."""
        for watch in list(self._watched.values()):
            if watch.part is not Part.COMPANION or not self._reads_here(watch):
                continue
            bot = next(one for one in self.bots if one.name == watch.bot)
            place = await self._lines.place(watch.session.id)
            now, speaking = self._clock(), self._speaking(watch)
            await self._meet(bot, View(watch.part, watch.session, watch.memory, now, None, place, speaking))

    async def _watch(self, bot: Bot, entry: Entry) -> Watch | None:
        key = (entry.session, bot.name)
        watch = self._watched.get(key)
        if watch is not None and entry.version < watch.session.version:
            return None
        if watch is None or entry.version > watch.session.version + 1:
            watch = Watch.begin(bot.name, await self._upto(entry))
        elif entry.version == watch.session.version + 1:
            watch = watch.after(entry)
        if watch is None or watch.session.phase is Phase.CLOSED:
            self._forget(*key)
            return None
        self._watched[key] = watch
        self._watched.move_to_end(key)
        if len(self._watched) > _MOST_WATCHED:
            self._forget(*next(iter(self._watched)))
        return watch

    async def _upto(self, entry: Entry) -> list[Entry]:
        """The log of a session that was not watched, up to an entry."""
        if entry.version == 1:
            return [entry]
        whole: list[Entry] = []
        while page := await self._read(entry.session, whole[-1].version if whole else 0):
            whole += page
        return [one for one in whole if one.version <= entry.version]

    def _forget(self, session: SessionId, bot: AssigneeId) -> None:
        self._watched.pop((session, bot), None)
        self._posted.pop((session, bot), None)

    def _speaking(self, watch: Watch) -> bool:
        return self._posted.get((watch.session.id, watch.bot), 0) > watch.session.version

    def _reads_here(self, watch: Watch) -> bool:
        legs = watch.session.live_legs(Party.CITIZEN)
        return any(leg.owner == self._node and leg.medium is Medium.CHAT for leg in legs)

    async def _take_offer(self, bot: Bot, entry: Entry) -> None:
        match entry.event:
            case ev.OfferMade(assignee=assignee, token=token) if assignee == bot.name:
                await self._inbox.accept(entry.session, bot.name, token)

    async def _meet(self, bot: Bot, view: View) -> None:
        acts = await bot.meet(view)
        with suppress(SessionGone):
            for index, act in enumerate(acts):
                await self._do(bot, view, act, index)

    async def _do(self, bot: Bot, view: View, act: Act, index: int) -> None:
        moment = "seen" if view.entry is not None else "time"
        name = f"{bot.name}-{view.session.version}-{moment}-{index}"
        for part, event in enumerate(self._events_of(bot, view, act, name)):
            dedupe = f"bot:{view.session.id}:{name}:{part}"
            version = await self._inbox.post(view.session.id, event, dedupe=dedupe)
            self._posted[view.session.id, bot.name] = version

    def _events_of(self, bot: Bot, view: View, act: Act, name: str) -> Sequence[ev.Event]:
        match act:
            case Say(text=text, place=place):
                said = ev.TextSent(by=bot.name, kind=AssigneeKind.BOT, message=MessageId(name), text=text)
                if place is None:
                    return (said,)
                leg = next(leg for leg in view.session.live_legs(Party.CITIZEN) if leg.medium is Medium.CHAT)
                told = ev.PlaceAnnounced(leg=leg.id, position=place.position, estimate_s=place.estimate_s)
                return (said, told)
            case HandOver():
                return (ev.HumanRequested(by=bot.name),)
            case Finish():
                return (ev.ContactFinished(by=bot.name),) if view.part is Part.DRIVER else ()
