"""One citizen's call through rtpengine.

Each far end is a call of rtpengine's own, whose other side is our `End`: what may be heard is decided, recorded, mixed
and played as ever. Where two just talk with each other it is told to send each far end's packets straight to the other
besides: our ends then only listen. So the far ends' ports stay the same whatever happens, and two who talk talk on when
we die. Who speaks under keys, or may, comes to us directly: keys are known to nobody but the two ends.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from media import negotiation, sdp
from media.call import Call, Place
from media.errors import AudioRefused, EngineLost, EngineSlow
from media.sdp import Ours
from media.shield import Protection
from session.audio import AudioGone, AudioStats, Secrecy, Slot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from media.negotiation import Terms
    from media.rtpengine.bencode import Said, Value
    from media.rtpengine.engine import AnchoredEngine
    from media.rtpengine.pool import Anchor
    from session.audio import Announcement, Hearing

log = logging.getLogger(__name__)

_FAR, _OURS = "far", "ours"
"""The two tags of a leg, and the two interfaces of rtpengine."""
_NEAR = "near"
_PLAIN: dict[str, Said] = {"transport-protocol": "RTP/AVP", "ICE": "remove", "DTLS": "off", "replace": ["origin"]}
_FROM_FAR: dict[str, Said] = {**_PLAIN, "rtcp-mux": ["demux"], "address-family": "IP4", "flags": ["strict source"]}
"""It is heard from one place only, where it sent from first."""
_FROM_US: dict[str, Said] = {**_PLAIN, "flags": ["asymmetric"]}
"""What goes straight to the other far end comes in where we would send, from elsewhere."""
_INSISTS = 3
"""Times that one which is slow is told to be silent, before nobody is to hear anybody."""


@dataclass(eq=False)
class _Leg:
    """One far end's call at rtpengine."""

    name: str = field(default_factory=lambda: secrets.token_hex(12))
    is_ours: bool = False
    """It comes to us directly, now and as long as it lasts."""
    is_known: bool = False
    """rtpengine has heard of it."""
    is_pressed: bool = False
    """We send it digits, in whose way the other's voice would be."""
    forwarded: int = 0
    """Packets that it got past us."""


@dataclass(slots=True)
class _AnchoredPlace(Place):
    leg: _Leg = field(kw_only=True)


@dataclass(eq=False)
class _Bridge:
    """What a mouth says goes straight to an ear; `began` is how much it had said before."""

    tag: str
    began: int


_Pair = tuple[_Leg, _Leg]
"""A mouth and an ear."""


