"""The Audio port: what carries sound, cut above SDP and below dialogs.

One `AudioSession` stands behind one citizen's call. It has two stable slots, the citizen's and the agent's; either
far end may change (another agent, a transfer) while the slot stays. Two more are there for whoever comes to it: a
third party, and a supervisor. Where `can_mix`, one statement says who hears whom of them all.

No engine's tags, flags or ports leak upward, and every argument and result is a plain value, since the engine may live
in another process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol


class Slot(StrEnum):
    """One of the ends of a citizen's call."""

    CITIZEN = "citizen"
    AGENT = "agent"
    THIRD = "third"
    """Whom the agent consults, or takes into the call."""
    SUPERVISOR = "supervisor"


class Secrecy(StrEnum):
    """Whether what a slot and its far end say to each other is kept from whoever stands between (加密)."""

    NEVER = "never"
    OFFER = "offer"
    """With keys beside the description (RFC 4568) where the far end has them too, else in the clear."""
    REQUIRE = "require"
    """So, or not at all."""
    PAGE = "page"
    """As a browser does: DTLS-SRTP, found by ICE."""


Hearing = Mapping[Slot, Mapping[Slot, float]]
"""Who hears whom: for each slot the slots that it hears, each at a gain in dB (0 as it is).

Nobody hears themselves beside others. A slot that is to hear itself alone hears its echo.
"""


@dataclass(frozen=True, slots=True)
class Announcement:
    """A thing to be heard, by name, with the whole numbers that it says aloud.

    `Announcement("position", (3,))` is 您排在第三位. Which recorded pieces that takes is the engine's matter.
    """

    name: str
    numbers: tuple[int, ...] = ()


KEEP_PLACE = Announcement("keep_place")
"""Offers a caller in line to keep the place and go on elsewhere: who has heard it may press 1."""
CITIZEN_DROPPED = Announcement("citizen_dropped")
"""Tells an agent that the citizen's call broke off."""


@dataclass(frozen=True, slots=True)
class AudioCapabilities:
    """What an engine can do; asked for, never guessed from its name."""

    codecs: tuple[str, ...]
    can_record: bool
    can_mix: bool
    has_quality: bool


@dataclass(frozen=True, slots=True)
class AudioStats:
    """Counters of one slot since it was negotiated. Jitter by RFC 3550, section 6.4.1, in milliseconds."""

    packets_received: int
    packets_lost: int
    packets_sent: int
    jitter_ms: float


@dataclass(frozen=True, slots=True)
class AudioQuality:
    """How one slot's call sounds so far: the worse of both ways, as far as the far end reports its own.

    `mos` is a mean opinion (1 to 4.5) by the E-model of ITU-T G.107; `loss` a share (0 to 1). Where nothing was ever
    heard of the far end `heard` is false: a call one way only, if it has spoken at all.
    """

    mos: float
    loss: float
    jitter_ms: float
    round_trip_ms: float | None
    heard: bool
    packets_received: int = 0
    packets_lost: int = 0


@dataclass(frozen=True, slots=True)
class RecordingResult:
    """A finished recording: two channels in one file, citizen left, agent right."""

    path: Path
    duration_s: float
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class DigitHeard:
    """One telephone-event (RFC 4733), reported once however often it was repeated."""

    slot: Slot
    digit: str
    duration_ms: int


@dataclass(frozen=True, slots=True)
class PlaybackEnded:
    """A non-looping `play` has been heard to its end; never sent for one that was stopped or replaced."""

    slot: Slot
    name: str


@dataclass(frozen=True, slots=True)
class AudioLost:
    """Nothing has arrived on a negotiated, unheld slot for `silent_s` seconds."""

    slot: Slot
    silent_s: float


@dataclass(frozen=True, slots=True)
class AudioGone:
    """What carried this session has died: nobody hears anybody any more.

    Whoever asks for something that comes to nothing then is not told again; what must have an answer (`answer`,
    `offer`, `accept`, `move`, `record`) raises.
    """


