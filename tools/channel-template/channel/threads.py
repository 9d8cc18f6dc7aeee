"""Which leg of which session a citizen's letters belong to, found again by any node.

A citizen has one leg at a time. Two first letters that come at once to two nodes may begin two legs of one session;
the provider knows each answer by its id, so the citizen still gets it once. Where yours cannot tell, let the successor
of a leg be written once (`put_new`), as `channels/wechat/threads.py` does.
"""

from __future__ import annotations

import hmac
import json

from channels.postbox.letter import Letter
from channels.postbox.settings import PostboxSettings
from session.address import Address
from session.events import TextReceived
from session.ids import LegId, MessageId, SessionId
from session.ports import Contact, Inbox, SessionGone, SharedState
from session.state import Medium

SCHEME = "postbox"


class Threads:
    """Everything that is written is named by the letter's id: a letter that comes again changes nothing."""

    def __init__(self, settings: PostboxSettings, channel: str, inbox: Inbox, shared: SharedState) -> None:
        self._settings, self._channel, self._inbox, self._shared = settings, channel, inbox, shared

    async def take(self, letter: Letter) -> None:
        """Put a letter into its citizen's session, or begin one with it; durable when this returns.

        Raises `StoreUnavailable`.
        """
        known = await self._shared.get(self._key(letter.citizen))
        if known is not None:
            session, leg = json.loads(known)
            if await self._post(SessionId(session), LegId(leg), letter):
                return
        await self._open(letter)

    async def citizen_of(self, leg: LegId) -> str | None:
        """Whose leg it is; None for one that is not ours."""
        stored = await self._shared.get(f"{self._channel}:leg:{leg}")
        return stored.decode() if stored is not None else None

    async def end(self, leg: LegId) -> None:
        """The leg is over: its citizen's next letter begins another. Idempotent."""
        citizen = await self.citizen_of(leg)
        known = await self._shared.get(self._key(citizen)) if citizen is not None else None
        if citizen is not None and known is not None and json.loads(known)[1] == leg:
            await self._shared.delete(self._key(citizen))

    async def _open(self, letter: Letter) -> None:
        leg = LegId(f"{SCHEME}-{self._hidden(letter.id)}")
        await self._shared.put(f"{self._channel}:leg:{leg}", letter.citizen.encode(), ttl_s=self._settings.thread_ttl_s)
        contact = Contact(
            leg=leg,
            channel=self._channel,
            medium=Medium.MESSAGE,
            address=Address(SCHEME, letter.citizen),
            number=self._settings.number,
            first=_said(leg, letter),
            first_dedupe=self._dedupe(letter),
        )
        session = (await self._inbox.open(contact)).session
        # Where the leg was known already, its opening has brought no word: a try before this one was cut off.
        await self._post(session, leg, letter)
        known = json.dumps([session, leg]).encode()
        await self._shared.put(self._key(letter.citizen), known, ttl_s=self._settings.thread_ttl_s)

    async def _post(self, session: SessionId, leg: LegId, letter: Letter) -> bool:
        try:
            await self._inbox.post(session, _said(leg, letter), dedupe=self._dedupe(letter))
        except SessionGone:
            return False
        return True

    def _dedupe(self, letter: Letter) -> str:
        return f"{self._channel}:{letter.id}"

    def _key(self, citizen: str) -> str:
        return f"{self._channel}:thread:{self._hidden(citizen)}"

    def _hidden(self, name: str) -> str:
        """What stands for a name in keys, which hold no personal data."""
        return hmac.digest(self._settings.pepper, name.encode(), "sha256").hex()[:32]


def _said(leg: LegId, letter: Letter) -> TextReceived:
    return TextReceived(leg=leg, message=MessageId(f"{SCHEME}-{letter.id}"), text=letter.text)
