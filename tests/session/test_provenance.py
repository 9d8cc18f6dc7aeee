"""By which address each thing came."""

import pytest

from session import events as ev
from session.address import Address
from session.ids import LegId, SessionId
from session.ports import Entry
from session.provenance import came_by, traced
from session.state import Leg, Medium, Party
from tests.session import script
from tests.session.script import CITIZEN, NODE, VISITOR
from tests.session.stories import STORIES, stamped


def entries(story: tuple[ev.Event, ...]) -> list[Entry]:
    return [Entry(SessionId("S1"), number, event) for number, event in enumerate(stamped(story), 1)]


@pytest.mark.parametrize("name", STORIES)
def test_nothing_is_without_an_address_and_what_names_a_leg_has_one(name: str) -> None:
    whole = entries(STORIES[name])
    everybody = {address for _, whose in traced(whole) for address in whose}
    assert came_by(whole, everybody) == whole
    assert everybody <= {CITIZEN, VISITOR}
    for entry, whose in traced(whole):
        assert whose
        if isinstance(entry.event, ev.TextReceived | ev.FileReceived | ev.LegAway):
            assert len(whose) == 1


def test_two_who_were_taken_for_one_get_back_what_was_theirs() -> None:
    thread = LegId("thread")
    story = (
        script.OPENED_BY_CHAT,
        script.chat(),
        script.wrote("路灯坏了", "m1"),
        ev.LegOpened(leg=Leg(thread, "sms", Medium.MESSAGE, Party.CITIZEN, NODE, CITIZEN)),
        script.wrote("我要查社保", "m2", thread),
        script.offer(1),
        script.accept(1),
        script.said("请稍等", "m3"),
        script.hangs_up(script.CHAT),
        script.said("社保已查到", "m4"),
        script.hangs_up(thread),
        ev.NoteAdded(by=script.WANG, text="认错人，两位市民"),
    )
    whole = entries(story)

    def texts(*addresses: Address) -> list[str]:
        return [getattr(one.event, "text", "") for one in came_by(whole, addresses) if hasattr(one.event, "text")]

    assert texts(VISITOR) == ["路灯坏了", "请稍等", "认错人，两位市民"]
    assert texts(CITIZEN) == ["我要查社保", "请稍等", "社保已查到", "认错人，两位市民"]
    assert came_by(whole, (VISITOR, CITIZEN)) == whole
