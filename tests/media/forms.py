"""What stands behind the Audio port: the engine in this loop, at the other end of a pipe, and behind rtpengine."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any, Protocol

from media.engine import Engine
from media.pipe import Pipe
from media.rtpengine.engine import AnchoredEngine
from media.worker import Worker
from tests.peers.rtpengine import shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from media.prompts import PromptLibrary
    from session.audio import AudioSession


class Opens(Protocol):
    """As much of an engine as these tests need."""

    async def open(self, key: str) -> AudioSession: ...


class OpenEngine(Protocol):
    """Takes what `Engine` takes."""

    def __call__(self, prompts: PromptLibrary, **wanted: Any) -> AbstractAsyncContextManager[Opens]: ...


@asynccontextmanager
async def beyond_a_pipe(prompts: PromptLibrary, **wanted: Any) -> AsyncIterator[Pipe]:
    """An engine that is spoken to as one in another process, in this one."""
    ours, theirs = socket.socketpair()
    _, pipe = await asyncio.get_running_loop().create_unix_connection(Pipe, sock=ours)
    async with Engine(prompts, **wanted) as engine:
        _, worker = await asyncio.get_running_loop().create_unix_connection(lambda: Worker(engine), sock=theirs)
        hearing = asyncio.create_task(pipe.run())
        yield pipe
        await pipe.ask(0, "leave")
        assert await worker.serve()
        worker.close()
        await hearing


def in_this_loop(prompts: PromptLibrary, **wanted: Any) -> AbstractAsyncContextManager[Opens]:
    """An engine as it is."""
    return Engine(prompts, **wanted)


@asynccontextmanager
async def through_rtpengine(prompts: PromptLibrary, **wanted: Any) -> AsyncIterator[Opens]:
    """Far ends meet a real rtpengine."""
    async with AnchoredEngine(prompts, rtpengines=[shared().address], **wanted) as engine:
        yield engine


FORMS: dict[str, OpenEngine] = {
    "in this loop": in_this_loop,
    "beyond a pipe": beyond_a_pipe,
    "rtpengine": through_rtpengine,
}
