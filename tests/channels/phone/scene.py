"""Both ends of one dialog, for tests of its machine: ours is the product's endpoint, whose wire is a list, and theirs
is written by hand. Whatever may happen to a dialog has a name.
"""

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Self

from channels.phone.application import Reply
from channels.phone.call import Call, CallEvent, Ended, Ringing
from channels.phone.endpoint import Endpoint
from channels.phone.errors import CallOver, ReofferRefused
from channels.phone.flow import Flow, Protocol3261
from channels.phone.guard import Guard, GuardSettings
from channels.phone.incoming import IncomingCall
from channels.phone.sip.address import NameAddress
from channels.phone.sip.client import State
from channels.phone.sip.framing import Frame, frame_datagram
from channels.phone.sip.message import Message, Request, respond
from channels.phone.sip.reading import read
from channels.phone.sip.uri import Uri
from channels.phone.transport import TransportSettings
from tests.channels.phone.telephone import SDP

OURS, THEIRS = SDP.format(port=41000).encode(), SDP.format(port=42000)
FLOW = Flow(Protocol3261.UDP, ("127.0.0.1", 5999))
FAR = "<sip:far@127.0.0.1:5999>"
HEADERS = (("Contact", FAR), ("Allow", "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO"))
TIMES_S = {"64*T1": 33.0, "the session's time": 1800.0}


class Wired(Endpoint):
    """What it sends is kept, and goes nowhere."""

    def __init__(self, application: "Scene") -> None:
        guard = Guard(GuardSettings(), [ipaddress.ip_network("127.0.0.0/8")])
        super().__init__(application, guard, TransportSettings())
        self.sent: list[Message] = []
        self.invites: list[Request] = []

    def _send(self, data: bytes, flow: Flow) -> None:
        message = read(_framed(data), secure=flow.is_secure)
        self.sent.append(message)
        if isinstance(message, Request) and message.method == "INVITE":
            self.invites.append(message)

    def hear(self, wire: bytes) -> None:
        self.received(_framed(wire), FLOW)


