"""Writes the prompt files: `python -m tools.prompts.make --kokoro-js ARCHIVE media/prompts/zh`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from tools.prompts.catalogue import ANNOUNCEMENT_SPEED, ANNOUNCEMENTS, PIECES
from tools.prompts.music import hold_music
from tools.prompts.shape import (
    SAMPLE_RATE_HZ,
    cut,
    level_dbfs,
    level_speech,
    to_telephone_band,
    trim,
    write_wav,
)
from tools.prompts.tones import beep, ringback

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

PIECE_SILENCE_MS = 30  # between two pieces of one number it counts twice

_LOG = logging.getLogger("prompts")


def sounds() -> Iterator[tuple[str, NDArray[np.float64]]]:
    """What needs no synthesiser."""
    yield "music", hold_music()
    yield "ringback", ringback()
    yield "beep", beep()


def speech(kokoro_js: Path) -> Iterator[tuple[str, NDArray[np.float64]]]:
    """Announcements whole, and pieces cut out of their carriers."""
    from tools.prompts import kokoro  # noqa: PLC0415 - tones and music are made without the synthesiser

    voice = kokoro.Kokoro(kokoro_js)
    for name, text in ANNOUNCEMENTS.items():
        spoken = voice.speak(text, ANNOUNCEMENT_SPEED).samples
        yield name, level_speech(trim(to_telephone_band(spoken, kokoro.SAMPLE_RATE_HZ)))
    for name, piece in PIECES.items():
        whole = voice.speak(piece.sentence, piece.speed)
        band = to_telephone_band(whole.samples, kokoro.SAMPLE_RATE_HZ)
        start_s, end_s = whole.span_s(*piece.span)
        yield name, level_speech(trim(cut(band, start_s, end_s), PIECE_SILENCE_MS))


def main() -> None:
    """Write every file, or without `--kokoro-js` the tones and the music."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--kokoro-js", type=Path, help="kokoro-js-1.2.1.tgz, as `npm pack` fetches it")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    chosen.folder.mkdir(parents=True, exist_ok=True)

    made = list(sounds()) if chosen.kokoro_js is None else [*sounds(), *speech(chosen.kokoro_js)]
    for name, samples in made:
        write_wav(chosen.folder / f"{name}.wav", samples)
        _LOG.info("%-18s %6.2f s %6.1f dBFS", name, len(samples) / SAMPLE_RATE_HZ, level_dbfs(samples))


if __name__ == "__main__":
    main()
