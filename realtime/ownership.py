"""Whose a contact is: frames by which a desk hands it on, and says whose the addresses of a citizen are."""

from __future__ import annotations

from realtime.messages import Command, Name, Reason, Remark


class ContactTransfer(Command, frozen=True, tag="contact.transfer"):
    """Hand the contact on, with its wait: to the agent `to`, who is asked first, or to a line. `why` is for them.

    Refused as why_needed, one_destination, unknown_agent, agent_away, unknown_queue.
    """

    session: Name
    to: Reason = ""
    queue: Reason = ""
    why: Remark = ""
