"""Digits in INFO bodies: application/dtmf-relay and application/dtmf, which no RFC describes but trunks send."""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.phone.errors import MalformedMessage

_SIGNAL = re.compile(r"(?im)^\s*signal\s*=\s*([0-9*#A-D])\s*$")
_DURATION = re.compile(r"(?im)^\s*duration\s*=\s*([0-9]{1,5})\s*$")
_BARE = re.compile(r"\s*([0-9*#A-Da-d])\s*")
_USUAL_MS = 160


@dataclass(frozen=True, slots=True)
class InfoDigit:
    """One pressed key and how long, in milliseconds."""

    digit: str
    duration_ms: int


def read_digit(content_type: str | None, body: bytes) -> InfoDigit:
    """The digit of an INFO body; raises `MalformedMessage`."""
    text = body[:256].decode("ascii", "replace")
    if content_type == "application/dtmf":
        bare = _BARE.fullmatch(text)
        if bare is not None:
            return InfoDigit(bare[1].upper(), _USUAL_MS)
    signal = _SIGNAL.search(text)
    if signal is None:
        raise MalformedMessage("INFO", "no digit in its body")
    duration = _DURATION.search(text)
    return InfoDigit(signal[1].upper(), int(duration[1]) if duration else _USUAL_MS)
