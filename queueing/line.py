"""`contract.Queue` in Redis."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from typing import Any

from queueing.contract import AssigneeView, Presence, Profile, Promises, QueueView, Swept
from queueing.errors import TooLarge, UnfitName, UnknownAssignee
from queueing.library import MOST
from queueing.log import SETTLE_STEP_S
from queueing.policy import Class, Service, bonus, milliseconds
from queueing.server import Server
from queueing.settings import QueueSettings
from queueing.wire import pack_profile, unpack_profile, unpack_view
from session.ids import AssigneeId, SessionId
from session.ports import Place, Verdict
from session.state import Medium

CHUNK = 200
"""Assignees that one script puts into a new class."""
LONGEST_NAME = 256


class RedisQueue:
    """Sorted sets kept by the scripts; what costs more than O(log n) is reckoned here, and checked there."""

    def __init__(self, server: Server, prefix: str, settings: QueueSettings) -> None:
        self._server, self._prefix, self._settings = server, prefix, settings
        self._classes_version, self._classes = b"", tuple[Class, ...]()

    # --- roster ----------------------------------------------------------------------------------------------------

    async def enlist(self, profile: Profile) -> None:
        check_profile(profile, self._settings)
        while True:
            status = await self._server.call(
                "enlist",
                profile.assignee,
                profile.kind.value,
                pack_profile(profile),
                "\n".join(profile.queues),
                *(profile.capacity.get(medium, 0) for medium in Medium),
                self._classes_version,
                *self._places_of(profile),
            )
            if status == [b"ok"]:
                return
            await self._read_classes()

    def _places_of(self, profile: Profile) -> list[str | int]:
        places: list[str | int] = []
        for demand in self._classes:
            counts = bonus(profile, demand, self._settings)
            if counts is not None:
                places += (demand.medium.value, demand.key, counts)
        return places

    async def _read_classes(self) -> None:
        """Version first: a class that opens meanwhile makes it old, and the next attempt reads again."""
        version = await self._server.send("GET", f"{self._prefix}classes_version")
        keys = await self._server.send("SMEMBERS", f"{self._prefix}classes")
        self._classes = tuple(Class.parse(key.decode()) for key in keys)
        self._classes_version = version or b"0"

    async def open_class(self, demand: Class) -> None:
        """Let a class of demand be asked for, with every assignee who can serve it in it."""
        check_name("queue", demand.queue)
        while not await self._try_open(demand):  # noqa: ASYNC110 - it is not waited for, but tried against others
            await asyncio.sleep(secrets.randbelow(20) / 1000)

    async def _try_open(self, demand: Class) -> bool:
        version = await self._server.send("GET", f"{self._prefix}roster_version") or b"0"
        able: list[tuple[AssigneeId, int]] = []
        for who, data in await self._each("profile"):
            counts = bonus(unpack_profile(data), demand, self._settings)
            if counts is not None:
                able.append((who, counts))
        chunks = [able[start : start + CHUNK] for start in range(0, len(able), CHUNK)] or [[]]
        attempt = secrets.token_hex(8)
        for number, chunk in enumerate(chunks):
            first, last = int(number == 0), int(number == len(chunks) - 1)
            flat = [part for one in chunk for part in one]
            (status,) = await self._server.call(
                "open_class", demand.key, demand.medium.value, version, attempt, first, last, *flat
            )
            if status != b"ok":
                return bool(status == b"open")
        return True

    async def _each(self, field: str) -> list[tuple[AssigneeId, bytes]]:
        """One field of everybody enlisted."""
        names = await self._names()
        values = await asyncio.gather(*(self._server.send("HGET", f"{self._prefix}assignee:{n}", field) for n in names))
        return [(who, value) for who, value in zip(names, values, strict=True) if value is not None]

    async def _names(self) -> list[AssigneeId]:
        found: set[bytes] = set()
        cursor = b"0"
        while True:
            cursor, names = await self._server.send("SSCAN", f"{self._prefix}roster", cursor, "COUNT", 1000)
            found.update(names)
            if cursor == b"0":
                return sorted(AssigneeId(name.decode()) for name in found)

    async def discharge(self, assignee: AssigneeId) -> None:
        while await self._server.call("discharge", assignee):
            pass

    async def present(self, assignee: AssigneeId, presence: Presence, reason: str = "") -> AssigneeView:
        most_scripts = 1 + len(Medium) * self._settings.slots // MOST
        for _ in range(most_scripts):  # one takes back so many offers and no more
            view = _view(assignee, await self._server.call("present", assignee, presence.value, reason))
            if presence is Presence.READY or not any(charge.state == "offered" for charge in view.charges):
                break
        return view

    async def reach(self, assignee: AssigneeId, via: str, media: frozenset[Medium], *, ttl_s: float) -> AssigneeView:
        check_name("device", via)
        listed = ",".join(medium.value for medium in Medium if medium in media)
        reply = await self._server.call("reach", assignee, via, listed, milliseconds(ttl_s))
        if reply == [b"full"]:
            raise TooLarge("devices of one assignee", self._settings.devices + 1, self._settings.devices)
        return _view(assignee, reply)

    async def roster(self) -> list[AssigneeView]:
        names = await self._names()
        replies = await asyncio.gather(*(self._server.call("view", name) for name in names))
        return [unpack_view(reply[1:]) for reply in replies if reply[0] == b"ok"]

    async def view(self, assignee: AssigneeId) -> AssigneeView:
        return _view(assignee, await self._server.call("view", assignee))

    # --- line ------------------------------------------------------------------------------------------------------

    async def queues(self) -> list[QueueView]:
        names = sorted(name.decode() for name in await self._server.send("SMEMBERS", f"{self._prefix}queues"))
        replies = await asyncio.gather(*(self._server.call("queue", name) for name in names))
        return [
            QueueView(name, waiting, longest / 1000, ready)
            for name, (waiting, longest, ready) in zip(names, replies, strict=True)
        ]

    async def place(self, session: SessionId) -> Place | None:
        reply = await self._server.call("place", session)
        if not reply:
            return None
        position, waiting, departures, pause_ms = reply
        return Place(position, waiting, Service(departures, float(pause_ms)).estimate_s(position))

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._settings.settle_s
        while True:
            verdict = (await self._server.call("accept", session, assignee, token)).decode()
            if verdict not in UNSETTLED:
                return Verdict(verdict)
            if loop.time() >= give_up_at:
                return UNSETTLED[verdict]
            await asyncio.sleep(SETTLE_STEP_S)

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        return bool(await self._server.call("decline", session, assignee, token, reason))

    async def promises(self) -> Promises:
        owed, overdue, first_ms, *ends = await self._server.call("debts")
        return Promises(owed, overdue, float(first_ms) / 1000 if first_ms else None, *ends)

    async def match(self, limit: int = 100) -> int:
        return int(await self._server.call("match", limit))

    async def sweep(self, limit: int = 100) -> Swept:
        return Swept(*await self._server.call("sweep", limit))


UNSETTLED = {"gone": Verdict.CITIZEN_GONE, "came": Verdict.EXPIRED}
"""What to say when the citizen's last act is still not absorbed in the end: nothing that would let media be joined."""


def check_name(what: str, name: str) -> None:
    """Names stand in keys and in lists: bounded, and without line breaks."""
    if not name or len(name) > LONGEST_NAME or not name.isprintable():
        raise UnfitName(what)


def check_profile(profile: Profile, settings: QueueSettings) -> None:
    """Raises `UnfitName`, `TooLarge`."""
    check_name("assignee", profile.assignee)
    for queue in profile.queues:
        check_name("queue", queue)
    if len(profile.queues) > settings.queues:
        raise TooLarge("queues of one assignee", len(profile.queues), settings.queues)
    for many in profile.capacity.values():
        if not 0 <= many <= settings.slots:
            raise TooLarge("capacity", many, settings.slots)


def _view(assignee: AssigneeId, reply: Sequence[Any]) -> AssigneeView:
    if reply[0] != b"ok":
        raise UnknownAssignee(assignee)
    return unpack_view(reply[1:])