@dataclass
class Scene:
    """One call, and everything that may happen to it."""

    we_call: bool
    told: list[CallEvent] = field(default_factory=list)
    is_refused: bool = False
    """Whether our side was told that this cannot be done now."""
    _number: int = 10
    _running: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self.endpoint = await Wired(self).__aenter__()
        if self.we_call:
            far = NameAddress(Uri.parse("sip:far@127.0.0.1:5999"))
            us = NameAddress(Uri.parse("sip:us@127.0.0.1"))
            self.out = self.endpoint.call(FLOW, far.uri, caller=us, callee=far, body=OURS)
            self.call: Call = self.out
            self._run(self._listen())
        else:
            self.endpoint.hear(self.wire("INVITE", "z9hG4bKfirst", 1, "<sip:12345@127.0.0.1>", THEIRS))
        await _settled()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.endpoint.__aexit__(None, None, None)

    # -- what an application is ----------------------------------------------------------------------------------

    async def invited(self, call: IncomingCall) -> None:
        self.came = call
        self.call = call
        await self._listen()

    async def registered(self, request: Request, flow: Flow) -> Reply:
        raise NotImplementedError(request, flow)

    def lost(self, flow: Flow) -> None:
        del flow

    takes_calls = True

    # -- what is seen --------------------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """As RFC 4235 names it (section 3.7.1)."""
        if self.call.is_over:
            return "terminated"
        if self.call.is_answered:
            return "confirmed"
        if self.endpoint.calls:
            return "early"
        transaction = self.out.transaction if self.we_call else None
        return "trying" if transaction is not None and transaction.state is State.CALLING else "proceeding"

    async def happens(self, event: str) -> str:
        """One event; gives what was sent and what our side was told because of it, each once."""
        self.endpoint.sent.clear()
        self.told.clear()
        self.is_refused = False
        if event in TIMES_S:
            await asyncio.sleep(TIMES_S[event])
        else:
            self._do(*event.split(" ", 1))
        await _settled()
        done = (*map(_sent, self.endpoint.sent), *map(_told, self.told), *(("cannot",) if self.is_refused else ()))
        return " ".join(dict.fromkeys(done))

    # -- what may happen -----------------------------------------------------------------------------------------

    def _do(self, who: str, what: str) -> None:
        try:
            if who == "we":
                self._we(what)
            elif what[0].isdigit():
                self._they_answer(*what.split(" "))
            else:
                self._they_ask(*what.split(" ", 1))
        except CallOver:
            self.is_refused = True

    def _we(self, what: str) -> None:
        acts: dict[str, Callable[[], object]] = {
            "hang up": self.call.hang_up,
            "offer anew": lambda: self._run(self._changed(self.call.reinvite(_ours))),
            "agree": lambda: self.call.accept_reoffer(OURS),
            "disagree": self.call.refuse_reoffer,
            "lose the way": lambda: self.endpoint.lost(FLOW),
        }
        if not self.we_call:
            acts["ring"] = lambda: self.came.provisional(180)
            acts["answer"] = lambda: self.came.answer(OURS)
            acts["refuse"] = lambda: self.came.refuse(486)
        acts[what]()

    async def _changed(self, change: Awaitable[bytes]) -> None:
        try:
            await change
        except CallOver:
            self.is_refused = True
        except ReofferRefused:
            pass

    def _they_answer(self, status: str, branch: str = "far") -> None:
        """Our newest INVITE; `branch` is who does so, behind a fork."""
        invite = self.endpoint.invites[-1]
        tag = None if status == "100" or invite.to_address.tag else branch
        body = THEIRS.encode() if status == "200" else b""
        headers = (*HEADERS, ("Content-Type", "application/sdp")) if body else HEADERS
        self.endpoint.hear(bytes(respond(invite, int(status), to_tag=tag, headers=headers, body=body)))

    def _they_ask(self, method: str, how: str = "") -> None:
        """Within the dialog. A CANCEL, an ACK and what comes `again` are the first INVITE's."""
        self._number += 1
        branch, number, body = f"z9hG4bK{self._number}", self._number, ""
        tag = self.out.request.from_address.tag if self.we_call else self.came.tag
        if method in {"CANCEL", "ACK"} or how == "again":
            number = 1
            branch = branch if method == "ACK" and self.call.is_answered else "z9hG4bKfirst"
            tag = tag if method == "ACK" else ""
        elif how == "out of order":
            number = 1
        if method == "INVITE" or how == "with an offer":
            body = THEIRS
        self.endpoint.hear(self.wire(method, branch, number, f"<sip:us@127.0.0.1>{f';tag={tag}' if tag else ''}", body))

    def wire(self, method: str, branch: str, number: int, to: str, body: str = "") -> bytes:
        lines = (
            f"{method} sip:12345@127.0.0.1 SIP/2.0",
            f"Via: SIP/2.0/UDP 127.0.0.1:5999;branch={branch}",
            "Max-Forwards: 70",
            "From: <sip:far@127.0.0.1>;tag=far",
            f"To: {to}",
            f"Call-ID: {self.call.call_id if self.we_call else 'theirs'}",
            f"CSeq: {number} {method}",
            *(f"{name}: {value}" for name, value in HEADERS),
            *(("Refer-To: <sip:8002@127.0.0.1>",) if method == "REFER" else ()),
            *(("Content-Type: application/sdp",) if body else ()),
            f"Content-Length: {len(body)}",
        )
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    async def _listen(self) -> None:
        async for event in self.call:
            self.told.append(event)

    def _run(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _framed(data: bytes) -> Frame:
    frame = frame_datagram(data)
    assert frame is not None
    return frame


async def _ours() -> bytes:
    return OURS


async def _settled() -> None:
    for _ in range(8):
        await asyncio.sleep(0)


def _sent(message: Message) -> str:
    return message.method if isinstance(message, Request) else f"{message.status}/{message.cseq[1]}"


def _told(event: CallEvent) -> str:
    if isinstance(event, Ended):
        return f"ended:{event.cause.value}"
    return f"ringing:{event.status}" if isinstance(event, Ringing) else type(event).__name__.lower()
