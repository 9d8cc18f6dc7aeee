"""One hand per session, over both stores."""

import asyncio
from dataclasses import replace

import pytest

from queueing.errors import StaleFence, VersionConflict
from session import events as ev
from session.effects import Play
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.state import Leg, LegEnd, Party, Phase
from tests.queueing.house import CHAT, NODE, VOICE, House, agent, step

S1 = SessionId("S1")
OTHER = NodeId("n2")


def text(message: str) -> ev.TextReceived:
    return ev.TextReceived(leg=LegId("S1-leg"), message=MessageId(message), text="在吗")


async def test_a_living_nodes_mailbox_is_not_to_be_had(house: House) -> None:
    await house.open("S1")
    assert await house.store.mailboxes.claim(S1, OTHER) is None
    box = await house.store.mailboxes.claim(S1, NODE)
    assert box is not None
    assert (box.fence, box.log_version, box.session.version, box.pending) == (1, 2, 0, ())
    assert await house.store.mailboxes.claim(SessionId("never"), NODE) is None


async def test_a_dead_nodes_mailbox_is_taken_over_and_its_own_hand_stopped(house: House) -> None:
    boxes = house.store.mailboxes
    await boxes.beat(NODE, ttl_s=2)
    await house.open("S1", VOICE)
    old = await boxes.claim(S1, NODE)
    assert old is not None
    await boxes.beat(OTHER, ttl_s=2)
    await house.clock.pass_s(1.5)
    await boxes.beat(OTHER, ttl_s=2)
    assert await boxes.orphans() == []
    await house.clock.pass_s(1)
    assert await boxes.dead_nodes() == {NODE}
    assert await boxes.orphans() == [(S1, NODE)]
    new = await boxes.claim(S1, OTHER)
    assert new is not None
    assert new.fence > old.fence
    assert await boxes.orphans() == []
    entries = await house.store.log.read(S1)
    commit, names = step(old.session, old.fence, [entry.event for entry in entries])
    with pytest.raises(StaleFence):
        await boxes.absorb(commit)
    with pytest.raises(StaleFence):
        await boxes.performed(S1, old.fence, names or ["2.0"])
    await boxes.absorb(replace(commit, fence=new.fence))
    assert await boxes.beat(NODE, ttl_s=2) is False
    assert await boxes.beat(NODE, ttl_s=2) is True


async def test_when_the_store_was_away_no_node_is_taken_for_dead(house: House) -> None:
    boxes = house.store.mailboxes
    await boxes.beat(NODE, ttl_s=2)
    await boxes.beat(OTHER, ttl_s=2)
    await house.open("S1")
    await house.clock.pass_s(10)
    assert await boxes.beat(OTHER, ttl_s=2) is True
    assert await boxes.claim(S1, OTHER) is None
    assert await boxes.beat(NODE, ttl_s=2) is True
    await house.clock.pass_s(1.9)
    await boxes.beat(OTHER, ttl_s=2)
    await house.clock.pass_s(0.2)
    assert await boxes.claim(S1, OTHER) is not None


async def test_a_node_that_leaves_gives_its_sessions_up_at_once(house: House) -> None:
    await house.open("S1")
    await house.store.mailboxes.leave(NODE)
    assert await house.store.mailboxes.orphans() == [(S1, NODE)]
    assert await house.store.mailboxes.claim(S1, OTHER) is not None


async def test_what_the_log_has_gained_must_be_read_first(house: House) -> None:
    await house.open("S1")
    box = await house.store.mailboxes.claim(S1, NODE)
    assert box is not None
    commit, _ = step(box.session, box.fence, [entry.event for entry in await house.store.log.read(S1)])
    await house.store.log.append(S1, text("m1"))
    with pytest.raises(VersionConflict) as conflict:
        await house.store.mailboxes.absorb(commit)
    assert conflict.value.version == 3
    assert await house.absorb("S1") == (Phase.QUEUED, 3)
    with pytest.raises(VersionConflict):
        await house.store.mailboxes.absorb(commit)


async def test_the_same_commit_again_changes_nothing(house: House) -> None:
    await house.open("S1")
    box = await house.store.mailboxes.claim(S1, NODE)
    assert box is not None
    commit, _ = step(box.session, box.fence, [entry.event for entry in await house.store.log.read(S1)])
    assert await house.store.mailboxes.absorb(commit) == 2
    await house.staff(agent("a1"))
    await house.store.queue.match()
    assert await house.store.mailboxes.absorb(commit) == 3, "an offer was made meanwhile, and must stand"
    assert await house.offered("S1") == ("a1", 1)


async def test_effects_stay_pending_until_performed(house: House) -> None:
    await house.open("S1", VOICE)
    await house.absorb("S1", perform=False)
    box = await house.store.mailboxes.claim(S1, NODE)
    assert box is not None
    assert [(name, type(effect)) for name, effect in box.pending] == [("2.2", Play)]
    await house.store.mailboxes.performed(S1, box.fence, ["2.2"])
    again = await house.store.mailboxes.claim(S1, NODE)
    assert again is not None
    assert again.pending == ()


