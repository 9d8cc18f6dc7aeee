"""People who vanish: a telephone that has fallen silent is asked whether it is still there.

A BYE may be lost, a telephone may lose its power. Silence alone proves nothing, as a muted telephone may send no
sound at all; but one that is there answers an OPTIONS within its dialog (RFC 3261, sections 11 and 12.2.1.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from channels.phone.call import Call


@dataclass(frozen=True, slots=True)
class Vigilance:
    """How long to wait, in seconds. Whoever has gone without a word keeps nobody for longer than 40 s, with what the
    core then waits for a citizen who may dial again (docs/decisions/0152-gone-for-forty-seconds.md).
    """

    silence_s: float = 10.0
    """Of silence, before a telephone is asked, and between two times of asking: somebody talks to nobody meanwhile."""
    answer_s: float = 10.0
    """For the answer. Over UDP it is asked five times in it."""
    look_s: float = 2.0
    page_s: float = 15.0
    """For a telephone in a page that is gone to be there again, while the other hears music."""


@asynccontextmanager
async def vigil(call: Call, received: Callable[[], Awaitable[int]], vigilance: Vigilance) -> AsyncIterator[None]:
    """Kept while the block lasts: a call that does not answer is ended as lost.

    `received` counts the packets of sound that have come. What looks is made when it is first time to look: a call's
    beginning is the busiest time of all.
    """
    loop = asyncio.get_running_loop()
    began = loop.time()
    watching: list[asyncio.Task[None]] = []

    def begin() -> None:
        watching.append(asyncio.create_task(_watch(call, received, vigilance, began)))

    beginning = loop.call_later(vigilance.look_s, begin)
    try:
        yield
    finally:
        beginning.cancel()
        for task in watching:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _watch(call: Call, received: Callable[[], Awaitable[int]], vigilance: Vigilance, quiet_since: float) -> None:
    loop = asyncio.get_running_loop()
    count = 0
    while not call.is_over:
        if (now_count := await received()) != count:
            count, quiet_since = now_count, loop.time()
        elif loop.time() - quiet_since >= vigilance.silence_s:
            if not await call.answers(vigilance.answer_s) and await received() == count:
                call.give_up()
            quiet_since = loop.time()
        await asyncio.sleep(vigilance.look_s)
