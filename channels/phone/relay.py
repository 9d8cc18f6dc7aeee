"""Calls to telephones whose connection ends at another node: SIP passed there and back by letters.

The node that holds the citizen's call also calls the agent, whose telephone has one connection, to one node. That
node writes what it is sent to the connection, and passes back what comes on it for the same call (by its Call-ID).
It knows nothing of transactions or dialogs: they stay with the node whose call it is. Only connections that are
there are written to, so that nobody is reached who has not come by themselves.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from channels.phone.flow import Flow
from channels.phone.sip.framing import Frame, frame_datagram
from session.errors import YihaoError
from session.ids import NodeId
from session.ports import NodeMail, StoreUnavailable

log = logging.getLogger(__name__)

_UNSENT_LIMIT = 1000
_CALLS_PER_CONNECTION = 64
_KEPT_S = 32.0
"""As long as any transaction waits (64·T1): a letter that the store did not take by then is of no use."""
_LOOK_S = 1.0
_RETRY_S = 0.5
_GOODBYE_S = 1.0


class Kind(StrEnum):
    """What a letter is."""

    WRITE = "write"
    """Put this on that connection of yours."""
    CAME = "came"
    """This came on that connection of ours, for a call of yours."""
    LOST = "lost"
    """That connection of ours is gone."""


@dataclass(frozen=True, slots=True)
class Letter:
    """From one node to another about a connection, which is always the receiver's for `WRITE`, else the sender's."""

    kind: Kind
    sender: NodeId
    flow: Flow
    message: bytes = b""

    def __bytes__(self) -> bytes:
        return f"{self.kind} {self.sender} {self.flow}\n".encode() + self.message

    @classmethod
    def parse(cls, data: bytes) -> Letter:
        """The inverse of `bytes`; `ValueError` for a letter of another release."""
        head, _, message = data.partition(b"\n")
        kind, sender, flow = head.decode().split(" ")
        return cls(Kind(kind), NodeId(sender), Flow.parse(flow), message)


class Ends(Protocol):
    """What a relay needs of the endpoint that it serves."""

    @property
    def awaited(self) -> frozenset[Flow]:
        """Flows on which an answer is due."""
        ...

    def write(self, data: bytes, flow: Flow) -> bool:
        """Put bytes on a connection that is there; False where none is."""
        ...

    def received(self, frame: Frame, flow: Flow) -> None:
        """One message."""
        ...

    def lost(self, flow: Flow) -> None:
        """Nothing comes by that flow any more."""
        ...


class Relay:
    """Opened by the endpoint that it serves."""

    def __init__(self, mail: NodeMail, node: NodeId) -> None:
        self._mail = mail
        self._node = node
        self._unsent: asyncio.Queue[tuple[NodeId, Letter, float]] = asyncio.Queue(_UNSENT_LIMIT)
        self._lent: dict[Flow, OrderedDict[str, NodeId]] = {}
        self.others: Callable[[bytes], bool] = _nobodys
        """Set once: reads letters that are not about connections, and says whether one was such."""
        self._undo = AsyncExitStack()

    async def open(self, ends: Ends) -> None:
        """Serve an endpoint, until `close`."""
        self._ends = ends
        self._loop = asyncio.get_running_loop()
        for work in (self._send(), self._receive(), self._watch()):
            task = asyncio.create_task(work)
            self._undo.push_async_callback(_end, task)

    async def close(self) -> None:
        """Stop, once the goodbyes of a node that ends are on their way, or soon after."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await self._unsent.join()
        await self._undo.aclose()

    def write(self, data: bytes, flow: Flow) -> None:
        """Put a message on its way to a connection of another node; what cannot be sent is reported by `lost`."""
        self._post(NodeId(flow.node), Letter(Kind.WRITE, self._node, flow, data))

    def passes(self, frame: Frame, flow: Flow) -> bool:
        """Whether what came on a connection of ours is for another node's call; then it is on its way there."""
        lent = self._lent.get(flow) if flow.is_reliable and not flow.node else None
        call = frame.headers.first("call-id") if lent and frame.defect is None else None
        if lent is None or call is None or call not in lent:
            return False
        lent.move_to_end(call)
        self._post(lent[call], Letter(Kind.CAME, self._node, flow, bytes(frame)))
        return True

    def disconnected(self, flow: Flow) -> None:
        """A connection of ours is gone: tell those whose calls use it."""
        for node in set(self._lent.pop(flow, {}).values()):
            self._post(node, Letter(Kind.LOST, self._node, flow))

    def _post(self, node: NodeId, letter: Letter) -> None:
        try:
            self._unsent.put_nowait((node, letter, self._loop.time() + _KEPT_S))
        except asyncio.QueueFull:
            self._loop.call_soon(self._returned, node, letter)

    def _returned(self, node: NodeId, letter: Letter) -> None:
        """A letter that was not taken. Whoever waits for an answer to it will have none."""
        if letter.kind is Kind.WRITE:
            self._ends.lost(replace(letter.flow, node=node))

    async def _send(self) -> None:
        """One after the other, so that a call's messages keep their order."""
        while True:
            node, letter, until = await self._unsent.get()
            if not await self._is_taken(node, letter, until):
                self._returned(node, letter)
            self._unsent.task_done()

    async def _is_taken(self, node: NodeId, letter: Letter, until: float) -> bool:
        while True:
            try:
                return await self._mail.send(node, bytes(letter))
            except StoreUnavailable as trouble:
                pause_s = trouble.retry_after_s or _RETRY_S
                if self._loop.time() + pause_s > until:
                    return False
                await asyncio.sleep(pause_s)
            except YihaoError as refusal:
                log.warning("a message was not passed on", extra={"why": type(refusal).__name__})
                return False

    async def _receive(self) -> None:
        cursor = "0"
        while True:
            try:
                cursor, letters = await self._mail.receive(self._node, cursor)
            except YihaoError:
                await asyncio.sleep(_RETRY_S)
                continue
            for letter in letters:
                try:
                    if not self.others(letter):
                        self._open(Letter.parse(letter))
                except Exception:  # the task's top: the next letter is another call's
                    log.exception("a letter could not be read")

    def _open(self, letter: Letter) -> None:
        flow = replace(letter.flow, node=letter.sender)
        frame = frame_datagram(letter.message)
        if letter.kind is Kind.LOST:
            self._ends.lost(flow)
        elif frame is not None and letter.kind is Kind.CAME:
            self._ends.received(frame, flow)
        elif frame is not None:
            self._write(letter, frame.headers.first("call-id") or "")

    def _write(self, letter: Letter, call: str) -> None:
        if not self._ends.write(letter.message, letter.flow):
            self._post(letter.sender, Letter(Kind.LOST, self._node, letter.flow))
            return
        lent = self._lent.setdefault(letter.flow, OrderedDict())
        lent[call] = letter.sender
        lent.move_to_end(call)
        if len(lent) > _CALLS_PER_CONNECTION:
            lent.popitem(last=False)

    async def _watch(self) -> None:
        """A node that died with a letter says nothing: nobody waits longer for it than until it is known."""
        while True:
            await asyncio.sleep(_LOOK_S)
            for flow in [one for one in self._ends.awaited if one.node]:
                try:
                    if not await self._mail.lives(flow.node):
                        self._ends.lost(flow)
                except StoreUnavailable:
                    break


def _nobodys(letter: bytes) -> bool:
    del letter
    return False


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
