"""What the queue decides about calls that the gateway makes: who has room for one, and who is owed one."""

from queueing.contract import NoRoom, Routing
from session import events as ev
from session.ids import AssigneeId, LegId, NodeId, SessionId
from session.ports import Verdict
from session.state import LegEnd, Medium, Phase
from tests.queueing.house import CHAT, NODE, VOICE, House, agent

A1 = AssigneeId("a1")


async def chatting(house: House, session: str) -> None:
    """The agent has that chat."""
    await house.waiting(session, CHAT, citizen=f"+8613800000{session[-3:]}")
    await house.talking(session, "a1")


async def said(house: House, session: str, kind: type[ev.Event]) -> list[ev.Event]:
    return [one.event for one in await house.store.log.read(SessionId(session)) if isinstance(one.event, kind)]


async def wants_call(house: House, session: str) -> None:
    snapshot = await house.store.log.open_session_of(SessionId(session))
    assert snapshot is not None
    leg = LegId(f"asked-{session}")
    await house.post(session, ev.CallRequested(by=None, leg=leg, channel="phone", address=snapshot.citizen))
    for _ in range(2):  # and what the queue answers
        await house.absorb(session)


async def charged(house: House) -> dict[str, Medium]:
    return {charge.session: charge.medium for charge in (await house.store.queue.view(A1)).charges}


async def test_a_chat_that_becomes_a_call_is_one_charge_of_a_call(house: House) -> None:
    await house.staff(agent("a1"))
    await chatting(house, "S001")
    await wants_call(house, "S001")
    assert await charged(house) == {"S001": VOICE}
    (granted,) = await said(house, "S001", ev.SlotGranted)
    assert isinstance(granted, ev.SlotGranted)
    assert (granted.assignee, granted.medium, granted.token) == ("a1", VOICE, 1)
    assert granted.lease_until > granted.at


async def test_a_second_call_has_to_wait_until_the_first_is_over(house: House) -> None:
    """Law 4: nobody has two calls, however they came."""
    await house.staff(agent("a1"))
    await chatting(house, "S001")
    await chatting(house, "S002")
    await wants_call(house, "S001")
    await wants_call(house, "S002")
    assert await charged(house) == {"S001": VOICE, "S002": CHAT}
    assert len(await said(house, "S002", ev.SlotRefused)) == 1
    await house.post("S001", ev.ContactFinished(by=A1))
    await house.post("S001", ev.WrapFinished(by=A1))
    await house.absorb("S001")
    await house.clock.pass_s(2)
    await house.store.queue.sweep()
    await house.absorb("S002")
    assert len(await said(house, "S002", ev.SlotGranted)) == 1, await house.events("S002")
    assert await charged(house) == {"S002": VOICE}


async def test_an_agent_without_a_telephone_has_no_room_for_a_call(house: House) -> None:
    await house.staff(agent("a1"))
    await chatting(house, "S001")
    await house.store.queue.reach(A1, "desk", frozenset({CHAT}), ttl_s=60)
    await wants_call(house, "S001")
    assert len(await said(house, "S001", ev.SlotRefused)) == 1


async def lost(house: House, session: str, citizen: str) -> None:
    """Their call went down with its node."""
    await house.open(session, VOICE, citizen=citizen)
    await house.absorb(session)
    await house.post(session, ev.LegClosed(leg=LegId(f"{session}-leg"), reason=LegEnd.NODE_LOST))
    await house.absorb(session)


async def test_a_promise_is_counted_until_it_is_kept_or_broken(house: House) -> None:
    assert (await house.store.queue.promises()).kept_rate is None
    for number in range(3):
        await lost(house, f"S00{number}", f"+861380000000{number}")
    promises = await house.store.queue.promises()
    assert (promises.owed, promises.overdue) == (3, 0)
    assert promises.next_due_at is not None
    again, fresh = await house.open("S009", VOICE, citizen="+8613800000000")
    assert (again, fresh) == ("S000", False), "two calls of one number are one matter and one debt"
    await house.absorb("S000")
    promises = await house.store.queue.promises()
    assert (promises.owed, promises.returned, promises.kept_rate) == (2, 1, 1.0)
    await house.clock.pass_s(24 * 3600 + 1)
    assert (await house.store.queue.promises()).overdue == 2
    await house.store.queue.sweep()
    await house.absorb("S001")
    await house.absorb("S002")
    promises = await house.store.queue.promises()
    assert (promises.owed, promises.unreached) == (0, 2)
    assert promises.kept_rate == 1 / 3


