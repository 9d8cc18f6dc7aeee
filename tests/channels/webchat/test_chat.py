"""A citizen's chat, from the first word to the rating, over real sockets."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from session import events as ev
from session.address import Address
from session.belonging import NameClaimed
from session.ids import AssigneeId, LegId, MessageId, NodeId, SessionId
from session.ports import Entry, Place
from session.state import AssigneeKind, Demand, Leg, LegEnd, Medium, Party
from tests.channels.webchat.rig import (
    SETTINGS,
    ServingNode,
    World,
    chatting,
    node,
    shown,
    standing,
    state_of,
)
from tests.conftest import Eventually
from tests.realtime.client import Client

FIRST = SessionId(f"01TEST{0:020d}")
SECOND = SessionId(f"01TEST{1:020d}")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
async def here(world: World, tmp_path: Path) -> AsyncIterator[ServingNode]:
    async with node(world, tmp_path) as serving:
        yield serving


async def test_the_first_word_opens_the_session_in_one_commit(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    async with chatting(here) as page:
        new = {"phase": "new", "assignee": None, "may_rate": False, "transferred": False}
        assert standing(page) == {**new, "call": "none", "call_failed": None, "rings": None}
        first = page.send("msg.send", text="路灯坏了")
        await eventually(lambda: first in page.acked)
        await eventually(lambda: shown(page) == [("citizen", "路灯坏了")])
        kinds = [type(entry.event) for entry in await world.log(FIRST)]
        assert kinds == [ev.SessionOpened, ev.LegOpened, ev.TextReceived]
        assert page.acked[first] == 3
        assert standing(page)["phase"] == "waiting"


async def test_word_that_is_left_waits_like_a_letter_whoever_goes(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    """What was written to the robot before goes with it; its chat is over, since nobody has to stay."""
    async with chatting(here) as page:
        page.send("msg.send", text="有人吗")
        await eventually(lambda: not page.outbox)
        left = page.send("word.leave", about=" 路灯坏了 ", number="138 0013 8000", name=" 李\u202e大爷")
        await eventually(lambda: left in page.acked)
        await eventually(lambda: standing(page)["phase"] == "parked")
        words = ["有人吗", "路灯坏了\n联系电话（本人填写，未核验） · to be called at, not verified: 138 0013 8000"]
        await eventually(lambda: shown(page) == [("citizen", text) for text in words])
        await eventually(lambda: world.events(FIRST, NameClaimed))
        kinds = [type(entry.event) for entry in await world.log(FIRST)][3:]
        assert kinds == [ev.LegOpened, ev.TextReceived, ev.LegClosed, ev.HumanRequested, NameClaimed]
        opened, named = (await world.log(FIRST))[3].event, (await world.log(FIRST))[-1].event
        assert isinstance(opened, ev.LegOpened)
        assert named == NameClaimed(at=named.at, leg=opened.leg.id, name="李大爷")
        assert opened.leg.medium is Medium.MESSAGE
        assert here.claims == [("138 0013 8000", False)]
        page.send("msg.send", text="在和平路")
        await eventually(lambda: not page.outbox)
    async with chatting(here) as other:
        other.send("msg.send", text="另一件事")
        await eventually(lambda: not other.outbox)
    # A chat is missed that left later: by then the first page has been missed too, had it been waited for.
    third = SessionId(f"01TEST{2:020d}")  # to leave word asked for a session too, and was given the first
    await eventually(lambda: world.events(third, ev.LegAway), deadline_s=15)
    assert await world.texts(FIRST) == [*words, "在和平路"]
    assert await world.events(FIRST, ev.LegAway) == []


async def test_an_agent_answers_and_each_sees_how_far_messages_came(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    async with chatting(here) as page:
        mine = page.send("msg.send", text="你好")
        await eventually(lambda: not page.outbox)
        await world.answer(FIRST)
        await eventually(lambda: standing(page)["assignee"] == {"name": "8001", "kind": "agent"})
        assert standing(page)["phase"] == "talking"

        await world.happen(FIRST, ev.MessageDelivered(message=MessageId(mine), to=Party.ASSIGNEE))
        await eventually(lambda: state_of(page, mine) == "delivered")
        await world.happen(FIRST, ev.MessageRead(message=MessageId(mine), by=Party.ASSIGNEE))
        await eventually(lambda: state_of(page, mine) == "read")

        await world.write(FIRST, "theirs", "您好，请讲")
        await eventually(lambda: shown(page)[-1] == ("agent", "您好，请讲"))
        assert page.of("msg.new")[-1]["name"] == "8001"
        await eventually(lambda: state_of(page, "theirs") == "delivered")
        page.send("msg.read", message="theirs")
        await eventually(lambda: state_of(page, "theirs") == "read")
        delivered = await world.events(FIRST, ev.MessageDelivered)
        assert [event.message for event in delivered] == [mine, "theirs"]  # type: ignore[attr-defined]


async def test_a_citizen_never_sees_notes_reasons_or_logins(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    async with chatting(here) as page:
        page.send("msg.send", text="hello")
        await eventually(lambda: not page.outbox)
        await world.answer(FIRST)
        await world.happen(FIRST, ev.NoteAdded(by=AssigneeId("li.na"), text="a difficult one"))
        await world.write(FIRST, "m1", "done")
        await world.happen(FIRST, ev.WrapFinished(by=AssigneeId("li.na"), kind="投诉", note="rude"))
        await eventually(lambda: ("agent", "done") in shown(page))
        seen = json.dumps(page.durable + page.ephemeral, ensure_ascii=False)
        for hidden in ("li.na", "difficult", "secret", "rude", "lease"):
            assert hidden not in seen


async def test_the_end_the_rating_and_the_next_matter(world: World, here: ServingNode, eventually: Eventually) -> None:
    async with chatting(here) as page:
        early = page.send("rating.give", score=5)
        await eventually(lambda: page.refused.get(early) == "not_now")
        page.send("msg.send", text="one")
        await eventually(lambda: not page.outbox)
        await world.answer(FIRST)
        await world.happen(FIRST, ev.ContactFinished(by=AssigneeId("li.na")))
        await eventually(
            lambda: (
                standing(page)
                == {
                    "phase": "ended",
                    "assignee": None,
                    "may_rate": True,
                    "transferred": False,
                }
            )
        )
        page.send("rating.give", score=4, comment="好")
        page.send("rating.give", score=1, comment="again")
        await eventually(lambda: not page.outbox and not standing(page)["may_rate"])
        (rating,) = await world.events(FIRST, ev.RatingGiven)
        assert (rating.score, rating.comment) == (4, "好")  # type: ignore[attr-defined]

        await world.happen(FIRST, ev.WrapFinished(by=AssigneeId("li.na")))
        world.store.log._world.sessions[FIRST].findable = False
        page.send("msg.send", text="two")
        await eventually(lambda: standing(page)["phase"] == "waiting")
        assert await world.texts(SECOND) == ["two"]
        assert shown(page) == [("citizen", "one"), ("citizen", "two")]


async def test_the_citizen_leaves_by_their_own_word(world: World, here: ServingNode, eventually: Eventually) -> None:
    async with chatting(here) as page:
        page.send("session.end")
        page.send("msg.send", text="bye")
        page.send("session.end")
        await eventually(lambda: not page.outbox)
        await eventually(lambda: standing(page)["phase"] == "ended")
        (closed,) = await world.events(FIRST, ev.LegClosed)
        assert closed.reason is LegEnd.HANGUP  # type: ignore[attr-defined]
        assert not standing(page)["may_rate"]


async def test_a_human_may_be_asked_for_before_anything_is_written(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    async with chatting(here) as page:
        page.send("human.request")
        await eventually(lambda: standing(page)["phase"] == "waiting")
        assert len(await world.events(FIRST, ev.HumanRequested)) == 1


async def test_a_bot_is_called_a_bot(world: World, here: ServingNode, eventually: Eventually) -> None:
    async with chatting(here) as page:
        page.send("msg.send", text="hello")
        await eventually(lambda: not page.outbox)
        await world.answer(FIRST, "guide", AssigneeKind.BOT)
        await eventually(lambda: standing(page)["phase"] == "with_bot")
        assert standing(page)["assignee"] == {"name": "小一", "kind": "bot"}


async def test_nothing_is_called_accepted_while_the_store_is_away(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    async with chatting(here) as page:
        world.is_away = True
        first = page.send("msg.send", text="first")
        await eventually(lambda: page.nacks)
        assert (page.nacks[0]["code"], page.nacks[0]["retry"]) == ("not_accepted", True)
        assert first not in page.acked
        assert shown(page) == []
        world.is_away = False
        await eventually(lambda: first in page.acked)
        assert await world.texts(FIRST) == ["first"]


async def test_an_answer_that_is_lost_doubles_nothing(world: World, here: ServingNode, eventually: Eventually) -> None:
    async with chatting(here) as page:
        world.loses_answers = True
        page.send("msg.send", text="first")
        await eventually(lambda: page.nacks)
        world.loses_answers = False
        await eventually(lambda: not page.outbox)
        world.loses_answers = True
        page.send("msg.send", text="second")
        await eventually(lambda: len(page.nacks) >= 2)
        world.loses_answers = False
        await eventually(lambda: not page.outbox)
        assert await world.texts(FIRST) == ["first", "second"]
        assert SECOND not in world.store.log._world.sessions


async def test_a_word_sent_again_after_its_session_ended_opens_no_other(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    async with chatting(here) as page:
        page.send("msg.send", text="first")
        await eventually(lambda: not page.outbox)
        second = page.send("msg.send", text="second")
        await eventually(lambda: second in page.acked)
        await world.answer(FIRST)
        await world.happen(FIRST, ev.ContactFinished(by=AssigneeId("li.na")))
        await eventually(lambda: standing(page)["phase"] == "ended")
        world.store.log._world.sessions[FIRST].findable = False
        length = len(await world.log(FIRST))
        await page.put({"t": "msg.send", "id": second, "cseq": 2, "text": "second"})
        page.acked.pop(second)
        await eventually(lambda: second in page.acked)
        assert SECOND not in world.store.log._world.sessions
        assert len(await world.log(FIRST)) == length


async def test_a_cut_is_noted_only_when_it_lasts(world: World, here: ServingNode, eventually: Eventually) -> None:
    async with chatting(here) as page:
        page.send("msg.send", text="hello")
        await eventually(lambda: not page.outbox)
        await page.stop()

        async def kinds() -> list[type]:
            return [type(entry.event) for entry in await world.log(FIRST)]

        async def is_away() -> bool:
            return (await kinds())[-1] is ev.LegAway

        await eventually(is_away)


async def test_the_leg_comes_back_with_its_page_on_another_node(
    world: World, here: ServingNode, tmp_path: Path, eventually: Eventually
) -> None:
    token = (await here.visitor())["visitor"]
    async with chatting(here, token) as page:
        page.send("msg.send", text="hello")
        await eventually(lambda: not page.outbox)
        await world.answer(FIRST)
        await world.write(FIRST, "m1", "hi")
        await eventually(lambda: state_of(page, "m1") == "delivered")
    async with node(world, tmp_path, "node-2") as there, chatting(there, token) as page:
        assert shown(page) == [("citizen", "hello"), ("agent", "hi")]
        assert standing(page)["phase"] == "talking"

        async def owner() -> bool:
            backs = await world.events(FIRST, ev.LegBack)
            return bool(backs) and backs[-1].owner == NodeId("node-2")  # type: ignore[attr-defined]

        await eventually(owner)
        page.send("msg.send", text="again")
        await eventually(lambda: not page.outbox)
        await world.write(FIRST, "m2", "yes?")
        await eventually(lambda: shown(page)[-1] == ("agent", "yes?"))
        assert await world.texts(FIRST) == ["hello", "again"]


async def test_two_windows_on_two_nodes_do_not_fight_for_the_leg(
    world: World, here: ServingNode, tmp_path: Path, eventually: Eventually
) -> None:
    token = (await here.visitor())["visitor"]
    async with node(world, tmp_path, "node-2") as there, chatting(here, token) as one, chatting(there, token) as two:
        one.send("msg.send", text="from one")
        await eventually(lambda: shown(two) == [("citizen", "from one")])
        two.send("msg.send", text="from two")
        await eventually(lambda: shown(one) == shown(two) == [("citizen", "from one"), ("citizen", "from two")])
        await world.write(FIRST, "m1", "hi")
        await eventually(lambda: ("agent", "hi") in shown(one) and ("agent", "hi") in shown(two))
        assert await world.events(FIRST, ev.LegBack) == []
        two.cut()
        await eventually(lambda: len(two.welcomes) == 2)
        await world.write(FIRST, "m2", "still there?")
        await eventually(lambda: ("agent", "still there?") in shown(one) and ("agent", "still there?") in shown(two))
        assert len(await world.events(FIRST, ev.LegBack)) <= 1


async def test_the_place_in_line_is_told_when_it_changes(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    async with chatting(here) as page:
        page.send("msg.send", text="hello")
        await eventually(lambda: world.asked > 0)  # the line has not got it yet
        world.places[FIRST] = Place(3, 9, 120.0)
        await eventually(lambda: [frame["position"] for frame in page.ephemeral] == [3])
        assert page.ephemeral[0]["estimate_s"] == 120.0
        asked = world.asked
        await here.channel.follow(Entry(SECOND, 4, ev.LegClosed(leg=LegId("x"), reason=LegEnd.HANGUP)))
        await eventually(lambda: world.asked > asked)
        world.places[FIRST] = Place(2, 8, 80.0)
        await here.channel.follow(Entry(SECOND, 5, ev.LegClosed(leg=LegId("x"), reason=LegEnd.HANGUP)))
        await eventually(lambda: [frame["position"] for frame in page.ephemeral] == [3, 2])
        await world.answer(FIRST)
        await eventually(lambda: standing(page)["phase"] == "talking")
        asked = world.asked
        await here.channel.follow(Entry(SECOND, 6, ev.LegClosed(leg=LegId("x"), reason=LegEnd.HANGUP)))
        await asyncio.sleep(3 * SETTINGS.place_every_s)
        assert world.asked == asked


async def test_typing_goes_both_ways(world: World, here: ServingNode, eventually: Eventually) -> None:
    async with chatting(here) as page:
        page.send("msg.send", text="hello")
        await eventually(lambda: not page.outbox)
        await page.put({"t": "typing"})
        await world.answer(FIRST)
        await eventually(lambda: standing(page)["phase"] == "talking")
        await page.put({"t": "typing"})
        await eventually(lambda: here.typed == [FIRST])
        here.channel.typing(FIRST)
        await eventually(lambda: page.ephemeral[-1:] == [{"t": "typing", "from": "agent"}])
        here.channel.typing(SECOND)


async def test_another_visitor_with_the_same_command_id_gets_a_session_of_their_own(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    async with chatting(here) as one, chatting(here) as two:
        stolen = one.send("msg.send", text="mine")
        await eventually(lambda: not one.outbox)
        await two.put({"t": "msg.send", "id": stolen, "cseq": 1, "text": "theirs"})
        await eventually(lambda: stolen in two.acked)
        assert await world.texts(FIRST) == ["mine"]
        assert await world.texts(SECOND) == ["theirs"]
        assert shown(one) == [("citizen", "mine")]


async def test_what_was_missed_of_the_feed_is_read_from_the_log(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    async with chatting(here) as page:
        page.send("msg.send", text="hello")
        await eventually(lambda: not page.outbox)
        kept = world.store.log._world
        for number in range(5):
            await world.write(FIRST, f"m{number}", str(number))
        kept.feed[-4:] = kept.feed[-1:]  # three entries never come by the feed
        await eventually(lambda: [text for _, text in shown(page)[1:]] == ["0", "1", "2", "3", "4"])


async def test_sessions_of_others_cost_one_look(here: ServingNode) -> None:
    entry = Entry(SECOND, 7, ev.TextReceived(leg=LegId("x"), message=MessageId("m"), text="elsewhere"))
    for _ in range(1000):
        await here.channel.follow(entry)
    assert here.channel._watched == {}
    assert here.channel._conversations == {}


async def test_a_visitor_who_does_not_come_back_is_forgotten(
    world: World, tmp_path: Path, eventually: Eventually
) -> None:
    brief = replace(SETTINGS, sockets=replace(SETTINGS.sockets, resume_s=0.05))
    async with node(world, tmp_path, settings=brief) as serving:
        async with chatting(serving) as page:
            page.send("msg.send", text="hello")
            await eventually(lambda: not page.outbox)
        await eventually(lambda: not serving.channel._conversations and not serving.channel._watched)
        assert len(await world.events(FIRST, ev.LegAway)) == 1


async def test_twelve_chats_on_two_nodes_cut_at_random_lose_double_and_reorder_nothing(
    world: World, tmp_path: Path, eventually: Eventually
) -> None:
    dice = random.Random(7)
    async with node(world, tmp_path, "a") as one, node(world, tmp_path, "b") as other:
        pages = [one.page((await one.visitor())["visitor"]) for _ in range(12)]
        try:
            await _talk(world, pages, (one, other), dice)
            for page in pages:
                await eventually(partial(_is_settled, page), deadline_s=20)
                await eventually(partial(_shows_its_log, world, page), deadline_s=20)
        finally:
            await asyncio.gather(*(page.stop() for page in pages))
        assert sum(len(page.welcomes) - 1 for page in pages) >= _CUTS
        assert any(welcome["reset"] for page in pages for welcome in page.welcomes[1:])


_CUTS = 25


async def _talk(world: World, pages: list[Client], nodes: tuple[ServingNode, ServingNode], dice: random.Random) -> None:
    cuts = 0
    for number in range(40):
        for index, page in enumerate(pages):
            page.send("msg.send", text=f"{index} up {number}")
        for session in list(world.store.log._world.sessions):
            await world.write(session, f"down-{number}", f"down {number}")
        cuts += _cut(dice.choice(pages), nodes, dice)
        await asyncio.sleep(0.005)
    async with asyncio.timeout(20):
        while cuts < _CUTS or sum(len(page.welcomes) - 1 for page in pages) < _CUTS:
            cuts += _cut(dice.choice(pages), nodes, dice)
            await asyncio.sleep(0.005)


def _cut(page: Client, nodes: tuple[ServingNode, ServingNode], dice: random.Random) -> bool:
    """Break a page's connection; half of the time it comes back to either node."""
    if not page.cut():
        return False
    if dice.random() < 0.5:
        page.url = dice.choice(nodes).base.replace("http:", "ws:") + "/api/webchat/socket"
        page.headers = {"Origin": page.url.replace("ws:", "http:").removesuffix("/api/webchat/socket")}
    return True


