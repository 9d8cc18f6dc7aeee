"""The timers of RFC 3261, table 4, as values."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Timer(StrEnum):
    """A timer's letter in RFC 3261, section 17, and RFC 6026; the others by what they are for."""

    A = "A"
    B = "B"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    H = "H"
    I = "I"  # noqa: E741 - the RFC's own letter
    J = "J"
    K = "K"
    L = "L"
    M = "M"
    PRACK = "prack"
    """A reliable provisional response is repeated (RFC 3262, section 3)."""
    PRACK_LOST = "prack lost"
    REFRESH = "refresh"
    """The session is to be refreshed by us (RFC 4028, section 10)."""
    EXPIRY = "expiry"


@dataclass(frozen=True, slots=True)
class Timing:
    """The base values, in seconds. Tests shorten them; nobody else should."""

    t1_s: float = 0.5
    t2_s: float = 4.0
    t4_s: float = 5.0

    @property
    def give_up_s(self) -> float:
        """64·T1: how long anything is repeated or remembered."""
        return 64 * self.t1_s


class Timers:
    """The running timers of one machine: letter to deadline, in seconds of the caller's clock."""

    __slots__ = ("_deadlines",)

    def __init__(self) -> None:
        self._deadlines: dict[Timer, float] = {}

    def set(self, timer: Timer, deadline: float) -> None:
        """Start or restart a timer."""
        self._deadlines[timer] = deadline

    def clear(self) -> None:
        """Stop all."""
        self._deadlines.clear()

    def stop(self, *timers: Timer) -> None:
        """Stop some."""
        for timer in timers:
            self._deadlines.pop(timer, None)

    @property
    def next_deadline(self) -> float | None:
        """When `due` will first have something to give."""
        return min(self._deadlines.values(), default=None)

    def due(self, now: float) -> list[Timer]:
        """Take out what has run down, in order."""
        fired = sorted((at, timer) for timer, at in self._deadlines.items() if at <= now)
        for _, timer in fired:
            del self._deadlines[timer]
        return [timer for _, timer in fired]