async def test_two_calls_at_once_of_one_number_become_one_debt(house: House) -> None:
    for session in ("S001", "S002"):
        await house.open(session, VOICE, citizen="+8613800000000", node=NODE)
        await house.absorb(session)
    for session in ("S001", "S002"):
        await house.post(session, ev.LegClosed(leg=LegId(f"{session}-leg"), reason=LegEnd.NODE_LOST))
        await house.absorb(session)
    (merged,) = await said(house, "S002", ev.DebtMerged)
    assert isinstance(merged, ev.DebtMerged)
    assert merged.into == "S001"
    await house.absorb("S002")
    assert (await house.store.queue.promises()).owed == 1


async def test_an_agent_begins_a_call_and_is_charged_for_it_at_once(house: House) -> None:
    """Without an offer, and in one step: there is no moment at which it is written and not theirs."""
    await house.staff(agent("a1"))
    assert await house.begin("S001", "a1") == "S001"
    assert await charged(house) == {"S001": VOICE}
    assert (await house.store.queue.view(A1)).routing is Routing.ENGAGED
    assert await house.events("S001") == ["SessionOpened", "CallBegun"]
    await house.absorb("S001")
    assert (await house.store.queue.accept(SessionId("S001"), A1, 1)) is Verdict.ALREADY_YOURS, "it may be rung for"
    assert not (await house.store.queue.accept(SessionId("S001"), AssigneeId("a2"), 1)).granted
    assert await house.begin("S001", "a1") == "S001", "the same once more"
    assert await house.begin("S002", "a1") is NoRoom.NO_SLOT
    assert await house.events("S002") == [], "nothing of it is written"
    await house.waiting("S003", VOICE, citizen="+8613800000003")
    assert await house.store.queue.match() == 0, "nobody is offered to who calls"
    await house.post("S001", ev.ContactFinished(by=A1))
    await house.post("S001", ev.WrapFinished(by=A1))
    await house.absorb("S001")
    assert await house.store.queue.match() == 1


async def test_who_has_no_telephone_and_who_is_unknown_begins_none(house: House) -> None:
    await house.staff(agent("a1"))
    await house.store.queue.reach(A1, "desk", frozenset({CHAT}), ttl_s=60)
    assert await house.begin("S001", "a1") is NoRoom.NO_PHONE
    assert await house.begin("S001", "nobody") is NoRoom.UNKNOWN


async def test_of_an_offer_and_a_call_of_ones_own_there_is_one(house: House) -> None:
    """Law 4, whichever came first."""
    await house.staff(agent("a1"))
    await house.waiting("S001", VOICE)
    assert await house.store.queue.match() == 1
    assert await house.begin("S002", "a1") is NoRoom.NO_SLOT
    assert await charged(house) == {"S001": VOICE}


async def test_a_call_of_ones_own_outlives_its_node(house: House) -> None:
    """Written and charged before anybody has answered for it: another node takes it on."""
    await house.store.mailboxes.beat(NODE, ttl_s=5)
    await house.staff(agent("a1"))
    await house.begin("S001", "a1")
    heir = NodeId("n2")
    for _ in range(2):
        await house.clock.pass_s(3)
        await house.store.mailboxes.beat(heir, ttl_s=5)
    assert ("S001", NODE) in await house.store.mailboxes.orphans()
    await house.absorb("S001", heir)
    session = await house.store.log.open_session_of(SessionId("S001"))
    assert session is not None
    assert (session.phase, session.assignee) == (Phase.ACTIVE, "a1")