class AnchoredCall(Call):
    """Made by `AnchoredEngine.open` only."""

    _places: dict[Slot, _AnchoredPlace]  # type: ignore[assignment]  # made by `_empty`, as all of them are

    def __init__(self, key: str, engine: AnchoredEngine, anchor: Anchor) -> None:
        super().__init__(key, engine)
        self._anchor = anchor
        self._is_lost = False
        self._wanted: set[_Pair] = set()
        self._bridges: dict[_Pair, _Bridge] = {}
        self._unbridgeable: set[_Pair] = set()
        self._settling: asyncio.Task[None] | None = None
        anchor.calls.add(self)

    def _empty(self, slot: Slot) -> _AnchoredPlace:
        return _AnchoredPlace(Protection(self._engine.doors, slot), leg=_Leg())

    def lost(self) -> None:
        """The rtpengine is no more: nobody hears anybody."""
        if not self._is_lost and not self._closed:
            self._is_lost = True
            self._bridges.clear()
            self._tell(AudioGone())

    def heard(self) -> int:
        """How much sound has come through rtpengine so far."""
        places = self._places.values()
        return sum(one.end.incoming.received for one in places if one.end is not None and not one.leg.is_ours)

    # Offer and answer

    async def answer(self, slot: Slot, offer: bytes, secrecy: Secrecy | None = None) -> bytes:
        """See the port. Refused before rtpengine is asked, so that what was agreed before still stands."""
        self._living()
        place = self._places[slot]
        description, means = sdp.parse(offer), place.protection.wanting(secrecy)
        terms, _ = negotiation.answer(description, 0, means, self._engine.codecs)
        if terms.keys is not None and place.leg.is_known:
            raise AudioRefused("keys, of a far end that began without")
        place.leg.is_ours = place.leg.is_ours or terms.keys is not None
        if place.leg.is_ours:
            return await super().answer(slot, offer)
        self._engine.host_for(negotiation.family(description))
        near = await self._agree("offer", place.leg, _FAR, offer, {**_FROM_FAR, "direction": [_FAR, _NEAR]})
        ours = await super().answer(slot, near)
        answer = await self._agree("answer", place.leg, _FAR, ours, _FROM_US)
        await self._settled()
        return answer

    async def offer(self, slot: Slot, secrecy: Secrecy | None = None) -> bytes:
        """See the port."""
        self._living()
        leg, wanted = self._places[slot].leg, self._places[slot].protection.wanting(secrecy)
        leg.is_ours = leg.is_ours or (wanted.secrecy is not Secrecy.NEVER and not leg.is_known)
        ours = await super().offer(slot)
        if leg.is_ours:
            return ours
        return await self._agree("offer", leg, _OURS, ours, {**_FROM_US, "direction": [_NEAR, _FAR]})

    async def accept(self, slot: Slot, answer: bytes) -> None:
        """See the port."""
        self._living()
        place = self._places[slot]
        if place.leg.is_ours or place.offered is None:
            await super().accept(slot, answer)
            return
        terms = negotiation.accept(sdp.parse(answer), place.offered, place.protection)
        near = await self._agree("answer", place.leg, _OURS, answer, _FROM_FAR)
        await super().accept(slot, _placed(near, terms))
        await self._settled()

    async def drop(self, slot: Slot) -> None:
        """See the port."""
        leg = self._places[slot].leg
        await super().drop(slot)
        for pair in [pair for pair in self._bridges if leg in pair]:
            self._count(pair)
            if pair[0] is leg:
                del self._bridges[pair]
        await self._settled()
        if leg.is_known and not self._is_lost:
            with suppress(EngineLost, AudioRefused):
                await self._anchor.ask("delete", {"call-id": leg.name, "delete-delay": 0})

    async def move(self, source: Slot, target: Slot) -> None:
        """See the port."""
        self._living()
        await super().move(source, target)
        await self._settled()

    # What is heard: who hears whom is decided as ever, and rtpengine has followed when these return

    async def play(self, slot: Slot, items: Sequence[Announcement], *, loop: bool = False) -> None:
        """See the port."""
        await super().play(slot, items, loop=loop)
        await self._settled()

    async def stop(self, slot: Slot) -> None:
        """See the port."""
        await super().stop(slot)
        await self._settled()

    async def mix(self, hearing: Hearing) -> None:
        """See the port."""
        await super().mix(hearing)
        await self._settled()

    async def hold(self, slot: Slot, *, held: bool) -> None:
        """See the port."""
        await super().hold(slot, held=held)
        await self._settled()

    async def mute(self, slot: Slot, *, muted: bool) -> None:
        """See the port."""
        await super().mute(slot, muted=muted)
        await self._settled()

    async def send_digits(self, slot: Slot, digits: str) -> None:
        """See the port. From then on its sound goes through us: digits and voice take turns."""
        self._places[slot].leg.is_pressed = True
        self._route()
        await self._settled()
        await super().send_digits(slot, digits)

    async def stats(self, slot: Slot) -> AudioStats:
        """See the port."""
        counted, leg = await super().stats(slot), self._places[slot].leg
        running = sum(self._said(mouth) - bridge.began for (mouth, ear), bridge in self._bridges.items() if ear is leg)
        return replace(counted, packets_sent=counted.packets_sent + leg.forwarded + running)

    def does_at_once(self, name: str) -> bool:
        """What is only looked at: for all else rtpengine is asked."""
        return name in {"stats", "quality"}

    async def close(self) -> None:
        """See the port."""
        await super().close()
        self._anchor.calls.discard(self)
        if self._settling is not None:
            await asyncio.wait({self._settling})

    async def _let_all_go(self) -> None:
        for slot, place in tuple(self._places.items()):
            if place.end is not None:
                await self.drop(slot)

    # Straight through rtpengine

    def _route(self) -> None:
        super()._route()
        wanted = set()
        for place in self._places.values():
            ear = next((one for one in self._places.values() if place.end and one.end is place.end.listener), None)
            if place.end is None or ear is None or not _may_go_straight(place, ear):
                continue
            pair = place.leg, ear.leg
            if pair in self._unbridgeable:
                continue
            wanted.add(pair)
            if pair in self._bridges:
                place.end.listener = None
        self._wanted = wanted
        if not self._is_lost and wanted != self._bridges.keys() and (self._settling is None or self._settling.done()):
            self._settling = asyncio.create_task(self._settle())

    async def _settled(self) -> None:
        if self._settling is not None and not self._settling.done():
            await asyncio.wait({self._settling})

    async def _settle(self) -> None:
        """Have rtpengine do what is wanted now: nothing is heard that should not be, then what should."""
        try:
            while not self._is_lost and self._wanted != self._bridges.keys():
                for pair in self._bridges.keys() - self._wanted:
                    await self._part_straight(pair)
                for pair in self._wanted - self._bridges.keys():
                    await self._join_straight(pair)
                self._route()
        except EngineLost:
            self.lost()
        except Exception:  # a task's top: we relay what rtpengine does not
            log.exception("rtpengine cannot send straight on")
            self._unbridgeable |= self._wanted
            self._route()

    async def _part_straight(self, pair: _Pair) -> None:
        await self._silence(pair[0], self._bridges[pair].tag)
        if pair in self._bridges:
            self._count(pair)
            del self._bridges[pair]

    async def _join_straight(self, pair: _Pair) -> None:
        mouth, ear = pair
        place = next((one for one in self._places.values() if one.leg is ear), None)
        terms = place.end.terms if place is not None and place.end is not None else None
        if terms is None:
            return
        line = Ours(terms.port, terms.formats, "recvonly")
        tag = secrets.token_hex(8)
        wish: dict[str, Said] = {"call-id": mouth.name, "from-tag": _FAR, "to-tag": tag}
        more: dict[str, Said] = {"transport-protocol": "RTP/AVP", "interface": _NEAR, "flags": ["asymmetric"]}
        try:
            lent = await self._anchor.ask("subscribe request", wish | more)
            tag = _octets(lent.get("to-tag")).decode()
            there = sdp.write(secrets.randbits(62), 1, terms.address, [line])
            await self._anchor.ask("subscribe answer", {"call-id": mouth.name, "to-tag": tag, "sdp": there})
        except (AudioRefused, EngineSlow) as error:
            log.warning("rtpengine does not send straight on", extra={"why": str(error)})
            self._unbridgeable.add(pair)
            if isinstance(error, EngineSlow):
                await self._silence(mouth, tag)
            return
        self._bridges[pair] = _Bridge(tag, self._said(mouth))

    async def _silence(self, mouth: _Leg, tag: str) -> None:
        """Have what a mouth says go no longer to whom it went by that tag. Raises `EngineLost`."""
        for _ in range(_INSISTS):
            with suppress(EngineSlow):
                with suppress(AudioRefused):  # it does not go there any more
                    await self._anchor.ask("unsubscribe", {"call-id": mouth.name, "to-tag": tag})
                return
        raise EngineLost

    def _said(self, mouth: _Leg) -> int:
        ends = (place.end for place in self._places.values() if place.leg is mouth)
        return next((end.incoming.received for end in ends if end is not None), 0)

    def _count(self, pair: _Pair) -> None:
        bridge = self._bridges[pair]
        pair[1].forwarded += max(0, self._said(pair[0]) - bridge.began)
        bridge.began = self._said(pair[0])

    # Speaking with it

    def _living(self) -> None:
        if self._is_lost:
            raise EngineLost

    async def _agree(self, command: str, leg: _Leg, offerer: str, said: bytes, more: dict[str, Said]) -> bytes:
        """Offer or answer: what one side says, as it is to be told to the other."""
        other = _OURS if offerer == _FAR else _FAR
        tags: dict[str, Said] = {"from-tag": offerer}
        if command == "answer" or leg.is_known:
            tags["to-tag"] = other
        fields: dict[str, Said] = {"call-id": leg.name, "sdp": said, **tags, **more}
        answer = await self._anchor.ask(command, fields)
        if command == "answer":
            leg.is_known = True
        return _octets(answer.get("sdp"))


