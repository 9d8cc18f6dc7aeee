"""The sessions' logs, over both stores."""

import asyncio
from dataclasses import replace

import pytest

from queueing.contract import Presence
from queueing.errors import TooLarge
from session import belonging as bl
from session import codec
from session import events as ev
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.ports import Entry, Note, SessionGone, Thread, ThreadMoved
from session.state import Demand, LegEnd, Party, Phase, Session
from tests.queueing.house import CHAT, EPOCH_S, MESSAGE, NODE, VOICE, House, agent, citizen_leg

S1 = SessionId("S1")


def text(message: str, body: str = "在吗", leg: str = "S1-leg") -> ev.TextReceived:
    return ev.TextReceived(leg=LegId(leg), message=MessageId(message), text=body)


async def test_a_contact_begins_a_session_with_its_first_word(house: House) -> None:
    assert await house.open("S1", word="m1") == ("S1", True)
    entries = await house.store.log.read(S1)
    assert [entry.version for entry in entries] == [1, 2, 3]
    assert [type(entry.event) for entry in entries] == [ev.SessionOpened, ev.LegOpened, ev.TextReceived]
    assert {entry.event.at for entry in entries} == {EPOCH_S}


async def test_the_same_contact_again_is_the_same_session(house: House) -> None:
    await house.open("S1", word="m1")
    assert await house.open("S2", leg="S1-leg", citizen="+86S1", word="m1") == ("S1", True)
    assert len(await house.store.log.read(S1)) == 3
    assert await house.store.log.read(SessionId("S2")) == []


async def test_the_citizens_open_session_is_gone_on_with(house: House) -> None:
    await house.waiting("S1", MESSAGE, citizen="+861", word="m1")
    assert await house.open("S2", VOICE, citizen="+861") == ("S1", False)
    assert (await house.events("S1"))[-1] == "LegOpened"


async def _comes(house: House, leg: str, thread: Thread, *, word: str, says: str = "在") -> tuple[str, bool]:
    """One citizen's contact by text, with what their thread is taken for."""
    opened = citizen_leg("S1", MESSAGE, "+861", leg=leg)
    assert opened.address is not None
    begun = ev.SessionOpened(citizen=opened.address, number="12345", demand=Demand("q"))
    note = Note("allowed", says.encode(), 60.0)
    return await house.store.log.open(
        SessionId(f"S-{leg}"), NODE, begun, ev.LegOpened(leg=opened), text(word, says, leg), dedupe=leg,
        word_dedupe=word, thread=thread, notes=[note],
    )  # fmt: skip


async def test_a_thread_goes_to_one_leg_only(house: House) -> None:
    """Two nodes, which both have found none."""
    none = Thread("thread", b"", 60.0)
    session, _ = await _comes(house, "one", none, word="m1")
    before = await house.store.log.read(SessionId(session))
    with pytest.raises(ThreadMoved) as moved:
        await _comes(house, "two", none, word="m2", says="又")
    assert moved.value.held == Thread.record(LegId("one"), SessionId(session))
    assert await house.store.shared.get("thread") == Thread.record(LegId("one"), SessionId(session))
    assert await house.store.shared.get("allowed") == "在".encode()
    assert await house.store.log.read(SessionId(session)) == before


async def test_a_thread_that_has_moved_on_takes_no_word_and_no_note(house: House) -> None:
    none = Thread("thread", b"", 60.0)
    session = SessionId((await _comes(house, "one", none, word="m1"))[0])
    one = replace(none, held=Thread.record(LegId("one"), session))
    append = house.store.log.append
    again = [Note("allowed", "再".encode(), 60.0)]
    version = await append(session, text("m2", leg="one"), dedupe="m2", thread=one, notes=again)
    assert await house.store.shared.get("allowed") == "再".encode()
    await house.store.shared.delete_if("thread", b"another")
    await house.store.shared.delete_if("thread", one.held)
    for held in (one, replace(one, held=b"another")):
        with pytest.raises(ThreadMoved) as moved:
            await append(session, text("m3", leg="one"), dedupe="m3", thread=held, notes=[Note("allowed", b"", 60.0)])
        assert moved.value.held == b""
    assert await house.store.shared.get("allowed") == "再".encode()
    # What is in a session already is there, wherever the thread has gone.
    assert await append(session, text("m2", leg="one"), dedupe="m2", thread=one) == version
    assert len(await house.store.log.read(session)) == version


