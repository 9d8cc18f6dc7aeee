"""One end of a call: an INVITE dialog as its user sees it, in words of calls and not of transactions.

What happens comes as events from `async for event in call`, which ends behind `Ended`. What is asked is a method;
none of them waits for the network, except `reinvite`.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING

from channels.phone.errors import CallOver, MalformedMessage, ReofferRefused
from channels.phone.sip.client import InviteClient, State, cancellation
from channels.phone.sip.dialog import Dialog
from channels.phone.sip.digits import InfoDigit, read_digit
from channels.phone.sip.message import Request, Response, respond
from channels.phone.sip.reading import ALLOW
from channels.phone.sip.server import Acceptance

if TYPE_CHECKING:
    from channels.phone.endpoint import Endpoint, Served
    from channels.phone.flow import Flow

_BACKLOG = 64
_SDP = ("Content-Type", "application/sdp")
_NO_RESPONSE = 408
_DIALOG_GONE = {408, 481}
"""Answers to a request within a dialog that end it (section 12.2.1.2)."""


class EndCause(StrEnum):
    """Why a call is over."""

    FAR_END = "far_end"
    """BYE, or a CANCEL of an INVITE not yet answered."""
    OURS = "ours"
    REFUSED = "refused"
    LOST = "lost"
    """No answer to what must be answered: no ACK, no final response, no connection."""


@dataclass(frozen=True, slots=True)
class Ringing:
    """A provisional response other than 100; `body` may hold early media's SDP."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The far end picked up; its SDP. The ACK has gone out."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The ACK of our 200 has come; `body` is the answer where our 200 held the offer."""

    body: bytes


@dataclass(frozen=True, slots=True)
class Reoffered:
    """The far end wants to change the session; None asks us to offer. Answer with `accept_reoffer` or refuse it."""

    offer: bytes | None


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over; `status` is the refusal's, where it was one."""

    cause: EndCause
    status: int = 0


CallEvent = Ringing | Answered | Confirmed | Reoffered | InfoDigit | Ended


