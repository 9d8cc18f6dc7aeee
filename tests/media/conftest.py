"""A folder of prompts made of tones, and an engine that plays them."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from media.announcement import PIECES
from media.prompts import PromptLibrary

if TYPE_CHECKING:
    from pathlib import Path


def tone(name: str, seconds: float) -> bytes:
    """Noise of its own for each name, so that one piece cannot be taken for another."""
    rng = np.random.default_rng(sum(map(ord, name)) * 7919 + len(name))
    return rng.normal(0, 3000, int(seconds * 8000)).clip(-12000, 12000).astype("<i2").tobytes()


def write_wav(path: Path, pcm: bytes, *, rate: int = 8000, channels: int = 1, width: int = 2) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setframerate(rate)
        file.setsampwidth(width)
        file.writeframes(pcm)


@pytest.fixture(scope="session")
def prompt_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("prompts")
    for name in PIECES:
        write_wav(folder / f"{name}.wav", tone(name, 1.013 if name == "music" else 0.25))
    return folder


@pytest.fixture(scope="session")
def prompts(prompt_folder: Path) -> PromptLibrary:
    return PromptLibrary.load(prompt_folder)
