"""The segments of one message, handed over one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from channels.sms.carrier import Receipt
from channels.sms.errors import OutcomeUnknown, SubmitDelayed

S = TypeVar("S")

PAUSE_S = 1.0
_TRIES = 30


async def one_by_one(carrier: str, segments: Sequence[S], submit: Callable[[S], Awaitable[str]]) -> Receipt:
    """Submit in order, since some telephones show what comes first; gives the carrier's id of each.

    The first may be put off like any message. Once it has gone out, the rest must follow: the message cannot be
    tried again as a whole. Raises what `submit` does, and `OutcomeUnknown`.
    """
    first = await submit(segments[0])
    return Receipt((first, *[await _insist(carrier, segment, submit) for segment in segments[1:]]))


async def _insist(carrier: str, segment: S, submit: Callable[[S], Awaitable[str]]) -> str:
    for _ in range(_TRIES):
        try:
            return await submit(segment)
        except SubmitDelayed:
            await asyncio.sleep(PAUSE_S)
    raise OutcomeUnknown(carrier)
