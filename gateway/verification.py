"""Proofs of who a citizen is (身份核验): codes by text and QR codes, asked for by citizens and by agents."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping

from channels.contract import Channel, ChannelError, ShowsCodes
from channels.door import Recognised
from gateway.notices import NobodyReaches, Notices
from gateway.persons import Persons
from gateway.ulid import new_ulid
from identity.errors import VerificationRefused
from identity.verification import CODE_S, SCAN_S, Codes, Scans, Shown
from session.address import Address
from session.belonging import VerificationAsked
from session.errors import YihaoError
from session.events import TextReceived
from session.identity import IdentityRefused, PersonFull, Proof
from session.ids import AssigneeId, MessageId, SessionId
from session.notice import Notice, Template
from session.number import SCHEME, e164, is_mobile
from session.ports import Entry, Inbox, ProofRefused, SessionGone, StoreUnavailable
from session.state import Phase, Session

log = logging.getLogger(__name__)

TEMPLATE = "code"
_CODE = re.compile(r"\s*([0-9]{6})\s*")
LINKED = "已确认：您在这里和在网页上是同一位市民。如果不是您本人操作，请告诉工作人员，可以撤销。"
GOES_ON = "已接上您在网页上的对话，可以在这里继续，位置和坐席不变。如果不是您本人操作，请告诉工作人员，可以撤销。"
STALE = "这个二维码已失效，请在页面上重新打开。"
FULL = "您绑定的号码和账号已满，这个微信没有绑定。请告诉工作人员，解除不用的再扫。"


class Verification:
    """`session.ports.Proves`, what an agent's desk asks, and what follows from scans and from codes in a text."""

    def __init__(
        self,
        persons: Persons,
        codes: Codes,
        scans: Scans,
        notices: Notices,
        inbox: Inbox,
        channels: Mapping[str, Channel],
        session_of: Callable[[SessionId], Session | None],
        stored: Callable[[SessionId], Awaitable[Session | None]],
        area: str = "",
    ) -> None:
        """`session_of` gives a session whose mailbox is on this node, `stored` any of the hotline's; `area` is for
        numbers without a prefix.
        """
        self._persons, self._codes, self._scans = persons, codes, scans
        self._notices, self._inbox, self._channels = notices, inbox, channels
        self._session_of, self._stored, self._area = session_of, stored, area

    # --- codes ---------------------------------------------------------------------------------------------------

    async def send_code(
        self,
        holder: Address,
        number: str,
        *,
        session: SessionId | None = None,
        origin: str = "",
        by: AssigneeId | None = None,
    ) -> None:
        """See `Proves`. The same goes for a number that is known and one that is not: nothing here looks.

        What they say to be theirs is a claim until the code is typed in.
        """
        written = e164(number, self._area)
        if written is None or not is_mobile(written):
            raise ProofRefused("bad_number")
        claimed = Address(SCHEME, written)
        try:
            digits = await self._codes.make(claimed, holder, origin=origin)
        except VerificationRefused as refused:
            raise ProofRefused(refused.code, refused.retry_after_s) from refused
        await self._persons.claim(holder, claimed)
        template = Template(TEMPLATE, {"code": digits, "minutes": str(round(CODE_S / 60))})
        message = MessageId(new_ulid())
        await self._asked(session, Proof.SMS_CODE, by, message)
        try:
            await self._notices.tell(claimed, Notice(id=message, template=template, session=session, asked_for=True))
        except (NobodyReaches, ChannelError) as error:
            log.warning("code not sent", extra={"why": type(error).__name__})
            raise ProofRefused("not_sent") from error

    async def prove(
        self, holder: Address, digits: str, *, session: SessionId | None = None, by: AssigneeId | None = None
    ) -> None:
        """See `Proves`."""
        try:
            number = await self._codes.prove(holder, digits)
            await self._persons.bind(number, holder, Proof.SMS_CODE, session=session, by=by)
        except (VerificationRefused, IdentityRefused) as refused:
            raise ProofRefused(refused.code) from refused

    async def follow(self, entry: Entry) -> None:
        """A citizen who was sent a code may simply write it where they talk to us: six digits, and nothing else."""
        event = entry.event
        if not isinstance(event, TextReceived) or (typed := _CODE.fullmatch(event.text)) is None:
            return
        held = self._session_of(entry.session)
        leg = held.leg(event.leg) if held is not None else None
        if leg is None or leg.address is None or not await self._codes.awaits(leg.address):
            return
        try:
            await self.prove(leg.address, typed[1], session=entry.session)
        except ProofRefused as refused:
            log.info("code in a text refused", extra={"session": entry.session, "why": refused.code})

    # --- others' word ---------------------------------------------------------------------------------------------

    async def signed(self, holder: Address, user: Address, *, session: SessionId | None = None) -> None:
        """See `Proves`. A browser that was another user's of that site is refused: two people share it, and their
        matters must not become one.
        """
        person = await self._persons.person(holder)
        signed = [one for one in (person.links_of(holder) if person else ()) if one.proof is Proof.SIGNED_WEB]
        if any(one.key == user for one in signed):
            return
        if any((one.key.scheme, one.key.account) == (user.scheme, user.account) for one in signed):
            raise ProofRefused("another_user")
        try:
            await self._persons.bind(user, holder, Proof.SIGNED_WEB, session=session)
        except IdentityRefused as refused:
            raise ProofRefused(refused.code) from refused

    async def attest(self, holder: Address, number: str, *, vouched: bool) -> None:
        """See `Attests`. What nobody vouches for is shown as a claim, and binds nothing."""
        written = e164(number, self._area)
        if written is None:
            return
        theirs = Address(SCHEME, written)
        if not vouched:
            await self._persons.claim(holder, theirs)
            return
        try:
            await self._persons.bind(theirs, holder, Proof.SIGNED_WEB)
        except IdentityRefused as refused:
            log.info("attested number not bound", extra={"why": refused.code})

    # --- QR codes ------------------------------------------------------------------------------------------------

    async def show_code(
        self, holder: Address, *, session: SessionId | None = None, by: AssigneeId | None = None
    ) -> str:
        """See `Proves`: the first channel that has codes, other than one that the holder is on."""
        for channel in list(self._channels.values()):
            if isinstance(channel, ShowsCodes) and holder.scheme not in channel.capabilities.schemes:
                scene = await self._scans.show(Shown(holder, session))
                try:
                    content = await channel.show_code(scene, round(SCAN_S))
                except ChannelError as error:
                    raise ProofRefused("no_code") from error
                await self._asked(session, Proof.QR_SCAN, by, MessageId(new_ulid()))
                return content
        raise ProofRefused("no_code")

    async def scanned(self, by: Address, scene: str) -> Recognised | None:
        """Whoever scanned a code of ours is who it was shown to; None for a code not ours."""
        try:
            if not self._scans.made(scene):
                return None
            shown = await self._scans.seen(scene, by)
            if shown is None:
                return Recognised(STALE)
            await self._persons.bind(by, shown.holder, Proof.QR_SCAN, session=shown.session)
        except StoreUnavailable:
            raise
        except PersonFull:
            return Recognised(FULL)
        except YihaoError as error:
            log.warning("scan refused", extra={"why": type(error).__name__})
            return Recognised(STALE)
        goes_on = shown.session is not None and await self._runs(shown.session)
        return Recognised(GOES_ON if goes_on else LINKED, goes_on)

    async def _runs(self, session: SessionId) -> bool:
        held = await self._stored(session)
        return held is not None and held.phase not in (Phase.CLOSED, Phase.WRAPPING)

    async def _asked(self, session: SessionId | None, proof: Proof, by: AssigneeId | None, message: MessageId) -> None:
        if session is None:
            return
        try:
            await self._inbox.post(session, VerificationAsked(proof=proof, by=by), dedupe=f"asked:{message}")
        except SessionGone as error:
            raise ProofRefused("ended") from error
