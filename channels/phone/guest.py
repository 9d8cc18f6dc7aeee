"""Whoever is called to a running call beside citizen and agent, and how their telephone is followed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from channels.phone.outgoing import OutgoingCall
from channels.phone.ringing import NoAnswer
from session.audio import Slot
from session.events import Event
from session.ids import AssigneeId, LegId
from session.state import LegEnd, Mark, Party


@dataclass(eq=False)
class Guest:
    """A telephone that was picked up. Its slot changes where it comes to be the agent's."""

    assignee: AssigneeId
    leg: LegId
    call: OutgoingCall
    slot: Slot


class Host(Protocol):
    """The citizen's call that guests come to."""

    async def call_in(self, assignee: AssigneeId, slot: Slot, party: Party) -> Guest | NoAnswer | None:
        """Call somebody's telephones, and tell of their leg once one is picked up; None when nobody did in time."""
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
