"""Pages that stand open when the office closes: who writes there from now on meets nobody, and is offered the form."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable

from channels.webchat.conversation import Conversation, contact_of
from channels.webchat.leaving_word import absence_of
from channels.webchat.ports import Ports
from realtime import citizen
from session.ids import LegId
from session.state import Medium

log = logging.getLogger(__name__)

LOOK_S = 2.0


class Closing:
    """Of one node. A line that is full is told to who comes, not to who is here: it is full and has room by turns.

    Nor is anybody told that people are there again: that would take a form away that is being filled in, and what is
    left in it is answered all the same.
    """

    def __init__(
        self,
        ports: Ports,
        conversations: Callable[[], Iterable[Conversation]],
        show: Callable[[Conversation, citizen.Absence], None],
    ) -> None:
        """`show` brings a conversation's pages all that they show once more, with what they do not know yet."""
        self._ports, self._conversations, self._show = ports, conversations, show
        self._told: set[str] = set()
        """Visitors whose pages know it."""

    def is_told(self, visitor: str) -> None:
        """A page of theirs that has connected was told with all else."""
        self._told.add(visitor)

    async def run(self) -> None:
        """Look whether the hours are over, until cancelled."""
        while True:
            try:
                await self._look()
            except Exception:  # a task's top: pages are told when they connect anew
                log.exception("pages were not told that nobody is there")
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        if not await self._is_closed():
            self._told.clear()
            return
        here = tuple(self._conversations())
        self._told.intersection_update(one.visitor for one in here)
        for conversation in here:
            if conversation.visitor not in self._told:
                await self._tell(conversation)

    async def _is_closed(self) -> bool:
        """By the rules for any visitor: they come by one number, and in one language."""
        absence = await absence_of(contact_of("page", self._ports, LegId("page"), Medium.CHAT), self._ports.absent)
        return absence is not None and absence.why == "closed"

    async def _tell(self, conversation: Conversation) -> None:
        who = contact_of(conversation.visitor, self._ports, LegId("page"), Medium.CHAT)
        absence = await absence_of(who, self._ports.absent)
        if absence is not None:  # else it is asked again at the next look
            self._told.add(conversation.visitor)
            self._show(conversation, absence)
