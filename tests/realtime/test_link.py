"""A link's writing: answers at once, what is published once a turn, all of it in order when the far end has room."""

import asyncio
import json
from collections.abc import Callable

from realtime.citizen import MessageProgress
from realtime.link import Link
from realtime.messages import Ack, Close, Pong
from realtime.settings import SocketSettings
from realtime.turn import Turn


class FarEnd:
    """An endpoint whose far end reads when it is told to."""

    def __init__(self) -> None:
        self.is_full = False
        self.on_room: Callable[[], None] = lambda: None
        self.writes: list[list[dict[str, object]]] = []
        self.closed: Close | None = None

    def write(self, frames: bytes) -> None:
        texts = [b"{" + part.rpartition(b"}")[0] + b"}" for part in frames.split(b"{")[1:]]
        self.writes.append([json.loads(text) for text in texts])

    def waiting_bytes(self) -> int:
        return 0

    def close(self, code: Close, reason: str) -> None:
        del reason
        self.closed = code

    @property
    def kinds(self) -> list[list[object]]:
        return [[frame["t"] for frame in write] for write in self.writes]


def linked() -> tuple[Link, FarEnd]:
    link, far_end = Link("sid", "subject", SocketSettings(), Turn()), FarEnd()
    link.attach(far_end, Pong(), 0)
    far_end.writes.clear()
    return link, far_end


def progress() -> MessageProgress:
    return MessageProgress(id="one", state="read")


async def test_what_is_published_goes_out_at_the_end_of_the_turn_in_one_write() -> None:
    link, far_end = linked()
    link.publish(progress())
    link.publish(progress())
    assert far_end.writes == []
    await asyncio.sleep(0)
    assert far_end.kinds == [["msg.state", "msg.state"]]
    assert [frame["seq"] for frame in far_end.writes[0]] == [1, 2]


async def test_an_answer_goes_out_at_once_behind_what_was_published_before_it() -> None:
    link, far_end = linked()
    link.reply(Ack(id="a", rev=1))
    assert far_end.writes == [[{"t": "ack", "id": "a", "rev": 1}]]
    link.publish(progress())
    link.reply(Ack(id="b", rev=2))
    link.publish(progress())
    assert far_end.kinds == [["ack"], ["msg.state"], ["ack"]]
    await asyncio.sleep(0)
    assert far_end.kinds == [["ack"], ["msg.state"], ["ack"], ["msg.state"]]


async def test_what_comes_while_the_far_end_is_full_waits_for_room() -> None:
    link, far_end = linked()
    far_end.is_full = True
    link.publish(progress())
    link.reply(Ack(id="a", rev=1))
    link.reply(Ack(id="b", rev=2))
    await asyncio.sleep(0)
    assert far_end.writes == []
    far_end.is_full = False
    far_end.on_room()
    assert far_end.kinds == [["msg.state", "ack", "ack"]]


async def test_a_page_that_asks_and_never_reads_is_given_up() -> None:
    link, far_end = linked()
    far_end.is_full = True
    for number in range(1001):
        assert far_end.closed is None
        link.reply(Ack(id="a", rev=number))
    assert far_end.closed is Close.SLOW
    assert not link.is_connected


async def test_a_new_socket_is_greeted_before_what_it_missed() -> None:
    link, far_end = linked()
    link.publish(progress())
    newer = FarEnd()
    assert link.attach(newer, Pong(), 0) is far_end
    assert newer.kinds == [["pong"], ["msg.state"]]
    await asyncio.sleep(0)
    assert newer.kinds == [["pong"], ["msg.state"]]
    assert far_end.writes == []
