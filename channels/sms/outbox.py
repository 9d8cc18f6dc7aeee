"""Sends messages, once each: an attempt is noted before it is made, and one whose end nobody saw is not repeated.

A message waits in the store, not in a process: one that its carrier does not take now is taken up again from the
agenda, by whichever node is there. Reports find their message by the carrier's id, even where they overtake the
carrier's answer.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import astuple, replace

from channels.agenda import Agenda
from channels.contract import failed
from channels.sms.carrier import Carrier, Fate, Receipt, Report, Wish
from channels.sms.dispatch import Dispatch, Standing
from channels.sms.errors import CarrierMissing, OutcomeUnknown, SubmitDelayed, SubmitRefused, TemplateNeeded
from channels.sms.keys import Keys
from channels.sms.number import address_of
from channels.sms.optout import OptOuts
from channels.sms.settings import SmsSettings
from session import events as ev
from session.ids import MessageId
from session.ports import Inbox, SessionGone, SharedState, StoreUnavailable
from session.state import Failure, Party

log = logging.getLogger(__name__)

PREFIX = "sent:"
"""Of its names on the agenda."""
_TRIES_TO_NOTE = 5
_NOTE_PAUSE_S = 0.5

Settled = Callable[[Dispatch], None]
"""Told each time that a message's standing is final for now, once that is noted. Takes no time."""


