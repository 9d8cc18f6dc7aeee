"""Brings what citizens send into their sessions. Whatever returns is durable; whatever raises is not acknowledged."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import aclosing

from channels.agenda import Agenda
from channels.sms.carrier import Media, Part, Report, Uplink, Wish
from channels.sms.errors import MediaRefused
from channels.sms.keys import Keys
from channels.sms.number import address_of
from channels.sms.optout import OptOuts, wish_of
from channels.sms.outbox import Outbox
from channels.sms.reassembly import Reassembly
from channels.sms.settings import SmsSettings
from channels.threads import Threads, Word
from session import events as ev
from session.errors import YihaoError
from session.ids import FileId, LegId, MessageId, NodeId
from session.ports import Files, SharedState, StoreUnavailable

log = logging.getLogger(__name__)

LONGEST_TEXT = 10_000
"""Characters of one event; a longer text is put into several."""
_MOST_ALIKE = 8
"""Texts that cannot be told apart and are kept all the same; more than that are one carrier repeating itself."""
_ALIKE = "〔可能是重复推送〕"


class SmsReception:
    """The `Reception` of one node."""

    def __init__(
        self,
        settings: SmsSettings,
        shared: SharedState,
        files: Files | None,
        keys: Keys,
        threads: Threads,
        opt_outs: OptOuts,
        outbox: Outbox,
        agenda: Agenda,
        node: NodeId,
    ) -> None:
        self._settings, self._shared, self._files, self._keys = settings, shared, files, keys
        self._threads, self._opt_outs, self._outbox = threads, opt_outs, outbox
        self.reassembly = Reassembly(shared, agenda, keys, settings, node, self.text)

    async def part(self, part: Part) -> None:
        """One part of a long text."""
        await self.reassembly.take(part)

    async def report(self, report: Report) -> None:
        """What became of a message."""
        await self._outbox.report(report)

    async def text(self, uplink: Uplink) -> None:
        """A whole text, with its files."""
        if uplink.id:
            await self._take(uplink, self._keys.word(uplink.carrier, uplink.id), uplink.text)
        else:
            await self._take_one_of_many(uplink)

    async def _take_one_of_many(self, uplink: Uplink) -> None:
        """A carrier that gives no id: each text that looks like an earlier one is kept, and marked.

        Of two calls at once each finds a place of its own. One whose word is not durable leaves its place, so that
        the carrier's next try is no repetition.
        """
        word = self._keys.word(uplink.carrier, uplink.fingerprint)
        for number in range(_MOST_ALIKE):
            slot = self._keys.slot(word, number)
            if not await self._shared.put_new(slot, b"1", ttl_s=self._settings.remember_s):
                continue
            try:
                text = f"{uplink.text}{_ALIKE}" if number else uplink.text
                await self._take(uplink, f"{word}-{number}" if number else word, text)
            except YihaoError:
                await self._leave(slot)
                raise
            return
        log.warning("text repeated too often", extra={"carrier": uplink.carrier})

    async def _leave(self, slot: str) -> None:
        try:
            await self._shared.delete(slot)
        except StoreUnavailable:
            log.info("a place stays taken")  # the next try is then marked as a repetition, which is the lesser evil

    async def _take(self, uplink: Uplink, word: str, text: str) -> None:
        text = _writable(text)
        wish = uplink.wishes or wish_of(text)
        if wish is not None:
            await self._heed(uplink, wish, word, text)
            return
        pieces = [text[start : start + LONGEST_TEXT] for start in range(0, len(text), LONGEST_TEXT)]
        for number, piece in enumerate(pieces):
            await self._say(uplink, f"{word}.{number}" if number else word, _said(piece))
        for number, media in enumerate(uplink.media):
            await self._say(uplink, f"{word}.m{number}", await self._kept(media, self._keys.media(word, number)))
        if not pieces and not uplink.media:
            await self._say(uplink, word, _said("〔空白短信〕"))

    async def _heed(self, uplink: Uplink, wish: Wish, word: str, text: str) -> None:
        """An opt-out is no matter of its own: it begins no session, but stands in one that runs."""
        address = address_of(uplink.sender)
        await self._opt_outs.heed(address, wish)
        await self._threads.mention(_word(uplink, word, _said(text)))

    async def _say(self, uplink: Uplink, word: str, said: Callable[[LegId, MessageId], ev.Event]) -> None:
        await self._threads.take(_word(uplink, word, said))

    async def _kept(self, media: Media, key: str) -> Callable[[LegId, MessageId], ev.Event]:
        """The file's event; or a text in its place that says why there is none."""
        stored = await self._shared.get(key)
        if stored is not None:
            return _sent(*json.loads(stored))
        if self._files is None:
            return _said("〔附件未接收〕")
        try:
            async with aclosing(media.chunks()) as chunks:
                kept = await self._files.keep(chunks, media.content_type)
        except MediaRefused:
            return _said("〔附件未接收：来源或大小不符合要求〕")
        except YihaoError as refused:
            if refused.retryable:
                raise
            return _said("〔附件未接收：文件类型不符合要求〕")
        fields = (kept.id, kept.content_type, kept.size_bytes)
        await self._shared.put(key, json.dumps(fields).encode(), ttl_s=self._settings.remember_s)
        return _sent(*fields)


def _writable(text: str) -> str:
    """Half an emoji, which JSON can write, is no text that could be kept."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _word(uplink: Uplink, word: str, said: Callable[[LegId, MessageId], ev.Event]) -> Word:
    return Word(
        address=address_of(uplink.sender),
        said=lambda leg: said(leg, MessageId(word)),
        dedupe=word,
        vouched=uplink.vouched,
        way=uplink.carrier,
    )


def _said(text: str) -> Callable[[LegId, MessageId], ev.Event]:
    return lambda leg, message: ev.TextReceived(leg=leg, message=message, text=text)


def _sent(file: str, content_type: str, size_bytes: int) -> Callable[[LegId, MessageId], ev.Event]:
    return lambda leg, message: ev.FileReceived(
        leg=leg,
        message=message,
        file=FileId(file),
        name=f"附件.{content_type.rpartition('/')[2]}",
        content_type=content_type,
        size_bytes=size_bytes,
    )
