"""Who takes what, over both stores."""

import pytest

from queueing.contract import Charge, Presence, Routing, Swept
from queueing.errors import TooLarge, UnfitName, UnknownAssignee
from session import events as ev
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.ports import Verdict
from session.state import AssigneeKind, Demand, LegEnd, Phase, Skill
from tests.queueing.house import CHAT, MESSAGE, VOICE, House, agent

S1, S2 = SessionId("S1"), SessionId("S2")


async def routing(house: House, who: str) -> Routing:
    return (await house.store.queue.view(AssigneeId(who))).routing


async def hang_up(house: House, session: str = "S1") -> None:
    await house.post(session, ev.LegClosed(leg=LegId(f"{session}-leg"), reason=LegEnd.HANGUP))


# --- offers ------------------------------------------------------------------------------------------------------


async def test_a_session_and_a_ready_agent_meet(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.waiting("S1", VOICE)
    assert await house.store.queue.match() == 1
    assert await house.store.queue.match() == 0
    made = (await house.store.log.read(S1))[-1].event
    assert isinstance(made, ev.OfferMade)
    assert (made.token, made.assignee, made.medium, made.lease_until - made.at) == (1, who, VOICE, 20)
    assert await routing(house, "a1") is Routing.OFFERED
    await house.absorb("S1")
    assert await house.store.queue.accept(S1, who, 1) is Verdict.ACCEPTED
    assert await house.store.queue.accept(S1, who, 1) is Verdict.ALREADY_YOURS
    view = await house.store.queue.view(who)
    assert (view.routing, view.charges) == (Routing.ENGAGED, (Charge(S1, VOICE, "engaged"),))
    assert await house.absorb("S1") == (Phase.ACTIVE, 4)
    assert await house.store.queue.place(S1) is None


async def test_only_the_one_asked_may_accept_and_only_this_offer(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.waiting("S1")
    await house.store.queue.match()
    await house.absorb("S1")
    assert await house.store.queue.accept(S1, AssigneeId("a2"), 1) is Verdict.NOT_OFFERED
    assert await house.store.queue.accept(S1, who, 2) is Verdict.NOT_OFFERED
    assert await house.store.queue.accept(SessionId("never"), who, 1) is Verdict.NOT_OFFERED
    assert await house.store.queue.decline(S1, who, 1, "desk")
    assert await house.store.queue.accept(S1, who, 1) is Verdict.EXPIRED
    await house.clock.pass_s(6)
    await house.store.queue.sweep()
    await house.absorb("S1")
    assert await house.store.queue.accept(S1, who, 1) is Verdict.EXPIRED
    assert await house.store.queue.accept(S1, who, 2) is Verdict.ACCEPTED
    assert await house.store.queue.accept(S1, who, 1) is Verdict.TAKEN
    assert await house.store.queue.accept(S1, AssigneeId("a2"), 2) is Verdict.TAKEN


async def test_nobody_answers_in_time(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.staff(agent("a2"))
    await house.waiting("S1")
    await house.store.queue.match()
    await house.clock.pass_s(20)
    assert await house.store.queue.accept(S1, who, 1) is Verdict.EXPIRED, "even before anybody swept"
    assert await house.store.queue.sweep() == Swept(expired=1, matched=1)
    assert await house.offered("S1") == ("a2", 2)
    assert await routing(house, "a1") is Routing.NOT_RESPONDING
    await house.store.queue.reach(who, "desk", frozenset({CHAT}), ttl_s=60)
    assert await routing(house, "a1") is Routing.NOT_RESPONDING, "a page reloaded by itself is no act of theirs"
    await house.store.queue.present(who, Presence.READY)
    assert await routing(house, "a1") is Routing.READY


async def handed_on(house: House, to: AssigneeId | None = None, demand: Demand | None = None) -> None:
    """a1, who has idled longest and has S1, hands it on."""
    await house.staff(agent("a1"))
    await house.clock.pass_s(30)
    await house.waiting("S1")
    await house.clock.pass_s(10)
    await house.talking("S1", "a1")
    for who in ("a2", "a3"):
        await house.staff(agent(who, queues=("q", "r")))
        await house.clock.pass_s(1)
    await house.post("S1", ev.SessionTransferred(by=AssigneeId("a1"), to=to, demand=demand))
    await house.absorb("S1")
    await house.store.queue.match()


async def test_who_a_session_is_handed_to_is_asked_first(house: House) -> None:
    await handed_on(house, to=AssigneeId("a3"))
    assert await house.offered("S1") == ("a3", 2)
    assert await house.store.queue.decline(S1, AssigneeId("a3"), 2, "desk")
    await house.store.queue.match()
    assert await house.offered("S1") == ("a2", 3), "back in line, and not to who handed it on"


async def test_who_handed_a_session_on_is_not_asked_again_while_another_is_free(house: House) -> None:
    first = await house.staff(agent("a1"))
    await house.waiting("S1")
    await house.talking("S1", first)
    await house.post("S1", ev.SessionTransferred(by=first))
    await house.absorb("S1")
    await house.clock.pass_s(30)
    await house.staff(agent("a2"))
    await house.store.queue.match()
    assert await house.offered("S1") == ("a2", 2), "though a1 has idled longer"


async def test_a_session_that_is_handed_on_keeps_its_wait(house: House) -> None:
    await handed_on(house, demand=Demand("r"))
    assert await house.offered("S1") == ("a2", 2)
    view = {one.queue: one for one in await house.store.queue.queues()}["r"]
    assert (view.waiting, round(view.longest_wait_s)) == (1, 10)


async def test_a_call_that_dropped_in_line_is_offered_to_nobody_and_keeps_its_place(house: House) -> None:
    await house.waiting("S1", VOICE, citizen="+861")
    await house.clock.pass_s(5)
    await house.waiting("S2", VOICE)
    await hang_up(house)
    await house.absorb("S1")
    who = await house.staff(agent("a1"))
    assert await house.store.queue.match() == 1
    assert await house.offered("S2") == (who, 1), "the first in line is not there"
    place = await house.store.queue.place(S1)
    assert place is not None
    assert (place.position, place.waiting) == (1, 2)
    await house.store.queue.decline(S2, who, 1, "desk")
    found = await house.open("S3", VOICE, citizen="+861", leg="again")
    assert found == ("S1", False), "who dials again is found"
    await house.absorb("S1")
    await house.clock.pass_s(6)
    await house.store.queue.sweep()
    assert await house.offered("S1") == (who, 1), "and is the first again"


async def test_an_offer_ends_when_the_call_drops(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.waiting("S1", VOICE)
    await house.store.queue.match()
    await house.absorb("S1")
    await hang_up(house)
    assert await house.store.queue.accept(S1, who, 1) is Verdict.CITIZEN_GONE
    await house.absorb("S1")
    assert (await house.events("S1"))[-1] == "OfferCancelled"
    assert await routing(house, "a1") is Routing.READY
    assert await house.store.queue.match() == 0


async def test_a_decline_is_remembered_while_another_is_free(house: House) -> None:
    first = await house.staff(agent("a1"))
    await house.clock.pass_s(1)
    await house.staff(agent("a2"))
    await house.waiting("S1")
    await house.store.queue.match()
    assert await house.offered("S1") == ("a1", 1)
    await house.waiting("S2", VOICE)
    await house.talking("S2", AssigneeId("a2"))
    assert await house.store.queue.decline(S1, first, 1, "desk")
    assert await house.store.queue.decline(S1, first, 1, "desk"), "the reply may have been lost"
    await house.clock.pass_s(6)
    await house.post("S2", ev.ContactFinished(by=AssigneeId("a2")))
    await house.absorb("S2")
    await house.post("S2", ev.WrapFinished(by=AssigneeId("a2")))
    await house.absorb("S2")
    await house.store.queue.sweep()
    assert await house.offered("S1") == ("a2", 2), "though a1 has idled longer, and is no longer left alone"
    assert await house.store.queue.decline(S1, AssigneeId("a2"), 2, "desk")
    await house.store.queue.match()
    assert await house.offered("S1") == ("a1", 3), "nobody else is free"


async def test_who_declined_is_left_alone_for_a_while(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.waiting("S1")
    await house.store.queue.match()
    await house.store.queue.decline(S1, who, 1, "desk")
    await house.waiting("S2")
    assert await house.store.queue.match() == 0
    await house.clock.pass_s(5)
    assert (await house.store.queue.sweep()).matched == 2


async def test_a_requeued_session_keeps_its_place(house: House) -> None:
    who = await house.staff(agent("a1", chat=1))
    await house.waiting("S1")
    await house.clock.pass_s(3)
    await house.waiting("S2")
    await house.store.queue.match()
    assert await house.offered("S1") == (who, 1)
    place = await house.store.queue.place(S1)
    assert place is not None
    assert (place.position, place.waiting) == (1, 2)
    await house.clock.pass_s(1)
    await house.store.queue.decline(S1, who, 1, "desk")
    place = await house.store.queue.place(S1)
    assert place is not None
    assert place.position == 1
    await house.clock.pass_s(6)
    await house.store.queue.sweep()
    assert await house.offered("S1") == (who, 2)


async def test_a_session_that_comes_back_has_waited_all_it_has_waited(house: House) -> None:
    who = await house.staff(agent("a1", voice=1, chat=1))
    await house.waiting("S1")
    await house.clock.pass_s(30)
    await house.talking("S1", who)
    await house.clock.pass_s(5)
    await house.waiting("S2")
    await house.clock.pass_s(20)
    await house.store.queue.reach(who, "desk", frozenset(), ttl_s=0)
    await house.post("S1", ev.AssigneeAway(assignee=who))
    await house.absorb("S1")
    await house.clock.pass_s(60)
    await house.store.queue.sweep()
    await house.absorb("S1")
    assert await house.phase("S1") is Phase.QUEUED
    places = [await house.store.queue.place(one) for one in (S1, S2)]
    assert [place.position for place in places if place] == [2, 1], "30 s of waiting against 80"
    await house.clock.pass_s(1000)
    place = await house.store.queue.place(S1)
    assert place is not None
    assert place.position == 2, "they age alike, so they never change places"


async def test_priority_is_seconds_of_head_start(house: House) -> None:
    await house.waiting("S1")
    await house.clock.pass_s(10)
    await house.waiting("S2", priority=11)
    await house.waiting("S3", priority=9)
    order = {one: await house.store.queue.place(SessionId(one)) for one in ("S1", "S2", "S3")}
    assert {one: place and place.position for one, place in order.items()} == {"S2": 1, "S1": 2, "S3": 3}


async def test_the_citizen_who_leaves_cancels_the_offer(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.waiting("S1")
    await house.store.queue.match()
    await hang_up(house)
    assert await house.store.queue.accept(S1, who, 1) is Verdict.CITIZEN_GONE, "before it is absorbed"
    await house.absorb("S1")
    assert await house.store.queue.accept(S1, who, 1) is Verdict.CITIZEN_GONE
    assert (await house.events("S1"))[-2:] == ["LegClosed", "OfferCancelled"]
    assert await routing(house, "a1") is Routing.READY
    assert await house.store.mailboxes.unabsorbed(NodeId("n1")) == []


async def test_no_offer_while_the_citizens_act_is_not_absorbed(house: House) -> None:
    await house.waiting("S1")
    await hang_up(house)
    await house.staff(agent("a1"))
    assert await house.store.queue.match() == 0
    await house.open("S3")
    assert await house.store.queue.match() == 0
    assert await house.absorb("S1") == (Phase.CLOSED, 3)
    assert await house.store.queue.match() == 0


async def test_an_accept_waits_for_what_does_not_stand_against_it(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.waiting("S1")
    await house.store.queue.match()
    await house.absorb("S1")
    await house.open("S9", MESSAGE, citizen="+86S1")
    assert await house.store.queue.accept(S1, who, 1) is Verdict.EXPIRED, "nobody absorbed the new leg in time"
    await house.absorb("S1")
    assert await house.store.queue.accept(S1, who, 1) is Verdict.ACCEPTED


async def test_the_assignee_it_had_comes_first_while_free_and_nobody_waits_for_them(house: House) -> None:
    a1 = await house.staff(agent("a1", chat=1))
    await house.waiting("S1")
    await house.talking("S1", a1)
    await house.staff(agent("a2", chat=1))
    await house.post("S1", ev.SessionParked(by=a1))
    await house.absorb("S1")
    await house.post("S1", ev.TextReceived(leg=LegId("S1-leg"), message=MessageId("m"), text="又来了"))
    await house.absorb("S1")
    await house.store.queue.match()
    assert await house.offered("S1") == ("a1", 2), "though a2 has idled longer"
    await house.store.queue.decline(S1, a1, 2, "desk")
    await house.store.queue.match()
    assert await house.offered("S1") == ("a2", 3)


# --- assignees ---------------------------------------------------------------------------------------------------


async def test_skills_must_suffice_and_more_of_them_comes_first(house: House) -> None:
    await house.staff(agent("a1"))
    await house.staff(agent("a2", skills=(Skill("english", 3),)))
    await house.clock.pass_s(1)
    await house.staff(agent("a3", skills=(Skill("english", 8),)))
    await house.waiting("S1", skills=(Skill("english", 3),))
    await house.store.queue.match()
    assert await house.offered("S1") == ("a3", 1)
    made = (await house.store.log.read(S1))[-1].event
    assert isinstance(made, ev.OfferMade)
    assert made.why["excluded"] == {"unskilled": 1}
    await house.waiting("S2", skills=(Skill("english", 9),))
    assert await house.store.queue.match() == 0


async def test_the_longest_idle_is_asked_first(house: House) -> None:
    for name in ("a1", "a2", "a3"):
        await house.clock.pass_s(1)
        await house.staff(agent(name, chat=1))
    order = []
    for number in range(5):
        await house.clock.pass_s(1)
        await house.waiting(f"S{number}")
        await house.store.queue.match()
        made = await house.offered(f"S{number}")
        assert made is not None
        order.append(made[0])
        await house.talking(f"S{number}", made[0])
        await hang_up(house, f"S{number}")
        await house.absorb(f"S{number}")
        await house.post(f"S{number}", ev.WrapFinished(by=made[0]))
        await house.absorb(f"S{number}")
    assert order == ["a1", "a2", "a3", "a1", "a2"]


async def test_capacity_by_medium_and_nothing_beside_a_call(house: House) -> None:
    await house.staff(agent("a1", voice=1, chat=2, message=0))
    for name in ("S1", "S2", "S3"):
        await house.waiting(name, CHAT)
    await house.waiting("S4", MESSAGE)
    assert await house.store.queue.match() == 2
    await house.waiting("S5", VOICE)
    assert await house.store.queue.match() == 1, "a call may come beside chats"
    await house.staff(agent("a2", voice=1, chat=2))
    await house.waiting("S6", VOICE)
    assert await house.store.queue.match() == 3, "the two that waited, then the call"
    assert await house.offered("S6") == ("a2", 1)
    await house.waiting("S7", CHAT)
    assert await house.store.queue.match() == 0, "but no chat beside a call"


async def test_one_session_is_one_charge_whatever_its_legs(house: House) -> None:
    who = await house.staff(agent("a1", chat=1))
    await house.waiting("S1", CHAT)
    await house.talking("S1", who)
    await house.open("S9", VOICE, citizen="+86S1")
    await house.absorb("S1")
    assert (await house.store.queue.view(who)).charges == (Charge(S1, VOICE, "engaged"),)
    await house.waiting("S2", CHAT)
    assert await house.store.queue.match() == 0
    await house.post("S1", ev.LegClosed(leg=LegId("S9-leg"), reason=LegEnd.HANGUP))
    await house.absorb("S1")
    assert (await house.store.queue.view(who)).charges == (Charge(S1, CHAT, "engaged"),)


async def test_wrap_up_is_still_a_charge(house: House) -> None:
    who = await house.staff(agent("a1", chat=1))
    await house.waiting("S1")
    await house.talking("S1", who)
    await house.post("S1", ev.ContactFinished(by=who))
    await house.absorb("S1")
    assert await routing(house, "a1") is Routing.WRAPPING
    await house.waiting("S2")
    assert await house.store.queue.match() == 0
    await house.clock.pass_s(30)
    assert (await house.store.queue.sweep()).timers == 1
    await house.absorb("S1")
    assert await house.store.queue.match() == 1


async def test_only_what_can_reach_them_is_offered(house: House) -> None:
    who = await house.staff(agent("a1"), media=(VOICE,))
    await house.waiting("S1", CHAT)
    assert await house.store.queue.match() == 0
    await house.store.queue.reach(who, "page", frozenset({CHAT}), ttl_s=10)
    assert await house.store.queue.match() == 1
    await house.clock.pass_s(10)
    assert (await house.store.queue.sweep()).vanished == 1
    assert (await house.events("S1"))[-1] == "OfferRescinded"
    assert (await house.store.queue.view(who)).reachable == {VOICE}
    await house.store.queue.reach(who, "desk", frozenset(), ttl_s=0)
    assert await routing(house, "a1") is Routing.UNREACHABLE


async def test_who_takes_a_break_gives_back_what_is_offered_and_keeps_what_they_have(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.waiting("S1")
    await house.talking("S1", who)
    await house.waiting("S2")
    await house.store.queue.match()
    view = await house.store.queue.present(who, Presence.BREAK, "lunch")
    assert (view.presence, view.reason, view.routing) == (Presence.BREAK, "lunch", Routing.ENGAGED)
    assert view.charges == (Charge(S1, CHAT, "engaged"),)
    assert (await house.events("S2"))[-1] == "OfferRescinded"
    assert await house.store.queue.match() == 0


async def test_an_assignee_is_changed_and_taken_out(house: House) -> None:
    who = await house.staff(agent("a1", ("q", "r")))
    await house.waiting("S1")
    await house.talking("S1", who)
    await house.store.queue.enlist(agent("a1", ("r",)))
    assert (await house.store.queue.view(who)).charges == (Charge(S1, CHAT, "engaged"),)
    await house.waiting("S2")
    assert await house.store.queue.match() == 0
    await house.waiting("S3", queue="r")
    assert await house.store.queue.match() == 1
    await house.store.queue.discharge(who)
    assert (await house.events("S3"))[-1] == "OfferRescinded"
    with pytest.raises(UnknownAssignee):
        await house.store.queue.view(who)
    with pytest.raises(UnknownAssignee):
        await house.store.queue.present(who, Presence.READY)
    assert await house.store.queue.roster() == []
    await house.staff(agent("a1"))
    assert (await house.store.queue.view(who)).charges == (Charge(S1, CHAT, "engaged"),), "it goes on meanwhile"
    await house.post("S1", ev.ContactFinished(by=who))
    await house.absorb("S1")
    await house.post("S1", ev.WrapFinished(by=who))
    await house.absorb("S1")
    assert (await house.store.queue.view(who)).charges == ()


async def test_bots_are_assignees_with_many_hands(house: House) -> None:
    bot = await house.staff(agent("greeter", ("bots",), chat=100, kind=AssigneeKind.BOT), media=())
    for number in range(20):
        await house.waiting(f"S{number}", queue="q", bot_queue="bots")
    assert await house.store.queue.match() == 20
    await house.absorb("S0")
    assert await house.store.queue.accept(SessionId("S0"), bot, 1) is Verdict.ACCEPTED
    assert await house.absorb("S0") == (Phase.BOT, 4)
    await house.post("S0", ev.HumanRequested())
    await house.absorb("S0")
    await house.staff(agent("a1"))
    await house.store.queue.match()
    assert await house.offered("S0") == ("a1", 2)


async def test_bounds(house: House) -> None:
    with pytest.raises(UnfitName):
        await house.store.queue.enlist(agent("a\n1"))
    with pytest.raises(TooLarge):
        await house.store.queue.enlist(agent("a1", chat=1001))
    who = await house.staff(agent("a1"))
    for number in range(15):
        await house.store.queue.reach(who, f"page {number}", frozenset({CHAT}), ttl_s=60)
    with pytest.raises(TooLarge):
        await house.store.queue.reach(who, "one more", frozenset({CHAT}), ttl_s=60)


# --- sight -------------------------------------------------------------------------------------------------------


async def test_the_queues_say_who_waits_and_who_is_ready(house: House) -> None:
    who = await house.staff(agent("a1", ("q", "r"), chat=1))
    await house.waiting("S1")
    await house.clock.pass_s(4)
    await house.waiting("S2", priority=100)
    by_name = {view.queue: view for view in await house.store.queue.queues()}
    assert (by_name["q"].waiting, by_name["q"].longest_wait_s, by_name["q"].ready) == (2, 4, 1)
    assert (by_name["r"].waiting, by_name["r"].longest_wait_s, by_name["r"].ready) == (0, 0, 1)
    await house.store.queue.present(who, Presence.OFF)
    assert {view.ready for view in await house.store.queue.queues()} == {0}


async def test_the_wait_is_estimated_once_enough_is_measured(house: House) -> None:
    who = await house.staff(agent("a1", chat=1))
    for number in range(12):
        await house.waiting(f"S{number:02}")
    for number in range(8):
        place = await house.store.queue.place(SessionId("S11"))
        assert place is not None
        assert (place.position, place.estimate_s) == (12 - number, None)
        await house.clock.pass_s(10)
        name = f"S{number:02}"
        await house.talking(name, who)
        await hang_up(house, name)
        await house.absorb(name)
        await house.post(name, ev.WrapFinished(by=who))
        await house.absorb(name)
    place = await house.store.queue.place(SessionId("S11"))
    assert place is not None
    assert (place.position, place.waiting) == (4, 4)
    assert place.estimate_s == pytest.approx(40)


async def test_a_sweep_does_no_more_than_it_was_asked(house: House) -> None:
    for number in range(5):
        await house.staff(agent(f"a{number}", chat=1))
        await house.waiting(f"S{number}")
    assert await house.store.queue.match(limit=2) == 2
    assert await house.store.queue.match() == 3
    await house.clock.pass_s(20)
    assert (await house.store.queue.sweep(limit=2)).expired == 2
    assert (await house.store.queue.sweep(limit=10)).expired == 3
