"""People who vanish: a telephone that has fallen silent is asked whether it is still there.

A BYE may be lost, a telephone may lose its power. Silence alone proves nothing, as a muted telephone may send no
sound at all; but one that is there answers an OPTIONS within its dialog (RFC 3261, sections 11 and 12.2.1.2).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from channels.phone.call import Call


@dataclass(frozen=True, slots=True)
class Vigilance:
    """How long to wait, in seconds. Whoever has gone without a word is let go within 40 s."""

    citizen_s: float = 20.0
    """Of silence, before a citizen's telephone is asked, and between two times of asking either."""
    agent_s: float = 10.0
    """Of silence where an agent's telephone had spoken: a citizen talks to nobody meanwhile."""
    answer_s: float = 10.0
    """For the answer. Over UDP it is asked five times in it."""
    look_s: float = 2.0
    page_s: float = 20.0
    """For a telephone in a page that is gone to be there again, while the other hears music."""


async def keep_vigil(
    call: Call, received: Callable[[], Awaitable[int]], vigilance: Vigilance, *, first_s: float
) -> None:
    """Until the call is over; one that does not answer is ended as lost.

    `received` counts the packets of sound that have come. `first_s` is how much silence after sound is suspicious.
    """
    loop = asyncio.get_running_loop()
    count, quiet_since = 0, loop.time()
    patience_s = vigilance.citizen_s
    while not call.is_over:
        await asyncio.sleep(vigilance.look_s)
        if (now_count := await received()) != count:
            count, quiet_since, patience_s = now_count, loop.time(), first_s
        elif loop.time() - quiet_since >= patience_s:
            if not await call.answers(vigilance.answer_s) and await received() == count:
                call.give_up()
            quiet_since, patience_s = loop.time(), vigilance.citizen_s
