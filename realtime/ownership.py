"""Whose a contact is: frames by which a desk hands it on, and says whose the addresses of a citizen are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from realtime.messages import Command, Name, Reason, Remark


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactTransfer(Command):
    """Hand the contact on, with its wait: to the agent `to`, who is asked first, or to a line. `why` is for them.

    Refused as why_needed, one_destination, unknown_agent, agent_away, unknown_queue.
    """

    t: ClassVar[str] = "contact.transfer"
    session: Name
    to: Reason = ""
    queue: Reason = ""
    why: Remark = ""
