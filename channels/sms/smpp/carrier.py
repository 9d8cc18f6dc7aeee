"""A message centre of SMPP as a carrier: stays connected, cuts long texts, reads what comes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from aiohttp import web

from channels.sms import header
from channels.sms.carrier import Message, Part, Receipt, Reception, Report, Uplink
from channels.sms.coding import Coding, decode, encode, narrowest, split
from channels.sms.errors import Malformed, OutcomeUnknown, SubmitDelayed, SubmitRefused
from channels.sms.header import Place
from channels.sms.link import Line
from channels.sms.segments import PAUSE_S, one_by_one
from channels.sms.smpp import messages as smpp
from channels.sms.smpp.dialect import SmppDialect
from channels.sms.smpp.receipt import Receipt as DeliveryReceipt
from channels.sms.smpp.settings import SmppSettings

_INTERNATIONAL, _E164 = 1, 1
"""Type of number, and numbering plan (5.2.5, 5.2.6)."""
_DEFAULT, _UCS2 = 0, 8
_CODINGS = {
    1: Coding.ASCII,
    3: Coding.LATIN1,
    _UCS2: Coding.UCS2,
    15: Coding.GBK,
    0x10: Coding.GSM7,
    0x18: Coding.UCS2,
    0xF0: Coding.GSM7,
}
"""data_coding (5.2.19). 15 is what Chinese message centres write for GBK; the last three show at once (class 0)."""
_REFERENCE, _TOTAL, _INDEX, _PAYLOAD = 0x020C, 0x020E, 0x020F, 0x0424
"""sar_msg_ref_num, sar_total_segments, sar_segment_seqnum, message_payload."""
_DELAYS = frozenset({0x08, 0x14, 0x58, 0x64})
"""System error, queue full, throttled, a temporary error: a refusal is never half a yes."""


class SmppCarrier:
    """One message centre."""

    templates: frozenset[str] | None = None

    def __init__(self, settings: SmppSettings, *, name: str = "smpp") -> None:
        self.name = name
        self._settings = settings
        self._line: Line[smpp.Message] = Line(name, replace(settings.link, tries=1), SmppDialect(settings))
        self._reference = secrets.randbelow(256)

    def routes(self) -> Sequence[web.RouteDef]:
        """None: all comes by the connection."""
        return []

    @property
    def is_connected(self) -> bool:
        """Logged in at the message centre."""
        return self._line.is_connected

    @asynccontextmanager
    async def serving(self, reception: Reception) -> AsyncIterator[None]:
        """Connected, again and again, while entered."""
        async with self._line.serving(lambda message: self._take(message, reception)):
            yield

    async def submit(self, message: Message) -> Receipt:
        """One submit_sm for each segment."""
        return await one_by_one(self.name, self._segments(message), self._submit)

    # --- sending ------------------------------------------------------------------------------------------------------

    def _segments(self, message: Message) -> list[smpp.Submit]:
        coding = narrowest(message.text) if self._settings.default is Coding.GSM7 else Coding.UCS2
        pieces = split(message.text, coding)
        if len(pieces) == 1:
            return [self._segment(message, encode(message.text, coding), coding)]
        self._reference = (self._reference + 1) & 0xFF
        return [
            self._segment(
                message,
                header.prefix(Place(self._reference, len(pieces), index)) + encode(piece, coding),
                coding,
                smpp.HAS_HEADER,
            )
            for index, piece in enumerate(pieces, 1)
        ]

    def _segment(self, message: Message, octets: bytes, coding: Coding, esm_class: int = 0) -> smpp.Submit:
        settings = self._settings
        return smpp.Submit(
            source=settings.source,
            source_ton=settings.source_ton,
            source_npi=settings.source_npi,
            destination=message.to.removeprefix("+"),
            destination_ton=_INTERNATIONAL if message.to.startswith("+") else 0,
            destination_npi=_E164,
            octets=octets,
            coding=_UCS2 if coding is Coding.UCS2 else _DEFAULT,
            esm_class=esm_class,
            wants_receipt=1,
        )

    async def _submit(self, segment: smpp.Submit) -> str:
        try:
            answer, _ = await self._line.submit(segment)
        except Malformed as malformed:
            raise SubmitRefused(self.name, "malformed") from malformed
        if not isinstance(answer, smpp.SubmitResponse | smpp.Nack):
            raise OutcomeUnknown(self.name)
        if answer.status in _DELAYS:
            raise SubmitDelayed(self.name, f"{answer.status:#x}", PAUSE_S)
        if answer.status or isinstance(answer, smpp.Nack):
            raise SubmitRefused(self.name, f"{answer.status:#x}")
        return answer.message

    # --- receiving ----------------------------------------------------------------------------------------------------

    async def _take(self, deliver: smpp.Message, reception: Reception) -> None:
        if not isinstance(deliver, smpp.Deliver):
            raise Malformed("a delivery that is none")
        if deliver.esm_class & smpp.KIND in (smpp.RECEIPT, smpp.NOTIFICATION):
            receipt = DeliveryReceipt.read(deliver)
            await reception.report(Report(self.name, receipt.message, receipt.fate, receipt.code))
            return
        place, octets = _parted(deliver)
        coding = _CODINGS.get(deliver.coding, Coding.BINARY)
        coding = self._settings.default if deliver.coding == _DEFAULT else coding
        if place is None:
            await reception.text(
                Uplink(
                    carrier=self.name,
                    id="",
                    fingerprint=_fingerprint(deliver),
                    sender=_number(deliver),
                    recipient=deliver.destination,
                    text=decode(octets, coding),
                    vouched=self._settings.vouched,
                )
            )
            return
        await reception.part(
            Part(
                carrier=self.name,
                id=_fingerprint(deliver),
                sender=_number(deliver),
                recipient=deliver.destination,
                vouched=self._settings.vouched,
                place=place,
                octets=octets,
                coding=coding,
            )
        )


def _number(deliver: smpp.Deliver) -> str:
    """An international number is sent without its plus."""
    return f"+{deliver.source}" if deliver.source_ton == _INTERNATIONAL else deliver.source


def _fingerprint(deliver: smpp.Deliver) -> str:
    """deliver_sm has no id of its own."""
    octets = hashlib.sha256(smpp.encode(deliver, 0)).hexdigest()
    return f"{deliver.source}/{octets}"


def _parted(deliver: smpp.Deliver) -> tuple[Place | None, bytes]:
    """By the header, or by the optional parameters; what cannot be read is shown with the text."""
    octets = deliver.options.get(_PAYLOAD, b"") or deliver.octets
    if deliver.esm_class & smpp.HAS_HEADER:
        try:
            return header.parted(octets)
        except Malformed:
            return None, octets
    reference, total, index = (
        int.from_bytes(deliver.options.get(tag, b""), "big") for tag in (_REFERENCE, _TOTAL, _INDEX)
    )
    return (Place(reference, total, index) if 1 <= index <= total else None), octets
