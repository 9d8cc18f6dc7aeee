"""The audio of one citizen's call: two slots, and one rule for what each hears."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING

from media import negotiation, sdp
from media.end import End
from media.errors import AudioRefused, CannotRecord, NotNegotiated
from media.prompts import Playlist
from media.telephone_event import DIGITS
from session.audio import (
    Announcement,
    AudioEvent,
    AudioLost,
    AudioStats,
    DigitHeard,
    PlaybackEnded,
    RecordingResult,
    Slot,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from media.engine import Engine
    from media.reports import FarQuality
    from media.sdp import Format, Ours, Rejected
    from media.tap import Tap
    from media.telephone_event import Heard

_MAX_EVENTS_WAITING = 256
_OTHER = {Slot.CITIZEN: Slot.AGENT, Slot.AGENT: Slot.CITIZEN}
_HOLD_MUSIC = Announcement("hold_music")


@dataclass
class _Place:
    """What a slot keeps while far ends come and go."""

    end: End | None = None
    host: str = ""
    sdp_id: int = field(default_factory=lambda: secrets.randbits(62))
    sdp_version: int = 0
    offered: tuple[Format, ...] | None = None
    held: bool = False
    muted: bool = False
    playlist: Playlist | None = None
    hears: Playlist | None = None
    lost_told: bool = False

    @property
    def is_up(self) -> bool:
        return self.end is not None and self.end.terms is not None

    @property
    def far_hears(self) -> bool:
        return self.end is not None and self.end.terms is not None and self.end.terms.far_hears

    @property
    def is_held(self) -> bool:
        """By us, or by the far end itself."""
        return self.held or (self.is_up and not self.far_hears)


class Call:
    """One `session.audio.AudioSession`. Made by `Engine.open` only."""

    def __init__(self, key: str, engine: Engine) -> None:
        self.key = key
        self._engine = engine
        self._places = {slot: _Place() for slot in Slot}
        self._joined = False
        self._tap: Tap | None = None
        self._closed = False
        self._events: asyncio.Queue[AudioEvent | None] = asyncio.Queue()

    # Offer and answer

    async def answer(self, slot: Slot, offer: bytes) -> bytes:
        """Answer a far end's offer. Raises `AudioRefused`, after which what was agreed before still stands."""
        description = sdp.parse(offer)
        place = self._places[slot]
        negotiation.answer(description, port=0)  # refuse before a port is taken
        end = await self._end_for(slot, negotiation.family(description))
        terms, lines = negotiation.answer(description, end.port)
        place.offered = None
        end.agree(terms)
        self._route()
        return self._describe(place, lines)

    async def offer(self, slot: Slot) -> bytes:
        """Our offer; to a far end that is up already it holds the payload types that were agreed."""
        place = self._places[slot]
        end = await self._end_for(slot, None)
        place.offered = end.terms.formats if end.terms is not None else negotiation.OFFERED
        mux = end.terms is not None and end.terms.rtcp_mux
        return self._describe(place, [sdp.Ours(end.port, place.offered, rtcp_mux=mux)])

    async def accept(self, slot: Slot, answer: bytes) -> None:
        """Take the answer to our offer. Raises `AudioRefused`, or `NotNegotiated` when nothing was offered."""
        place = self._places[slot]
        if place.offered is None or place.end is None:
            raise NotNegotiated("an offer of ours that waits for its answer")
        terms = negotiation.accept(sdp.parse(answer), place.offered)
        self._demand_family(place, terms.address)
        place.offered = None
        place.end.agree(terms)
        self._route()

    async def _end_for(self, slot: Slot, family: int | None) -> End:
        if self._closed:
            raise NotNegotiated("a session that is not closed")
        place = self._places[slot]
        if place.end is None:
            host = self._engine.host_for(family)
            end = End(slot, self._engine.ports.bind(host), self, self._engine.ticker)
            place.end, place.host = end, host
            await end.open()
        elif family is not None:
            self._demand_family(place, "0.0.0.0" if family == 4 else "::")  # noqa: S104  only its family is asked
        return place.end

    @staticmethod
    def _demand_family(place: _Place, address: str) -> None:
        if (":" in address) != (":" in place.host):
            raise AudioRefused("an address of the other IP family than this slot has")

    @staticmethod
    def _describe(place: _Place, lines: Sequence[Ours | Rejected]) -> bytes:
        place.sdp_version += 1
        return sdp.write(place.sdp_id, place.sdp_version, place.host, lines)

    async def drop(self, slot: Slot) -> None:
        """Forget a far end, its ports, its hold and what it heard. The two slots are joined no more."""
        place = self._places[slot]
        if place.end is not None:
            self._engine.count_lost(place.end.incoming.lost)
            place.end.close()
        self._places[slot] = _Place()
        self._joined = False
        self._route()

    # What is heard

    async def play(self, slot: Slot, items: Sequence[Announcement], *, loop: bool = False) -> None:
        """Start playing in place of what the slot heard. Raises `CannotAnnounce` before anything changes."""
        sounds = self._engine.prompts.sounds(items)
        self._places[slot].playlist = Playlist(items[-1].name, sounds, loop=loop) if items else None
        self._route()

    async def stop(self, slot: Slot) -> None:
        """Stop what is playing."""
        self._places[slot].playlist = None
        self._route()

    async def join(self) -> None:
        """Let the slots hear each other; stops what either was playing."""
        self._joined = True
        for place in self._places.values():
            place.playlist = None
        self._route()

    async def part(self) -> None:
        """End the joining."""
        self._joined = False
        self._route()

    async def hold(self, slot: Slot, *, held: bool) -> None:
        """Hold a slot, whatever its far end goes on sending; or take it back."""
        place = self._places[slot]
        place.held = held
        if place.end is not None:
            place.end.since_s = monotonic()
        self._route()

    async def mute(self, slot: Slot, *, muted: bool) -> None:
        """Whatever a slot's far end goes on sending is passed on to nobody, or again to the other."""
        self._places[slot].muted = muted
        self._route()

    async def send_digits(self, slot: Slot, digits: str) -> None:
        """Queue digits; returns at once. Raises `NotNegotiated` when the far end takes none, or too many wait."""
        end = self._places[slot].end
        if end is None or end.terms is None or end.terms.event_type is None:
            raise NotNegotiated("a far end that takes telephone-events")
        if not all(digit in DIGITS for digit in digits):
            raise NotNegotiated(f"digits out of {DIGITS}")
        if not end.press(digits):
            raise NotNegotiated("fewer digits that wait to be sent")

    def _route(self) -> None:
        """The one rule: a prompt before all, silence on hold, music for who waits, else the other end."""
        talking = self._joined and all(place.is_up and not place.is_held for place in self._places.values())
        for slot, place in self._places.items():
            if place.end is None:
                continue
            other = self._places[_OTHER[slot]]
            heard = talking and not place.muted
            place.end.listener = other.end if heard and other.playlist is None else None
            place.end.note = self._tap.ear(slot) if self._tap is not None and heard else None
            playlist = place.playlist
            if playlist is None and self._joined and other.is_held and not place.is_held:
                playlist = self._hold_music(place)
            place.hears = playlist
            place.end.hear(playlist, relayed=talking and playlist is None and not other.muted)

    def _hold_music(self, place: _Place) -> Playlist:
        """The music that plays already, or its beginning."""
        playing = place.hears
        if playing is not None and playing.name == _HOLD_MUSIC.name:
            return playing
        return Playlist(_HOLD_MUSIC.name, self._engine.prompts.sounds([_HOLD_MUSIC]), loop=True)

    # Recording

    async def record(self, path: Path) -> None:
        """Record what the two say to each other: held, parted or alone nobody is recorded, only the time runs."""
        if self._engine.recorder is None:
            raise CannotRecord("the engine has no recorder")
        if self._tap is not None:
            raise CannotRecord("one recording of this call runs already")
        self._tap = await self._engine.recorder.begin(path)
        self._route()

    async def finish_recording(self) -> RecordingResult | None:
        """Complete the recording; None when none ran."""
        tap, self._tap = self._tap, None
        self._route()
        return await tap.finish() if tap is not None else None

    # What is known and what happens

    def stats(self, slot: Slot) -> AudioStats:
        """The slot's counters; nought before it is negotiated."""
        end = self._places[slot].end
        if end is None:
            return AudioStats(0, 0, 0, 0.0)
        incoming = end.incoming
        return AudioStats(incoming.received, incoming.lost, end.outgoing.packets, incoming.jitter / 8)

    def quality(self, slot: Slot) -> FarQuality | None:
        """How our stream arrives at the far end, by its last RTCP report; None until one came."""
        end = self._places[slot].end
        return end.reports.quality if end is not None else None

    async def events(self) -> AsyncIterator[AudioEvent]:
        """What happens, until `close`."""
        while (event := await self._events.get()) is not None:
            yield event

    def digit_heard(self, slot: Slot, heard: Heard) -> None:
        """An end's word. A far end that floods digits faster than they are read loses the newest."""
        if self._events.qsize() < _MAX_EVENTS_WAITING:
            self._events.put_nowait(DigitHeard(slot, heard.digit, heard.duration_ms))

    def played(self, slot: Slot) -> None:
        """An end's word: its playlist is over."""
        place = self._places[slot]
        if place.playlist is not None:
            self._events.put_nowait(PlaybackEnded(slot, place.playlist.name))
            place.playlist = None
            self._route()

    def look(self, now_s: float) -> None:
        """Once a second: reports, late digits, and whether a far end has fallen silent."""
        for slot, place in self._places.items():
            if place.end is None or place.end.terms is None:
                continue
            place.end.look(now_s)
            silent_s = now_s - max(place.end.incoming.arrived_s, place.end.since_s)
            if silent_s < self._engine.limits.lost_after_s:
                place.lost_told = False
            elif place.end.terms.far_speaks and not place.is_held and not place.lost_told:
                place.lost_told = True
                self._events.put_nowait(AudioLost(slot, silent_s))

    async def close(self) -> None:
        """Free ports, finish the recording, end the events. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._engine.forget(self)
        for slot in Slot:
            await self.drop(slot)
        try:
            await self.finish_recording()
        finally:
            self._events.put_nowait(None)
