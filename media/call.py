"""The audio of one citizen's call: its slots, and one rule for what each hears."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from functools import cached_property
from time import monotonic, time_ns
from types import MappingProxyType
from typing import TYPE_CHECKING

from media import negotiation, sdp
from media.end import NOTHING, Counted, End
from media.errors import AudioRefused, CannotRecord, NotNegotiated
from media.mixer import Mix
from media.prompts import Playlist
from media.quality import delay_ms, opinion, rating
from media.shield import Protection
from media.tap import together
from media.telephone_event import DIGITS
from session.audio import (
    Announcement,
    AudioEvent,
    AudioLost,
    AudioQuality,
    AudioStats,
    DigitHeard,
    Hearing,
    PlaybackEnded,
    RecordingResult,
    Secrecy,
    Slot,
)
from session.errors import YihaoError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from media.engine import Engine
    from media.reports import FarQuality
    from media.sdp import Format, Ours, Rejected
    from media.tap import Ear, Tap
    from media.telephone_event import Heard

_MAX_EVENTS_WAITING = 256
_JOINED: Hearing = {Slot.CITIZEN: {Slot.AGENT: 0.0}, Slot.AGENT: {Slot.CITIZEN: 0.0}}
_RECORDED_FOR = (Slot.AGENT, Slot.THIRD)
"""The citizen is recorded while these are to hear them, there or not yet. A supervisor only listens in."""
_HOLD_MUSIC = Announcement("hold_music")
_NOBODY: Mapping[Slot, float] = MappingProxyType({})


@dataclass(slots=True)
class Place:
    """What a slot keeps while far ends come and go."""

    protection: Protection
    end: End | None = None
    host: str = ""
    sdp_id: int = 0
    """When it was first said (RFC 8866, section 5.2)."""
    sdp_version: int = 0
    offered: tuple[Format, ...] | None = None
    held: bool = False
    muted: bool = False
    playlist: Playlist | None = None
    mix: Mix | None = None
    hears: Playlist | None = None
    lost_told: bool = False

    @property
    def is_up(self) -> bool:
        return self.end is not None and self.end.terms is not None

    @property
    def far_hears(self) -> bool:
        return self.end is not None and self.end.terms is not None and self.end.terms.far_hears

    @property
    def is_speaking(self) -> bool:
        """It may be heard."""
        return self.far_hears and not self.held and not self.muted

    @property
    def is_held(self) -> bool:
        """By us, or by the far end itself."""
        return self.held or (self.is_up and not self.far_hears)


class Call:
    """One `session.audio.AudioSession`. Made by `Engine.open` only."""

    def __init__(self, key: str, engine: Engine) -> None:
        self.key = key
        self._engine = engine
        self._places = {slot: self._empty(slot) for slot in Slot}
        self._hearing: Hearing = {}
        self._tap: Tap | None = None
        self._closed = False
        self._listener: Callable[[AudioEvent], None] | None = None

    def _empty(self, slot: Slot) -> Place:
        return Place(Protection(self._engine.doors, slot))

    # Offer and answer

    async def answer(self, slot: Slot, offer: bytes, secrecy: Secrecy | None = None) -> bytes:
        """Answer a far end's offer. Raises `AudioRefused`, after which what was agreed before still stands."""
        description = sdp.parse(offer)
        place = self._places[slot]
        means = place.protection.wanting(secrecy)
        terms, lines = negotiation.answer(description, 0, means, self._engine.codecs)  # refuses before a port is taken
        end = self._end_for(slot, negotiation.family(description))
        place.offered = None
        end.agree(terms)
        self._route()
        return self._describe(place, negotiation.placed(lines, end.port))

    async def offer(self, slot: Slot, secrecy: Secrecy | None = None) -> bytes:
        """Our offer; to a far end that is up already it holds the payload types that were agreed."""
        place = self._places[slot]
        means = place.protection.wanting(secrecy)
        end = self._end_for(slot, None)
        place.offered = end.terms.formats if end.terms is not None else self._engine.codecs
        mux = end.terms is not None and end.terms.rtcp_mux
        return self._describe(place, [negotiation.offer(means, end.port, place.offered, rtcp_mux=mux)])

    async def accept(self, slot: Slot, answer: bytes) -> None:
        """Take the answer to our offer. Raises `AudioRefused`, or `NotNegotiated` when nothing was offered."""
        place = self._places[slot]
        if place.offered is None or place.end is None:
            raise NotNegotiated("an offer of ours that waits for its answer")
        terms = negotiation.accept(sdp.parse(answer), place.offered, place.protection)
        if terms.is_placed:
            self._demand_family(place, terms.address)
        place.offered = None
        place.end.agree(terms)
        self._route()

    def _end_for(self, slot: Slot, family: int | None) -> End:
        if self._closed:
            raise NotNegotiated("a session that is not closed")
        place = self._places[slot]
        if place.end is None:
            engine = self._engine
            host = engine.host_for(family)
            place.end = End(slot, engine.ports.bind(host), self, engine.inbox, engine.ticker, place.protection)
            place.host = host
        elif family is not None:
            self._demand_family(place, "0.0.0.0" if family == 4 else "::")  # noqa: S104  only its family is asked
        return place.end

    @staticmethod
    def _demand_family(place: Place, address: str) -> None:
        if (":" in address) != (":" in place.host):
            raise AudioRefused("an address of the other IP family than this slot has")

    @staticmethod
    def _describe(place: Place, lines: Sequence[Ours | Rejected]) -> bytes:
        place.sdp_id = place.sdp_id or time_ns()
        place.sdp_version += 1
        return sdp.write(place.sdp_id, place.sdp_version, place.host, lines)

    async def drop(self, slot: Slot) -> None:
        """Forget a far end, its ports, its hold and what it heard. Nobody hears it any more."""
        place = self._places[slot]
        if place.end is not None:
            self._release(place, place.end)
        self._places[slot] = self._empty(slot)
        self._deafen(slot)
        self._route()

    def _release(self, place: Place, end: End) -> None:
        self._engine.count_lost(end.incoming.lost)
        end.close()
        place.end = None

    def _deafen(self, slot: Slot) -> None:
        """A slot that nobody has hears nobody, and is heard by nobody."""
        self._hearing = {
            ear: {mouth: gain for mouth, gain in mouths.items() if mouth is not slot}
            for ear, mouths in self._hearing.items()
            if ear is not slot
        }

    async def move(self, source: Slot, target: Slot) -> None:
        """Give a far end another slot; whoever had that is dropped. Raises `NotNegotiated` for an empty slot."""
        if self._places[source].end is None:
            raise NotNegotiated("a far end that can be moved")
        await self.drop(target)
        place = self._places[source]
        self._places[source] = self._empty(source)
        place.held = place.muted = False
        place.playlist = place.hears = None
        if place.end is not None:
            place.end.slot = target
        self._places[target] = place
        self._deafen(source)
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
        """Let citizen and agent hear each other; stops what either was playing."""
        await self.mix(_JOINED)

    async def part(self) -> None:
        """Nobody hears anybody."""
        await self.mix({})

    async def mix(self, hearing: Hearing) -> None:
        """Let each slot hear just these; stops what those were playing who hear somebody."""
        self._hearing = {
            ear: {mouth: mouths[mouth] for mouth in mouths if mouth is not ear or len(mouths) == 1}
            for ear, mouths in hearing.items()
        }
        for ear, mouths in self._hearing.items():
            if mouths:
                self._places[ear].playlist = None
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
        """The one rule: a prompt before all, silence on hold, music for who waits, else whom one is to hear.

        Whoever hears one other just as they are is relayed to, unless that one is relayed already; else they are mixed.
        """
        there = [(slot, place) for slot, place in self._places.items() if place.end is not None]
        audible = {slot: self._audible(slot, place) for slot, place in there}
        relayed: dict[Slot, Slot] = {}
        for slot, place in there:
            heard = audible[slot] if place.playlist is None else {}
            alone = next(iter(heard)) if len(heard) == 1 else None
            if alone is not None and heard[alone] == 0.0 and alone not in relayed:
                relayed[alone] = slot
                heard = {}
            place.mix = place.mix or Mix() if heard else None
            if place.mix is not None:
                place.mix.hear(heard)
        overheard = self._places[Slot.CITIZEN].mix
        if overheard is not None:
            overheard.overheard = self._tap.ear(Slot.AGENT) if self._tap is not None else None
        is_noted = self._tap is not None or any(place.mix is not None for _, place in there)
        for slot, place in there:
            if place.end is None:
                continue
            listener = relayed.get(slot)
            place.end.listener = self._places[listener].end if listener is not None else None
            place.end.note = together(self._ears(slot, audible)) if is_noted else None
            place.hears = place.playlist or self._hold_music(slot)
            place.end.hear(place.hears or place.mix, relayed=slot in relayed.values())

    def _audible(self, slot: Slot, place: Place) -> Mapping[Slot, float]:
        """Whom a slot can hear now, of those whom it is to hear."""
        mouths = self._hearing.get(slot)
        if not mouths or not place.is_up or place.is_held:
            return _NOBODY
        return {mouth: gain for mouth, gain in mouths.items() if self._places[mouth].is_speaking}

    def _ears(self, slot: Slot, audible: Mapping[Slot, Mapping[Slot, float]]) -> list[Ear]:
        """Who is told of each packet of a slot: the recording, and the mixes in which it is heard."""
        ears = [
            place.mix.ear(slot)
            for ear, place in self._places.items()
            if place.mix is not None and slot in audible.get(ear, _NOBODY)
        ]
        if self._tap is None:
            return ears
        if slot is Slot.CITIZEN and any(
            slot in audible.get(ear, _NOBODY) or self._is_for_later(ear) for ear in _RECORDED_FOR
        ):
            ears.append(self._tap.ear(Slot.CITIZEN))
        if self._places[Slot.CITIZEN].mix is None and audible.get(Slot.CITIZEN, _NOBODY).keys() == {slot}:
            ears.append(self._tap.ear(Slot.AGENT))
        return ears

    def _is_for_later(self, ear: Slot) -> bool:
        """Nobody is there yet who is to hear the citizen: what they say is for whoever plays the recording."""
        is_meant = Slot.CITIZEN in self._hearing.get(ear, {})
        return is_meant and self._places[ear].end is None and self._places[Slot.CITIZEN].is_speaking

    def _hold_music(self, slot: Slot) -> Playlist | None:
        """For who is to hear only what is held: the music that plays already, or its beginning."""
        place, mouths = self._places[slot], self._hearing.get(slot)
        if not mouths or place.is_held or not all(self._places[mouth].is_held for mouth in mouths):
            return None
        if place.hears is not None and place.hears.name == _HOLD_MUSIC.name:
            return place.hears
        return Playlist(_HOLD_MUSIC.name, self._engine.prompts.sounds([_HOLD_MUSIC]), loop=True)

    # Recording

    async def record(self, path: Path) -> None:
        """Record what the two say to each other: held, parted or alone nobody is recorded, only the time runs."""
        if self._engine.recorder is None:
            raise CannotRecord("the engine has no recorder")
        if self._tap is not None:
            raise CannotRecord("one recording of this call runs already")
        try:
            self._tap = await self._engine.recorder.begin(path)
        except (YihaoError, OSError) as error:
            raise CannotRecord(str(error)) from error
        self._route()

    async def finish_recording(self) -> RecordingResult | None:
        """Complete the recording; None when none ran."""
        tap, self._tap = self._tap, None
        if tap is None:
            return None
        self._route()
        return await tap.finish()

    # What is known and what happens

    async def stats(self, slot: Slot) -> AudioStats:
        """The slot's counters; nought before it is negotiated."""
        end = self._places[slot].end
        if end is None:
            return AudioStats(0, 0, 0, 0.0)
        incoming = end.incoming
        return AudioStats(incoming.received, incoming.lost, end.outgoing.packets, incoming.jitter / 8)

    async def quality(self, *, lately: bool = False) -> Mapping[Slot, AudioQuality]:
        """How each slot's call sounds, both ways; without those that are not negotiated."""
        ends = [(slot, place.end) for slot, place in self._places.items() if place.end is not None]
        return {slot: self._quality(end, lately=lately) for slot, end in ends if end.terms is not None}

    @staticmethod
    def _quality(end: End, *, lately: bool) -> AudioQuality:
        incoming, far = end.incoming, end.reports.quality
        jitter_ms, far_lost, round_trip_ms = incoming.jitter / 8, 0, None
        if far is not None:
            jitter_ms, far_lost, round_trip_ms = max(jitter_ms, far.jitter_ms), far.packets_lost, far.round_trip_ms
        counted = Counted(incoming.expected, incoming.lost, end.outgoing.packets, far_lost)
        loss = counted.loss_since(end.looked_at if lately else NOTHING)
        if lately:
            end.looked_at = counted
        score = opinion(rating(loss, delay_ms(jitter_ms, round_trip_ms)))
        received = incoming.received
        mos = score if received else 1.0
        return AudioQuality(mos, loss, jitter_ms, round_trip_ms, received > 0, received, incoming.lost)

    def far_quality(self, slot: Slot) -> FarQuality | None:
        """How our stream arrives at the far end, by its last RTCP report; None until one came."""
        end = self._places[slot].end
        return end.reports.quality if end is not None else None

    @cached_property
    def _events(self) -> asyncio.Queue[AudioEvent | None]:
        return asyncio.Queue()

    async def events(self) -> AsyncIterator[AudioEvent]:
        """What happens, until `close`."""
        while (event := await self._events.get()) is not None:
            yield event

    def listen(self, listener: Callable[[AudioEvent], None]) -> None:
        """Have what happens told there, as it happens, instead of by `events`. It is for the listener to bound it."""
        self._listener = listener

    def does_at_once(self, name: str) -> bool:
        """Whether that method of the port returns without having waited for anything."""
        return name != "record" and (self._tap is None or name not in {"finish_recording", "close"})

    def _tell(self, event: AudioEvent) -> None:
        if self._listener is not None:
            self._listener(event)
        elif self._events.qsize() < _MAX_EVENTS_WAITING or not isinstance(event, DigitHeard):
            self._events.put_nowait(event)

    def digit_heard(self, slot: Slot, heard: Heard) -> None:
        """An end's word. A far end that floods digits faster than they are read loses the newest."""
        self._tell(DigitHeard(slot, heard.digit, heard.duration_ms))

    def played(self, slot: Slot) -> None:
        """An end's word: its playlist is over."""
        place = self._places[slot]
        if place.playlist is not None:
            self._tell(PlaybackEnded(slot, place.playlist.name))
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
                self._tell(AudioLost(slot, silent_s))

    async def close(self) -> None:
        """Free ports, finish the recording, end the events. Idempotent."""
        if self._closed:
            return
        self._closed = True
        self._engine.forget(self)
        await self._let_all_go()
        try:
            await self.finish_recording()
        finally:
            if self._listener is None:
                self._events.put_nowait(None)

    async def _let_all_go(self) -> None:
        """Nobody is left who could hear anything: their ports are freed, and no more."""
        for place in self._places.values():
            if place.end is not None:
                self._release(place, place.end)
