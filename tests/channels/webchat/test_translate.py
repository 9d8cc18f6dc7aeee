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
    session = Session(SessionId("s1"), PAGE, "12345", 0.0, phase=Phase.ACTIVE, legs=(leg,))
    shown = standing(session, str, rated=False, answered=True, handed_on=False, page=PAGE)
    assert shown.rings == rings
