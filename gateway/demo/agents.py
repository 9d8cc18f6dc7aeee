"""Agents: they log in, make themselves ready, take what is offered, answer, write it up, and rest now and then."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass

from gateway.demo.count import Count
from gateway.demo.matters import MATTERS, Matter
from gateway.demo.pace import Pace
from gateway.demo.page import DeskPage, Frame, NotTaken
from gateway.demo.telephone import NoAnswer, Telephone

BREAKS = ("rest", "meal", "training", "meeting")
REGISTER_EVERY_S = 300.0


@dataclass(frozen=True, slots=True)
class Credential:
    """A demo agent's, as the gateway has written them down."""

    login: str
    password: str
    extension: str
    sip_password: str


class Agent:
    """One of them, with a desk and a telephone."""

    def __init__(self, server: str, sip: tuple[str, int], who: Credential, pace: Pace, count: Count) -> None:
        self._who, self._sip, self._pace, self._count = who, sip, pace, count
        self._desk = DeskPage(server, self._hear, who.login, who.password)
        self._telephone: Telephone | None = None
        self._doing: set[asyncio.Task[None]] = set()
        self._matters: dict[str, Matter] = {}
        self._said: dict[str, int] = {}
        self._written: set[str] = set()

    async def work(self) -> None:
        """Until cancelled."""
        telephone = self._telephone = await Telephone.open(self._sip, self._who.extension, self._rings)
        try:
            await telephone.register(self._who.sip_password)
            async with self._desk:
                await self._desk.send("presence.set", presence="ready")
                self._start(self._stay_registered(telephone))
                while True:
                    await asyncio.sleep(self._pace.arrival(self._pace.working_s))
                    reason = random.choice(BREAKS)
                    await self._desk.send("presence.set", presence="break", reason=reason)
                    await asyncio.sleep(self._pace.about(self._pace.break_s))
                    await self._desk.send("presence.set", presence="ready")
        finally:
            for task in self._doing:
                task.cancel()
            await asyncio.gather(*self._doing, return_exceptions=True)
            telephone.close()

    # --- what they see ----------------------------------------

    def _hear(self, frame: Frame) -> None:
        match frame["t"]:
            case "snapshot":
                for contact in frame["contacts"]:
                    self._start(self._clear(contact["session"], contact["phase"]))
            case "offer.new" if frame["medium"] != "voice":
                self._start(self._take(frame["session"], frame["token"]))
            case "contact.state" if frame["phase"] == "wrapping":
                self._start(self._write_up(frame["session"]))
            case "contact.timeline":
                self._read(frame["session"], frame["entry"])
            case "contact.gone":
                self._matters.pop(frame["session"], None)
                self._written.discard(frame["session"])
            case "presence.self" if frame["routing"] == "not_responding":
                self._start(self._come_back())

    def _rings(self) -> None:
        self._start(self._pick_up())

    def _read(self, session: str, entry: Frame) -> None:
        """What the citizen writes first says which matter it is; each later word wants an answer."""
        if entry["kind"] != "text" or entry["who"]["kind"] != "citizen":
            return
        for matter in MATTERS:
            if entry["text"] == matter.words[0]:
                self._matters[session] = matter
                return
        if session in self._said:
            self._start(self._answer(session))

    # --- what they do ----------------------------------------

    async def _clear(self, session: str, phase: str) -> None:
        """What was left open before: the demonstration was broken off, and its citizen has gone."""
        if phase == "active":
            await self._desk.send("contact.finish", session=session)
        if phase in {"active", "wrapping"}:
            await self._write_up(session)

    async def _take(self, session: str, token: int) -> None:
        await asyncio.sleep(self._pace.about(self._pace.ringing_s))
        await self._desk.send("offer.accept", session=session, token=token)
        self._said.setdefault(session, 0)
        await self._answer(session)

    async def _answer(self, session: str) -> None:
        """One word for each of the citizen's; after the last the contact is over."""
        matter = self._matters.get(session)
        if matter is None:
            return
        place = self._said[session]
        self._said[session] = place + 1
        await self._desk.mention("typing", session=session)
        await asyncio.sleep(self._pace.about(self._pace.reading_s))
        if place < len(matter.answers):
            await self._desk.send("msg.send", session=session, text=matter.answers[place])
        elif session in self._matters:
            await self._desk.send("contact.finish", session=session)

    async def _pick_up(self) -> None:
        await asyncio.sleep(self._pace.about(self._pace.ringing_s))
        telephone = self._telephone
        if telephone is None or telephone.over.is_set():
            return
        telephone.pick_up()
        self._count["answered"] += 1
        with suppress(TimeoutError):
            await asyncio.wait_for(telephone.over.wait(), self._pace.about(self._pace.talking_s))
        if not telephone.over.is_set():
            await telephone.hang_up()

    async def _write_up(self, session: str) -> None:
        if session in self._written:
            return
        self._written.add(session)
        matter = self._matters.get(session) or random.choice(MATTERS)
        await asyncio.sleep(self._pace.about(self._pace.writing_up_s))
        await self._desk.send("wrap.save", session=session, kind=matter.kind, note=matter.note)
        self._count["written_up"] += 1

    async def _come_back(self) -> None:
        await asyncio.sleep(self._pace.about(self._pace.ringing_s))
        await self._desk.send("presence.set", presence="ready")

    async def _stay_registered(self, telephone: Telephone) -> None:
        while True:
            await asyncio.sleep(REGISTER_EVERY_S)
            await telephone.register(self._who.sip_password)

    def _start(self, work: Coroutine[None, None, None]) -> None:
        async def whole() -> None:
            try:
                await work
            except (NotTaken, NoAnswer, TimeoutError, OSError):
                self._count["trouble"] += 1

        task = asyncio.create_task(whole())
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)