class Call:
    """What both directions share once there is a dialog."""

    def __init__(self, endpoint: Endpoint, flow: Flow) -> None:
        self.flow = flow
        self.dialog: Dialog | None = None
        self.is_over = False
        self.is_answered = False
        self._endpoint = endpoint
        self._events: asyncio.Queue[CallEvent] = asyncio.Queue()
        self._acceptances: dict[int, Acceptance] = {}
        self._reoffer: Served | None = None
        self._reinviting: asyncio.Future[Response] | None = None

    async def __aiter__(self) -> AsyncIterator[CallEvent]:
        while True:
            event = await self._events.get()
            yield event
            if isinstance(event, Ended):
                return

    # -- what the user asks ------------------------------------------------------------------------------------

    def hang_up(self, reason: str | None = None) -> None:
        """End the call in whatever way its state asks for; idempotent. `reason` is a Reason header (RFC 3326)."""
        if self.is_over:
            return
        if self._reoffer is not None:
            self._endpoint.respond(self._reoffer, respond(self._reoffer.request, 487))
            self._reoffer = None
        if self.dialog is not None and self.is_answered:
            extra = (("Reason", reason),) if reason else ()
            self._send_bye(extra)
        self.end(Ended(EndCause.OURS))

    def accept_reoffer(self, body: bytes) -> None:
        """Answer a `Reoffered`, or offer where it asked for that."""
        served, self._reoffer = self._reoffer, None
        if served is None or self.dialog is None:
            raise CallOver("accept a re-offer", "not being re-offered anything")
        response = respond(served.request, 200, headers=(self._endpoint.contact(served.flow), ALLOW, _SDP), body=body)
        self._endpoint.respond(served, response)
        if served.request.method == "INVITE":
            self._await_ack(served, response)

    def refuse_reoffer(self, status: int = 488) -> None:
        """Refuse a `Reoffered`; the session stays as it was."""
        served, self._reoffer = self._reoffer, None
        if served is not None:
            self._endpoint.respond(served, respond(served.request, status))

    async def reinvite(self, body: bytes) -> bytes:
        """Offer the far end another session; gives its answer. Raises `ReofferRefused` or `CallOver`."""
        if self.is_over or self.dialog is None or not self.is_answered:
            raise CallOver("be re-offered", "over" if self.is_over else "not yet answered")
        if self._reinviting is not None or self._reoffer is not None:
            raise ReofferRefused(491)
        self.dialog = self.dialog.next_sequence()
        extra = (self._endpoint.contact(self.flow), ALLOW, _SDP)
        request = self._in_dialog("INVITE", extra, body)
        self._reinviting = asyncio.get_running_loop().create_future()
        self._endpoint.ask(request, self.target_flow, self._reinvite_answered, self.give_up)
        try:
            response = await self._reinviting
        finally:
            self._reinviting = None
        if response.status >= 300:
            raise ReofferRefused(response.status)
        return response.body

    async def answers(self, within_s: float) -> bool:
        """Whether the far end still knows this dialog (section 12.2.1.2): it answers, and with neither 408 nor 481."""
        if self.is_over or self.dialog is None or not self.is_answered:
            raise CallOver("be asked", "over" if self.is_over else "not yet answered")
        self.dialog = self.dialog.next_sequence()
        status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def settle(final: int) -> None:
            if final >= 200 and not status.done():
                status.set_result(final)

        request = self._in_dialog("OPTIONS", (self._endpoint.contact(self.flow),))
        self._endpoint.ask(
            request, self.target_flow, lambda response: settle(response.status), lambda: settle(_NO_RESPONSE)
        )
        try:
            async with asyncio.timeout(within_s):
                return await status not in _DIALOG_GONE
        except TimeoutError:
            return False

    def give_up(self) -> None:
        """The far end is lost: say goodbye all the same, in case it hears (section 12.2.1.2)."""
        if not self.is_over:
            self._send_bye(())
            self.end(Ended(EndCause.LOST))

    # -- what the endpoint brings ------------------------------------------------------------------------------

    def receive(self, served: Served) -> None:
        """A request within the dialog."""
        request = served.request
        advanced = self.dialog.received(request) if self.dialog is not None else None
        if advanced is None:
            self._endpoint.respond(served, respond(request, 500, headers=(("Retry-After", "1"),)))
            return
        self.dialog = advanced
        if request.method == "BYE":
            self._bye_came(served)
        elif request.method == "INVITE" or (request.method == "UPDATE" and request.body):
            self._reoffer_came(served)
        elif request.method == "INFO":
            self._info_came(served)
        elif request.method in {"OPTIONS", "UPDATE"}:
            self.dialog = self.dialog.refreshed(request.contacts)
            headers = (self._endpoint.contact(served.flow), ALLOW)
            self._endpoint.respond(served, respond(request, 200, headers=headers))
        else:
            self._endpoint.respond(served, respond(request, 405, headers=(ALLOW,)))

    def reoffer_cancelled(self, served: Served) -> None:
        """The far end thought better of a re-INVITE that we had not answered yet."""
        if served is self._reoffer:
            self.refuse_reoffer(487)

    def acknowledged(self, request: Request) -> None:
        """An ACK of a 2xx of ours."""
        acceptance = self._acceptances.pop(request.cseq[0], None)
        if acceptance is not None:
            acceptance.acknowledge()
            self.tell(Confirmed(request.body))

    def unacknowledged(self, acceptance: Acceptance) -> None:
        """A 2xx of ours was never acknowledged: the session is ended (section 13.3.1.4)."""
        self._acceptances = {number: one for number, one in self._acceptances.items() if one is not acceptance}
        self.give_up()

    @property
    def target_flow(self) -> Flow:
        """Where the dialog's next request goes.

        The remote target's port counts where its address is the one we hear from; any other address (behind a
        translator, or a name) is reached the way that we heard from it. A connection, while it lives, is the way.
        """
        hop = self.dialog.next_hop if self.dialog is not None else None
        if hop is None or self.flow.is_reliable or hop.host != self.flow.remote[0]:
            return self.flow
        return replace(self.flow, remote=(hop.host, hop.effective_port))

    def tell(self, event: CallEvent) -> None:
        """Queue an event; a far end that sends faster than its user reads loses the call."""
        if self.is_over:
            return
        if self._events.qsize() >= _BACKLOG:
            self.hang_up()
            return
        self._events.put_nowait(event)

    def end(self, ended: Ended) -> None:
        """The call is over: tell its user once, and let the endpoint forget it."""
        if self.is_over:
            return
        self.is_over = True
        for acceptance in self._acceptances.values():
            acceptance.acknowledge()
        self._acceptances.clear()
        if self._reinviting is not None and not self._reinviting.done():
            self._reinviting.set_exception(CallOver("be re-offered", "over"))
        self._events.put_nowait(ended)
        self._endpoint.forget(self)

    # -- within ------------------------------------------------------------------------------------------------

    def _in_dialog(self, method: str, extra: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Request:
        if self.dialog is None:
            raise CallOver(f"send {method}", "without a dialog")
        via = self._endpoint.via(self.target_flow)
        return self.dialog.request(method, via=via, extra=extra, body=body)

    def _send_bye(self, extra: tuple[tuple[str, str], ...]) -> None:
        if self.dialog is None:
            return
        self.dialog = self.dialog.next_sequence()
        self._endpoint.ask(self._in_dialog("BYE", extra), self.target_flow, _ignore, _ignore_failure)

    def _await_ack(self, served: Served, response: Response) -> None:
        self._acceptances[served.request.cseq[0]] = self._endpoint.repeat(response, served.flow, self)

    def _bye_came(self, served: Served) -> None:
        self._endpoint.respond(served, respond(served.request, 200))
        if self._reoffer is not None:
            self._endpoint.respond(self._reoffer, respond(self._reoffer.request, 487))
            self._reoffer = None
        self.end(Ended(EndCause.FAR_END))

    def _reoffer_came(self, served: Served) -> None:
        if self._reinviting is not None:
            self._endpoint.respond(served, respond(served.request, 491))
        elif self._reoffer is not None or not self.is_answered or self.dialog is None:
            self._endpoint.respond(served, respond(served.request, 500, headers=(("Retry-After", "1"),)))
        else:
            self.dialog = self.dialog.refreshed(served.request.contacts)
            self._reoffer = served
            self.tell(Reoffered(served.request.body or None))

    def _info_came(self, served: Served) -> None:
        request = served.request
        try:
            digit = read_digit(request.content_type, request.body) if request.body else None
        except MalformedMessage as fault:
            self._endpoint.respond(served, respond(request, fault.status))
            return
        self._endpoint.respond(served, respond(request, 200))
        if digit is not None:
            self.tell(digit)

    def _reinvite_answered(self, response: Response) -> None:
        if not response.is_final or self.dialog is None:
            return
        if response.status < 300:
            self.dialog = self.dialog.refreshed(response.contacts)
            via = self._endpoint.via(self.target_flow)
            ack = self.dialog.request("ACK", via=via, sequence=response.cseq[0])
            self._endpoint.transmit(ack, self.target_flow)
        waiting = self._reinviting
        if waiting is not None and not waiting.done():
            waiting.set_result(response)
        if response.status in _DIALOG_GONE:
            self.hang_up()


class IncomingCall(Call):
    """A call that came to us. Until it is answered or refused it costs its INVITE transaction."""

    def __init__(self, endpoint: Endpoint, served: Served) -> None:
        super().__init__(endpoint, served.flow)
        self.request = served.request
        self.offer = served.request.body or None
        self.tag = secrets.token_hex(8)
        self.served = served
        self.dialog = Dialog.answered(served.request, self.tag)

    def provisional(self, status: int, body: bytes = b"") -> None:
        """180, 183 or another sign of life."""
        headers = (self._endpoint.contact(self.flow), *((_SDP,) if body else ()))
        self._respond(status, headers, body)

    def answer(self, body: bytes) -> None:
        """200 with our SDP; repeated until the ACK comes."""
        contact = self._endpoint.contact(self.flow)
        response = self._respond(200, (contact, ALLOW, ("Supported", ""), _SDP), body)
        self.is_answered = True
        self._await_ack(self.served, response)

    def refuse(self, status: int, headers: tuple[tuple[str, str], ...] = ()) -> None:
        """A final response other than 2xx; idempotent."""
        if self.is_over:
            return
        self._respond(status, headers)
        self.end(Ended(EndCause.REFUSED, status))

    def cancelled(self) -> None:
        """A CANCEL came: 487, unless it crossed our answer, which then stands (section 9.2)."""
        if not self.is_answered and not self.is_over:
            self._respond(487, ())
            self.end(Ended(EndCause.FAR_END, 487))

    def hang_up(self, reason: str | None = None) -> None:
        """BYE once answered, 480 before."""
        if self.is_answered:
            super().hang_up(reason)
        else:
            self.refuse(480)

    def _respond(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> Response:
        if self.is_over or self.is_answered:
            raise CallOver("be answered", "over" if self.is_over else "answered")
        response = respond(self.request, status, to_tag=self.tag, headers=headers, body=body)
        self._endpoint.respond(self.served, response)
        return response


class OutgoingCall(Call):
    """A call that we make to one device."""

    def __init__(self, endpoint: Endpoint, flow: Flow, request: Request) -> None:
        super().__init__(endpoint, flow)
        self.request = request
        self.transaction: InviteClient | None = None
        self._acks: dict[str, Request] = {}
        self._is_cancelled = False
        self._is_cancel_sent = False
        self._reason: tuple[tuple[str, str], ...] = ()

    def hang_up(self, reason: str | None = None) -> None:
        """BYE once answered; CANCEL before, as soon as that may be sent. A 2xx that crosses it is ended by BYE."""
        if self.is_over:
            return
        if self.is_answered:
            super().hang_up(reason)
            return
        self._is_cancelled = True
        self._reason = (("Reason", reason),) if reason else ()
        if self.transaction is not None and self.transaction.state is State.PROCEEDING:
            self._cancel()
        self.end(Ended(EndCause.OURS))

    def heard(self, response: Response) -> None:
        """A response to our INVITE."""
        if not response.is_final:
            self._heard_provisional(response)
        elif response.status < 300:
            self._heard_acceptance(response)
        else:
            self.end(Ended(EndCause.REFUSED, response.status))

    def unheard(self) -> None:
        """No answer, or no way to the device."""
        self.end(Ended(EndCause.LOST, 408))

    def _heard_provisional(self, response: Response) -> None:
        if self._is_cancelled:
            self._cancel()
        elif response.status > 100:
            self.tell(Ringing(response.status, response.body))

    def _cancel(self) -> None:
        """Once: its repetitions are its transaction's matter."""
        if not self._is_cancel_sent:
            self._is_cancel_sent = True
            self._endpoint.ask(cancellation(self.request, self._reason), self.flow, _ignore, _ignore_failure)

    def _heard_acceptance(self, response: Response) -> None:
        tag = response.to_address.tag or ""
        if (repeated := self._acks.get(tag)) is not None:
            self._endpoint.transmit(repeated, self.target_flow)
            return
        dialog = Dialog.created(self.request, response)
        is_first = self.dialog is None
        if is_first:
            self.dialog = dialog
        ack = dialog.request("ACK", via=self._endpoint.via(self.flow), sequence=self.request.cseq[0])
        self._acks[tag] = ack
        self._endpoint.transmit(ack, self.target_flow)
        if not is_first or self.is_over:
            # A second device behind a fork, or a call given up meanwhile: taken and ended at once (section 13.2.2.4).
            bye = dialog.next_sequence().request("BYE", via=self._endpoint.via(self.flow))
            self._endpoint.ask(bye, self.target_flow, _ignore, _ignore_failure)
            return
        self.is_answered = True
        self._endpoint.remember(self)
        self.tell(Answered(response.body))


def _ignore(_response: Response) -> None:
    """Whatever the answer to a BYE or CANCEL is, the call is over."""


def _ignore_failure() -> None:
    """As `_ignore`."""
