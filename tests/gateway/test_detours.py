"""What stands in a caller's way, by the rules in force when they call."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import datetime

import pytest

from gateway import detours as module
from gateway.detours import Detours
from queueing.contract import QueueView
from rulebook.hours import CITY, BusinessHours
from rulebook.routing import LAST_RESORT, Named, Routing, RoutingRule
from rulebook.ways import Bound, Instead, Often, WaysOn
from session.address import Address
from session.events import LegClosed
from session.ids import LegId
from session.ports import Contact, StoreUnavailable
from session.state import LegEnd, Medium
from session.ways import Detour, Obstacle, Patience, Way
from tests.conftest import Eventually
from tests.gateway.town import CALLS, CHATS, Device, Telephone

NIGHT = datetime(2026, 9, 7, 22, 0, tzinfo=CITY).timestamp()
MORNING = datetime(2026, 9, 8, 8, 30, tzinfo=CITY).timestamp()
NOON = datetime(2026, 9, 8, 12, 0, tzinfo=CITY).timestamp()
OFFICE = BusinessHours.parse(["mon-fri 08:30-18:00"])
CALL = Contact(LegId("call"), CALLS, Medium.VOICE, Address("tel", "+8613800138000"), "12345", asserted=True)
CHAT = replace(CALL, leg=LegId("chat"), channel=CHATS, medium=Medium.CHAT, address=Address("web", "v1"))
ROUTING = Routing(queues=(Named(name=LAST_RESORT, title="综合"), Named(name="night", title="夜班")))
WATCHED = replace(CALL, number="110")


@dataclass
class Door:
    """A node's judgement, with lines and rules as a test wants them."""

    ways: WaysOn = field(default_factory=WaysOn)
    routing: Routing = ROUTING
    waiting: dict[str, int] = field(default_factory=dict)
    is_away: bool = False

    def __post_init__(self) -> None:
        channels = {CALLS: Telephone(CALLS, Medium.VOICE), CHATS: Device(CHATS, Medium.CHAT)}
        self.records = Detours(lambda: self.ways, lambda: OFFICE, self.lines, channels, records=True)
        self.mute = Detours(lambda: self.ways, lambda: OFFICE, self.lines, channels, records=False)

    async def lines(self) -> list[QueueView]:
        if self.is_away:
            raise StoreUnavailable("queues")
        return [QueueView(name, count, 0.0, 0) for name, count in self.waiting.items()]

    def judge(self, contact: Contact, at: float = NOON) -> tuple[Detour | None, Patience | None]:
        route = self.routing.route(contact, at, closed=not OFFICE.open_at(at))
        return self.records.judge(contact, route, at)


def test_in_hours_nothing_stands_in_the_way() -> None:
    assert Door().judge(CALL) == (None, None)


def test_out_of_hours_a_call_is_shown_the_ways_until_people_are_there() -> None:
    door = Door(WaysOn(closed=Instead(ways=(Way.CALL_BACK, Way.MESSAGE), owed=True)))
    expected = Detour(Obstacle.CLOSED, (Way.CALL_BACK, Way.MESSAGE), owed=True, opens_at=MORNING)
    assert door.judge(CALL, NIGHT) == (expected, None)
    assert door.judge(CHAT, NIGHT) == (None, None), "a chat meets the guide"
    route = door.routing.route(CALL, NIGHT, closed=True)
    silent, _ = door.mute.judge(CALL, route, NIGHT)
    assert silent is not None
    assert silent.ways == (Way.CALL_BACK,), "nobody can leave a message where nothing is recorded"


def test_where_a_rule_is_for_the_night_somebody_is_there() -> None:
    rules = (RoutingRule(queue="night", medium=Medium.VOICE, number="110", closed=True),)
    door = Door(routing=Routing(queues=ROUTING.queues, rules=rules))
    assert door.judge(WATCHED, NIGHT) == (None, None)
    assert door.judge(CALL, NIGHT)[0] is not None


