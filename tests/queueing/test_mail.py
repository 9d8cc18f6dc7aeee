"""Letters from node to node, over both stores."""

import asyncio

import pytest

from queueing.errors import TooLarge
from queueing.mail import LONGEST_LETTER_BYTES
from session.ids import NodeId
from tests.conftest import Eventually
from tests.queueing.house import NODE, House

OTHER = NodeId("n2")


async def test_letters_arrive_once_and_in_their_order(house: House) -> None:
    mail = house.store.mail
    waiting = asyncio.create_task(mail.receive(NODE, "0"))
    for number in range(3):
        assert await mail.send(NODE, b"\r\n\x00%d" % number)
    letters: list[bytes] = []
    cursor, came = await waiting
    letters += came
    while len(letters) < 3:
        cursor, came = await mail.receive(NODE, cursor)
        letters += came
    assert letters == [b"\r\n\x000", b"\r\n\x001", b"\r\n\x002"]
    assert await mail.receive(NODE, cursor, block_s=0.01) == (cursor, [])


async def test_what_is_said_is_heard_by_all_who_listen(house: House, eventually: Eventually) -> None:
    """At once or never: nothing of it is kept."""
    heard: dict[int, list[bytes]] = {0: [], 1: []}

    async def listen(by: int) -> None:
        async for word in house.store.words():
            heard[by].append(word)

    await house.store.say(b"to nobody")
    listening = [asyncio.create_task(listen(by)) for by in heard]

    async def both() -> bool:
        await house.store.say(b"\x00\xff")
        return all(heard.values())

    await eventually(both, deadline_s=15)
    assert {word for words in heard.values() for word in words} == {b"\x00\xff"}
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)


async def test_a_dead_node_gets_none(house: House) -> None:
    mail = house.store.mail
    assert (await mail.lives(OTHER), await mail.send(OTHER, b"to nobody")) == (False, False)
    await house.store.mailboxes.beat(OTHER, ttl_s=2)
    assert (await mail.lives(OTHER), await mail.send(OTHER, b"letter")) == (True, True)
    await house.clock.pass_s(3)
    assert await mail.lives(OTHER), "nobody has been heard since: it was the store that was away"
    for _ in range(3):
        await house.store.mailboxes.beat(NODE, ttl_s=2)
        await house.clock.pass_s(1)
    await house.store.mailboxes.beat(NODE, ttl_s=2)
    assert (await mail.lives(OTHER), await mail.send(OTHER, b"too late")) == (False, False)
    assert (await mail.receive(OTHER, "0", block_s=0.01))[1] == [b"letter"]


async def test_one_that_left_gets_none(house: House) -> None:
    await house.store.mailboxes.leave(NODE)
    assert not await house.store.mail.send(NODE, b"letter")


async def test_a_letter_has_a_bound(house: House) -> None:
    with pytest.raises(TooLarge):
        await house.store.mail.send(NODE, b"x" * (LONGEST_LETTER_BYTES + 1))
