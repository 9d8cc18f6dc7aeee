"""What a bot is: an assignee that is a program. It sees its session's entries as they come, and acts by a few words.

A bot *drives* a session that it has accepted; it *accompanies* one that waits for a human, without taking its place.
In any other session it is neither, sees nothing, and may do nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from session import events as ev
from session.ids import AssigneeId
from session.ports import Entry, Place
from session.state import Session


class Part(StrEnum):
    """What a bot is to a session."""

    DRIVER = "driver"
    COMPANION = "companion"


@dataclass(frozen=True, slots=True)
class Say:
    """Write to the citizen. With `place`, this tells them their place in line, and the timeline says so."""

    text: str
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class HandOver:
    """Ask for a human in the citizen's name (转人工); the bot lets go by it."""


@dataclass(frozen=True, slots=True)
class Finish:
    """The contact is settled. Only a driver may."""


Act = Say | HandOver | Finish


@dataclass(frozen=True, slots=True)
class Memory:
    """What a bot may recall of a session: folded from its entries, so that every node recalls the same."""

    language: str = "zh"
    spoke_at: float | None = None
    """When this bot last wrote in this part of its."""
    words: int = 0
    """How often it wrote in this part of its."""
    told: ev.PlaceAnnounced | None = None
    """The place that the citizen was last told in this part."""


@dataclass(frozen=True, slots=True)
class View:
    """A session as a bot meets it."""

    part: Part
    session: Session
    memory: Memory
    now: float
    entry: Entry | None
    """What has just happened; None where only time has passed."""
    place: Place | None = None
    """Looked up only where time has passed, for a session that waits."""
    speaking: bool = False
    """Words of this bot's own are on their way into the log: it had better not say the same again."""


class Bot(Protocol):
    """An assignee of `AssigneeKind.BOT`."""

    name: AssigneeId
    queues: tuple[str, ...]
    """The bots' queues that it takes offers from."""

    async def meet(self, view: View) -> Sequence[Act]:
        """What it does now. Called for each entry of its sessions, and every few seconds."""
        ...
