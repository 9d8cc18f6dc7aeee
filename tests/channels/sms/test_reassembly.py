"""Long texts from their parts, on one node and on several."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from channels.sms.carrier import Part
from channels.sms.coding import Coding, encode
from channels.sms.header import Place
from channels.sms.reassembly import joined
from session import events as ev
from session.ports import StoreUnavailable
from tests.channels.sms.rig import CITIZEN, OTHER, ServingNode, StandIn, World, node
from tests.conftest import Eventually

_numbers = itertools.count()


def parts(text: str, *, reference: int = 7, sender: str = CITIZEN, size: int = 10) -> list[Part]:
    """A long text as octets cut anywhere, emoji in two included."""
    octets = encode(text, Coding.UCS2)
    pieces = [octets[start : start + size] for start in range(0, len(octets), size)]
    return [
        Part(
            carrier="stand-in",
            id=f"part-{next(_numbers)}",
            sender=sender,
            recipient="12345",
            vouched=True,
            place=Place(reference, len(pieces), index),
            octets=piece,
            coding=Coding.UCS2,
        )
        for index, piece in enumerate(pieces, 1)
    ]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def carrier() -> StandIn:
    return StandIn()


@pytest.fixture
async def serving(world: World, carrier: StandIn, tmp_path: Path) -> AsyncIterator[ServingNode]:
    async with node(world, [carrier], tmp_path) as one:
        yield one


def test_gaps_are_marked_where_they_are() -> None:
    one, two, three, four = parts("一二三四五" + "六七八九十" + "甲乙丙丁戊" + "己")
    assert joined([four, one, three, two]) == "一二三四五六七八九十甲乙丙丁戊己"
    assert joined([one, four]) == "一二三四五〔第2/4段未收到〕〔第3/4段未收到〕己"
    assert joined([two]) == "〔第1/4段未收到〕六七八九十〔第3/4段未收到〕〔第4/4段未收到〕"


def test_an_emoji_that_its_sender_cut_is_whole_again() -> None:
    cut = parts("甲😀乙", size=4)
    assert [part.octets for part in cut] != [], "cut inside the emoji"
    assert joined(cut) == "甲😀乙"


async def test_in_any_order_and_each_twice(world: World, serving: ServingNode, carrier: StandIn) -> None:
    text = "热线您好，我家门口的路灯坏了三天了😀，请派人来修。地址在中山路一号。"
    pieces = parts(text, size=6)
    assert len(pieces) >= 10, "order must be that of numbers, not of words"
    shuffled = pieces * 2
    random.Random(1).shuffle(shuffled)
    for part in shuffled:
        await carrier.brings(part)
    assert await world.texts() == [text]
    kept = [key for key, (fields, _) in world.store.shared._maps.items() if key.startswith("sms:parts") and fields]
    assert kept == [], "a part that came again waits for no others"


async def test_two_citizens_with_one_reference_never_join(world: World, serving: ServingNode, carrier: StandIn) -> None:
    mine, theirs = parts("我的秘密是一二三四五六七"), parts("别人的秘密甲乙丙丁戊己庚", sender=OTHER)
    for one, other in zip(mine, theirs, strict=True):
        await carrier.brings(one)
        await carrier.brings(other)
    sessions = await world.sessions()
    assert len(sessions) == 2
    assert sorted([await world.texts(one) for one in sessions]) == [
        ["别人的秘密甲乙丙丁戊己庚"],
        ["我的秘密是一二三四五六七"],
    ]


async def test_a_reference_that_comes_round_joins_no_halves(
    world: World, serving: ServingNode, carrier: StandIn
) -> None:
    old, new = parts("旧的一二三四五六"), parts("新的甲乙丙丁戊己")
    await carrier.brings(old[0])
    await carrier.brings(new[0])
    await carrier.brings(new[1])
    assert await world.texts() == ["旧的一二三〔第2/2段未收到〕", "新的甲乙丙丁戊己"]


async def test_what_is_not_whole_at_the_deadline_is_shown(
    world: World, serving: ServingNode, carrier: StandIn, eventually: Eventually
) -> None:
    first, second, third = parts("一二三四五六七八九十甲乙")
    await carrier.brings(first)
    await carrier.brings(third)
    assert await world.texts() == []
    await eventually(world.texts)
    await carrier.brings(second)
    await eventually(lambda: _count(world, 2))
    assert await world.texts() == [
        "一二三四五〔第2/3段未收到〕甲乙",
        "〔第1/3段未收到〕六七八九十〔第3/3段未收到〕",
    ]


async def _count(world: World, wanted: int) -> bool:
    return len(await world.texts()) == wanted


async def test_the_parts_of_a_dead_node_are_taken_up_by_another(
    world: World, tmp_path: Path, eventually: Eventually
) -> None:
    first, second = parts("一二三四五六七")
    dying, living = StandIn(), StandIn()
    async with AsyncExitStack() as stack:
        async with node(world, [dying], tmp_path, name="dying"):
            await dying.brings(first)
        await stack.enter_async_context(node(world, [living], tmp_path, name="living"))
        world.offset_s = 6.0  # the dead node's leases run out
        await living.brings(second)
        assert await world.texts() in (["一二三四五六七"], ["一二三四五〔第2/2段未收到〕"])


async def test_parts_at_once_on_two_nodes(world: World, tmp_path: Path, eventually: Eventually) -> None:
    here, there = StandIn(), StandIn()
    async with (
        node(world, [here], tmp_path, name="a", part_patience_s=60.0),
        node(world, [there], tmp_path, name="b", part_patience_s=60.0),
    ):
        first, second = parts("一二三四五六七")
        sending = asyncio.gather(here.brings(first), there.brings(second))
        await asyncio.sleep(0.1)
        world.offset_s = 6.0
        await sending
        assert await world.texts() == ["一二三四五六七"]


async def test_nothing_is_acknowledged_while_the_store_is_away(
    world: World, serving: ServingNode, carrier: StandIn
) -> None:
    first, second = parts("一二三四五六七")
    world.is_away = True
    with pytest.raises(StoreUnavailable):
        await carrier.brings(first)
    world.is_away = False
    await carrier.brings(first)
    world.loses_answers = True
    with pytest.raises(StoreUnavailable):
        await carrier.brings(second)
    world.loses_answers = False
    await carrier.brings(second)
    assert await world.texts() == ["一二三四五六七"]


async def test_a_whole_text_that_finds_no_session_is_kept(
    world: World, serving: ServingNode, carrier: StandIn, eventually: Eventually
) -> None:
    first, second = parts("一二三四五六七")
    await carrier.brings(first)
    world.refuses = "sms:thread"
    with pytest.raises(StoreUnavailable):
        await carrier.brings(second)
    world.refuses = None
    await carrier.brings(second)
    await eventually(world.texts)
    assert await world.texts() == ["一二三四五六七"]


async def test_more_parts_than_are_kept_are_shown_by_themselves(
    world: World, serving: ServingNode, carrier: StandIn
) -> None:
    many = parts("字" * 200, size=4)
    await carrier.brings(many[0])
    (text,) = await world.texts()
    assert text.startswith("字字〔第2/100段未收到〕")
    received: list[Any] = await world.events(ev.TextReceived)
    assert len(received) == 1
