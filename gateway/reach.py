"""What an agent may still send to a citizen, and by which other way: shown beside a contact, and done on their word."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress

from channels.contract import Channel, ChannelError, LegUnknown, Rations
from gateway.desk_view import masked
from gateway.notices import NobodyReaches, Notices
from gateway.outgoing import Known, known_to_nobody
from realtime import desk as frames
from realtime.peer import Refusal
from session.address import Address
from session.belonging import AddressParted, AddressVerified
from session.events import (
    Event,
    FileReceived,
    HumanRequested,
    LegAway,
    LegBack,
    LegClosed,
    LegOpened,
    MessageAccepted,
    MessageFailed,
    NoteAdded,
    OfferAccepted,
    TextReceived,
    TextSent,
)
from session.ids import AssigneeId, LegId, MessageId
from session.notice import Notice, Template
from session.ports import Entry
from session.state import LegState, Medium, Party, Session
from storage.errors import StorageUnavailable

REPLY = "reply"
"""The notice in which an agent's own words go."""
_MOVING = (
    LegOpened, LegAway, LegBack, LegClosed, HumanRequested, NoteAdded, OfferAccepted, MessageFailed, AddressVerified,
    AddressParted,
)  # fmt: skip
_SPENDING = (TextReceived, FileReceived, MessageAccepted)


def _nowhere(session: Session) -> bool:
    """Where nothing calls pages."""
    del session
    return False


class Reach:
    """Of one node; any node may ask."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        notices: Notices,
        veil: Callable[[str], str] = str,
        known: Known = known_to_nobody,
        rings: Callable[[Session], bool] = _nowhere,
    ) -> None:
        """`veil` makes of an agent's words what citizens see of them; `known` says whose an address is, and `rings`
        whether their page can.
        """
        self._channels, self._notices, self._veil, self._known = channels, notices, veil, known
        self._rings = rings

    async def of(self, session: Session) -> frames.ContactReach:
        """What can be sent now. Raises `StoreUnavailable`."""
        rations = [await self._ration(channel, leg, rationed) for channel, leg, rationed in self._rationed(session)]
        ways = [
            frames.Way(channel=channel, citizen=masked(address))
            for address in await self._addresses(session)
            for channel in await self._notices.ways(address, REPLY)
        ]
        known = tuple(ration for ration in rations if ration is not None)
        return frames.ContactReach(
            session=session.id,
            rations=known,
            ways=tuple(dict.fromkeys(ways)),
            page=self._rings(session),
            recalls=self.can_recall(session),
        )

    def moves(self, session: Session, event: Event) -> bool:
        """Whether an event may change what can be sent: channels note a citizen's clicks and scans as notes.

        A word does where it is counted, and nowhere else: to ask who the citizen is takes longer than all the rest.
        """
        if isinstance(event, _SPENDING):
            return any(self._rationed(session))
        return isinstance(event, _MOVING)

    def can_recall(self, session: Session) -> bool:
        """Whether a message can be taken back: wherever the citizen read, also by a leg that is no more."""
        read = {leg.channel for leg in session.legs if leg.party is Party.CITIZEN and leg.medium is not Medium.VOICE}
        ways = [self._channels.get(name) for name in read]
        return bool(ways) and all(one is not None and one.capabilities.recalls for one in ways)

    async def again(
        self, agent: AssigneeId, session: Session, entries: Sequence[Entry], command: frames.MessageAgain
    ) -> int | Refusal:
        """Send a text that failed by another way, in the reviewed words of `reply`. Raises `StoreUnavailable`."""
        text = _failed_text(entries, MessageId(command.message))
        if text is None:
            return Refusal("unknown_message")
        template = Template(REPLY, {"text": self._veil(text)})
        notice = Notice(id=MessageId(command.id), template=template, session=session.id, asked_for=True)
        for address in await self._addresses(session):
            if command.channel in await self._notices.ways(address, REPLY):
                with suppress(NobodyReaches, ChannelError):  # what became of it stands in the timeline
                    await self._notices.tell(address, notice, by=agent, channel=command.channel)
                return 0
        return Refusal("no_way")

    async def _addresses(self, session: Session) -> list[Address]:
        """The citizen's: where the network vouches for them, and what they have proven to be theirs by any session.

        Nothing else: what an agent writes is for nobody else's eyes.
        """
        legs = [leg for leg in session.legs if leg.party is Party.CITIZEN and leg.address is not None and leg.asserted]
        own = [leg.address for leg in legs if leg.address is not None]
        try:
            person = await self._known(session.citizen)
        except StorageUnavailable:
            person = None  # the book of who is who is away: what the session knows is something
        return list(dict.fromkeys([*own, *(person.proven if person is not None else ())]))

    async def _ration(self, channel: str, leg: LegId, rationed: Rations) -> frames.Ration | None:
        try:
            allowance = await rationed.allowance(leg)
        except LegUnknown:
            return None
        return frames.Ration(leg=leg, channel=channel, left=allowance.left, until=allowance.until)

    def _rationed(self, session: Session) -> Iterator[tuple[str, LegId, Rations]]:
        rationing: dict[str, Rations] = {one.name: one for one in self._channels.values() if isinstance(one, Rations)}
        for leg in session.legs:
            if leg.party is Party.CITIZEN and leg.state is not LegState.ENDED and leg.channel in rationing:
                yield leg.channel, leg.id, rationing[leg.channel]


def _failed_text(entries: Sequence[Entry], message: MessageId) -> str | None:
    """What was written in a message that failed; None where there is none such."""
    events = [entry.event for entry in entries]
    if not any(isinstance(event, MessageFailed) and event.message == message for event in events):
        return None
    return next((event.text for event in events if isinstance(event, TextSent) and event.message == message), None)
