"""One end of a call: an INVITE dialog as its user sees it, in words of calls and not of transactions.

What happens comes as events from `async for event in call`, which ends behind `Ended`. What is asked is a method;
none of them waits for the network, except `reinvite`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Self

from channels.phone.errors import CallOver, MalformedMessage, ReofferRefused
from channels.phone.ladder import Ladder
from channels.phone.sip import glare
from channels.phone.sip.dialog import Dialog
from channels.phone.sip.digits import InfoDigit, read_digit
from channels.phone.sip.message import Request, Response, respond
from channels.phone.sip.reading import ALLOW, SUPPORTED
from channels.phone.sip.reason import broke_off
from channels.phone.sip.refer import FRAGMENT, Reference, fragment
from channels.phone.sip.sdp import narrowed
from channels.phone.sip.server import Acceptance
from channels.phone.sip.session_timer import SessionTimer, least_of
from channels.phone.sip.timing import Timer
from channels.phone.sip.uri import Uri
from channels.phone.tidings import Tidings

if TYPE_CHECKING:
    from channels.phone.endpoint import Endpoint
    from channels.phone.exchange import Served, Watched
    from channels.phone.flow import Flow

_BACKLOG = 64
SDP = ("Content-Type", "application/sdp")
_NO_RESPONSE = 408
_TOO_SMALL = 422
_DIALOG_GONE = {408, 481}
"""Answers to a request within a dialog that end it (section 12.2.1.2)."""


class EndCause(StrEnum):
    """Why a call is over."""

    FAR_END = "far_end"
    """BYE, or a CANCEL of an INVITE not yet answered."""
    OURS = "ours"
    REFUSED = "refused"
    LOST = "lost"
    """No answer to what must be answered: no ACK, no final response, no connection. Or the network says so."""


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
class RefreshDue:
    """The session's time is half over, and the far end knows no UPDATE: offer it anew what there is, by `reinvite`."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The call is over; `status` is the refusal's, where it was one."""

    cause: EndCause
    status: int = 0


@dataclass(frozen=True, slots=True)
class Referred:
    """The far end wants the other one to reach somebody (REFER). Answer with `decide_reference`."""

    reference: Reference


@dataclass(frozen=True, slots=True)
class Stranded:
    """The connection to the page whose call it is has gone; the call is not over, and can be moved to another."""


CallEvent = Ringing | Answered | Confirmed | Reoffered | RefreshDue | Referred | InfoDigit | Stranded | Ended


class Call:
    """What both directions share once there is a dialog."""

    owns_call_id = False

    def __init__(self, endpoint: Endpoint, flow: Flow, call_id: str) -> None:
        self.flow = flow
        self.call_id = call_id
        self.ladder = Ladder.unseen()
        self.codecs: Sequence[str] = ()
        """Those that may be spoken; none leaves it to both ends."""
        self.dialog: Dialog | None = None
        self.is_over = False
        self.is_answered = False
        self._endpoint = endpoint
        self._events: Tidings[CallEvent] = Tidings()
        self._is_told = False
        """Its user knows that it is over."""
        self._acceptances: dict[int, Acceptance] = {}
        self._all_acknowledged = asyncio.Event()
        self._all_acknowledged.set()
        self._farewell: tuple[tuple[str, str], ...] | None = None
        """Of a BYE that waits for an ACK: header fields."""
        self._reoffer: Served | None = None
        self._reinviting: asyncio.Future[Response] | None = None
        self._referral: tuple[Served, Reference] | None = None
        self._allowed: frozenset[str] = frozenset()
        self._session: SessionTimer | None = None
        self._watched: Watched | None = None
        self._stranded_on: Flow | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> CallEvent:
        if self._is_told:
            raise StopAsyncIteration
        event = await self._events.get()
        self._is_told = isinstance(event, Ended)
        return event

    # -- what the user asks ------------------------------------------------------------------------------------

    def hang_up(self, reason: str | None = None) -> None:
        """End the call in whatever way its state asks for; idempotent. `reason` is a Reason header (RFC 3326).

        No BYE may overtake the ACK of a 2xx of ours (section 15): until that has come, or never will, it waits.
        """
        if self.is_over:
            return
        if self._reoffer is not None:
            self._endpoint.respond(self._reoffer, respond(self._reoffer.request, 487))
            self._reoffer = None
        if self.dialog is not None and self.is_answered:
            extra = (("Reason", reason),) if reason else ()
            if self._acceptances:
                self._farewell = extra
            else:
                self._send_bye(extra)
        self.end(Ended(EndCause.OURS))

    def accept_reoffer(self, body: bytes) -> None:
        """Answer a `Reoffered`, or offer where it asked for that."""
        served, self._reoffer = self._reoffer, None
        if served is None or self.dialog is None:
            raise CallOver("accept a re-offer", "not being re-offered anything")
        headers = (self._endpoint.contact(served.flow), ALLOW, SUPPORTED, *self._agree(served.request), SDP)
        response = respond(served.request, 200, headers=headers, body=body)
        self._endpoint.respond(served, response)
        if served.request.method == "INVITE":
            self._await_ack(served, response)

    def refuse_reoffer(self, status: int = 488) -> None:
        """Refuse a `Reoffered`; the session stays as it was."""
        served, self._reoffer = self._reoffer, None
        if served is not None:
            self._endpoint.respond(served, respond(served.request, status))

    def decide_reference(self, status: int, why: str = "") -> None:
        """Answer a `Referred`: 202 has done what it asks for, and tells so (RFC 3515, section 2.4.4).

        `why` is for the people at the other end, who may see it (RFC 3261, section 20.43).
        """
        referral, self._referral = self._referral, None
        if referral is None:
            return
        served, reference = referral
        news = () if reference.wants_news else (("Refer-Sub", "false"),)
        words = (("Warning", f'399 yihao "{why}"'),) if why else ()
        headers = (self._endpoint.contact(served.flow), *news, *words)
        self._endpoint.respond(served, respond(served.request, status, headers=headers))
        if status < 300 and reference.wants_news and self.dialog is not None and not self.is_over:
            self.dialog = self.dialog.next_sequence()
            event = f"refer;id={served.request.cseq[0]}"
            state = ("Subscription-State", "terminated;reason=noresource")
            extra = (self._endpoint.contact(self.flow), ("Event", event), state, FRAGMENT)
            notify = self._in_dialog("NOTIFY", extra, fragment(200))
            self._endpoint.ask(notify, self.target_flow, ignore, ignore_failure)

    async def reinvite(self, offer: Callable[[], Awaitable[bytes]]) -> bytes:
        """Offer the far end another session; gives its answer. Raises `ReofferRefused` or `CallOver`.

        Where both ends do so at once (section 14.1) it is tried again, with a new offer, after a wait by chance. While
        a 2xx of ours is not acknowledged, that INVITE is not over, and there may be no other.
        """
        for _ in range(glare.ATTEMPTS):
            self._demand_running("be re-offered")
            await self._all_acknowledged.wait()
            self._demand_running("be re-offered")
            if not self._is_changing and (response := await self._reinvite_once(await offer())) is not None:
                if response.status < 300:
                    return response.body
                if response.status != glare.REQUEST_PENDING:
                    raise ReofferRefused(response.status)
            chance = random.random()  # noqa: S311 - it parts two ends that collide, and hides nothing
            await asyncio.sleep(glare.wait_s(owns_call_id=self.owns_call_id, chance=chance))
        raise ReofferRefused(glare.REQUEST_PENDING)

    @property
    def _is_changing(self) -> bool:
        """Whether an offer of either end waits for its answer."""
        return self._reinviting is not None or self._reoffer is not None

    async def _reinvite_once(self, body: bytes) -> Response | None:
        """The final response; None where the far end was quicker while the offer was made."""
        dialog = self._demand_running("be re-offered")
        if self._is_changing:
            return None
        self.dialog = dialog.next_sequence()
        extra = (self._endpoint.contact(self.flow), ALLOW, SUPPORTED, *self._asking(), SDP)
        request = self._in_dialog("INVITE", extra, narrowed(body, self.codecs))
        self._reinviting = asyncio.get_running_loop().create_future()
        self._endpoint.ask(request, self.target_flow, self._reinvite_answered, self.give_up)
        try:
            return await self._reinviting
        finally:
            self._reinviting = None

    async def answers(self, within_s: float) -> bool:
        """Whether the far end still knows this dialog (section 12.2.1.2): it answers, and with neither 408 nor 481."""
        self.dialog = self._demand_running("be asked").next_sequence()
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

    def move(self, flow: Flow) -> None:
        """The far end has another connection from now on (RFC 5626, section 4.3)."""
        self.flow = flow

    def give_up(self) -> None:
        """The far end is lost: say goodbye all the same, in case it hears (section 12.2.1.2)."""
        if not self.is_over:
            self._send_bye(())
            self.end(Ended(EndCause.LOST))

    # -- what the endpoint brings ------------------------------------------------------------------------------

    def strand(self) -> None:
        """Its connection is gone: told once for each."""
        if self._stranded_on != self.flow:
            self._stranded_on = self.flow
            self.tell(Stranded())

    def receive(self, served: Served) -> None:
        """A request within the dialog."""
        request = served.request
        if self.is_over:
            self._came_too_late(served)
            return
        advanced = self.dialog.received(request) if self.dialog is not None else None
        if advanced is None:
            self._endpoint.respond(served, respond(request, 500, headers=(("Retry-After", "1"),)))
            return
        self.dialog = advanced
        if request.method == "BYE":
            self._bye_came(served)
        elif request.method in {"INVITE", "UPDATE"}:
            self._refresh_came(served)
        elif request.method == "INFO":
            self._info_came(served)
        elif request.method == "REFER":
            self._refer_came(served)
        elif request.method == "OPTIONS":
            headers = (self._endpoint.contact(served.flow), ALLOW, SUPPORTED)
            self._endpoint.respond(served, respond(request, 200, headers=headers))
        else:
            self._other_came(served)

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
            self._is_acknowledged()

    def unacknowledged(self, acceptance: Acceptance) -> None:
        """A 2xx of ours was never acknowledged: the session is ended (section 13.3.1.4)."""
        self._acceptances = {number: one for number, one in self._acceptances.items() if one is not acceptance}
        self.give_up()
        self._is_acknowledged()

    def _is_acknowledged(self) -> None:
        """Once nothing of ours waits for an ACK: what had to wait for it goes out."""
        if self._acceptances:
            return
        self._all_acknowledged.set()
        if self._farewell is not None:
            farewell, self._farewell = self._farewell, None
            self._send_bye(farewell)
            self._endpoint.forget(self)

    def _came_too_late(self, served: Served) -> None:
        """A request that comes while a BYE of ours waits; theirs ends all."""
        is_bye = served.request.method == "BYE"
        self._endpoint.respond(served, respond(served.request, 200 if is_bye else 481))
        if is_bye:
            self._farewell = None
            self._settle()
            self._endpoint.forget(self)

    @property
    def target_flow(self) -> Flow:
        """Where the dialog's next request goes."""
        return self.flow if self.dialog is None else way_within(self.dialog, self.flow)

    def tell(self, event: CallEvent) -> None:
        """Queue an event; a far end that sends faster than its user reads loses the call."""
        if self.is_over:
            return
        if len(self._events) >= _BACKLOG:
            self.hang_up()
            return
        self._put(event)

    def end(self, ended: Ended) -> None:
        """The call is over: tell its user once, and let the endpoint forget it."""
        if self.is_over:
            return
        self.is_over = True
        if self._farewell is None:
            self._settle()
        self._begin_session(None)
        self.decide_reference(481)
        if self._reinviting is not None and not self._reinviting.done():
            self._reinviting.set_exception(CallOver("be re-offered", "over"))
        self._put(ended)
        if self._farewell is None:
            self._endpoint.forget(self)

    def _put(self, event: CallEvent) -> None:
        self._events.put(event)

    def _settle(self) -> None:
        """No 2xx is repeated any more."""
        for acceptance in self._acceptances.values():
            acceptance.acknowledge()
        self._acceptances.clear()
        self._all_acknowledged.set()

    # -- the session's time ------------------------------------------------------------------------------------

    def _asking(self) -> tuple[tuple[str, str], ...]:
        """What a refresh of ours says of the time that is agreed on."""
        session = self._session
        if session is None:
            return ()
        return self._endpoint.session.asking(session.interval_s, we_refresh=session.we_refresh)

    def _agree(self, request: Request) -> tuple[tuple[str, str], ...]:
        """What our 2xx says of it; the time begins (anew)."""
        agreed, demands = self._endpoint.session.agree(request, self._session)
        if agreed is None:
            self._begin_session(None)
            return ()
        we_refresh = agreed.refresher == "uas"
        self._begin_session(SessionTimer(agreed.interval_s, self._endpoint.now, we_refresh=we_refresh))
        return (("Session-Expires", str(agreed)), *((("Require", "timer"),) if demands else ()))

    def _begin_session(self, session: SessionTimer | None) -> None:
        if self._session is not None and self._watched is not None:
            self._session.stop()
            self._endpoint.unwatch(self._watched)
        self._session = session
        self._watched = None if session is None else self._endpoint.watch(session, self._session_due)

    def _session_due(self, now: float) -> None:
        due = self._session.advance(now) if self._session is not None else None
        if due is Timer.EXPIRY:
            self.give_up()
        elif due is not None and "UPDATE" in self._allowed:
            self._update(self._asking())
        elif due is not None:
            self.tell(RefreshDue())

    def _update(self, session: tuple[tuple[str, str], ...]) -> None:
        if self.dialog is None:
            return
        self.dialog = self.dialog.next_sequence()
        request = self._in_dialog("UPDATE", (self._endpoint.contact(self.flow), ALLOW, SUPPORTED, *session))
        self._endpoint.ask(request, self.target_flow, self._update_answered, self.give_up)

    def _update_answered(self, response: Response) -> None:
        if not response.is_final or self.is_over or self.dialog is None:
            return
        if response.status < 300:
            self.dialog = self.dialog.refreshed(response.contacts)
            self._begin_session(self._endpoint.session.begun_by(response, self._endpoint.now))
        elif response.status == _TOO_SMALL and self._session is not None:
            least_s = least_of(response)
            if least_s > self._session.interval_s:
                self._session.interval_s = least_s
                self._update(self._endpoint.session.asking(least_s, least_s=least_s, we_refresh=True))
        elif response.status in _DIALOG_GONE:
            self.give_up()
        else:
            self._allowed -= {"UPDATE"}
            self.tell(RefreshDue())

    def _lives(self) -> None:
        """The far end refuses a refresh, but it answers: the session's time begins anew.

        One that keeps time too ends the session by itself if it must; one that does not is no less there.
        """
        session = self._session
        if session is not None:
            self._begin_session(SessionTimer(session.interval_s, self._endpoint.now, we_refresh=session.we_refresh))

    # -- within ------------------------------------------------------------------------------------------------

    def _demand_running(self, asked: str) -> Dialog:
        if self.is_over or self.dialog is None or not self.is_answered:
            raise CallOver(asked, "over" if self.is_over else "not yet answered")
        return self.dialog

    def _in_dialog(self, method: str, extra: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> Request:
        if self.dialog is None:
            raise CallOver(f"send {method}", "without a dialog")
        via = self._endpoint.via(self.target_flow)
        extra = (*extra, *self._proof(method, self.dialog.remote_target))
        return self.dialog.request(method, via=via, extra=extra, body=body)

    def _proof(self, method: str, target: Uri) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - of those who must
        """What proves us to a far end that has asked for it."""
        return ()

    def _send_bye(self, extra: tuple[tuple[str, str], ...]) -> None:
        if self.dialog is None:
            return
        self.dialog = self.dialog.next_sequence()
        self._endpoint.ask(self._in_dialog("BYE", extra), self.target_flow, ignore, ignore_failure)

    def _await_ack(self, served: Served, response: Response) -> None:
        self._acceptances[served.request.cseq[0]] = self._endpoint.repeat(response, served.flow, self)
        self._all_acknowledged.clear()

    def _bye_came(self, served: Served) -> None:
        self._endpoint.respond(served, respond(served.request, 200))
        if self._reoffer is not None:
            self._endpoint.respond(self._reoffer, respond(self._reoffer.request, 487))
            self._reoffer = None
        self.end(Ended(EndCause.LOST if broke_off(served.request) else EndCause.FAR_END))

    def _refresh_came(self, served: Served) -> None:
        """A re-INVITE or UPDATE (section 14.2; RFC 3311, section 5.2): in each state of ours its own answer."""
        request = served.request
        try:
            self._endpoint.session.check(request)
        except MalformedMessage as fault:
            self._endpoint.respond(served, respond(request, fault.status, headers=fault.headers))
            return
        self._allowed = request.allowed or self._allowed
        is_offer = request.method == "INVITE" or bool(request.body)
        if is_offer and self._reinviting is not None:
            self._endpoint.respond(served, respond(request, glare.REQUEST_PENDING))
        elif (is_offer and self._reoffer is not None) or not self.is_answered or self.dialog is None:
            wait = str(random.randint(0, 10))  # noqa: S311 - it parts two requests, and hides nothing
            self._endpoint.respond(served, respond(request, 500, headers=(("Retry-After", wait),)))
        elif is_offer:
            self.dialog = self.dialog.refreshed(request.contacts)
            offer = narrowed(request.body, self.codecs) if request.body else None
            if offer is not None and not offer:
                self._endpoint.respond(served, respond(request, 488))
                return
            self._reoffer = served
            self.tell(Reoffered(offer))
        else:
            self.dialog = self.dialog.refreshed(request.contacts)
            headers = (self._endpoint.contact(served.flow), ALLOW, SUPPORTED, *self._agree(request))
            self._endpoint.respond(served, respond(request, 200, headers=headers))

    def _refer_came(self, served: Served) -> None:
        try:
            reference = Reference.of(served.request)
        except MalformedMessage as fault:
            self._endpoint.respond(served, respond(served.request, fault.status))
            return
        if self._referral is not None or not self.is_answered:
            self._endpoint.respond(served, respond(served.request, 491 if self._referral else 403))
            return
        self._referral = (served, reference)
        self.tell(Referred(reference))

    def _other_came(self, served: Served) -> None:
        self._endpoint.respond(served, respond(served.request, 405, headers=(ALLOW,)))

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
            self._allowed = response.allowed or self._allowed
            if self._reinviting is not None:
                # Its repetitions come here too, and begin nothing.
                self._begin_session(self._endpoint.session.begun_by(response, self._endpoint.now))
        waiting = self._reinviting
        if waiting is not None and not waiting.done():
            waiting.set_result(response)
        if response.status in _DIALOG_GONE:
            self.hang_up()
        elif response.status >= 300:
            self._lives()


def way_within(dialog: Dialog, flow: Flow) -> Flow:
    """Where a dialog's next request goes, whose far end we hear from by this flow.

    The remote target's port counts where its address is the one we hear from; any other address (behind a
    translator, or a name) is reached the way that we heard from it. A connection, while it lives, is the way.
    """
    hop = dialog.next_hop
    return flow.towards((hop.host, hop.effective_port)) if hop.host == flow.remote[0] else flow


def ignore(_response: Response) -> None:
    """Whatever the answer to a BYE or CANCEL is, the call is over."""


def ignore_failure() -> None:
    """As `ignore`."""
