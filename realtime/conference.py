"""What an agent does at the desk with a call and others: begin, consult, take in, leave to; set aside, and fetch."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from realtime.messages import Command, Name, Reason

ConferenceName = Literal["consult", "citizen", "together", "complete", "cancel"]
Dialled = Annotated[str, Meta(max_length=20, pattern=r"\A[0-9+*#]*\Z")]
Place = Annotated[str, Meta(min_length=1, max_length=2, pattern=r"\A[0-9]+\Z")]


class CallBegin(Command, frozen=True, tag="call.begin"):
    """Call a number of one's own accord: the agent's telephone rings first, and the contact is theirs at once.

    Refused: no_phone, no_slot, no_way_to_call, number_not_allowed, agent_bound, day_bound.
    """

    number: Annotated[Dialled, Meta(min_length=1)]


class CallConsult(Command, frozen=True, tag="call.consult"):
    """Call a third while the citizen waits: the agent `to`, somebody who is free in a `queue`, or a `number` outside.

    Refused: not_yours, no_call, third_there, one_destination, unknown_agent, agent_away, no_phone_there,
    unknown_queue, nobody_free, no_way_to_call, number_not_allowed, agent_bound, day_bound.
    """

    session: Name
    to: Reason = ""
    queue: Reason = ""
    number: Dialled = ""


class CallConfer(Command, frozen=True, tag="call.confer"):
    """Let others talk: agent and third (`consult`), agent and `citizen`, all `together`; leave the two to each other
    (`complete`), or let the third go (`cancel`).
    """

    session: Name
    what: ConferenceName


class CallPark(Command, frozen=True, tag="call.park"):
    """Set a call aside with music, at a place where any agent may fetch it. Refused: not_yours, no_call, no_place."""

    session: Name


class CallFetch(Command, frozen=True, tag="call.fetch"):
    """Fetch the call that is parked there: it is offered to who asks. Refused: nobody_parked, not_ready."""

    place: Place