class Outbox:
    """Of one node."""

    def __init__(
        self,
        settings: SmsSettings,
        carriers: Mapping[str, Carrier],
        inbox: Inbox,
        shared: SharedState,
        agenda: Agenda,
        keys: Keys,
        opt_outs: OptOuts,
        settled: Settled,
        channel: str,
    ) -> None:
        self._settings, self._carriers, self._inbox = settings, carriers, inbox
        self._shared, self._agenda, self._keys = shared, agenda, keys
        self._opt_outs, self._settled, self._channel = opt_outs, settled, channel
        self._running: dict[str, asyncio.Task[Dispatch]] = {}

    async def send(self, wish: Dispatch) -> Dispatch:
        """Send it, or go on with it where it is known already; gives how it stands when the carrier has answered.

        Waits no longer than `submit_patience_s`; the attempt goes on without. Raises `StoreUnavailable`.
        """
        wish = replace(wish, since=await self._shared.now())
        # On the agenda first: a crash after the next line would leave a message that nobody ever looks at.
        await self._agenda.put(PREFIX + wish.key, wish.since + self._settings.retry_s)
        await self._shared.put_new(self._keys.sent(wish.key), wish.dump(), ttl_s=self._settings.sent_ttl_s)
        return await self._go_on(wish.key)

    async def look(self, name: str) -> None:
        """Its time on the agenda has come."""
        await self._go_on(name.removeprefix(PREFIX))

    async def standing(self, key: str) -> Dispatch | None:
        """How a message stands; None for one that is not known (any longer)."""
        stored = await self._shared.get(self._keys.sent(key))
        return Dispatch.load(stored) if stored is not None else None

    async def close(self, within_s: float) -> None:
        """Let what runs come to its end, so that it is known; what is left after `within_s` will be unknown."""
        running = list(self._running.values())
        if running:
            _, late = await asyncio.wait(running, timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    # --- attempts ---------------------------------------------------------------------------------------------------

    async def _go_on(self, key: str) -> Dispatch:
        task = self._running.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._bring_on(key), name="sms attempt")
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
            task.add_done_callback(_seen)
        try:
            async with asyncio.timeout(self._settings.submit_patience_s):
                return await asyncio.shield(task)
        except TimeoutError:
            known = await self.standing(key)
            if known is None:
                raise
            return known

    async def _bring_on(self, key: str) -> Dispatch:
        """One attempt, if one is due."""
        known = await self.standing(key)
        if known is None or known.is_settled:
            await self._agenda.done(PREFIX + key)
            return known or Dispatch(key=key, to="", carrier="", text="").ended(Standing.UNKNOWN)
        now = await self._shared.now()
        is_late = now - known.since > self._settings.try_for_s
        if not is_late and not await self._may_send_to(known.to):
            # Nothing is noted: whoever has made the attempt meanwhile has written what became of it.
            await self._agenda.put(PREFIX + key, now + self._settings.retry_s)
            return known
        claim = self._keys.attempt(key, known.attempt)
        if not await self._shared.put_new(claim, repr(now).encode(), ttl_s=self._settings.sent_ttl_s):
            return await self._stumbled(known, float(await self._shared.get(claim) or now), now)
        if is_late:
            return await self._settle(known.ended(Standing.REFUSED, Failure.BUSY))
        await self._agenda.put(PREFIX + key, now + self._settings.attempt_s)
        return await self._attempt(known)

    async def _attempt(self, known: Dispatch) -> Dispatch:
        try:
            return await self._accepted(known, await self._carrier(known.carrier).submit(known.outgoing()))
        except SubmitDelayed as delay:
            return await self._wait(replace(known, attempt=known.attempt + 1), delay)
        except (CarrierMissing, TemplateNeeded) as missing:
            ended = known.ended(Standing.REFUSED, missing.failure)
        except SubmitRefused as refusal:
            if refusal.opted_out:
                await self._opt_outs.heed(address_of(known.to), Wish.STOP)
            ended = known.ended(Standing.REFUSED, refusal.failure, str(refusal.code))
        except OutcomeUnknown as lost:
            ended = known.ended(Standing.UNKNOWN, lost.failure)
        return await self._settle(ended)

    async def _stumbled(self, known: Dispatch, tried_at: float, now: float) -> Dispatch:
        """This attempt was begun already: by another node, which may still be at it, or by one that has died."""
        if now - tried_at < self._settings.attempt_s:
            return known
        return await self._settle(known.ended(Standing.UNKNOWN, Failure.UNKNOWN))

    async def _wait(self, known: Dispatch, delay: SubmitDelayed) -> Dispatch:
        """Certainly not sent: again later, until it is too late to make sense."""
        await self._note(known)
        pause_s = min(delay.retry_after_s or self._settings.retry_s, self._settings.retry_s)
        await self._agenda.put(PREFIX + known.key, await self._shared.now() + pause_s)
        return known

    async def _accepted(self, known: Dispatch, receipt: Receipt) -> Dispatch:
        # An id that the carrier forgot to give could belong to any report.
        receipt = Receipt(tuple(own for own in receipt.ids if own))
        taken = replace(known.ended(Standing.ACCEPTED), ids=receipt.ids)
        await self._settle(taken)
        for own in receipt.ids:
            await self._shared.put(
                self._keys.receipt(known.carrier, own), known.key.encode(), ttl_s=self._settings.sent_ttl_s
            )
        for own in receipt.ids:
            early = await self._shared.get(self._keys.early(known.carrier, own))
            if early is not None:
                await self._learn(known.key, _load(early))
        return taken

    async def _settle(self, ended: Dispatch) -> Dispatch:
        """Note it, however long the store is away: what is not noted is "unknown" for ever. Then tell its session."""
        for left in reversed(range(_TRIES_TO_NOTE)):
            try:
                await self._note(ended)
                await self._tell(ended)
                await self._agenda.done(PREFIX + ended.key)
                break
            except StoreUnavailable:
                if not left:
                    raise
                await asyncio.sleep(_NOTE_PAUSE_S)
        self._settled(ended)
        return ended

    async def _note(self, dispatch: Dispatch) -> None:
        await self._shared.put(self._keys.sent(dispatch.key), dispatch.dump(), ttl_s=self._settings.sent_ttl_s)

    async def _may_send_to(self, to: str) -> bool:
        """Within the number's share. Asked before the attempt is noted: a message that waits costs no attempt."""
        settings, bucket = self._settings, self._keys.number_bucket(to)
        per_s = settings.number_per_hour / 3600.0
        return await self._shared.take(bucket, rate_per_s=per_s, burst=settings.number_burst)

    def _carrier(self, name: str) -> Carrier:
        carrier = self._carriers.get(name)
        if carrier is None:
            raise CarrierMissing(name)
        return carrier

    # --- reports ------------------------------------------------------------------------------------------------------

    async def report(self, report: Report) -> None:
        """What a carrier says became of a segment; durable when this returns."""
        if report.fate is Fate.ON_ITS_WAY:
            return
        receipt = self._keys.receipt(report.carrier, report.id)
        key = await self._shared.get(receipt)
        if key is None:
            early = self._keys.early(report.carrier, report.id)
            await self._shared.put(early, _dump(report), ttl_s=self._settings.remember_s)
            # The carrier's answer may have been noted between the two.
            key = await self._shared.get(receipt)
        if key is not None:
            await self._learn(key.decode(), report)

    async def _learn(self, key: str, report: Report) -> None:
        """A message is delivered when all its segments are, and failed when one is."""
        known = await self.standing(key)
        if known is None or known.standing is Standing.DELIVERED or report.id not in known.ids:
            return
        if report.opted_out:
            await self._opt_outs.heed(address_of(known.to), Wish.STOP)
        if report.fate is Fate.FAILED:
            if known.standing is not Standing.FAILED:
                reason = Failure.OPTED_OUT if report.opted_out else Failure.UNDELIVERED
                await self._settle(known.ended(Standing.FAILED, reason, report.code))
            return
        name = str(known.ids.index(report.id))
        await self._shared.put_field(self._keys.fates(key), name, b"1", ttl_s=self._settings.sent_ttl_s)
        if len(await self._shared.fields(self._keys.fates(key))) == len(known.ids):
            await self._settle(known.ended(Standing.DELIVERED))

    async def _tell(self, known: Dispatch) -> None:
        """What becomes of a message stands in its session's timeline."""
        if known.of_session is None:
            return
        session, message = known.of_session
        event, dedupe = self._news(known, message)
        with suppress(SessionGone):
            await self._inbox.post(session, event, dedupe=dedupe)

    def _news(self, known: Dispatch, message: MessageId) -> tuple[ev.Event, str]:
        match known.standing:
            case Standing.DELIVERED:
                return ev.MessageDelivered(message=message, to=Party.CITIZEN), f"delivered:{message}"
            case Standing.ACCEPTED:
                parts = max(1, len(known.ids))
                return ev.MessageAccepted(
                    message=message, channel=self._channel, parts=parts
                ), f"accepted:{self._channel}:{message}"
            case _:
                return failed(self._channel, message, known.reason or Failure.REFUSED, known.code)


def _dump(report: Report) -> bytes:
    return json.dumps(astuple(report)).encode()


def _load(data: bytes) -> Report:
    carrier, own, fate, code, opted_out = json.loads(data)
    return Report(carrier, own, Fate(fate), code, opted_out)


def _seen(task: asyncio.Task[Dispatch]) -> None:
    """An attempt that nobody awaits any longer has its error said here."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("sms attempt failed", extra={"why": type(error).__name__})
