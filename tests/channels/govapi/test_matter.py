"""A session as one client sees it: its own door, and no more."""

import itertools
from collections.abc import Callable

import pytest

from channels.govapi.matter import Matter
from channels.govapi.messages import MessageEvent, StateEvent
from session import events as ev
from session.address import Address
from session.ids import AssigneeId, FileId, LegId, MessageId, NodeId, SessionId
from session.ports import Entry
from session.state import AssigneeKind, Demand, Leg, LegEnd, Medium, Party

SESSION, AGENT = SessionId("01HZZZZZZZZZZZZZZZZZZZZZZZ"), AssigneeId("8001")
OURS, THEIRS = LegId("gov-1"), LegId("call-1")

Tell = Callable[..., None]


@pytest.fixture
def matter() -> Matter:
    return Matter(SESSION, "govapi", "city-app", lambda assignee: f"工号{assignee}")


@pytest.fixture
def tell(matter: Matter) -> Tell:
    versions = itertools.count(1)

    def take(*events: ev.Event) -> None:
        for event in events:
            matter.hear(Entry(SESSION, next(versions), event))

    return take


def _opened(by: str = "city-app") -> list[ev.Event]:
    """A user has come by the API, and an agent has them."""
    address = Address("gov", "u1", by)
    leg = Leg(OURS, "govapi", Medium.MESSAGE, Party.CITIZEN, NodeId("n"), address)
    return [
        ev.SessionOpened(citizen=address, number="12345", demand=Demand("general")),
        ev.LegOpened(leg=leg),
        ev.TextReceived(leg=OURS, message=MessageId("m1"), text="路灯坏了"),
        ev.OfferMade(token=1, assignee=AGENT, kind=AssigneeKind.AGENT, medium=Medium.MESSAGE, lease_until=9e9),
        ev.OfferAccepted(token=1, assignee=AGENT, kind=AssigneeKind.AGENT),
    ]


def _sent(message: str, text: str) -> ev.TextSent:
    return ev.TextSent(by=AGENT, kind=AssigneeKind.AGENT, message=MessageId(message), text=text)


def _texts(matter: Matter) -> list[str | None]:
    return [one.message.text for one in matter.events if isinstance(one, MessageEvent)]


def test_what_is_not_for_its_eyes_is_not_among_its_events(matter: Matter, tell: Tell) -> None:
    call = Leg(THEIRS, "phone", Medium.VOICE, Party.CITIZEN, NodeId("n"), Address("tel", "+8613800138000"))
    tell(*_opened(), ev.LegOpened(leg=call), ev.DigitPressed(leg=THEIRS, digit="1"))
    tell(ev.NoteAdded(by=AGENT, text="难缠"), ev.TextReceived(leg=THEIRS, message=MessageId("m2"), text="别处说的"))
    tell(_sent("m3", "在哪条路？"))
    assert _texts(matter) == ["路灯坏了", "在哪条路？"]
    shown = str(matter.events)
    for hidden in ("难缠", "别处说的", "+8613800138000", "phone"):
        assert hidden not in shown
    assert matter.assignee is not None
    assert matter.assignee.name == "工号8001"


def test_another_clients_session_is_nothing_to_it(matter: Matter, tell: Tell) -> None:
    tell(*_opened("other-app"), _sent("m3", "在哪条路？"))
    assert not matter.is_known
    assert matter.events == []


def test_where_the_user_has_left_it_is_over_though_the_call_goes_on(matter: Matter, tell: Tell) -> None:
    call = Leg(THEIRS, "phone", Medium.VOICE, Party.CITIZEN, NodeId("n"), Address("tel", "+8613800138000"))
    tell(*_opened(), ev.LegOpened(leg=call), ev.LegClosed(leg=OURS, reason=LegEnd.HANGUP), _sent("m3", "电话里说"))
    assert (matter.phase, matter.legs, matter.may_be_rated) == ("ended", (), False)
    assert _texts(matter) == ["路灯坏了"]


def test_its_states_and_its_rating(matter: Matter, tell: Tell) -> None:
    tell(*_opened(), ev.ContactFinished(by=AGENT))
    states = [(one.phase, one.may_rate) for one in matter.events if isinstance(one, StateEvent)]
    assert states == [("waiting", False), ("talking", False), ("ended", True)]
    tell(ev.RatingGiven(score=5))
    last = matter.events[-1]
    assert isinstance(last, StateEvent)
    assert (last.may_rate, matter.may_be_rated, matter.is_rated) == (False, True, True)


def test_pages_never_part_the_events_of_one_entry(matter: Matter, tell: Tell) -> None:
    file = ev.FileReceived(
        leg=OURS, message=MessageId("m9"), file=FileId("f"), name="a.png", content_type="image/png", size_bytes=1
    )
    tell(*_opened(), file)
    seen: list[object] = []
    cursor = 0
    while page := matter.after(cursor, 1):
        seen += page
        cursor = page[-1].cursor
    assert seen == matter.events
    assert matter.has_file("f")
    assert not matter.has_file("g")
