"""A gateway of CMPP as a carrier: stays connected, cuts long texts, reads what comes."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from channels.sms import header
from channels.sms.carrier import Fate, Message, Part, Receipt, Reception, Report, Uplink
from channels.sms.cmpp import messages as cmpp
from channels.sms.cmpp.dialect import CmppDialect
from channels.sms.cmpp.settings import CmppSettings
from channels.sms.coding import Coding, decode, encode, split
from channels.sms.errors import Malformed, OutcomeUnknown, SubmitDelayed, SubmitRefused
from channels.sms.header import Place
from channels.sms.link import Line
from channels.sms.segments import PAUSE_S, one_by_one
from session.number import national

_ASCII, _UCS2, _GBK = 0, 8, 15
_CODINGS = {_ASCII: Coding.ASCII, _UCS2: Coding.UCS2, _GBK: Coding.GBK}
"""Msg_Fmt; 3 (writing to the card) and 4 (binary) are shown as what they are."""
_LONGEST_ASCII = 159
"""Msg_Length is under 160 for Msg_Fmt 0, at most 140 else."""
_FATES = {"DELIVRD": Fate.DELIVERED, "ACCEPTD": Fate.ON_ITS_WAY, "UNKNOWN": Fate.ON_ITS_WAY, "ENROUTE": Fate.ON_ITS_WAY}
"""All other words are failures, the carriers' own (`MA:0001`) included."""
_TAKEN, _REPEATED, _TOO_FAST = 0, 3, 8


class CmppCarrier:
    """One gateway."""

    templates: frozenset[str] | None = None

    def __init__(self, settings: CmppSettings, *, name: str = "cmpp") -> None:
        self.name = name
        self._settings = settings
        self._line: Line[cmpp.Message] = Line(name, settings.link, CmppDialect(settings))
        self._reference = secrets.randbelow(256)

    def routes(self) -> Sequence[web.RouteDef]:
        """None: all comes by the connection."""
        return []

    @property
    def is_connected(self) -> bool:
        """Logged in at the gateway."""
        return self._line.is_connected

    @asynccontextmanager
    async def serving(self, reception: Reception) -> AsyncIterator[None]:
        """Connected, again and again, while entered."""
        async with self._line.serving(lambda message: self._take(message, reception)):
            yield

    async def submit(self, message: Message) -> Receipt:
        """One CMPP_SUBMIT for each segment."""
        return await one_by_one(self.name, self._segments(message), self._submit)

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
        try:
            answer, was_repeated = await self._line.submit(segment)
        except Malformed as malformed:
            raise SubmitRefused(self.name, "malformed") from malformed
        if not isinstance(answer, cmpp.SubmitResponse):
            raise OutcomeUnknown(self.name)
        if answer.result == _TAKEN:
            return f"{answer.message:016x}"
        if answer.result == _REPEATED and was_repeated:
            return ""  # its first answer was lost on the way; reports of it will find nothing
        if answer.result in (_TOO_FAST, _REPEATED):
            raise SubmitDelayed(self.name, str(answer.result), PAUSE_S)
        raise SubmitRefused(self.name, str(answer.result))

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def _take(self, deliver: cmpp.Message, reception: Reception) -> None:
        if not isinstance(deliver, cmpp.Deliver):
            raise Malformed("a delivery that is none")
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
