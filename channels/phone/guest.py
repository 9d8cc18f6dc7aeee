"""Whoever is called to a running call beside citizen and agent, and how their telephone is followed."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from channels.phone.call import Call
from session.audio import Slot
from session.events import Event
from session.ids import AssigneeId, LegId
from session.ports import Contact
from session.state import LegEnd, Mark, Party


@dataclass(eq=False)
class Guest:
    """A telephone that was picked up. Its slot changes where it comes to be the agent's."""

    assignee: AssigneeId | None
    """None for who is none of ours: a number outside."""
    leg: LegId
    call: Call
    slot: Slot
    carried: ExitStack = field(default_factory=ExitStack)
    """The room that they take in a trunk, where they are from outside."""


class Host(Protocol):
    """The citizen's call that guests come to."""

    contact: Contact

    def introduce(self, guest: Guest, party: Party) -> None:
        """Tell of a guest's leg."""
        ...

    async def attend(self, guest: Guest) -> LegEnd:
        """Follow a guest's telephone until its call is over."""
        ...

    async def see_off(self, guest: Guest, reason: LegEnd) -> None:
        """Let go of a guest who is not the agent, and tell of it."""
        ...

    async def put_in_charge(self, guest: Guest) -> None:
        """Make a guest the call's agent, in place of the one it has, who is let go."""
        ...

    async def let_agent_go(self) -> None:
        """Let the agent go, while the call goes on without one."""
        ...

    async def hang_up_citizen(self) -> None:
        """End the citizen's call: nobody is left for them."""
        ...

    async def ring_back(self) -> None:
        """Let the agent hear that somebody's telephone rings."""
        ...

    async def agent_left(self, guest: Guest, reason: LegEnd) -> None:
        """Tell that a guest who came to be the agent has gone."""
        ...

    async def sound(self) -> None:
        """Let everybody hear whom they are to hear, by who is there now."""
        ...

    def tell(self, event: Event, dedupe: str | None = None) -> None:
        """Bring an event to the core."""
        ...

    def mark(self, mark: Mark) -> None:
        """Remember this moment in the recording."""
        ...