async def test_what_a_closed_session_still_owes_can_be_taken_over(house: House) -> None:
    await house.waiting("S1", VOICE)
    await house.open("S9", CHAT, citizen="+86S1")
    await house.absorb("S1")
    for leg in ("S1-leg", "S9-leg"):
        await house.post("S1", ev.LegClosed(leg=LegId(leg), reason=LegEnd.HANGUP))
    await house.absorb("S1", perform=False)
    assert await house.phase("S1") is Phase.CLOSED
    await house.store.mailboxes.leave(NODE)
    box = await house.store.mailboxes.claim(S1, OTHER)
    if box is not None:
        await house.store.mailboxes.performed(S1, box.fence, [name for name, _ in box.pending])
    assert await house.store.mailboxes.claim(S1, OTHER) is None
    assert await house.store.mailboxes.orphans() == []


async def test_events_that_nobody_absorbed_are_told(house: House) -> None:
    await house.waiting("S1")
    assert await house.store.mailboxes.unabsorbed(NODE) == []
    await house.store.log.append(S1, text("m1"))
    assert await house.store.mailboxes.unabsorbed(NODE) == [S1]
    assert await house.store.mailboxes.unabsorbed(OTHER) == []


async def test_what_grows_again_is_told_again(house: House) -> None:
    """By the citizen, by what the queue decides, on the node that took it over, and once for all that it grew by."""
    mailboxes = house.store.mailboxes
    await house.waiting("S1")
    for name in ("m1", "m2"):
        await house.store.log.append(S1, text(name))
        assert await mailboxes.unabsorbed(NODE) == [S1]
    await house.absorb("S1")
    assert await mailboxes.unabsorbed(NODE) == []
    await house.staff(agent("a1"))
    assert await house.store.queue.match() == 1
    assert await mailboxes.unabsorbed(NODE) == [S1]
    await mailboxes.leave(NODE)
    assert await mailboxes.claim(S1, OTHER) is not None
    await house.store.log.append(S1, text("m3"))
    assert await mailboxes.unabsorbed(NODE) == []
    assert await mailboxes.unabsorbed(OTHER) == [S1]


async def test_an_effect_reaches_the_legs_owner(house: House) -> None:
    boxes = house.store.mailboxes
    play = Play(LegId("S1-leg"), ())
    receiving = asyncio.create_task(boxes.receive(OTHER, "0", block_s=5))
    await asyncio.sleep(0)
    await boxes.send(OTHER, (S1, "2.0", play))
    cursor, received = await asyncio.wait_for(receiving, 2)
    assert received == [(S1, "2.0", play)]
    assert await boxes.receive(OTHER, cursor, block_s=0.01) == (cursor, [])


async def test_timers_fire_once_and_can_be_cleared(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.waiting("S1")
    await house.talking("S1", who)
    await house.post("S1", ev.LegAway(leg=LegId("S1-leg")))
    await house.absorb("S1")
    await house.clock.pass_s(119)
    assert (await house.store.queue.sweep()).timers == 0
    await house.post("S1", ev.LegBack(leg=LegId("S1-leg"), owner=NODE))
    await house.absorb("S1")
    await house.clock.pass_s(2)
    assert (await house.store.queue.sweep()).timers == 0
    await house.post("S1", ev.LegAway(leg=LegId("S1-leg")))
    await house.absorb("S1")
    await house.clock.pass_s(120)
    assert (await house.store.queue.sweep()).timers == 1
    assert (await house.store.queue.sweep()).timers == 0
    assert (await house.events("S1"))[-1] == "TimerFired"


async def test_who_takes_a_call_over_is_charged_for_it_and_whoever_had_it_is_free(house: House) -> None:
    """Law 4 all the same: one who has no room for it is not charged beyond it."""
    await house.staff(agent("wang"))
    await house.waiting("S1", VOICE)
    await house.talking("S1", "wang")
    await house.staff(agent("li"))
    await house.post("S1", ev.LegOpened(leg=Leg(LegId("wang-call"), "phone", VOICE, Party.ASSIGNEE, NODE)))
    await house.post("S1", ev.LegOpened(leg=Leg(LegId("li-call"), "phone", VOICE, Party.SUPERVISOR, NODE)))
    await house.post("S1", ev.SessionTakenOver(by=AssigneeId("li"), leg=LegId("li-call")))
    await house.absorb("S1")
    views = {view.profile.assignee: view for view in await house.store.queue.roster()}
    assert views[AssigneeId("wang")].charges == ()
    assert [(charge.session, charge.state) for charge in views[AssigneeId("li")].charges] == [("S1", "engaged")]
    await house.post("S1", ev.ContactFinished(by=AssigneeId("li")))
    await house.absorb("S1")
    view = await house.store.queue.view(AssigneeId("li"))
    assert [charge.state for charge in view.charges] == ["wrapping"]
