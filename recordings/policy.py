"""What may be recorded, and for how long it is kept. Pure; who enforces the keeping asks here."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class RecordingPolicy:
    """The hotline's rule. A supervisor changes it; a recording keeps the rule under which it was made."""

    record_calls: bool = True
    demand_notice: bool = True
    """The citizen must have been told before (个人信息保护法, article 17)."""
    keep_s: float = 180 * DAY_S

    def may_record(self, *, noticed: bool) -> bool:
        """Whether a call may be recorded whose citizen has, or has not, heard the notice."""
        return self.record_calls and (noticed or not self.demand_notice)

    def expires_s(self, finished_s: float) -> float:
        """The Unix time from which a recording finished at `finished_s` must be gone."""
        return finished_s + self.keep_s
