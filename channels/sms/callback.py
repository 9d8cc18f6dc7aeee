"""Webhooks of carriers that sign nothing: proof, bound, order, and an answer only for what is durable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from channels.sms.door import Door, json_of
from channels.sms.errors import CallRefused
from session.errors import YihaoError

log = logging.getLogger(__name__)

MOST_ITEMS = 1000
_AT_ONCE = 16

Item = Mapping[str, Any]
Bring = Callable[[Item], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Callback:
    """Answers one webhook."""

    carrier: str
    door: Door
    within_s: float
    """The carrier hangs up after it; what is not durable by then is answered 503, and comes again."""
    thanks: Mapping[str, object]
    """What the carrier wants to read where all is durable."""

    async def answer(self, request: web.Request, sender: str, bring: Bring) -> web.Response:
        """Bring in every item of the call, in order for each `sender` (the field that names the telephone)."""
        try:
            items = _items(json_of(await self.door.body(request)))
            async with asyncio.timeout(self.within_s):
                await _in_order(items, sender, lambda item: self._bring(item, bring))
        except CallRefused as refused:
            return web.json_response({"error": refused.why}, status=refused.status)
        except (YihaoError, TimeoutError) as error:
            log.warning("sms webhook put off", extra={"carrier": self.carrier, "why": type(error).__name__})
            return web.json_response({"error": "not accepted yet"}, status=503, headers={"Retry-After": "5"})
        return web.json_response(dict(self.thanks))

    async def _bring(self, item: Item, bring: Bring) -> None:
        """An item that cannot be read would come for ever if the whole call were refused for it."""
        try:
            await bring(item)
        except (KeyError, TypeError, ValueError) as error:
            log.warning("sms item not understood", extra={"carrier": self.carrier, "why": type(error).__name__})


def text_of(item: Item, name: str) -> str:
    """A field that is a text, or a number written as one. Raises `KeyError`, `TypeError`."""
    value = item[name]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError(name)
    return str(value)


def _items(body: Any) -> Sequence[Item]:
    """One object, or an array of them; what is no object is left out. Raises `CallRefused`."""
    whole = body if isinstance(body, list) else [body]
    if len(whole) > MOST_ITEMS:
        raise CallRefused(413, "too many items")
    items = [item for item in whole if isinstance(item, dict)]
    if not items and whole:
        raise CallRefused(400, "no objects")
    return items


async def _in_order(items: Sequence[Item], sender: str, bring: Bring) -> None:
    by_sender: dict[Hashable, list[Item]] = {}
    for item in items:
        by_sender.setdefault(str(item.get(sender)), []).append(item)
    turns = asyncio.Semaphore(_AT_ONCE)

    async def one_by_one(mine: Sequence[Item]) -> None:
        async with turns:
            for item in mine:
                await bring(item)

    # All are let come to their end: a group that is cancelled with its neighbour would have been brought for nothing.
    done = await asyncio.gather(*(one_by_one(mine) for mine in by_sender.values()), return_exceptions=True)
    for outcome in done:
        if isinstance(outcome, BaseException):
            raise outcome