AudioEvent = DigitHeard | PlaybackEnded | AudioLost | AudioGone


class AudioSession(Protocol):
    """The audio of one citizen's call. All methods may be called from one task at a time."""

    async def answer(self, slot: Slot, offer: bytes, secrecy: Secrecy | None = None) -> bytes:
        """Answer a far end's SDP offer (first or re-offered). Raises `AudioRefused` when no codec is shared.

        `secrecy` stands until the far end is dropped; None leaves what was said (NEVER at first). A page that offers
        is answered as one whatever it says.
        """
        ...

    async def offer(self, slot: Slot, secrecy: Secrecy | None = None) -> bytes:
        """Our own SDP offer for a slot: for an outgoing INVITE, or in the 200 to one that had no body."""
        ...

    async def accept(self, slot: Slot, answer: bytes) -> None:
        """Take the far end's answer to our offer."""
        ...

    async def drop(self, slot: Slot) -> None:
        """The far end has gone: stop sending to it; the slot may be offered or answered anew."""
        ...

    async def move(self, source: Slot, target: Slot) -> None:
        """The far end of one slot has another from now on, in place of whoever had that, who is dropped.

        It brings neither hold nor mute nor what it heard; a recording runs on.
        """
        ...

    async def play(self, slot: Slot, items: Sequence[Announcement], *, loop: bool = False) -> None:
        """Start playing to a slot, in place of what it heard; returns at once. A slot that plays hears no other."""
        ...

    async def stop(self, slot: Slot) -> None:
        """Stop what is playing."""
        ...

    async def join(self) -> None:
        """Let citizen and agent hear each other, and nobody else; stops what either was playing."""
        ...

    async def mix(self, hearing: Hearing) -> None:
        """Let each slot hear just these; stops what those were playing who hear somebody. Needs `can_mix`."""
        ...

    async def part(self) -> None:
        """Nobody hears anybody; all ends stay up."""
        ...

    async def hold(self, slot: Slot, *, held: bool) -> None:
        """Put a slot on hold: it is neither heard nor hears; who would hear only what is held hears music."""
        ...

    async def mute(self, slot: Slot, *, muted: bool) -> None:
        """Let a slot hear without being heard, by anyone or in the recording; or let it be heard again."""
        ...

    async def send_digits(self, slot: Slot, digits: str) -> None:
        """Send telephone-events to the far end of a slot."""
        ...

    async def record(self, path: Path) -> None:
        """Begin the recording: a two-channel file that is playable at every instant, even after a kill.

        Left is the citizen, while agent or third party are to hear them, also where neither is there (a voice message);
        right is what the citizen hears of people.
        """
        ...

    async def finish_recording(self) -> RecordingResult | None:
        """Complete the recording; None when none ran."""
        ...

    async def stats(self, slot: Slot) -> AudioStats:
        """The slot's counters at this instant; nought once the engine is gone."""
        ...

    async def quality(self, *, lately: bool = False) -> Mapping[Slot, AudioQuality]:
        """How each slot's call sounds so far, or `lately`: since that was asked last. Without those that are not
        negotiated, or of which the engine cannot tell.
        """
        ...

    def events(self) -> AsyncIterator[AudioEvent]:
        """What happens, until `close`. One reader."""
        ...

    async def close(self) -> None:
        """Free ports and finish what runs. Idempotent."""
        ...


class Audio(Protocol):
    """An engine. Opened by an async context manager of its own, so what is opened is closed."""

    capabilities: AudioCapabilities

    @property
    def packets_lost(self) -> int:
        """Of all far ends that have gone: sent by them, never heard here."""
        ...

    async def open(self, key: str) -> AudioSession:
        """A new session; `key` names it in logs and is no personal datum.

        An engine that has no room says so here, or at the first thing that is asked of the session (`retryable`).
        """
        ...
