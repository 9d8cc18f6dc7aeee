"""Stories of pages that ring for the agent who writes with their citizen. Part of `tests.session.stories`."""

from collections.abc import Mapping

from session import events as ev
from session.ids import LegId
from session.state import DialFailure
from tests.session.script import (
    AGENT_CALL_2,
    ASKED,
    LI,
    OPENED_BY_CHAT,
    OTHER_NODE,
    WANG,
    accept,
    chat,
    dialled,
    hangs_up,
    no_room,
    offer,
    rings_page,
    room,
    telephone,
    wrote,
)

PAGES_RING: Mapping[str, tuple[ev.Event, ...]] = {
    "their page rings, in vain and then not": (
        OPENED_BY_CHAT,
        chat(),
        wrote(),
        offer(1),
        accept(1),
        rings_page(),
        room(1),
        telephone(),
        ev.DialStarted(leg=ASKED),
        ev.DialFailed(leg=ASKED, reason=DialFailure.NO_MICROPHONE),
        rings_page(leg=LegId("asked-2")),
        room(1),
        telephone(AGENT_CALL_2),
        ev.DialStarted(leg=LegId("asked-2")),
        dialled(LegId("asked-2"), OTHER_NODE),
        hangs_up(LegId("asked-2")),
        ev.ContactFinished(by=WANG),
    ),
    "their page is to ring, and the session is handed on": (
        OPENED_BY_CHAT,
        chat(),
        offer(1),
        accept(1),
        rings_page(),
        no_room(),
        ev.SessionTransferred(by=WANG, to=LI),
        offer(2, LI),
        accept(2, LI),
        ev.ContactFinished(by=LI),
    ),
}