async def test_two_calls_at_once_are_two_people(house: House) -> None:
    await house.waiting("S1", VOICE, citizen="+861")
    assert await house.open("S2", VOICE, citizen="+861") == ("S2", True)


async def test_a_call_after_the_call_has_ended_goes_on_with_what_is_left(house: House) -> None:
    await house.waiting("S1", VOICE, citizen="+861")
    await house.open("S9", MESSAGE, citizen="+861")
    await house.post("S1", ev.LegClosed(leg=LegId("S1-leg"), reason=LegEnd.HANGUP))
    await house.absorb("S1")
    assert await house.open("S2", VOICE, citizen="+861") == ("S1", False)


async def test_a_citizens_open_session_is_gone_on_with_from_another_address_of_theirs(house: House) -> None:
    await house.waiting("S1", MESSAGE, citizen="+861", word="m1")
    assert await house.relate(0, 1, ("+861", "+862"))
    assert await house.open("S2", CHAT, citizen="+862", vouched=True) == ("S1", False)
    assert (await house.events("S1"))[-1] == "LegOpened"


async def test_the_newest_of_a_citizens_open_sessions_is_gone_on_with(house: House) -> None:
    for number in (1, 2, 3):
        await house.waiting(f"S{number}", MESSAGE, citizen=f"+86{number}")
        await house.clock.pass_s(1)
    await house.relate(0, 1, ("+861", "+862", "+863"))
    assert await house.open("S4", CHAT, citizen="+861", vouched=True) == ("S3", False)


async def test_who_only_claims_a_number_has_nothing_of_its_citizens(house: House) -> None:
    await house.waiting("S1", MESSAGE, citizen="+861")
    await house.relate(0, 1, ("+861", "+862"))
    assert await house.open("S2", VOICE, citizen="+862", vouched=False) == ("S2", True)


async def test_a_call_beside_a_call_is_another_session_also_from_another_number(house: House) -> None:
    await house.waiting("S1", VOICE, citizen="+861", vouched=True)
    await house.relate(0, 1, ("+861", "+862"))
    assert await house.open("S2", VOICE, citizen="+862", vouched=True) == ("S2", True)


async def test_who_is_parted_has_their_own_sessions_only(house: House) -> None:
    await house.waiting("S1", MESSAGE, citizen="+861")
    await house.relate(0, 1, ("+861", "+862"))
    await house.relate(1, 2, ("+861",), ("+862",))
    assert await house.open("S2", CHAT, citizen="+862", vouched=True) == ("S2", True)


async def test_what_is_related_is_taken_in_order_and_once(house: House) -> None:
    assert await house.store.kin.known() == 0
    assert await house.relate(0, 5, ("+861", "+862"))
    assert not await house.relate(0, 3, ("+861",), ("+862",)), "it was overtaken"
    assert await house.store.kin.known() == 5
    await house.waiting("S1", MESSAGE, citizen="+861")
    assert await house.open("S2", CHAT, citizen="+862", vouched=True) == ("S1", False)


async def test_a_word_that_comes_again_by_another_address_is_one_word(house: House) -> None:
    await house.relate(0, 1, ("+861", "+862"))
    await house.waiting("S1", MESSAGE, citizen="+861")
    assert await house.open("S2", CHAT, citizen="+862", word="m1", vouched=True) == ("S1", False)
    version = len(await house.events("S1"))
    assert await house.post("S1", text("m1"), dedupe="m1") == version
    assert await house.open("S3", CHAT, citizen="+862", word="m1", vouched=True) == ("S1", False)
    assert (await house.events("S1")).count("TextReceived") == 1
    await house.post("S1", text("m2"), dedupe="m2")
    assert await house.open("S4", CHAT, citizen="+862", word="m2", vouched=True) == ("S1", False)
    assert (await house.events("S1")).count("TextReceived") == 2


