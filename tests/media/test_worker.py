"""The process that carries sound, spoken to over its pipe as a gateway speaks to it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

import pytest

from media import wire
from media.engine import Engine
from media.errors import EngineFailed, NotNegotiated
from media.telephone_event import Heard
from media.wire import Command, Happened, Reply
from media.worker import _MOST_UNTOLD, Worker
from session.audio import Announcement, AudioStats, DigitHeard, PlaybackEnded, Slot

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from media.call import Call
    from media.prompts import PromptLibrary
    from media.tap import Tap
    from tests.conftest import Eventually

CITIZEN = Slot.CITIZEN


class SlowRecorder:
    """A disk that takes its time."""

    def __init__(self) -> None:
        self.may_begin = asyncio.Event()

    async def begin(self, path: Path) -> Tap:
        await self.may_begin.wait()
        raise OSError("full")


class Gateway:
    """The other end of the pipe, which reads when it is told to."""

    def __init__(self, worker: Worker, sock: socket.socket) -> None:
        self.worker, self.sock = worker, sock
        self.heard: list[wire.Message] = []
        self._unread = bytearray()

    def ask(self, number: int, name: str, *arguments: object, **named: object) -> None:
        self.sock.sendall(wire.packed(Command(number, 1, name, arguments, named)))

    def begin(self, number: int) -> None:
        """With a look at its figures, which are nought."""
        self.ask(number, "open", "call-1", "stats", (CITIZEN,), {})

    def read(self) -> list[wire.Message]:
        """All that has been said so far."""
        try:
            while data := self.sock.recv(65_536):
                self._unread += data
        except BlockingIOError:
            pass
        self.heard += wire.cut(self._unread)
        return self.heard

    @property
    def replies(self) -> dict[int, Reply]:
        return {one.number: one for one in self.read() if isinstance(one, Reply)}

    @property
    def call(self) -> Call:
        return self.worker._seats[1].call


@asynccontextmanager
async def a_gateway(prompts: PromptLibrary, recorder: SlowRecorder | None = None) -> AsyncIterator[Gateway]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    async with Engine(prompts, recorder=recorder) as engine:
        _, worker = await asyncio.get_running_loop().create_unix_connection(lambda: Worker(engine), sock=theirs)
        with ours:
            yield Gateway(worker, ours)
        assert not await asyncio.wait_for(worker.serve(), 15), "the gateway has died"


async def test_what_takes_its_time_is_waited_for_by_what_changes_the_call_only(
    prompts: PromptLibrary, eventually: Eventually
) -> None:
    recorder = SlowRecorder()
    async with a_gateway(prompts, recorder) as gateway:
        gateway.begin(1)
        gateway.ask(2, "record", cast("Path", "nowhere"))
        gateway.ask(3, "hold", CITIZEN, held=True)
        gateway.ask(4, "stats", CITIZEN)
        gateway.ask(5, "offer", CITIZEN)
        await eventually(lambda: {1, 4} <= gateway.replies.keys(), deadline_s=15)
        assert gateway.replies.keys() == {1, 4}
        assert gateway.replies[4].value == AudioStats(0, 0, 0, 0.0)
        assert not gateway.call._places[CITIZEN].held

        recorder.may_begin.set()
        await eventually(lambda: len(gateway.replies) == 5, deadline_s=15)
        numbers = [one.number for one in gateway.heard if isinstance(one, Reply)]
        assert numbers == [1, 4, 2, 3, 5], "each in its turn"
        assert gateway.call._places[CITIZEN].held


async def test_a_session_stands_although_what_was_asked_of_it_first_is_refused(
    prompts: PromptLibrary, eventually: Eventually
) -> None:
    async with a_gateway(prompts) as gateway:
        gateway.ask(1, "open", "call-1", "accept", (CITIZEN, b"v=0"), {})
        await eventually(lambda: 1 in gateway.replies, deadline_s=15)
        assert isinstance(gateway.replies[1].error, NotNegotiated)
        begun = gateway.call
        gateway.ask(2, "open", "call-1", "hold", (CITIZEN,), {"held": True})
        await eventually(lambda: 2 in gateway.replies, deadline_s=15)
        assert gateway.call is begun, "who asks again, not knowing, finds the same"
        assert begun._places[CITIZEN].held
        gateway.ask(wire.UNANSWERED, "close")
        gateway.ask(3, "stats", CITIZEN)
        await eventually(lambda: 3 in gateway.replies, deadline_s=15)
        assert isinstance(gateway.replies[3].error, NotNegotiated), "it is closed"
        assert gateway.replies.keys() == {1, 2, 3}, "which nobody waited for"


async def test_what_waits_although_it_was_to_be_done_at_once_breaks_and_holds_up_nobody(
    prompts: PromptLibrary, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with a_gateway(prompts) as gateway:
        gateway.begin(1)
        await eventually(lambda: 1 in gateway.replies, deadline_s=15)
        monkeypatch.setattr(gateway.call, "hold", lambda *_, **__: asyncio.sleep(3600))
        gateway.ask(2, "hold", CITIZEN, held=True)
        gateway.ask(3, "stats", CITIZEN)
        gateway.ask(4, "mute", CITIZEN, muted=True)
        await eventually(lambda: len(gateway.replies) == 4, deadline_s=15)
        assert isinstance(gateway.replies[2].error, EngineFailed)
        assert gateway.replies[4].error is None


async def test_a_gateway_that_does_not_read_is_told_later_and_of_digits_so_many(
    prompts: PromptLibrary, eventually: Eventually
) -> None:
    async with a_gateway(prompts) as gateway:
        gateway.begin(1)
        await eventually(lambda: 1 in gateway.replies, deadline_s=15)
        while gateway.worker._is_heard:
            gateway.call.digit_heard(CITIZEN, Heard("1", 100))
            await asyncio.sleep(0)
        for _ in range(2 * _MOST_UNTOLD):
            gateway.call.digit_heard(CITIZEN, Heard("2", 100))
        await gateway.call.play(CITIZEN, [Announcement("welcome")])
        gateway.call.played(CITIZEN)
        gateway.ask(2, "stats", CITIZEN)
        gateway.read()
        await eventually(lambda: 2 in gateway.replies, deadline_s=15)
        told = [one.event for one in gateway.heard if isinstance(one, Happened)]
        assert told[-1] == PlaybackEnded(CITIZEN, "welcome"), "what is no digit is never lost"
        assert sum(isinstance(one, DigitHeard) and one.digit == "2" for one in told) == _MOST_UNTOLD
