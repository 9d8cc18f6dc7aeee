"""Long texts put together from their parts: by carrier, sender, recipient and reference, with a deadline.

A part is kept in the store before it is acknowledged, so a node's death loses none. What is not whole at the deadline
is shown with its gaps marked. Two citizens with one reference never join; neither do two texts of one citizen whose
reference came round again.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterable, Mapping
from weakref import WeakValueDictionary

from channels.agenda import Agenda
from channels.sms.carrier import Part, Uplink
from channels.sms.coding import Coding, decode
from channels.sms.header import Place
from channels.sms.keys import Keys
from channels.sms.settings import SmsSettings
from channels.threads import ThreadUnsettled
from session.ids import NodeId
from session.ports import SharedState

PREFIX = "parts:"
"""Of its names on the agenda."""
MOST_PARTS = 60
"""More than a map of the store holds, or anybody writes: such parts are shown each by itself."""
_LEASE_S = 5.0
_TRY_AGAIN_S = 0.05

Deliver = Callable[[Uplink], Awaitable[None]]


def joined(parts: Iterable[Part]) -> str:
    """The text of some parts of one message. Pure.

    Octets are joined before they are read, since senders cut emoji in half; what is missing is marked in its place.
    """
    text: list[str] = []
    run: list[Part] = []
    expected, total = 1, 0
    for part in sorted(parts, key=lambda one: one.place.index):
        total = part.place.total
        if part.place.index != expected or (run and run[-1].coding is not part.coding):
            text.append(_read(run))
            run = []
        text += [_missing(index, total) for index in range(expected, part.place.index)]
        run.append(part)
        expected = part.place.index + 1
    text.append(_read(run))
    text += [_missing(index, total) for index in range(expected, total + 1)]
    return "".join(text)


def _read(run: list[Part]) -> str:
    return decode(b"".join(part.octets for part in run), run[0].coding) if run else ""


def _missing(index: int, total: int) -> str:
    return f"〔第{index}/{total}段未收到〕"


class Reassembly:
    """Keeps parts, and hands on what has become whole or is overdue."""

    def __init__(
        self, shared: SharedState, agenda: Agenda, keys: Keys, settings: SmsSettings, node: NodeId, deliver: Deliver
    ) -> None:
        self._shared, self._agenda, self._keys = shared, agenda, keys
        self._settings, self._node, self._deliver = settings, node, deliver
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, part: Part) -> None:
        """Keep a part; durable when this returns. Raises `StoreUnavailable`, `AgendaFull`, `ThreadUnsettled`."""
        if part.place.total > MOST_PARTS or part.place.total == 1:
            await self._deliver(self._uplink([part]))
            return
        seen = self._keys.seen(part.carrier, part.id)
        if await self._shared.get(seen) is not None:
            return
        place = part.place
        whole = self._keys.whole(part.carrier, part.sender, part.recipient, place.reference, place.total)
        async with self._turn(whole):
            await self._claim(whole)
            kept = await self._kept(whole)
            if self._is_of_another(part, kept):
                await self._finish(whole, kept.values())
                kept = {}
            if not kept:
                await self._agenda.put(PREFIX + whole, await self._shared.now() + self._settings.part_patience_s)
            await self._keep(whole, part)
            await self._shared.put(seen, b"1", ttl_s=self._settings.remember_s)
            kept = {**kept, place.index: part}
            if len(kept) == place.total:
                await self._finish(whole, kept.values())

    async def overdue(self, name: str) -> None:
        """The deadline of a text has passed: show what there is."""
        whole = name.removeprefix(PREFIX)
        async with self._turn(whole):
            await self._claim(whole)
            kept = await self._kept(whole)
            if kept:
                await self._finish(whole, kept.values())
            else:
                await self._agenda.done(name)

    def _turn(self, whole: str) -> asyncio.Lock:
        """One part of a text at a time, on this node."""
        lock = self._turns.get(whole)
        if lock is None:
            lock = self._turns[whole] = asyncio.Lock()
        return lock

    async def _claim(self, whole: str) -> None:
        """One node at a time: what is joined is deleted, and a part that came in between would be deleted with it."""
        loop = asyncio.get_running_loop()
        until = loop.time() + 2 * _LEASE_S
        while await self._shared.lease(f"sms:whole:{whole}", self._node, ttl_s=_LEASE_S) is None:
            if loop.time() > until:
                raise ThreadUnsettled
            await asyncio.sleep(_TRY_AGAIN_S)

    @staticmethod
    def _is_of_another(part: Part, kept: Mapping[int, Part]) -> bool:
        """Its place is taken by something else: the sender's reference has come round."""
        there = kept.get(part.place.index)
        return there is not None and there.octets != part.octets

    async def _keep(self, whole: str, part: Part) -> None:
        # Twice the patience and more: the parts must outlive a store that is away when their deadline comes.
        ttl_s = self._settings.part_patience_s + self._settings.remember_s
        await self._shared.put_field(self._keys.parts(whole), str(part.place.index), _dump(part), ttl_s=ttl_s)

    async def _kept(self, whole: str) -> dict[int, Part]:
        fields = await self._shared.fields(self._keys.parts(whole))
        return {int(index): _load(data) for index, data in fields.items()}

    async def _finish(self, whole: str, parts: Iterable[Part]) -> None:
        """Hand on first, forget then: a crash in between hands on the same again, which is known by its id."""
        await self._deliver(self._uplink(parts))
        await self._shared.delete(self._keys.parts(whole))
        await self._agenda.done(PREFIX + whole)

    def _uplink(self, parts: Iterable[Part]) -> Uplink:
        inorder = sorted(parts, key=lambda one: one.place.index)
        first = inorder[0]
        return Uplink(
            carrier=first.carrier,
            id=self._keys.digest(*(part.id for part in inorder)),
            sender=first.sender,
            recipient=first.recipient,
            text=joined(inorder),
            vouched=all(part.vouched for part in inorder),
        )


def _dump(part: Part) -> bytes:
    place = part.place
    return json.dumps(
        [
            *(part.carrier, part.id, part.sender, part.recipient, part.vouched),
            *(place.reference, place.total, place.index),
            *(base64.b64encode(part.octets).decode(), part.coding),
        ]
    ).encode()


def _load(data: bytes) -> Part:
    carrier, own, sender, recipient, vouched, reference, total, index, octets, coding = json.loads(data)
    return Part(
        carrier=carrier,
        id=own,
        sender=sender,
        recipient=recipient,
        vouched=vouched,
        place=Place(reference, total, index),
        octets=base64.b64decode(octets),
        coding=Coding(coding),
    )