def _may_go_straight(mouth: _AnchoredPlace, ear: _AnchoredPlace) -> bool:
    """Whether an ear takes a mouth's packets as they are."""
    said = mouth.end.terms if mouth.end is not None else None
    taken = ear.end.terms if ear.end is not None else None
    if said is None or taken is None or not taken.far_hears or ear.leg.is_pressed:
        return False
    if mouth.leg.is_ours or ear.leg.is_ours:
        return False
    return _numbers(said) == _numbers(taken)


def _numbers(terms: Terms) -> set[tuple[int, str]]:
    return {(each.payload_type, each.encoding) for each in terms.formats}


def _placed(near: bytes, terms: Terms) -> bytes:
    """An answer as it was given, at the place where rtpengine speaks for it.

    Which number a format has there may be another than was offered; rtpengine leaves such a format out, and carries it.
    """
    line = next((one for one in sdp.parse(near).media if one.kind == "audio" and one.port and one.address), None)
    if line is None or line.address is None:
        raise AudioRefused("rtpengine answers without sound")
    return sdp.write(0, 1, line.address, [Ours(line.port, terms.formats, terms.direction)])


def _octets(value: Value | None) -> bytes:
    if not isinstance(value, bytes):
        raise AudioRefused("rtpengine answers without a description")
    return value