def joined(kept: Session, other: Session) -> tuple[Entry, Entry]:
    by = AssigneeId("a1")
    waited_s = other.waited_s(EPOCH_S + 3600)
    legs = other.live_legs(Party.CITIZEN)
    return (
        Entry(kept.id, kept.version + 1, bl.SessionsJoined(by=by, other=other.id, legs=legs, waited_s=waited_s)),
        Entry(other.id, other.version + 1, bl.JoinedInto(by=by, kept=kept.id)),
    )


async def two_of_one(house: House) -> tuple[Session, Session]:
    """a1 has S1; S2, of the same citizen, waits."""
    await house.staff(agent("a1"))
    await house.waiting("S1", CHAT, citizen="+861")
    await house.talking("S1", "a1")
    await house.store.queue.present(AssigneeId("a1"), Presence.BREAK, "lunch")
    await house.waiting("S2", MESSAGE, citizen="+862")
    one, two = [await house.store.log.open_session_of(SessionId(name)) for name in ("S1", "S2")]
    assert one is not None
    assert two is not None
    return one, two


async def test_a_session_goes_on_in_another_and_by_itself_again(house: House) -> None:
    one, two = await two_of_one(house)
    assert await house.store.log.join(*joined(one, two))
    await house.absorb("S1")
    await house.absorb("S2")
    assert await house.phase("S2") is Phase.PARKED
    assert await house.store.queue.place(SessionId("S2")) is None, "it stands in no line"
    word = text("m7", "也是这件事", leg="S2-leg")
    version = await house.post("S2", word, dedupe="m7")
    assert version == len(await house.events("S1"))
    assert await house.post("S2", word, dedupe="m7") == version, "it is one word"
    assert (await house.events("S1"))[-1] == "TextReceived"
    assert (await house.events("S2"))[-1] == "JoinedInto"
    assert await house.open("S3", CHAT, citizen="+862") == ("S3", True), "nobody finds it"

    await house.absorb("S1")
    kept = await house.store.log.open_session_of(S1)
    assert kept is not None
    assert [leg.id for leg in kept.live_legs(Party.CITIZEN)] == ["S1-leg", "S2-leg"]
    by = AssigneeId("a1")
    legs = tuple(leg for leg in kept.live_legs(Party.CITIZEN) if leg.joined_from == "S2")
    parted = (
        Entry(S1, kept.version + 1, bl.SessionsSplit(by=by, other=two.id, why="两件事")),
        Entry(two.id, 0, bl.SplitFrom(by=by, kept=S1, legs=legs)),
    )
    assert await house.store.log.split(*parted)
    assert not await house.store.log.split(*parted), "once"
    await house.absorb("S1")
    await house.absorb("S2")
    assert await house.phase("S2") is Phase.QUEUED
    assert await house.store.queue.place(SessionId("S2")) is not None
    await house.post("S2", text("m8", leg="S2-leg"))
    assert (await house.events("S2"))[-1] == "TextReceived"


async def test_sessions_that_have_moved_on_are_not_joined(house: House) -> None:
    one, two = await two_of_one(house)
    await house.post("S2", text("m7", leg="S2-leg"))
    assert not await house.store.log.join(*joined(one, two)), "it has another word"
    assert not await house.store.log.join(*joined(one, one))
    await house.absorb("S2")
    two = replace(two, version=two.version + 1)
    assert await house.store.log.join(*joined(one, two))
    assert not await house.store.log.join(*joined(replace(one, version=one.version + 1), two)), "it is joined already"


