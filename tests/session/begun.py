"""Calls that an agent begins of their own accord, as scripts of events. Part of `tests.session.stories`."""

from collections.abc import Mapping
from dataclasses import replace

from session import events as ev
from session.ids import NodeId
from session.state import HELD_NOWHERE, Demand, DialFailure, LegEnd
from tests.session.script import (
    AGENT_CALL,
    CITIZEN,
    NODE,
    OWN,
    RECORDING,
    WANG,
    chat,
    dialled,
    hangs_up,
    offer,
    telephone,
    timer,
)

OPENED_BY_AGENT = ev.SessionOpened(citizen=CITIZEN, number="12345", demand=Demand("general"), by=WANG)


def begins(node: NodeId = HELD_NOWHERE) -> ev.CallBegun:
    """From the desk; with `node` at their telephone."""
    return ev.CallBegun(by=WANG, leg=OWN, channel="phone", address=CITIZEN, token=1, node=node)


FROM_THE_DESK = (OPENED_BY_AGENT, begins())
AT_THE_TELEPHONE = (OPENED_BY_AGENT, begins(NODE))
CALLING = (*AT_THE_TELEPHONE, telephone(), ev.DialStarted(leg=OWN))
IN_VAIN = ev.DialFailed(leg=OWN, reason=DialFailure.BUSY)

BEGUN: Mapping[str, tuple[ev.Event, ...]] = {
    "an agent calls from the desk": (
        *FROM_THE_DESK,
        telephone(),
        ev.DialStarted(leg=OWN),
        dialled(OWN),
        ev.LegsJoined(citizen_leg=OWN, assignee_leg=AGENT_CALL),
        ev.RecordingStarted(leg=OWN, recording=RECORDING),
        chat(),
        hangs_up(OWN),
        ev.WrapFinished(by=WANG),
    ),
    "an agent dials, and nobody picks up": (*CALLING, IN_VAIN, hangs_up(AGENT_CALL, LegEnd.CLOSED), timer("wrap")),
    "an agent dials, and is lost while they talk": (
        *CALLING,
        dialled(OWN),
        hangs_up(AGENT_CALL, LegEnd.LOST),
        replace(offer(2), medium=dialled(OWN).leg.medium),
    ),
    "an agent does not pick up their own call": (*FROM_THE_DESK, timer("media")),
    "an agent dials, and their node dies": (*CALLING, replace(IN_VAIN, reason=DialFailure.UNKNOWN)),
}
