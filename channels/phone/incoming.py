"""A call that came to us, from its INVITE on."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING

from channels.phone.call import SDP, Call, EndCause, Ended
from channels.phone.errors import CallOver
from channels.phone.sip.client import Action, TimedOut, Transmit
from channels.phone.sip.dialog import Dialog
from channels.phone.sip.message import Response, respond
from channels.phone.sip.reading import ALLOW, SUPPORTED
from channels.phone.sip.reliable import ReliableServer
from channels.phone.sip.sdp import narrowed

if TYPE_CHECKING:
    from channels.phone.endpoint import Endpoint
    from channels.phone.exchange import Served


class IncomingCall(Call):
    """A call that came to us. Until it is answered or refused it costs its INVITE transaction."""

    def __init__(self, endpoint: Endpoint, served: Served) -> None:
        super().__init__(endpoint, served.flow, served.request.call_id)
        self.request = served.request
        self.offer = served.request.body or None
        self.tag = secrets.token_hex(8)
        self.served = served
        self.dialog = Dialog.answered(served.request, self.tag)
        self._allowed = served.request.allowed
        self._reliables = ReliableServer(served.request, secrets.randbits(31), endpoint.timing)
        self._answer: bytes | None = None

    def narrow(self, codecs: Sequence[str]) -> bool:
        """Let those codecs be spoken only; False where their offer has none of them."""
        self.codecs = codecs
        if self.offer is not None:
            self.offer = narrowed(self.offer, codecs)
        return self.offer is None or bool(self.offer)

    def provisional(self, status: int, body: bytes = b"") -> None:
        """180, 183 or another sign of life; until its PRACK comes where that is asked for, or it carries SDP."""
        self._demand_open()
        headers = (self._endpoint.contact(self.flow), ALLOW, *((SDP,) if body else ()))
        response = respond(self.request, status, to_tag=self.tag, headers=headers, body=body)
        self._endpoint.remember(self)
        if self._reliables.is_required or (body and self._reliables.is_supported):
            for action in self._reliables.send(response, self._endpoint.now):
                self._send_reliably(action, is_first=True)
            self._endpoint.watch(self._reliables, self._repeat)
        else:
            self._endpoint.respond(self.served, response)

    def answer(self, body: bytes) -> None:
        """200 with our SDP; repeated until the ACK comes. It waits for the PRACK of a description that went before."""
        self._demand_open()
        if self._reliables.holds_up_answer:
            self._answer = body
            return
        body = body if self.offer is not None else narrowed(body, self.codecs)
        contact = self._endpoint.contact(self.flow)
        response = self._respond(200, (contact, ALLOW, SUPPORTED, *self._agree(self.request), SDP), body)
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

    def end(self, ended: Ended) -> None:
        """As every call; nothing more is repeated."""
        self._reliables.finish()
        super().end(ended)
        self.served.call = None  # the transaction outlasts it by half a minute

    def _bye_came(self, served: Served) -> None:
        """A caller may end a call that is not answered by BYE too (section 15)."""
        if not self.is_answered and not self.is_over:
            self._respond(487, ())
        super()._bye_came(served)

    def _other_came(self, served: Served) -> None:
        """PRACK (RFC 3262, section 3)."""
        if served.request.method != "PRACK":
            super()._other_came(served)
            return
        actions = self._reliables.acknowledge(served.request, self._endpoint.now)
        if actions is None:
            self._endpoint.respond(served, respond(served.request, 481))
            return
        self._endpoint.respond(served, respond(served.request, 200))
        for action in actions:
            self._send_reliably(action, is_first=True)
        if self._answer is not None and not self._reliables.holds_up_answer:
            body, self._answer = self._answer, None
            self.answer(body)

    def _repeat(self, now: float) -> None:
        for action in self._reliables.advance(now):
            self._send_reliably(action, is_first=False)

    def _send_reliably(self, action: Action, *, is_first: bool) -> None:
        if isinstance(action, TimedOut):
            self.refuse(504)
        elif isinstance(action, Transmit) and isinstance(action.message, Response) and is_first:
            self._endpoint.respond(self.served, action.message)
        elif isinstance(action, Transmit):
            self._endpoint.transmit(action.message, self.flow)

    def _demand_open(self) -> None:
        if self.is_over or self.is_answered or self._answer is not None:
            raise CallOver("be answered", "over" if self.is_over else "answered")

    def _respond(self, status: int, headers: tuple[tuple[str, str], ...], body: bytes = b"") -> Response:
        if self.is_over or self.is_answered:
            raise CallOver("be answered", "over" if self.is_over else "answered")
        self._reliables.finish()
        response = respond(self.request, status, to_tag=self.tag, headers=headers, body=body)
        self._endpoint.respond(self.served, response)
        return response