async def test_what_comes_after_the_kept_one_is_over_begins_anew(house: House) -> None:
    one, two = await two_of_one(house)
    assert await house.store.log.join(*joined(one, two))
    for event in (ev.ContactFinished(by=AssigneeId("a1")), ev.WrapFinished(by=AssigneeId("a1"))):
        await house.post("S1", event)
        await house.absorb("S1")
    assert await house.phase("S1") is Phase.CLOSED
    assert await house.post("S2", text("m7", leg="S2-leg")) == "gone"


async def test_after_the_end_another_session_begins(house: House) -> None:
    await house.waiting("S1", citizen="+861")
    await house.post("S1", ev.LegClosed(leg=LegId("S1-leg"), reason=LegEnd.HANGUP))
    assert await house.absorb("S1") == (Phase.CLOSED, 3)
    assert await house.open("S2", citizen="+861") == ("S2", True)


async def test_while_the_agent_wraps_up_another_session_begins(house: House) -> None:
    who = await house.staff(agent("a1"))
    await house.waiting("S1", citizen="+861")
    await house.talking("S1", who)
    await house.post("S1", ev.ContactFinished(by=who))
    assert (await house.absorb("S1")) == (Phase.WRAPPING, 5)
    assert await house.open("S2", citizen="+861") == ("S2", True)


async def test_the_true_time_of_arrival_counts_but_never_the_future(house: House) -> None:
    await house.open("S1", at=EPOCH_S - 60)
    await house.open("S2", at=EPOCH_S + 60)
    assert (await house.store.log.read(S1))[0].event.at == EPOCH_S - 60
    assert (await house.store.log.read(SessionId("S2")))[0].event.at == EPOCH_S
    await house.absorb("S1")
    await house.absorb("S2")
    assert (await house.store.queue.queues())[0].longest_wait_s == 60


async def test_the_same_word_is_one_event_for_a_day(house: House) -> None:
    await house.open("S1", word="m1")
    version = await house.store.log.append(S1, text("m2"), dedupe="m2")
    assert version == 4
    assert await house.store.log.append(S1, text("m2"), dedupe="m2") == 4
    assert await house.store.log.append(S1, text("m1"), dedupe="m1") == 3
    assert len(await house.store.log.read(S1)) == 4


async def test_a_word_repeated_after_the_end_opens_nothing_new(house: House) -> None:
    await house.waiting("S1", citizen="+861", word="m1")
    await house.post("S1", ev.LegClosed(leg=LegId("S1-leg"), reason=LegEnd.HANGUP))
    await house.absorb("S1")
    assert await house.store.log.append(S1, text("m1"), dedupe="m1") == 3


async def test_other_citizens_words_do_not_clash(house: House) -> None:
    await house.open("S1")
    await house.open("S2")
    assert await house.store.log.append(S1, text("1"), dedupe="1") == 3
    assert await house.store.log.append(SessionId("S2"), text("1"), dedupe="1") == 3
    assert len(await house.store.log.read(SessionId("S2"))) == 3


async def test_a_closed_session_takes_late_events_only(house: House) -> None:
    await house.waiting("S1")
    await house.post("S1", ev.LegClosed(leg=LegId("S1-leg"), reason=LegEnd.HANGUP))
    await house.absorb("S1")
    with pytest.raises(SessionGone):
        await house.store.log.append(S1, text("m1"))
    assert await house.store.log.append(S1, ev.RatingGiven(score=5)) == 4
    with pytest.raises(SessionGone):
        await house.store.log.append(SessionId("never"), text("m1"))


async def test_reading_goes_on_after_a_version(house: House) -> None:
    await house.open("S1", word="m1")
    assert [entry.version for entry in await house.store.log.read(S1, after=1)] == [2, 3]
    assert [entry.version for entry in await house.store.log.read(S1, limit=2)] == [1, 2]
    assert await house.store.log.read(SessionId("never")) == []


