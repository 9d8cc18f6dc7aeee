"""Text messages as a channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Self

from aiohttp import web

from channels.agenda import Agenda
from channels.contract import Capabilities, Content, LegUnknown, Text
from channels.sms.carrier import Carrier
from channels.sms.dispatch import Dispatch, Standing
from channels.sms.errors import (
    CarrierMissing,
    FileNotCarried,
    OptedOut,
    OutcomeUnknown,
    QuietHours,
    SubmitRefused,
    TemplateNeeded,
    TooMany,
)
from channels.sms.keys import Keys
from channels.sms.optout import OptOuts
from channels.sms.outbox import PREFIX as SENT
from channels.sms.outbox import Outbox
from channels.sms.reassembly import PREFIX as PARTS
from channels.sms.reception import SmsReception
from channels.sms.settings import SmsSettings
from channels.threads import Threads
from session.address import Address
from session.errors import YihaoError
from session.ids import LegId, NodeId, SessionId
from session.notice import Notice, Template, rendered
from session.number import SCHEME, is_mobile
from session.ports import Files, Inbox, SharedState, StoreUnavailable
from session.state import Failure, LegEnd, Medium

log = logging.getLogger(__name__)

_SWEEP_LEASE_S = 5.0
_MAPS = 64
"""Some thousands of messages and long texts may be unfinished at once."""
_AGENDA_S = 7 * 24 * 3600.0
_AT_ONCE = 16
_PARTING_S = 1.0
"""For attempts that run when the channel is closed without having been drained."""


class SmsChannel:
    """A `Channel` whose legs are threads of texts. Any node may send to any leg: all that it needs is in the store."""

    def __init__(
        self,
        settings: SmsSettings,
        carriers: Sequence[Carrier],
        *,
        node: NodeId,
        inbox: Inbox,
        shared: SharedState,
        files: Files | None = None,
        on_settled: Callable[[str, Standing], None] | None = None,
        name: str = "sms",
    ) -> None:
        """`on_settled` is told each message's end, by carrier, for measures."""
        self.name = name
        self.capabilities = Capabilities(
            schemes=(SCHEME,),
            medium=Medium.MESSAGE,
            survives_node=True,
            follows_timeline=False,
            longest_text=settings.longest_text,
        )
        self._settings, self._node, self._shared = settings, node, shared
        self._on_settled = on_settled
        self._carriers: Mapping[str, Carrier] = {carrier.name: carrier for carrier in carriers}
        self._keys = keys = Keys(settings.pepper)
        self._agenda = agenda = Agenda(shared, "sms:agenda", maps=_MAPS, ttl_s=_AGENDA_S)
        self._opt_outs = OptOuts(shared, keys, ttl_s=settings.opt_out_ttl_s)
        self._threads = Threads(
            inbox,
            shared,
            channel=name,
            number=settings.number,
            name="sms",
            pepper=settings.pepper,
            ttl_s=settings.thread_ttl_s,
        )
        self._outbox = Outbox(
            settings, self._carriers, inbox, shared, agenda, keys, self._opt_outs, self._settled, name
        )
        self._reception = SmsReception(
            settings, shared, files, keys, self._threads, self._opt_outs, self._outbox, agenda, node
        )
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as opening:
            for carrier in self._carriers.values():
                await opening.enter_async_context(carrier.serving(self._reception))
            opening.push_async_callback(self._outbox.close, _PARTING_S)
            sweeping = asyncio.create_task(self._sweep(), name="sms agenda")
            opening.push_async_callback(_cancelled, sweeping)
            self._stack = opening.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    # --- the channel ------------------------------------------------------------------------------------------------

    def routes(self) -> Sequence[web.RouteDef]:
        """The carriers' webhooks."""
        return [route for carrier in self._carriers.values() for route in carrier.routes()]

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:
        """Send an agent's words to the citizen behind a leg, once, whoever asks how often.

        What its carrier does not take now is tried again later, and is no error. What becomes of it stands in the
        session. Raises `LegUnknown`,
        `FileNotCarried`, `TemplateNeeded`, `SubmitRefused`, `OutcomeUnknown`, `StoreUnavailable`.
        """
        if not isinstance(content, Text):
            raise FileNotCarried
        found = await self._threads.reaches(leg)
        if found is None:
            raise LegUnknown(leg)
        address, name = found
        carrier = self._carriers.get(name) or self._carrier_for(address)
        template = self._reply_in(carrier, content.text)
        wish = Dispatch(
            key=self._keys.dispatch(session, content.message),
            to=address.identifier,
            carrier=carrier.name,
            text=self._words(template) if template else content.text,
            template=template.name if template else "",
            parameters=template.parameters if template else {},
            session=session,
            message=content.message,
        )
        _raise_if_lost(await self._outbox.send(wish))

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:  # noqa: ARG002 - the contract
        """The citizen's next text begins another leg. Idempotent."""
        await self._threads.end(leg)

    async def drain(self, within_s: float) -> None:
        """Let attempts come to their end; carriers' webhooks are shut by the web server."""
        await self._outbox.close(within_s)

    # --- beside the contract ----------------------------------------------------------------------------------------

    async def may_notify(self, to: Address, template: str) -> bool:
        """See `Notifies`: a number that takes texts, and a carrier that has the template."""
        if to.scheme != SCHEME or not is_mobile(to.identifier) or template not in self._settings.templates:
            return False
        try:
            carrier = self._carrier_for(to)
        except CarrierMissing:
            return False
        return carrier.templates is None or template in carrier.templates

    async def notify(self, to: Address, notice: Notice) -> None:
        """See `Notifies`. Raises `OptedOut`, `QuietHours`, `TooMany` where it may not be sent (now); `CarrierMissing`,
        `TemplateNeeded`, `SubmitRefused`, `OutcomeUnknown`, `StoreUnavailable`.
        """
        carrier = self._carrier_for(to)
        if carrier.templates is not None and notice.template.name not in carrier.templates:
            raise TemplateNeeded(carrier.name, notice.template.name)
        text = self._words(notice.template)
        key = self._keys.dispatch(f"notice:{notice.session or ''}", notice.id)
        if await self._outbox.standing(key) is None:
            await self._allow(to, notice)
        sent = await self._outbox.send(
            Dispatch(
                key=key,
                to=to.identifier,
                carrier=carrier.name,
                text=text,
                template=notice.template.name,
                parameters=notice.template.parameters,
                session=notice.session or "",
                message=notice.id if notice.session else "",
            )
        )
        _raise_if_lost(sent)

    async def standing_of(self, session: SessionId, message: str) -> Standing | None:
        """How an agent's message stands; None for one that was not sent by text, or long ago."""
        known = await self._outbox.standing(self._keys.dispatch(session, message))
        return known.standing if known is not None else None

    def _words(self, template: Template) -> str:
        text = rendered(self._settings.templates, template)
        if text is None:
            raise TemplateNeeded("the house", template.name)
        return text

    async def _allow(self, to: Address, notice: Notice) -> None:
        """What keeps a notice back; nothing of it keeps back an answer."""
        settings = self._settings
        if not notice.asked_for:
            if await self._opt_outs.holds(to):
                raise OptedOut
            quiet_s = settings.quiet.remaining_s(await self._shared.now())
            if quiet_s > 0:
                raise QuietHours(quiet_s)
        if notice.campaign:
            bucket = self._keys.campaign_bucket(notice.campaign)
            if not await self._shared.take(bucket, rate_per_s=settings.campaign_per_s, burst=settings.campaign_burst):
                raise TooMany("campaign", 1.0 / settings.campaign_per_s)

    def _carrier_for(self, address: Address) -> Carrier:
        if address.scheme == SCHEME:
            for prefix, name in self._settings.ways:
                if address.identifier.startswith(prefix) and name in self._carriers:
                    return self._carriers[name]
        raise CarrierMissing("")

    def _reply_in(self, carrier: Carrier, text: str) -> Template | None:
        """The template that an agent's own words go in; None where the carrier sends them as they are."""
        if carrier.templates is None:
            return None
        name = self._settings.reply_template
        if name not in carrier.templates:
            raise TemplateNeeded(carrier.name, name)
        return Template(name, {"text": text})

    # --- what is due --------------------------------------------------------------------------------------------------

    async def _sweep(self) -> None:
        """Until cancelled: look at what is unfinished and due, wherever its node has gone."""
        while True:
            await asyncio.sleep(self._settings.sweep_s)
            with suppress(StoreUnavailable):
                if await self._shared.lease("sms:agenda", self._node, ttl_s=_SWEEP_LEASE_S) is not None:
                    due = await self._agenda.due(await self._shared.now())
                    for start in range(0, len(due), _AT_ONCE):
                        await asyncio.gather(*(self._look(name) for name in due[start : start + _AT_ONCE]))

    async def _look(self, name: str) -> None:
        try:
            if name.startswith(SENT):
                await self._outbox.look(name)
            elif name.startswith(PARTS):
                await self._reception.reassembly.overdue(name)
        except (YihaoError, TimeoutError) as error:
            log.warning("sms agenda", extra={"why": type(error).__name__})
        except Exception:  # a task's top: one bad entry must not keep all others from being looked at
            log.exception("sms agenda")

    def _settled(self, dispatch: Dispatch) -> None:
        if self._on_settled is not None:
            self._on_settled(dispatch.carrier, dispatch.standing)
        if dispatch.standing in (Standing.REFUSED, Standing.FAILED, Standing.UNKNOWN):
            extra = {
                "session": dispatch.session,
                "carrier": dispatch.carrier,
                "standing": str(dispatch.standing),
                "code": dispatch.code,
            }
            log.warning("sms not sent", extra=extra)


def _raise_if_lost(dispatch: Dispatch) -> None:
    match dispatch.standing:
        case Standing.REFUSED | Standing.FAILED:
            raise SubmitRefused(dispatch.carrier, dispatch.code, failure=dispatch.reason or Failure.REFUSED)
        case Standing.UNKNOWN:
            raise OutcomeUnknown(dispatch.carrier)
        case _:
            return


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