def test_who_would_write_is_told_that_nobody_reads_it_now() -> None:
    """Also where a rule leads them to the guide by night: that is nobody. A line of people by night is somebody."""
    rules = (
        RoutingRule(queue=LAST_RESORT, medium=Medium.CHAT, number="110", closed=True, bot_queue="bots"),
        RoutingRule(queue="night", medium=Medium.CHAT, number="119", closed=True),
    )
    door = Door(WaysOn(queues=(Bound(queue=LAST_RESORT, longest=1),)), Routing(queues=ROUTING.queues, rules=rules))

    def told(number: str, at: float) -> tuple[Obstacle, float | None] | None:
        contact = replace(CHAT, number=number)
        route = door.routing.route(contact, at, closed=not OFFICE.open_at(at))
        detour = door.records.nobody_reads(route, at)
        return None if detour is None else (detour.why, detour.opens_at)

    assert told("12345", NOON) is None
    assert told("12345", NIGHT) == told("110", NIGHT) == (Obstacle.CLOSED, MORNING)
    assert told("119", NIGHT) is None
    door.judge(CALL)
    assert told("12345", NOON) == (Obstacle.FULL, None), "one call stands in it, and it has no more room"


def test_a_call_that_is_over_already_is_only_noted() -> None:
    first = LegClosed(leg=CALL.leg, reason=LegEnd.NODE_LOST)
    assert Door().judge(replace(CALL, first=first), NIGHT) == (None, None)


async def test_a_line_is_full_and_whoever_came_since_the_last_look_counts(
    monkeypatch: pytest.MonkeyPatch, eventually: Eventually
) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    door = Door(WaysOn(queues=(Bound(queue=LAST_RESORT, longest=2),)), waiting={LAST_RESORT: 0})
    for number in range(2):
        assert door.judge(replace(CALL, address=Address("tel", f"+861380013800{number}"))) == (None, None)
    full = Detour(Obstacle.FULL, tuple(Way), owed=True)
    assert door.judge(CALL) == (full, None)
    looking = asyncio.create_task(door.records.run())
    try:
        await eventually(lambda: door.judge(CALL)[0] is None, deadline_s=15)
        door.waiting = {LAST_RESORT: 2}
        await eventually(lambda: door.judge(CALL)[0] == full, deadline_s=15)
        door.is_away = True
        await asyncio.sleep(0.05)
        assert door.judge(CALL)[0] == full
        assert not looking.done()
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


def test_one_number_that_calls_over_and_over_is_told_so_and_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(module, "monotonic", lambda: now)
    door = Door(WaysOn(often=Often(calls=3, within_s=60, ways=(Way.LINK,))))
    seen = [door.judge(CALL)[0] for _ in range(5)]
    flood = Detour(Obstacle.TOO_OFTEN, (Way.LINK,))
    assert seen == [None, None, None, flood, flood]
    assert door.judge(replace(CALL, address=Address("tel", "+8613900139000")))[0] is None
    hidden, claimed = replace(CALL, address=Address("anonymous", "call-1")), replace(CALL, asserted=False)
    for nobody in (hidden, claimed):
        assert [door.judge(nobody)[0] for _ in range(5)] == [None] * 5
    now += 20.0
    assert [door.judge(CALL)[0] for _ in range(2)] == [None, flood]
    door.ways = WaysOn(often=Often(calls=0))
    assert door.judge(CALL)[0] is None


def test_the_table_of_callers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_NUMBERS", 2)
    door = Door(WaysOn(often=Often(calls=1)))
    numbers = [replace(CALL, address=Address("tel", f"+861380013800{one}")) for one in range(3)]
    assert [door.judge(one)[0] for one in numbers] == [None] * 3
    assert door.judge(numbers[0])[0] is None, "the oldest is forgotten"
    assert door.judge(numbers[2])[0] is not None


def test_patience_is_for_all_who_stand_in_line() -> None:
    bound = Bound(queue=LAST_RESORT, patience_s=300, overflow="night", ways=tuple(Way))
    door = Door(WaysOn(queues=(bound,)))
    patience = Patience(300.0, "night", tuple(Way))
    assert door.judge(CALL) == door.judge(CHAT) == (None, patience)
    route = door.routing.route(CALL, NOON)
    assert door.mute.judge(CALL, route, NOON)[1] == replace(patience, ways=(Way.LINK, Way.CALL_BACK))
    assert door.judge(replace(CHAT, medium=Medium.MESSAGE)) == (None, None)
