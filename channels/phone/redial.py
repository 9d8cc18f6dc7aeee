"""A citizen who dials again before we know that their call is dead (重拨): the network says so late, or never.

Their new call must go on with what the old one had, and two calls of one number at once are two people to the core. So
the old one is looked at while the new one waits for its answer. A telephone that sends no sound within a moment
is asked whether it still knows the call (RFC 3261, section 12.2.1.2); a mobile is not: nobody else could be calling
from it, and the carrier's border answers in its name long after the radio has lost it. One that has just ended, and of
which the core has yet to be told, is waited for as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from channels.phone.bridge import Bridge
from session.number import is_mobile
from session.ports import Contact

LISTEN_S = 0.6
"""Thirty packets' worth: a telephone line carries its silence too."""
ANSWER_S = 1.2
"""Over UDP it is asked twice in it."""
TOLD_S = 3.0
"""For the core to hear of it; after that the new call begins a session of its own."""


async def bury_dead(running: Iterable[Bridge], contact: Contact) -> None:
    """End the calls from the number of a call that comes in which nobody holds any more; returns once all know."""
    if contact.asserted:
        theirs = [one for one in running if one.contact.address == contact.address and one.contact.asserted]
        if theirs:
            await asyncio.gather(*map(_bury, theirs))


async def _bury(bridge: Bridge) -> None:
    if not bridge.is_over and await _is_dead(bridge):
        bridge.ladder.note("dead", "the same number calls again")
        with suppress(TimeoutError):
            async with asyncio.timeout(TOLD_S):
                await bridge.lose()
    elif bridge.is_over:
        with suppress(TimeoutError):
            async with asyncio.timeout(TOLD_S):
                await bridge.ended()


async def _is_dead(bridge: Bridge) -> bool:
    call = bridge.call
    if call is None or not call.is_answered or bridge.is_over:
        return False
    before = await bridge.received()
    if is_mobile(bridge.contact.address.identifier):
        await asyncio.sleep(LISTEN_S)
        return await _is_silent(bridge, before)
    return not await call.answers(ANSWER_S) and await _is_silent(bridge, before)


async def _is_silent(bridge: Bridge, before: int) -> bool:
    return not bridge.is_over and await bridge.received() == before
