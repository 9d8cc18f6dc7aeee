"""What each operation does. Every method is the same thing when it is done twice for one wish."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass

from channels.govapi import messages as ms
from channels.govapi.callbacks import Callbacks
from channels.govapi.errors import (
    FileUnknown,
    MessageUnknown,
    NotYetRateable,
    TooManyWaiting,
)
from channels.govapi.matter import Matter
from channels.govapi.matters import Matters
from channels.govapi.page import page
from channels.govapi.settings import Client, GovApiSettings
from channels.govapi.users import Said, Users
from session import events as ev
from session.ids import FileId, LegId, MessageId
from session.ports import Files, Lines, SharedState, StoredFile, StoreUnavailable
from session.state import LegEnd, Party

_UPLOAD_S = 24 * 3600.0
_MOST_ARRIVED = 100
"""Of the messages that one request says to have arrived, so many are noted at once; the next request notes more."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request that may come in, and is understood."""

    client: Client
    session: str
    """As in the path; empty where there is none."""
    wish: str
    """Names it, however often it comes; empty for one that changes nothing."""


class Reception:
    """Of one node."""

    def __init__(
        self,
        settings: GovApiSettings,
        users: Users,
        matters: Matters,
        callbacks: Callbacks,
        shared: SharedState,
        files: Files,
        lines: Lines,
    ) -> None:
        self._settings, self._users, self._matters, self._callbacks = settings, users, matters, callbacks
        self._shared, self._files, self._lines = shared, files, lines
        self._polls: dict[str, int] = {}
        """Requests that wait for events, by client."""
        self.is_draining = False

    # --- the session ------------------------------------------------------------------------------------------------

    async def open_session(self, call: Call, asked: ms.OpenSession) -> tuple[int, ms.Session]:
        """A user comes."""
        thread = await self._users.come(call.client, asked, call.wish)
        await self._callbacks.watch(call.client, thread.session)
        matter = await self._matters.of(call.client.id, thread.session)
        return 201 if thread.fresh else 200, await self._standing(matter)

    async def get_session(self, call: Call) -> tuple[int, ms.Session]:
        """Where it stands."""
        return 200, await self._standing(await self._matter(call))

    async def request_human(self, call: Call, _: ms.Nothing) -> tuple[int, ms.Taken]:
        """人工 always works."""
        matter = await self._matter(call)
        cursor = await self._users.say(matter, lambda _: ev.HumanRequested(), f"human:{call.wish}")
        return 200, ms.Taken(matter.session_id, cursor)

    async def end_session(self, call: Call, _: ms.Nothing) -> tuple[int, ms.Taken]:
        """The user leaves; it is no error that they have left."""
        matter = await self._matter(call)
        cursor = 0
        for leg in matter.legs:
            event = ev.LegClosed(leg=leg.id, reason=LegEnd.HANGUP)
            cursor = await self._users.post(matter.session_id, event, f"end:{leg.id}")
        return 200, ms.Taken(matter.session_id, cursor)

    async def rate_session(self, call: Call, asked: ms.GiveRating) -> tuple[int, ms.Taken]:
        """One rating a session: whatever comes later, the first stands."""
        matter = await self._matter(call)
        if not matter.may_be_rated:
            raise NotYetRateable
        event = ev.RatingGiven(score=asked.score, comment=asked.comment, solved=asked.solved)
        cursor = await self._users.post(matter.session_id, event, f"rating:{matter.session_id}")
        return 200, ms.Taken(matter.session_id, cursor)

    # --- messages ---------------------------------------------------------------------------------------------------

    async def send_text(self, call: Call, asked: ms.SendText) -> tuple[int, ms.MessageTaken]:
        """The user writes."""
        message = MessageId(f"gov-{call.wish}")
        text = asked.text
        return await self._send(call, message, lambda leg: ev.TextReceived(leg=leg, message=message, text=text))

    async def send_file(self, call: Call, asked: ms.SendFile) -> tuple[int, ms.MessageTaken]:
        """The user sends what was uploaded."""
        stored = await self._shared.get(_upload_key(call.client, asked.file))
        if stored is None:
            raise FileUnknown
        content_type, size_bytes = json.loads(stored)
        message = MessageId(f"gov-{call.wish}")

        def received(leg: LegId) -> ev.Event:
            return ev.FileReceived(
                leg=leg,
                message=message,
                file=FileId(asked.file),
                name=asked.name,
                content_type=content_type,
                size_bytes=size_bytes,
            )

        return await self._send(call, message, received)

    async def mark_read(self, call: Call, asked: ms.MarkRead) -> tuple[int, ms.Taken]:
        """The user has read."""
        matter = await self._matter(call)
        version = matter.answered_at(asked.message)
        if version is None:
            raise MessageUnknown
        cursor = 0
        if not matter.has_read(version):
            event = ev.MessageRead(message=MessageId(asked.message), by=Party.CITIZEN)
            cursor = await self._users.post(matter.session_id, event, f"read:{call.client.id}:{asked.message}")
        return 200, ms.Taken(matter.session_id, cursor)

    async def get_events(self, call: Call, after: int, wait_s: int, limit: int) -> tuple[int, ms.Events]:
        """What happened; waits where nothing did."""
        matter = await self._matter(call)
        await self._note_arrived(matter, after)
        if wait_s and not matter.after(after, 1) and not matter.is_over:
            matter = await self._waited(call, matter, after, wait_s)
        return 200, page(matter, after, limit)

    async def _send(self, call: Call, message: MessageId, said: Said) -> tuple[int, ms.MessageTaken]:
        matter = await self._matter(call)
        known = matter.version_of(message)  # its session may be over by now, and its first answer was lost
        cursor = known if known is not None else await self._users.say(matter, said, f"word:{message}")
        return 201, ms.MessageTaken(matter.session_id, message, cursor)

    async def _waited(self, call: Call, matter: Matter, after: int, wait_s: int) -> Matter:
        client = call.client.id
        if self._polls.get(client, 0) >= self._settings.polls:
            raise TooManyWaiting
        self._polls[client] = self._polls.get(client, 0) + 1
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + wait_s
        try:
            while not self.is_draining and (left_s := ends_at - loop.time()) > 0:
                await self._matters.moved(matter.session_id, left_s)
                matter = await self._matter(call)
                if matter.after(after, 1):
                    break
        finally:
            self._polls[client] -= 1
        return matter

    async def _note_arrived(self, matter: Matter, cursor: int) -> None:
        """The platform has everything up to the cursor: so the agent is told. Not worth refusing the request for."""
        with suppress(StoreUnavailable):
            for message in matter.unreached(cursor)[:_MOST_ARRIVED]:
                event = ev.MessageDelivered(message=message, to=Party.CITIZEN)
                await self._users.post(matter.session_id, event, f"arrived:{matter.client}:{message}")

    async def _matter(self, call: Call) -> Matter:
        return await self._matters.of(call.client.id, call.session)

    async def _standing(self, matter: Matter) -> ms.Session:
        place = await self._lines.place(matter.session_id) if matter.phase == "waiting" else None
        return ms.Session(
            session=matter.session_id,
            phase=matter.phase,
            assignee=matter.assignee,
            place=ms.Place(place.position, place.waiting, place.estimate_s) if place is not None else None,
            may_rate=matter.may_be_rated and not matter.is_rated,
            cursor=matter.version,
        )

    # --- files ------------------------------------------------------------------------------------------------------

    async def keep_file(self, call: Call, chunks: AsyncIterator[bytes], claimed_type: str) -> tuple[int, ms.FileKept]:
        """A file that the client may send within a day."""
        stored = await self._files.keep(chunks, claimed_type)
        record = json.dumps([stored.content_type, stored.size_bytes]).encode()
        await self._shared.put(_upload_key(call.client, stored.id), record, ttl_s=_UPLOAD_S)
        return 201, ms.FileKept(stored.id, stored.content_type, stored.size_bytes)

    async def give_file(self, call: Call, file: str) -> tuple[StoredFile, AsyncIterator[bytes]]:
        """A file that was shown to the client in a message of the session."""
        if not (await self._matter(call)).has_file(file):
            raise FileUnknown
        return await self._files.read(FileId(file))


def _upload_key(client: Client, file: str) -> str:
    return f"govapi:upload:{client.id}:{file}"