def _is_settled(page: Client) -> bool:
    return not page.outbox


async def _shows_its_log(world: World, page: Client) -> bool:
    """The page shows exactly its session's messages in the order of the log, and its own are there once, in order."""
    mine = [text for who, text in shown(page) if who == "citizen"]
    for session in world.store.log._world.sessions:
        if await world.texts(session) == mine:
            texts = [entry.event for entry in await world.log(session)]
            expected = [one.text for one in texts if isinstance(one, ev.TextReceived | ev.TextSent)]
            index = mine[0].split()[0] if mine and mine[0] else ""
            in_order = mine == [f"{index} up {number}" for number in range(40)]
            return in_order and [text for _, text in shown(page)] == expected
    return False


async def test_the_page_goes_on_with_an_older_session_of_its_citizen(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    """One that their text message has begun: the page shows it, though the one that it had is newer."""
    number = Address("tel", "+8613800138000")
    thread = Leg(LegId("thread"), "sms", Medium.MESSAGE, Party.CITIZEN, NodeId("n1"), number, asserted=True)
    opened = ev.SessionOpened(citizen=number, number="12345", demand=Demand("general"))
    older, _ = await world.store.log.open(
        world.next_session(), NodeId("n1"), opened, ev.LegOpened(leg=thread), dedupe=thread.id
    )
    async with chatting(here) as page:
        page.send("msg.send", text="one")
        await eventually(lambda: not page.outbox)
        (leg,) = await world.events(SECOND, ev.LegOpened)
        assert isinstance(leg, ev.LegOpened)
        assert leg.leg.address is not None
        page.send("session.end")
        await eventually(lambda: standing(page)["phase"] == "ended")
        world.store.log._world.sessions[SECOND].findable = False
        await world.store.kin.relate(0, 1, [[number, leg.leg.address]])
        page.send("msg.send", text="two")
        await eventually(lambda: standing(page)["phase"] == "waiting")
        await world.write(older, "m1", "您好")
        await eventually(lambda: shown(page) == [("citizen", "one"), ("citizen", "two"), ("agent", "您好")])
        assert await world.texts(older) == ["two"]
        assert await world.texts(SECOND) == ["one"]
