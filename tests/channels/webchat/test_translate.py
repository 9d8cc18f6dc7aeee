"""What a page is shown of where its matter stands."""

from dataclasses import replace

import pytest

from channels.webchat.translate import standing
from session.address import Address
from session.ids import LegId, NodeId, SessionId
from session.state import Leg, LegState, Medium, Party, Phase, Session

PAGE = Address("web", "v1")
CALL = Leg(LegId("dial-1"), "browser", Medium.VOICE, Party.CITIZEN, NodeId("n1"), PAGE, state=LegState.CALLING)


@pytest.mark.parametrize(
    ("leg", "rings"),
    [
        (CALL, "dial-1"),
        (replace(CALL, state=LegState.PLANNED), None),
        (replace(CALL, state=LegState.LIVE), None),
        (replace(CALL, state=LegState.ENDED), None),
        (replace(CALL, address=Address("web", "v2")), None),
        (replace(CALL, address=Address("tel", "+8613800138000")), None),
    ],
    ids=["it", "not yet", "it is taken", "it is over", "another", "their telephone"],
)
def test_a_page_rings_while_it_is_called_itself(leg: Leg, rings: str | None) -> None:
    assert shown_of(leg, CALL.id) == rings


@pytest.mark.parametrize("dialled", [None, LegId("dial-0")])
def test_it_does_not_ring_before_the_attempt_is_in_the_log(dialled: LegId | None) -> None:
    """Until then nobody is there who would put it through."""
    assert shown_of(CALL, dialled) is None


def shown_of(leg: Leg, dialled: LegId | None) -> str | None:
    session = Session(SessionId("s1"), PAGE, "12345", 0.0, phase=Phase.ACTIVE, legs=(leg,))
    return standing(session, str, rated=False, answered=True, handed_on=False, page=PAGE, dialled=dialled).rings
