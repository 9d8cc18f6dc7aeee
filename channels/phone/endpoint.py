"""The user agent core: messages to transactions, transactions to calls (RFC 3261, sections 8, 13 and 15).

Every machine it runs is pure; here are their timers, their sockets, and the tables that find them again.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
from collections.abc import Callable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

from channels.phone.application import Application, Reply
from channels.phone.call import Call, ignore, ignore_failure
from channels.phone.errands import Errands
from channels.phone.errors import MalformedMessage
from channels.phone.exchange import Asked, HasTimers, Served, Watched
from channels.phone.flow import Flow, SocketAddress
from channels.phone.guard import Guard
from channels.phone.incoming import IncomingCall
from channels.phone.ladder import Ladder, Way
from channels.phone.ladders import Ladders
from channels.phone.lingering import Lingering
from channels.phone.outgoing import OutgoingCall
from channels.phone.proxies import seen_through
from channels.phone.relay import Relay
from channels.phone.serving import ServedRequests
from channels.phone.sip.address import NameAddress
from channels.phone.sip.client import (
    Action,
    ClientTransaction,
    InviteClient,
    NonInviteClient,
    State,
    TimedOut,
    Transmit,
    cancellation,
)
from channels.phone.sip.client import Deliver as DeliverResponse
from channels.phone.sip.dialog import DialogId, dialog_id
from channels.phone.sip.framing import Frame
from channels.phone.sip.login import Login
from channels.phone.sip.message import Headers, Request, Response, has_tag, respond
from channels.phone.sip.reading import ACCEPT, ALLOW, SUPPORTED, is_response, method_of, read, refuse, reread
from channels.phone.sip.sdp import narrowed
from channels.phone.sip.server import (
    Acceptance,
    InviteServer,
    NonInviteServer,
    TransactionKey,
    transaction_key,
)
from channels.phone.sip.session_timer import SessionTiming
from channels.phone.sip.timing import Timing
from channels.phone.sip.uri import Uri, write_host
from channels.phone.sip.via import MAGIC_COOKIE, Via
from channels.phone.tracing import Tracer
from channels.phone.transport import Transport, TransportSettings
from channels.phone.websocket import Pages
from channels.phone.wheel import TimerWheel

log = logging.getLogger(__name__)

_TRYING_S = 0.1
"""A caller that has heard nothing 500 ms behind its INVITE sends it again."""


class Endpoint:
    """Opened by `async with`; then `bound` is its address, `call` makes calls, and the application gets them."""

    def __init__(
        self,
        application: Application,
        guard: Guard,
        settings: TransportSettings,
        *,
        timing: Timing | None = None,
        session: SessionTiming | None = None,
        relay: Relay | None = None,
        ladders: Ladders | None = None,
    ) -> None:
        """Without a relay no connection of another node can be used; without ladders nobody sees a call's messages."""
        self.guard = guard
        self.timing = timing or Timing()
        self.session = session or SessionTiming()
        self.calls: dict[DialogId, Call] = {}
        self._application = application
        self._transport = Transport(settings, guard, self)
        self._relay = relay
        self._ladders = ladders
        self.tracer = Tracer(ladders, self.timing.give_up_s)
        self._asked: dict[tuple[str, str], Asked] = {}
        self._errands = Errands()
        self._tag_key = secrets.token_bytes(16)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as undo:
            self._loop = asyncio.get_running_loop()
            self._wheel = TimerWheel()
            self._served = ServedRequests(self._wheel, self.timing.give_up_s)
            self._late: Lingering[tuple[str, str], Callable[[Response], None]] = Lingering(self.timing.give_up_s)
            undo.callback(self._late.stop)
            undo.callback(self._served.stop)
            undo.callback(self._wheel.stop)
            undo.push_async_callback(self._transport.close)
            await self._transport.open()
            if self._ladders is not None:
                self._ladders.reached_by(self._transport.local)
            if self._relay is not None:
                undo.push_async_callback(self._relay.close)
                await self._relay.open(self)
            undo.push_async_callback(self._errands.close)
            self._undo = undo.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._undo.aclose()

    @property
    def bound(self) -> SocketAddress:
        """The main address, of UDP and TCP."""
        return self._transport.bound

    @property
    def tls_port(self) -> int:
        """The port of TLS; 0 where there is none."""
        return self._transport.tls_port

    def local(self, flow: Flow) -> SocketAddress:
        """The address by which a peer reaches us by such a flow."""
        return self._transport.local(flow)

    def pages(self, origins: Collection[str]) -> Pages:
        """The web server's end of this endpoint."""
        return Pages(self._transport, origins)

    # -- for the application -----------------------------------------------------------------------------------

    def call(
        self,
        flow: Flow,
        target: Uri,
        *,
        caller: NameAddress,
        callee: NameAddress,
        body: bytes,
        extra: tuple[tuple[str, str], ...] = (),
        ladder: Ladder | None = None,
        peer: str = "callee",
        login: Login | None = None,
        codecs: Sequence[str] = (),
    ) -> OutgoingCall:
        """INVITE a device over a flow; what becomes of it are the call's events. `peer` names it on the ladder.

        `login` answers a challenge, and `codecs` are those that may be spoken; none leaves it to both ends.
        """
        more = (ALLOW, SUPPORTED, *self.session.asking(), ("Content-Type", "application/sdp"), *extra)
        request = self.compose(
            "INVITE",
            flow,
            target,
            caller=caller.with_tag(secrets.token_hex(8)),
            callee=callee,
            body=narrowed(body, codecs),
            extra=more,
        )
        call = OutgoingCall(self, flow, request, login)
        call.codecs = codecs
        call.ladder = ladder or self.tracer.begin()
        self.tracer.trace(call.request.call_id, call.ladder, peer)
        call.begin()
        return call

    def compose(
        self,
        method: str,
        flow: Flow,
        target: Uri,
        *,
        caller: NameAddress,
        callee: NameAddress,
        call_id: str = "",
        number: int = 1,
        contact: str = "",
        body: bytes = b"",
        extra: tuple[tuple[str, str], ...] = (),
    ) -> Request:
        """A request outside any dialog (section 8.1.1). `contact` stands in place of our usual one."""
        call_id = call_id or secrets.token_hex(16)
        headers = (
            ("Via", self.via(flow)),
            ("Max-Forwards", "70"),
            ("From", str(caller)),
            ("To", str(callee)),
            ("Call-ID", call_id),
            ("CSeq", f"{number} {method}"),
            ("Contact", contact) if contact else self.contact(flow),
            *extra,
        )
        request = Request(headers=Headers(headers), body=body, method=method, uri=target)
        return request.knowing(call_id=call_id, cseq=(number, method))

    # -- for calls ---------------------------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """The clock of all timers."""
        return self._loop.time()

    def watch(self, machine: HasTimers, turn: Callable[[float], None]) -> Watched:
        """Call `turn` when the machine's next deadline has come, until it is forgotten."""
        watched = Watched(machine, turn)
        self._wheel.watch(watched)
        return watched

    def unwatch(self, watched: Watched) -> None:
        """A machine has come to its end before its time: what hangs on it need not be kept until then."""
        self._wheel.forget(watched)

    def via(self, flow: Flow) -> str:
        """A Via for a new request of ours, with a branch that names one transaction."""
        host = write_host(*self._transport.local(flow))
        return f"SIP/2.0/{flow.protocol.upper()} {host};branch={MAGIC_COOKIE}{secrets.token_hex(12)};rport"

    def contact(self, flow: Flow) -> tuple[str, str]:
        """Where we are reached within dialogs."""
        host = write_host(*self._transport.local(flow))
        return ("Contact", f"<sip:{host};transport={flow.protocol}>")

    def ask(
        self, request: Request, flow: Flow, heard: Callable[[Response], None], unheard: Callable[[], None]
    ) -> ClientTransaction:
        """Send a request in a transaction of its own."""
        machine = InviteClient if request.method == "INVITE" else NonInviteClient
        transaction = machine(request, reliable=flow.is_reliable, timing=self.timing)
        asked = Asked(transaction, flow, heard, unheard, self._perform_asked)
        self._asked[transaction.key] = asked
        self._perform_asked(asked, transaction.start(self._loop.time()))
        return transaction

    def cancel(self, transaction: ClientTransaction, flow: Flow, reason: tuple[tuple[str, str], ...]) -> None:
        """CANCEL an INVITE of ours (section 9.1). One that is never answered after all is given up."""
        if isinstance(transaction, InviteClient):
            transaction.cancelled(self.now)
        if (asked := self._asked.get(transaction.key)) is not None:
            self._wheel.watch(asked)
        self.ask(cancellation(transaction.request, reason), flow, ignore, ignore_failure)

    def leave(self, transaction: ClientTransaction, late: Callable[[Response], None]) -> None:
        """Nobody waits for more of an INVITE that has its final response: a 2xx that comes after all is `late`'s."""
        asked = self._asked.get(transaction.key)
        if asked is not None and transaction.state is State.ACCEPTED:
            self._drop(asked)
            self._late.put(transaction.key, late)
        elif asked is not None and transaction.state is State.COMPLETED:
            asked.heard, asked.unheard = ignore, ignore_failure

    def transmit(self, message: Request | Response, flow: Flow) -> None:
        """Send outside any transaction: the ACK of a 2xx."""
        self.tracer.saw(message, flow, Way.OUT)
        self._send(message.wire, flow)

    def retransmit(self, data: bytes, flow: Flow) -> None:
        """Send again what was sent, of which its bytes are left."""
        self.tracer.saw(reread(data), flow, Way.OUT)
        self._send(data, flow)

    def respond(self, served: Served, response: Response) -> None:
        """Answer a request. One that was answered already stays so: a far end can cross us at any moment."""
        if served.transaction.is_answered:
            return
        if response.status > 100:
            response = self._with_tag(response)
        self._perform_served(served, served.transaction.respond(response, self._loop.time()))

    def repeat(self, response: Response, flow: Flow, call: Call) -> Acceptance:
        """Repeat a 2xx until its ACK comes. The call can be found from now on."""
        acceptance = Acceptance(response, self._loop.time(), self.timing)

        def turn(now: float) -> None:
            for action in acceptance.advance(now):
                if isinstance(action, Transmit):
                    self.transmit(action.message, flow)
                else:
                    call.unacknowledged(acceptance)

        self.remember(call)
        self.watch(acceptance, turn)
        return acceptance

    def remember(self, call: Call) -> None:
        """Requests within the call's dialog find it."""
        if call.dialog is not None:
            self.remember_dialog(call.dialog.id, call)

    def forget(self, call: Call) -> None:
        """They find it no longer."""
        if call.dialog is not None:
            self.forget_dialog(call.dialog.id, call)
        self.tracer.end(call.call_id)

    def remember_dialog(self, dialog: DialogId, call: Call) -> None:
        """As `remember`, for one dialog of a fork's."""
        self.calls[dialog] = call

    def forget_dialog(self, dialog: DialogId, call: Call) -> None:
        """As `forget`."""
        if self.calls.get(dialog) is call:
            del self.calls[dialog]

    # -- for the relay -----------------------------------------------------------------------------------------

    @property
    def awaited(self) -> frozenset[Flow]:
        """Flows on which an answer is due."""
        return frozenset(asked.flow for asked in self._asked.values())

    def write(self, data: bytes, flow: Flow) -> bool:
        """Put bytes on a connection that is there; False where none is."""
        return self._transport.write(data, flow)

    # -- from the transport ------------------------------------------------------------------------------------

    def received(self, frame: Frame, flow: Flow) -> None:
        """One message. Nothing that it holds may raise beyond here."""
        if self._relay is not None and self._relay.passes(frame, flow):
            return
        try:
            message = read(frame, secure=flow.is_secure)
        except MalformedMessage as fault:
            if not is_response(frame) and method_of(frame) != "ACK":
                self._refuse(frame, flow, fault)
            return
        self.tracer.saw(message, flow, Way.IN)
        if isinstance(message, Response):
            self._response_came(message)
        else:
            message = message.stamped(flow.remote)
            flow = seen_through(flow, message.vias, self.guard.is_proxy)
            if not (flow.beyond and self.guard.is_banned(flow.beyond, self._loop.time())):
                self._request_came(message, flow)

    def lost(self, flow: Flow) -> None:
        """A connection is gone: whatever waits for an answer on it will have none, and a page's calls are stranded."""
        if not flow.node:
            self._application.lost(flow)
            if self._relay is not None:
                self._relay.disconnected(flow)
        for asked in [one for one in self._asked.values() if one.flow == flow]:
            self._perform_asked(asked, asked.transaction.fail())
        if not flow.can_be_made:
            for call in {one for one in self.calls.values() if one.flow == flow}:
                call.strand()

    def cut(self, flow: Flow) -> None:
        """A telephone has come by another connection: this one is gone, whether it knows or not."""
        self._transport.cut(flow)
        self.lost(flow)

    # -- requests ----------------------------------------------------------------------------------------------

    def _request_came(self, request: Request, flow: Flow) -> None:
        if request.method == "ACK":
            self._ack_came(request, flow)
            return
        key = transaction_key(request, flow.source)
        served = self._served.get(key)
        if served is not None:
            self._perform_served(served, served.transaction.repeat())
            if request.method == "INVITE":
                self._try(served)
            return
        answered = self._served.answered(key)
        if answered is not None:
            if answered.again:
                self.retransmit(answered.again, answered.flow)
            return
        served = self._serve(request, flow, key)
        if served is None:
            return
        if request.method == "CANCEL":
            self._cancel_came(served, flow)
        elif request.to_address.tag is not None:
            self._dialog_request_came(served)
        elif request.method in {"INVITE", "REGISTER", "OPTIONS"}:
            self._new_request_came(served)
        else:
            # BYE, INFO and UPDATE mean nothing outside a dialog.
            self.respond(served, respond(request, 481))

    def _serve(self, request: Request, flow: Flow, key: TransactionKey) -> Served | None:
        """Begin a server transaction; None when there are too many, which is told without remembering it."""
        reply_flow = flow.towards(request.vias[0].reply_address(flow.remote))
        if not self._served.has_room(flow.origin):
            busy = self._with_tag(respond(request, 503, headers=(("Retry-After", "5"),)))
            self._send(busy.wire, reply_flow)
            return None
        machine = InviteServer if request.method == "INVITE" else NonInviteServer
        served = Served(
            machine(request, key, reliable=flow.is_reliable, timing=self.timing), reply_flow, self._perform_served
        )
        self._served.add(served)
        return served

    def _new_request_came(self, served: Served) -> None:
        request = served.request
        if self._served.came_before(served):
            self.respond(served, respond(request, 482))
            return
        if request.method == "OPTIONS":
            # As a call would be (section 11.2): so a proxy learns that we drain, and goes elsewhere.
            status = 200 if self._application.takes_calls else 503
            headers = (ALLOW, ACCEPT, ("Accept-Encoding", "identity"), SUPPORTED)
            self.respond(served, respond(request, status, headers=headers))
        elif request.method == "REGISTER":
            self._errands.run(self._register(served))
        else:
            self._invite_came(served)

    def _invite_came(self, served: Served) -> None:
        try:
            self.session.check(served.request)
        except MalformedMessage as fault:
            self.respond(served, respond(served.request, fault.status, headers=fault.headers))
            return
        served.call = call = IncomingCall(self, served)
        call.ladder = self.tracer.begin()
        self.tracer.trace(call.request.call_id, call.ladder, "caller")
        self.tracer.saw(call.request, call.flow, Way.IN)
        self._loop.call_later(_TRYING_S, self._try, served)
        self._errands.run(self._invite(call))

    def _try(self, served: Served) -> None:
        """Say that the INVITE has come, where nothing else has said so yet (section 17.2.1)."""
        if served.transaction.last_response is None:
            self.respond(served, respond(served.request, 100))

    async def _register(self, served: Served) -> None:
        try:
            reply = await self._application.registered(served.request, served.flow)
        except Exception:  # the task's top: the phone is told, and the fault is logged
            log.exception("a REGISTER could not be handled")
            reply = Reply(500)
        if reply.kept_s:
            self._transport.keep(served.flow, reply.kept_s)
        self.respond(served, respond(served.request, reply.status, headers=reply.headers))

    async def _invite(self, call: IncomingCall) -> None:
        try:
            await self._application.invited(call)
        except Exception:  # the task's top: the caller is told, and the fault is logged
            log.exception("an INVITE could not be handled")
            if not call.is_answered:
                call.refuse(500)
            call.hang_up()

    def _ack_came(self, request: Request, flow: Flow) -> None:
        served = self._served.get(transaction_key(request, flow.source))
        transaction = served.transaction if served is not None else None
        if served is not None and isinstance(transaction, InviteServer) and transaction.acknowledge(self._loop.time()):
            self._served.settle(served)
            return
        call = self.calls.get(dialog_id(request, is_uas=True))
        if call is not None:
            call.acknowledged(request)

    def _cancel_came(self, served: Served, flow: Flow) -> None:
        """Section 9.2: the CANCEL's branch is the INVITE's."""
        key = transaction_key(replace(served.request, method="INVITE"), flow.source)
        invite = self._served.get(key)
        if invite is None:
            self.respond(served, respond(served.request, 481 if self._served.answered(key) is None else 200))
            return
        self.respond(served, respond(served.request, 200))
        if invite.call is not None:
            invite.call.cancelled()
        elif (call := self.calls.get(dialog_id(invite.request, is_uas=True))) is not None:
            call.reoffer_cancelled(invite)

    def _dialog_request_came(self, served: Served) -> None:
        call = self.calls.get(dialog_id(served.request, is_uas=True))
        if call is None:
            self.respond(served, respond(served.request, 481))
        else:
            call.receive(served)

    def _refuse(self, frame: Frame, flow: Flow, fault: MalformedMessage) -> None:
        """Answer what could not be read, without remembering it: a repetition gets the same answer, same tag."""
        if not any(name in frame.headers for name in ("via", "from", "to", "call-id", "cseq")):
            # Noise: an answer would mirror nothing, and could be matched to nothing.
            return
        response = self._with_tag(refuse(frame, fault.status, fault.headers))
        with suppress(IndexError, MalformedMessage):
            via = Via.parse_list(frame.headers.all("via")[0])[0]
            flow = flow.towards(via.reply_address(flow.remote))
        self._send(response.wire, flow)

    # -- responses ---------------------------------------------------------------------------------------------

    def _response_came(self, response: Response) -> None:
        """One with a single Via of ours, or it is dropped (section 18.1.2; RFC 4475, section 3.3.10)."""
        if len(response.vias) != 1:
            return
        key = (response.vias[0].branch or "", response.cseq[1])
        asked = self._asked.get(key)
        if asked is not None:
            self._perform_asked(asked, asked.transaction.receive(response, self._loop.time()))
        elif (heard := self._late.get(key)) is not None:
            heard(response)

    # -- performing --------------------------------------------------------------------------------------------

    def _perform_served(self, served: Served, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Transmit):
                self.transmit(action.message, served.flow)
        self._served.settle(served)

    def _perform_asked(self, asked: Asked, actions: list[Action]) -> None:
        for action in actions:
            if isinstance(action, Transmit):
                self.transmit(action.message, asked.flow)
            elif isinstance(action, DeliverResponse):
                asked.heard(action.response)
            elif isinstance(action, TimedOut):
                asked.unheard()
        if asked.transaction.is_settled:
            self._drop(asked)
        elif self._asked.get(asked.transaction.key) is asked:
            self._wheel.watch(asked)

    def _drop(self, asked: Asked) -> None:
        self._wheel.forget(asked)
        self._asked.pop(asked.transaction.key, None)

    def _send(self, data: bytes, flow: Flow) -> None:
        if not flow.node:
            self._transport.send(data, flow)
        elif self._relay is not None:
            self._relay.write(data, flow)
        else:
            self._loop.call_soon(self.lost, flow)

    def _with_tag(self, response: Response) -> Response:
        """Give To a tag where it has none; the same for the same request, so that a repetition changes nothing."""
        to = response.headers.first("to")
        if to is None or has_tag(to):
            return response
        name = "\0".join(response.headers.first(one) or "" for one in ("call-id", "from", "cseq"))
        tag = hmac.new(self._tag_key, name.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()[:16]
        items = [(name, f"{value};tag={tag}" if name == "To" else value) for name, value in response.headers]
        return replace(response, headers=Headers(items))
