"""How good a call sounds, told from what RTP and RTCP tell: the E-model of ITU-T G.107, cut down to what varies here.

R = 93.2 - Id - Ie,eff (G.107, equation 7-1 with all other parameters at the defaults of its table 4), where

- Id is what delay costs, by the approximation of Cole and Rosenbluth (2001), "Voice over IP performance monitoring":
  0.024 d + 0.11 (d - 177.3) where d is above 177.3 ms;
- Ie,eff = Ie + (95 - Ie) Ppl / (Ppl + Bpl) for losses at random (G.107, equation 7-29), with Ie = 0 and Bpl = 25.1 for
  G.711 with concealment (G.113, appendix I), which every telephone of today has.

Annex B turns R into the mean opinion that people would have, 1 to 4.5.
"""

from __future__ import annotations

_BEST = 93.2
_ROBUSTNESS = 25.1
_EQUIPMENT = 0.0
_KNEE_MS = 177.3
_PACKET_MS = 20.0


def rating(loss: float, delay_ms: float) -> float:
    """R, for a share of lost packets (0–1) and a delay from mouth to ear."""
    percent = 100 * min(1.0, max(0.0, loss))
    delayed = 0.024 * delay_ms + 0.11 * max(0.0, delay_ms - _KNEE_MS)
    impaired = _EQUIPMENT + (95 - _EQUIPMENT) * percent / (percent + _ROBUSTNESS)
    return _BEST - delayed - impaired


def opinion(r: float) -> float:
    """The mean opinion score that belongs to R."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def delay_ms(jitter_ms: float, round_trip_ms: float | None) -> float:
    """From mouth to ear: a packet, a buffer that takes twice the jitter, and half of the way there and back."""
    return _PACKET_MS + 2 * jitter_ms + (round_trip_ms or 0.0) / 2
