"""What stands in a caller's way, and the ways on that they are given then (分流): link, call back, voice message.

Which of them there are is the administration's choice, made when they call and kept with their leg; which key is which
never changes, since the announcements name it and people remember it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from session.audio import Announcement


class Obstacle(StrEnum):
    """Why nobody takes a call now."""

    CLOSED = "closed"
    """Outside the hours in which people answer (非工作时间)."""
    FULL = "full"
    """As many stand in that line as may (队列已满)."""
    LONG_WAIT = "long_wait"
    """They have stood in line for longer than anybody should have to (排队超时)."""
    TOO_OFTEN = "too_often"
    """This number calls over and over (频繁来电)."""


class Way(StrEnum):
    """How a caller may go on without a human on the line."""

    LINK = "link"
    """By text, from a link that is sent to them (短信链接)."""
    CALL_BACK = "call_back"
    """They are called (回拨)."""
    MESSAGE = "message"
    """They say it now, and an agent hears it later (语音留言)."""


KEYS: Mapping[str, Way] = {"1": Way.LINK, "2": Way.CALL_BACK, "3": Way.MESSAGE}

TOLD: Mapping[Obstacle, Announcement] = {
    Obstacle.CLOSED: Announcement("out_of_hours"),
    Obstacle.FULL: Announcement("line_full"),
    Obstacle.LONG_WAIT: Announcement("all_busy"),
    Obstacle.TOO_OFTEN: Announcement("too_often"),
}
"""What a caller hears of it."""


@dataclass(frozen=True, slots=True)
class Detour:
    """A caller is told what stands in the way, and offered these ways round it."""

    why: Obstacle
    ways: tuple[Way, ...] = ()
    owed: bool = False
    """Whoever chooses none is owed a call all the same."""
    opens_at: float | None = None
    """When people answer again, in seconds since 1970: nobody is called back before."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a session stands in a line before something is done about it: another line first, then ways out."""

    after_s: float
    queue: str = ""
    """Where it goes on waiting, with all that it has waited; empty for nowhere else."""
    ways: tuple[Way, ...] = ()
