"""The recorded pieces, encoded once under both laws, and what a slot that plays them hears frame by frame."""

from __future__ import annotations

import io
import wave
from pathlib import Path
from typing import TYPE_CHECKING

from media.announcement import PIECES, pieces, silence_ms
from media.errors import CannotAnnounce, PromptMissing, PromptUnreadable
from media.g711 import FRAME_SAMPLES, SAMPLE_RATE, SILENCE, Law, decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from session.audio import Announcement

ZH = Path(__file__).parent / "prompts" / "zh"
"""The Mandarin pieces that come with the product."""

_MAX_PIECE_S = 600

Sound = dict[Law, bytes]
"""One piece under each law."""


class PromptLibrary:
    """All pieces of one folder in memory; shared by every call."""

    def __init__(self, sounds: Mapping[str, Sound]) -> None:
        self.shipped = dict(sounds)
        """What came with the product."""
        self.own: dict[str, Sound] = {}
        """What the operator has put in place of it."""
        self._followers: list[Callable[[str, Sound | None], None]] = []

    @classmethod
    def load(cls, path: Path = ZH) -> PromptLibrary:
        """Read a folder of `<piece>.wav`. Blocks: for the start only. Raises `PromptMissing`, `PromptUnreadable`."""
        missing = sorted(name for name in PIECES if not (path / f"{name}.wav").is_file())
        if missing:
            raise PromptMissing(path, missing)
        return cls({name: read_sound(path / f"{name}.wav") for name in PIECES})

    def put(self, name: str, sound: Sound | None) -> None:
        """Play this for a piece from now on, or what came with the product again; what plays now plays on."""
        if name not in self.shipped:
            raise CannotAnnounce(name, "there is no such piece")
        if sound is None:
            self.own.pop(name, None)
        else:
            self.own[name] = sound
        for follower in self._followers:
            follower(name, sound)

    def furnish(self, sounds: Mapping[str, Sound]) -> None:
        """Come to hold what another library holds, in another process."""
        self.shipped = dict(sounds)

    def follow(self, follower: Callable[[str, Sound | None], None]) -> None:
        """Tell of each `put` from now on."""
        self._followers.append(follower)

    def unfollow(self, follower: Callable[[str, Sound | None], None]) -> None:
        """Tell no more."""
        self._followers.remove(follower)

    def _sound(self, name: str) -> Sound:
        return self.own.get(name) or self.shipped[name]

    def wave(self, name: str) -> bytes:
        """The WAVE file of what a piece is now, as a telephone hears it."""
        whole = io.BytesIO()
        with wave.open(whole, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(decode(self._sound(name)[Law.PCMA], Law.PCMA))
        return whole.getvalue()

    def seconds(self, name: str) -> float:
        """How long a piece lasts now."""
        return len(self._sound(name)[Law.PCMA]) / SAMPLE_RATE

    def sounds(self, items: Iterable[Announcement]) -> list[Sound]:
        """What these announcements take, in the order they are heard. Raises `CannotAnnounce`."""
        heard: list[Sound] = []
        for item in items:
            if item.name == "silence":
                samples = silence_ms(item) * SAMPLE_RATE // 1000
                heard.append({law: octet * samples for law, octet in SILENCE.items()})
            else:
                heard += [self._sound(name) for name in pieces(item)]
        return heard


def read_sound(source: Path | bytes) -> Sound:
    """A WAVE file of one channel, 8000 Hz and 16 bits, under each law. Blocks. Raises `PromptUnreadable`."""
    path = source if isinstance(source, Path) else Path("-")
    try:
        with wave.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), "rb") as file:
            form = (file.getnchannels(), file.getframerate(), file.getsampwidth())
            if form != (1, SAMPLE_RATE, 2):
                raise PromptUnreadable(path, "{} channels, {} Hz, {} octets a sample".format(*form))
            if not 0 < file.getnframes() <= _MAX_PIECE_S * SAMPLE_RATE:
                raise PromptUnreadable(path, f"{file.getnframes()} samples")
            pcm = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise PromptUnreadable(path, str(error)) from error
    return {law: encode(pcm, law) for law in Law}


class Playlist:
    """Pieces played one after the other without a gap, in frames of 20 ms."""

    __slots__ = ("_index", "_loop", "_offset", "_sounds", "name")

    def __init__(self, name: str, sounds: Sequence[Sound], *, loop: bool) -> None:
        self.name = name
        self._sounds = sounds
        self._loop = loop
        self._index = 0
        self._offset = 0

    def frame(self, law: Law) -> bytes | None:
        """The next 20 ms, the last filled up with silence; None once all has been heard."""
        if self._index == len(self._sounds):
            return None
        octets = self._sounds[self._index][law]
        frame = octets[self._offset : self._offset + FRAME_SAMPLES]
        self._offset += FRAME_SAMPLES
        while len(frame) < FRAME_SAMPLES:
            if not self._next_sound():
                return frame + SILENCE[law] * (FRAME_SAMPLES - len(frame)) if frame else None
            need = FRAME_SAMPLES - len(frame)
            frame += self._sounds[self._index][law][:need]
            self._offset = need
        return frame

    def _next_sound(self) -> bool:
        self._index += 1
        self._offset = 0
        if self._index == len(self._sounds) and self._loop:
            self._index = 0
        return self._index < len(self._sounds)
