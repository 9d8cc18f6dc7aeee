"""A call that we make, from its INVITE on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from channels.phone.acknowledgements import Acknowledgements
from channels.phone.call import Answered, Call, CallEvent, EndCause, Ended, Ringing, ignore, ignore_failure, way_within
from channels.phone.errors import MalformedMessage
from channels.phone.sip.client import ClientTransaction, State
from channels.phone.sip.dialog import Dialog, dialog_id
from channels.phone.sip.login import Demand, Login
from channels.phone.sip.message import Headers, Request, Response, respond
from channels.phone.sip.reading import ALLOW
from channels.phone.sip.reliable import ReliableClient, is_reliable
from channels.phone.sip.session_timer import SessionExpires, least_of
from channels.phone.sip.uri import Uri

if TYPE_CHECKING:
    from channels.phone.endpoint import Endpoint
    from channels.phone.exchange import Served
    from channels.phone.flow import Flow

_TOO_SMALL = 422
_FORKS = 16
_PROOFS = 3
"""Of one INVITE: a far end that asks on and on refuses us."""
_LONGEST_S = 86_400


class OutgoingCall(Call):
    """A call that we make to one device, or to what stands behind one address: a fork may answer many times."""

    owns_call_id = True

    def __init__(self, endpoint: Endpoint, flow: Flow, request: Request, login: Login | None = None) -> None:
        super().__init__(endpoint, flow, request.call_id)
        self.request = request
        self.transaction: ClientTransaction | None = None
        self._acks: Acknowledgements | None = None
        self._early: dict[str, _Early] = {}
        self._is_cancelled = False
        self._is_cancel_sent = False
        self._reason: tuple[tuple[str, str], ...] = ()
        self._decided: Callable[[Answered | Ended], None] | None = None
        self._login = login
        self._demand: Demand | None = None
        self._proofs = 0

    def begin(self) -> None:
        """Send the INVITE."""
        self._acks = Acknowledgements(self._endpoint, self.flow, self.request)
        self.transaction = self._endpoint.ask(self.request, self.flow, self.heard, self.unheard)

    def when_decided(self, told: Callable[[Answered | Ended], None]) -> None:
        """Tell at once of the answer or the end, instead of among the events. What comes before is nobody's matter."""
        self._decided = told

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

    def end(self, ended: Ended) -> None:
        """As every call; what its forks had begun is forgotten with it."""
        for early in self._early.values():
            self._endpoint.forget_dialog(early.dialog.id, self)
        super().end(ended)
        self._leave()

    def _put(self, event: CallEvent) -> None:
        if self._decided is None:
            super()._put(event)
        elif isinstance(event, Answered | Ended):
            told, self._decided = self._decided, None
            told(event)

    def heard(self, response: Response) -> None:
        """A response to our INVITE."""
        if not response.is_final:
            self._heard_provisional(response)
        elif response.status < 300:
            self._heard_acceptance(response)
        elif (response.status == _TOO_SMALL and self._retry_longer(least_of(response))) or self._prove(response):
            return
        else:
            self.end(Ended(EndCause.REFUSED, response.status))
        if self.is_over:
            self._leave()

    def unheard(self) -> None:
        """No answer, or no way to the device."""
        self.end(Ended(EndCause.LOST, 408))

    def give_up_unheard(self) -> None:
        """Nothing has come of it, not even a 100: whatever comes after all is cancelled, or taken and ended."""
        if not self.is_over and self.transaction is not None and self.transaction.state is State.CALLING:
            self._is_cancelled = True
            self.unheard()

    def receive(self, served: Served) -> None:
        """A request within a dialog; in an early one nothing is agreed on that could be changed."""
        if self.dialog is not None and dialog_id(served.request, is_uas=True) == self.dialog.id:
            super().receive(served)
        elif served.request.method == "UPDATE" and not served.request.body:
            headers = (self._endpoint.contact(served.flow), ALLOW)
            self._endpoint.respond(served, respond(served.request, 200, headers=headers))
        else:
            self._endpoint.respond(served, respond(served.request, 488 if served.request.method == "UPDATE" else 481))

    def _heard_provisional(self, response: Response) -> None:
        if self._is_cancelled:
            self._cancel()
        elif response.status > 100:
            early = self._early_of(response)
            if early is not None and is_reliable(response) and not self._acknowledge(early, response):
                return
            if early is not None and response.body:
                early.body = response.body
            self.tell(Ringing(response.status, response.body))

    def _early_of(self, response: Response) -> _Early | None:
        """The early dialog that a provisional belongs to (section 12.1), a new one where it is a fork's first."""
        tag = response.to_address.tag
        if tag is None:
            return None
        early = self._early.get(tag)
        if early is None and len(self._early) < _FORKS:
            early = self._early[tag] = _Early(Dialog.created(self.request, response))
            self._endpoint.remember_dialog(early.dialog.id, self)
        return early

    def _acknowledge(self, early: _Early, response: Response) -> bool:
        """PRACK; False for a repetition, which its transaction answers, and for what is out of order (RFC 3262)."""
        try:
            acknowledged = early.reliables.acknowledgement(response)
        except MalformedMessage:
            return False
        if acknowledged is None:
            return False
        early.dialog = early.dialog.refreshed(response.contacts).next_sequence()
        flow = way_within(early.dialog, self.flow)
        prack = early.dialog.request("PRACK", via=self._endpoint.via(flow), extra=(("RAck", acknowledged),))
        self._endpoint.ask(prack, flow, ignore, ignore_failure)
        return True

    def _retry_longer(self, least_s: int) -> bool:
        """422: the same INVITE for as long as the far end demands (RFC 4028, section 7.4), once."""
        asked = SessionExpires.of(self.request)
        if self.is_over or asked is None or not asked.interval_s < least_s <= _LONGEST_S:
            return False
        session = dict(self._endpoint.session.asking(least_s, least_s=least_s))
        self.again(session)
        return True

    def _prove(self, response: Response) -> bool:
        """401 or 407: the same INVITE with a proof, once, or again where the challenge had only grown old."""
        demand = Demand.of(response) if self._login is not None and not self.is_over else None
        if demand is None or (self._demand is not None and not demand.challenge.stale):
            return False
        if self._proofs > _PROOFS:
            return False
        self._demand = demand
        self.again(dict(self._proof("INVITE", self.request.uri)))
        return True

    def _proof(self, method: str, target: Uri) -> tuple[tuple[str, str], ...]:
        if self._demand is None or self._login is None:
            return ()
        self._proofs += 1
        return (self._demand.proof(self._login, method, str(target), self._proofs),)

    def again(self, changed: Mapping[str, str]) -> None:
        """The INVITE once more with its next number and other header fields, after an answer that asked for them."""
        number = self.request.cseq[0] + 1
        changed = {"Via": self._endpoint.via(self.flow), "CSeq": f"{number} INVITE", **changed}
        kept = [(name, changed.get(name, value)) for name, value in self.request.headers]
        added = [pair for pair in changed.items() if pair[0] not in dict(kept)]
        self.request = replace(self.request, headers=Headers((*kept, *added)))
        self._early.clear()
        self.begin()

    def _leave(self) -> None:
        """Nothing of the call is kept for what may still come of its INVITE."""
        if self.transaction is not None and self._acks is not None:
            self._endpoint.leave(self.transaction, self._acks.heard_late)

    def _cancel(self) -> None:
        """Once: its repetitions are its transaction's matter."""
        if not self._is_cancel_sent and self.transaction is not None:
            self._is_cancel_sent = True
            self._endpoint.cancel(self.transaction, self.flow, self._reason)

    def _heard_acceptance(self, response: Response) -> None:
        if self._acks is None or self._acks.repeat(response):
            return
        early = self._early.get(response.to_address.tag or "")
        dialog = Dialog.created(self.request, response)
        if early is not None:
            dialog = dialog._replace(local_seq=early.dialog.local_seq)
        if self.dialog is not None or self.is_over:
            self._acks.take_and_end(dialog)
            return
        self._acks.send(dialog)
        self.dialog = dialog
        self.is_answered = True
        self._allowed = response.allowed
        self._endpoint.remember(self)
        self._begin_session(self._endpoint.session.begun_by(response, self._endpoint.now))
        # A reliable provisional may have brought the answer already, which the 200 need not repeat.
        self.tell(Answered(response.body or (early.body if early is not None else b"")))


@dataclass(eq=False, slots=True)
class _Early:
    """One fork's dialog before it is answered."""

    dialog: Dialog
    body: bytes = b""
    """The last SDP that came in it."""
    reliables: ReliableClient = field(default_factory=ReliableClient)
