"""How a leg sounded, as the core and the ladder are told."""

from __future__ import annotations

from channels.phone.ladder import Ladder
from session.audio import AudioSession, Slot
from session.events import QualityMeasured
from session.ids import LegId


async def measured(audio: AudioSession, slot: Slot, leg: LegId, ladder: Ladder) -> QualityMeasured | None:
    """To be asked before the slot is given to another; onto the ladder too. None where nothing was agreed on."""
    quality = await audio.quality(slot)
    if quality is None:
        return None
    figures = f"{quality.packets_received} packets, {quality.packets_lost} lost, jitter {quality.jitter_ms:.1f} ms"
    ladder.note("sound heard", f"{figures}, MOS {quality.mos:.1f}", slot)
    return QualityMeasured(
        leg=leg,
        mos=round(quality.mos, 2),
        loss=round(quality.loss, 4),
        jitter_ms=round(quality.jitter_ms, 1),
        round_trip_ms=None if quality.round_trip_ms is None else round(quality.round_trip_ms, 1),
        heard=quality.heard,
    )


async def received(audio: AudioSession, slot: Slot) -> int:
    """Packets of sound that have come from a slot's telephone."""
    return (await audio.stats(slot)).packets_received
