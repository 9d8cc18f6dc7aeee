"""A gateway of CMPP as a carrier: stays connected, cuts long texts, reads what comes."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from aiohttp import web

from channels.sms import header
from channels.sms.carrier import Fate, Message, Part, Receipt, Reception, Report, Uplink
from channels.sms.cmpp import messages as cmpp
from channels.sms.cmpp.link import Link
from channels.sms.cmpp.settings import CmppSettings
from channels.sms.coding import Coding, decode, encode, split
from channels.sms.errors import Malformed, OutcomeUnknown, SmsError, SubmitDelayed, SubmitRefused
from channels.sms.header import Place
from channels.sms.number import national

log = logging.getLogger(__name__)

_ASCII, _UCS2, _GBK = 0, 8, 15
_CODINGS = {_ASCII: Coding.ASCII, _UCS2: Coding.UCS2, _GBK: Coding.GBK}
"""Msg_Fmt; 3 (writing to the card) and 4 (binary) are shown as what they are."""
_LONGEST_ASCII = 159
"""Msg_Length is under 160 for Msg_Fmt 0, at most 140 else."""
_FATES = {"DELIVRD": Fate.DELIVERED, "ACCEPTD": Fate.ON_ITS_WAY, "UNKNOWN": Fate.ON_ITS_WAY, "ENROUTE": Fate.ON_ITS_WAY}
"""All other words are failures, the carriers' own (`MA:0001`) included."""
_TAKEN, _REPEATED, _TOO_FAST = 0, 3, 8
_PAUSE_S = 1.0
_SEGMENT_TRIES = 30


class CmppCarrier:
    """One gateway."""

    templates: frozenset[str] | None = None

    def __init__(self, settings: CmppSettings, *, name: str = "cmpp") -> None:
        self.name = name
        self._settings = settings
        self._link: Link | None = None
        self._reference = secrets.randbelow(256)

    def routes(self) -> Sequence[web.RouteDef]:
        """None: all comes by the connection."""
        return []

    @property
    def is_connected(self) -> bool:
        """Logged in at the gateway."""
        return self._link is not None and not self._link.is_over

    @asynccontextmanager
    async def serving(self, reception: Reception) -> AsyncIterator[None]:
        """Connected, again and again, while entered."""
        task = asyncio.create_task(self._stay(reception), name="cmpp")
        try:
            yield
        finally:
            if self._link is not None and not self._link.is_over:
                await self._link.part()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def submit(self, message: Message) -> Receipt:
        """One after the other, since a telephone shows what comes first."""
        segments = self._segments(message)
        ids: list[str] = []
        for segment in segments:
            own = await self._submit(segment) if not ids else await self._insist(segment)
            ids.append(own)
        return Receipt(tuple(ids))

    async def _stay(self, reception: Reception) -> None:
        pause_s = self._settings.back_off_s
        while True:
            try:
                link = await Link.open(self._settings, lambda deliver: self._take(deliver, reception))
            except SmsError as error:
                log.warning("cmpp not connected", extra={"carrier": self.name, "why": str(error)})
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._settings.back_off_most_s)
                continue
            pause_s = self._settings.back_off_s
            self._link = link
            try:
                await link.run()
            finally:
                self._link = None

    # --- sending ------------------------------------------------------------------------------------------------------

    def _segments(self, message: Message) -> list[cmpp.Submit]:
        if message.text.isascii() and len(message.text) <= _LONGEST_ASCII:
            return [self._segment(message, encode(message.text, Coding.ASCII), _ASCII)]
        pieces = split(message.text, Coding.UCS2)
        if len(pieces) == 1:
            return [self._segment(message, encode(message.text, Coding.UCS2), _UCS2)]
        self._reference = (self._reference + 1) & 0xFF
        places = [Place(self._reference, len(pieces), index) for index in range(1, len(pieces) + 1)]
        return [
            self._segment(message, header.prefix(place) + encode(piece, Coding.UCS2), _UCS2, place)
            for place, piece in zip(places, pieces, strict=True)
        ]

    def _segment(self, message: Message, content: bytes, form: int, place: Place | None = None) -> cmpp.Submit:
        settings = self._settings
        return cmpp.Submit(
            destination=national(message.to),
            content=content,
            source_id=settings.source_id,
            account=settings.account,
            format=form,
            total=place.total if place else 1,
            index=place.index if place else 1,
            has_header=place is not None,
            service=settings.service,
            fee_type=settings.fee_type,
            fee_code=settings.fee_code,
        )

    async def _submit(self, segment: cmpp.Submit) -> str:
        """The gateway's id of it; empty where it has it but its id was lost."""
        link = self._link
        if link is None or link.is_over:
            raise SubmitDelayed(self.name, "disconnected")
        try:
            answer, was_repeated = await link.submit(segment)
        except Malformed as malformed:
            raise SubmitRefused(self.name, "malformed") from malformed
        if answer.result == _TAKEN:
            return f"{answer.message:016x}"
        if answer.result == _REPEATED and was_repeated:
            return ""  # its first answer was lost on the way; reports of it will find nothing
        if answer.result in (_TOO_FAST, _REPEATED):
            raise SubmitDelayed(self.name, str(answer.result), _PAUSE_S)
        raise SubmitRefused(self.name, str(answer.result))

    async def _insist(self, segment: cmpp.Submit) -> str:
        """A later segment: those before have gone out, and must not go out again because this one is not taken."""
        for _ in range(_SEGMENT_TRIES):
            try:
                return await self._submit(segment)
            except SubmitDelayed:
                await asyncio.sleep(_PAUSE_S)
        raise OutcomeUnknown(self.name)

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def _take(self, deliver: cmpp.Deliver, reception: Reception) -> None:
        if deliver.is_report:
            report = cmpp.StatusReport.read(deliver.content)
            fate = _FATES.get(report.status.upper(), Fate.FAILED)
            await reception.report(Report(self.name, f"{report.message:016x}", fate, report.status))
            return
        place, octets = _parted(deliver)
        coding = _CODINGS.get(deliver.format, Coding.BINARY)
        own = f"{deliver.message:016x}"
        if place is not None:
            await reception.part(
                Part(
                    carrier=self.name,
                    id=own,
                    sender=deliver.source,
                    recipient=deliver.destination,
                    vouched=True,
                    place=place,
                    octets=octets,
                    coding=coding,
                )
            )
            return
        await reception.text(
            Uplink(
                carrier=self.name,
                id=own,
                sender=deliver.source,
                recipient=deliver.destination,
                text=decode(octets, coding),
                vouched=True,
            )
        )


def _parted(deliver: cmpp.Deliver) -> tuple[Place | None, bytes]:
    """A header that cannot be read is shown with the text: a citizen's words are not thrown away for it."""
    if not deliver.has_header:
        return None, deliver.content
    try:
        return header.parted(deliver.content)
    except Malformed:
        return None, deliver.content
