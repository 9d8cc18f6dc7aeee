"""Citizens' threads on two nodes of one store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from channels import threads
from channels.threads import Threads, ThreadUnsettled, Word
from queueing.memory import MemoryStore
from session import events as ev
from session.address import Address
from session.ids import LegId, MessageId, SessionId
from session.ports import Contact, StoreUnavailable, ThreadMoved
from session.state import LegEnd
from tests.channels.far_end import NODE, Door
from tests.gateway.town import post_on

CITIZEN = Address("tel", "+8613800138000")


@dataclass
class Nodes:
    store: MemoryStore
    door: Door
    here: Threads
    there: Threads

    async def events(self, kind: type[ev.Event]) -> list[tuple[SessionId, ev.Event]]:
        _, entries = await self.store.log.follow("0", block_s=0.0)
        return [(entry.session, entry.event) for entry in entries if isinstance(entry.event, kind)]

    async def legs(self) -> list[LegId]:
        return [event.leg.id for _, event in await self.events(ev.LegOpened) if isinstance(event, ev.LegOpened)]


@pytest.fixture
async def nodes() -> AsyncIterator[Nodes]:
    store = MemoryStore()
    post = post_on(store, NODE)
    door = Door(post.inbox)
    here, there = (
        Threads(door, store.shared, channel="texts", number="12345", name="texts", pepper=b"p", ttl_s=60.0)
        for _ in range(2)
    )
    yield Nodes(store, door, here, there)
    await post.mailboxes.stop()


def word(message: str, way: str = "") -> Word:
    return Word(
        CITIZEN, lambda leg: ev.TextReceived(leg=leg, message=MessageId(message), text=message), message, way=way
    )


async def test_a_turn_that_is_held_is_the_citizens_however_many_came_since(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threads, "_REMEMBERED", 1)
    async with nodes.here.turn(CITIZEN):
        for number in range(3):
            assert not nodes.here.turn(Address("tel", f"+861380013800{number + 1}")).locked()
        assert nodes.here.turn(CITIZEN).locked()


async def test_a_known_citizens_word_is_one_question_and_a_repetition_none(nodes: Nodes) -> None:
    await nodes.here.say(word("one"))
    nodes.door.asked = 0
    await nodes.here.say(word("two"))
    assert nodes.door.asked == 1
    for _ in range(100):
        await nodes.here.say(word("two"))
    assert nodes.door.asked == 1
    await nodes.there.say(word("two"))
    assert len(await nodes.events(ev.TextReceived)) == 2


async def test_a_newcomers_word_is_one_question_and_on_a_node_that_forgot_them_two(nodes: Nodes) -> None:
    await nodes.here.say(word("one"))
    assert nodes.door.asked == 1
    await nodes.there.say(word("two"))
    assert nodes.door.asked == 3
    await nodes.there.say(word("three"))
    assert nodes.door.asked == 4
    assert len(await nodes.legs()) == 1


async def test_a_leg_that_another_node_ended_gets_no_more_words(nodes: Nodes) -> None:
    await nodes.here.say(word("one"))
    (first,) = await nodes.legs()
    await nodes.there.end(first)
    await nodes.there.end(first)
    assert not await nodes.here.mention(word("nothing runs"))
    await nodes.here.say(word("two"))
    _, second = await nodes.legs()
    assert [event.leg for _, event in await nodes.events(ev.TextReceived) if isinstance(event, ev.TextReceived)] == [
        first,
        second,
    ]
    # What ended the first one late does not end the second.
    await nodes.there.end(first)
    await nodes.there.say(word("three"))
    assert len(await nodes.legs()) == 2


async def test_who_leaves_and_comes_back_has_another_leg(nodes: Nodes) -> None:
    await nodes.here.say(word("one"))
    await nodes.there.leave(Word(CITIZEN, lambda leg: ev.LegClosed(leg=leg, reason=LegEnd.HANGUP), "left"))
    await nodes.here.say(word("two"))
    assert len(await nodes.legs()) == 2


async def test_a_newcomer_on_two_nodes_has_one_leg(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = nodes.door.open

    async def overtaken(contact: Contact) -> object:
        monkeypatch.undo()
        await nodes.there.say(word("two"))
        return await begin(contact)

    monkeypatch.setattr(nodes.door, "open", overtaken)
    await nodes.here.say(word("one"))
    assert len(await nodes.legs()) == 1
    assert len(await nodes.events(ev.TextReceived)) == 2


async def test_a_word_whose_answer_was_lost_is_brought_again_and_is_one(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = nodes.door.open

    async def lost(contact: Contact) -> object:
        await begin(contact)
        raise StoreUnavailable("open")

    with monkeypatch.context() as patch:
        patch.setattr(nodes.door, "open", lost)
        with pytest.raises(StoreUnavailable):
            await nodes.here.say(word("one"))
    await nodes.here.say(word("one"))
    assert len(await nodes.legs()) == len(await nodes.events(ev.TextReceived)) == 1


async def test_the_way_back_is_the_one_by_which_the_citizen_wrote_last(nodes: Nodes) -> None:
    await nodes.here.say(word("one", way="unicom"))
    (leg,) = await nodes.legs()
    assert await nodes.there.reaches(leg) == (CITIZEN, "unicom")
    await nodes.there.say(word("two", way="telecom"))
    assert await nodes.here.reaches(leg) == (CITIZEN, "telecom")
    await nodes.here.say(word("three", way="unicom"))
    assert await nodes.there.reaches(leg) == (CITIZEN, "unicom")
    assert await nodes.here.reaches(LegId("nobody's")) is None


async def test_a_word_that_finds_no_thread_at_rest_is_put_off(nodes: Nodes, monkeypatch: pytest.MonkeyPatch) -> None:
    async def moved(_: Contact) -> object:
        raise ThreadMoved(b"")

    with monkeypatch.context() as patch:
        patch.setattr(nodes.door, "open", moved)
        with pytest.raises(ThreadUnsettled):
            await nodes.here.say(word("one"))
    await nodes.here.say(word("one"))
    assert len(await nodes.events(ev.TextReceived)) == 1
