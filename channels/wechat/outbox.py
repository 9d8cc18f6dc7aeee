"""Messages to citizens: in as few as possible, never more than the budget allows, none of them twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress

from channels.contract import Allowance, Content, FileLink, LegUnknown, Text
from channels.wechat.api import Sender
from channels.wechat.budget import Budget, Slot
from channels.wechat.calls import Json
from channels.wechat.errors import (
    BudgetSpent,
    OutcomeUnknown,
    TypeUnsendable,
    WeChatError,
    WindowClosed,
)
from channels.wechat.incoming import MediaKind
from channels.wechat.keys import Keys
from channels.wechat.media import Media
from channels.wechat.parts import parts_of
from channels.wechat.settings import WeChatSettings
from channels.wechat.threads import Threads
from session.events import MessageAccepted
from session.ids import FileId, LegId, MessageId, SessionId
from session.ports import Files, Inbox, SessionGone, SharedState

_ATTEMPT_S = 24 * 3600.0
_PAUSE_S = 0.3
_TRYING, _SENT = b"trying", b"sent"

SENDABLE: Mapping[str, tuple[MediaKind, str]] = {
    "image/jpeg": (MediaKind.IMAGE, "jpg"),
    "image/png": (MediaKind.IMAGE, "png"),
    "image/gif": (MediaKind.IMAGE, "gif"),
    "audio/amr": (MediaKind.VOICE, "amr"),
    "audio/mpeg": (MediaKind.VOICE, "mp3"),
    "video/mp4": (MediaKind.VIDEO, "mp4"),
}
"""What the account may send, and the ending by which WeChat knows it (新增临时素材)."""


class Outbox:
    """Sends, and tells the session what WeChat has taken."""

    def __init__(
        self,
        settings: WeChatSettings,
        api: Sender,
        inbox: Inbox,
        shared: SharedState,
        files: Files,
        media: Media,
        threads: Threads,
        budget: Budget,
        name: str,
    ) -> None:
        self._settings, self._api, self._inbox, self._shared = settings, api, inbox, shared
        self._files, self._media, self._threads, self._budget = files, media, threads, budget
        self._keys, self._name = Keys(settings.appid), name

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:
        """Bring content to a leg; that it was brought already is no error. Raises `ChannelError`."""
        openid = await self._threads.citizen_of(leg)
        if openid is None:
            raise LegUnknown(leg)
        await self._send(session, openid, content)
        await self._tell(session, content.message, self._count(content))

    async def say(self, openid: str, session: SessionId | None, message: MessageId, text: str) -> None:
        """A text to a citizen, with or without a leg of theirs; as `send`."""
        await self._send(session or SessionId(""), openid, Text(message, text))
        await self._tell(session, message, self._count(Text(message, text)))

    async def once(self, session: SessionId | None, message: MessageId, ask: Callable[[str], Awaitable[None]]) -> None:
        """Something that counts against no budget, named by its attempt, and not asked for again once it was."""
        key = self._keys.attempt(session or SessionId(""), message, 0)
        if not await self._shared.put_new(key, _TRYING, ttl_s=_ATTEMPT_S):
            if await self._shared.get(key) != _SENT:
                raise OutcomeUnknown("a notice that was being sent")
            return
        try:
            await ask(key)
        except OutcomeUnknown:
            raise
        except WeChatError:
            await self._shared.delete(key)
            raise
        await self._shared.put(key, _SENT, ttl_s=_ATTEMPT_S)
        await self._tell(session, message)

    async def allowance(self, leg: LegId) -> Allowance:
        """What may be sent now. Raises `LegUnknown`."""
        openid = await self._threads.citizen_of(leg)
        if openid is None:
            raise LegUnknown(leg)
        return await self._budget.allowance(openid)

    async def _send(self, session: SessionId, openid: str, content: Content) -> None:
        keys = [self._keys.attempt(session, content.message, part) for part in range(self._count(content))]
        states = await asyncio.gather(*(self._shared.get(key) for key in keys))
        if _TRYING in states:
            raise OutcomeUnknown("a message that was being sent when its process ended")
        unsent = [number for number, state in enumerate(states) if state is None]
        if not unsent:
            return
        await self._check(openid, len(unsent))
        messages = await self._messages(content)
        for number in unsent:
            await self._send_once(openid, keys[number], messages[number])

    def _count(self, content: Content) -> int:
        """How many messages it takes."""
        return len(parts_of(content.text, self._settings.part_bytes)) if isinstance(content, Text) else 1

    async def _check(self, openid: str, needed: int) -> None:
        """Before the first part is sent: half a text is worse than none."""
        left = await self._budget.left(openid)
        if left >= needed:
            return
        if not await self._budget.is_open(openid):
            raise WindowClosed
        raise BudgetSpent(left, needed)

    async def _messages(self, content: Content) -> Sequence[Json]:
        if isinstance(content, FileLink):
            return [await self._uploaded(content)]
        parts = parts_of(content.text, self._settings.part_bytes)
        return [{"msgtype": "text", "text": {"content": part}} for part in parts]

    async def _uploaded(self, link: FileLink) -> Json:
        if link.content_type not in SENDABLE:
            raise TypeUnsendable(link.content_type)
        kind, ending = SENDABLE[link.content_type]
        _, chunks = await self._files.read(FileId(link.file))
        content = await self._media.read(chunks)
        media = await self._api.upload(kind, content, f"{kind.value}.{ending}", link.content_type)
        return {"msgtype": kind.value, kind.value: {"media_id": media}}

    async def _send_once(self, openid: str, key: str, message: Json) -> None:
        """One message. The attempt is noted before it is made: WeChat cannot tell one that is sent again."""
        slot = await self._budget.take(openid)
        if slot is None:
            raise BudgetSpent(0, 1)
        if not await self._shared.put_new(key, _TRYING, ttl_s=_ATTEMPT_S):
            await self._budget.give_back(slot)
            raise OutcomeUnknown("a message that another process is sending")
        try:
            await self._try(openid, message, key)
        except OutcomeUnknown:
            raise
        except WeChatError as error:
            await self._undo(openid, key, slot, error)
            raise
        await self._shared.put(key, _SENT, ttl_s=_ATTEMPT_S)

    async def _undo(self, openid: str, key: str, slot: Slot, error: WeChatError) -> None:
        """It was certainly not sent. What WeChat said of its own count stands above ours."""
        await self._shared.delete(key)
        match error:
            case WindowClosed():
                await self._budget.close(openid)
            case BudgetSpent():
                await self._budget.exhaust(openid)
            case _:
                await self._budget.give_back(slot)

    async def _try(self, openid: str, message: Json, name: str) -> None:
        """Ask, and ask again while WeChat only says "not now" and there is time."""
        pause_s = _PAUSE_S
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._settings.send_patience_s - self._settings.api_timeout_s
        while True:
            try:
                return await self._api.send(openid, message, name)
            except WeChatError as error:
                pause_s = max(pause_s, error.retry_after_s or 0.0)
                if not error.retryable or loop.time() + pause_s > ends_at:
                    raise
            await asyncio.sleep(pause_s)
            pause_s *= 2

    async def _tell(self, session: SessionId | None, message: MessageId, parts: int = 1) -> None:
        if session is None:
            return
        event = MessageAccepted(message=message, channel=self._name, parts=parts)
        with suppress(SessionGone):
            await self._inbox.post(session, event, dedupe=f"accepted:{self._name}:{message}")
