"""A supervisor's word to every desk (广播), on every node: the last one is kept for a moment where all nodes look."""

from __future__ import annotations

import json
from dataclasses import dataclass

from gateway.ulid import new_ulid
from session.ports import SharedState

_KEY = "bulletin"
KEPT_S = 60.0
"""A desk that opens within this time is still told."""


@dataclass(frozen=True, slots=True)
class Word:
    """One of them."""

    id: str
    by: str
    text: str


class Bulletin:
    """Written by one, read by every node once a second."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared

    async def post(self, by: str, text: str) -> None:
        """Say it to all. The one before is forgotten: desks have shown it, or were not there."""
        await self._shared.put(_KEY, json.dumps([new_ulid(), by, text]).encode(), ttl_s=KEPT_S)

    async def last(self) -> Word | None:
        """What was said last, for as long as it is kept."""
        kept = await self._shared.get(_KEY)
        return Word(*json.loads(kept)) if kept else None