async def test_an_event_beyond_the_bound_is_refused(house: House) -> None:
    await house.open("S1")
    with pytest.raises(TooLarge):
        await house.store.log.append(S1, text("m1", "长" * codec.LARGEST_BYTES))
    assert len(await house.store.log.read(S1)) == 2


async def test_the_feed_has_all_sessions_in_order(house: House) -> None:
    await house.open("S1")
    await house.open("S2")
    cursor, entries = await house.store.log.follow("0", block_s=0.01)
    assert [(entry.session, entry.version) for entry in entries] == [("S1", 1), ("S1", 2), ("S2", 1), ("S2", 2)]
    assert await house.store.log.follow(cursor, block_s=0.01) == (cursor, [])


async def test_who_follows_is_told_at_once(house: House) -> None:
    await house.open("S1")
    now, nothing = await house.store.log.follow("$", block_s=0.01)
    assert nothing == []
    following = asyncio.create_task(house.store.log.follow(now, block_s=5))
    await asyncio.sleep(0)
    await house.store.log.append(S1, text("m1"))
    _, entries = await asyncio.wait_for(following, 2)
    assert [entry.event for entry in entries] == [
        text("m1").__class__(at=EPOCH_S, leg=LegId("S1-leg"), message=MessageId("m1"), text="在吗")
    ]


async def test_a_session_is_forgotten_when_it_is_old_and_safe_elsewhere(house: House) -> None:
    await house.waiting("S1")
    await house.waiting("S2")
    await house.post("S1", ev.LegClosed(leg=LegId("S1-leg"), reason=LegEnd.HANGUP))
    await house.absorb("S1")
    cursor, _ = await house.store.log.follow("0", block_s=0.01)
    await house.clock.pass_s(59)
    await house.store.log.trim(cursor)
    _, late = await house.store.log.follow("0", block_s=0.01)
    assert len(late) == 5, "who is busy, or another node, reads it yet"
    await house.clock.pass_s(2)
    await house.store.log.trim(cursor)
    assert await house.store.log.follow("0", block_s=0.01) in (("0", []), (cursor, []))
    assert len(await house.store.log.read(S1)) == 3
    await house.clock.pass_s(3540)
    await house.post("S1", ev.RatingGiven(score=5))
    await house.store.log.trim(cursor)
    assert len(await house.store.log.read(S1)) == 4, "its last event is not safe elsewhere yet"
    cursor, _ = await house.store.log.follow(cursor, block_s=0.01)
    await house.store.log.trim(cursor)
    assert await house.store.log.read(S1) == []
    assert await house.store.log.open_session_of(S1) is None
    assert len(await house.store.log.read(SessionId("S2"))) == 2


async def test_who_dials_again_waits_until_it_is_known_that_their_call_has_ended(house: House) -> None:
    await house.waiting("S1", VOICE, citizen="+861")
    await house.post("S1", ev.LegClosed(leg=LegId("S1-leg"), reason=LegEnd.HANGUP))
    again = asyncio.create_task(house.open("S2", VOICE, citizen="+861", leg="again"))
    await asyncio.sleep(0)
    await house.absorb("S1")
    assert await again == ("S1", False)
    await house.absorb("S1")
    await house.post("S1", ev.LegClosed(leg=LegId("again"), reason=LegEnd.HANGUP))
    assert await house.open("S3", VOICE, citizen="+861", leg="third") == ("S3", True), "and not for ever"


async def test_a_snapshot_is_there_from_the_first_moment(house: House) -> None:
    await house.open("S1")
    born = await house.store.log.open_session_of(S1)
    assert born is not None
    assert (born.phase, born.version) == (Phase.NEW, 0)


async def test_sessions_of_a_node_without_a_beat_are_found_when_it_dies(house: House) -> None:
    await house.open("S1", CHAT, node=NodeId("n9"))
    assert await house.store.mailboxes.orphans() == []
    await house.clock.pass_s(6)
    assert await house.store.mailboxes.orphans() == [("S1", "n9")]
