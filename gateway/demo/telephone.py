"""A person's telephone: registers where it has a password, dials, is called, picks up, and speaks a recorded voice.

A user agent for one call at a time over UDP, as plain as a demonstration may have it; the messages are read and written
by `channels.phone.sip`. Requests are sent again as timer E says (RFC 3261, section 17.1.2.2).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self, cast

from channels.phone.errors import MalformedMessage
from channels.phone.sip.challenge import Challenge
from channels.phone.sip.dialog import Dialog
from channels.phone.sip.framing import frame_datagram
from channels.phone.sip.message import Headers, Message, Request, Response, respond
from channels.phone.sip.reading import read
from channels.phone.sip.uri import Uri
from gateway.demo.voice import Voice
from media import sdp
from media.errors import MediaError

T1_S = 0.5
SENDS = 5
"""Over loopback nothing is lost but when the gateway is not there."""
REGISTERED_S = 600
ALLOW = "INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE"


class NoAnswer(Exception):
    """A request was refused, or nobody answered it; `status` is 408 then."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(str(status))


class Telephone(asyncio.DatagramProtocol):
    """`rings` is told of an incoming call; it then picks up, or lets it ring."""

    def __init__(self, server: tuple[str, int], number: str, rings: Callable[[], None] | None = None) -> None:
        self._server, self._number, self._rings = server, number, rings
        self._transport: asyncio.DatagramTransport
        self._voice = Voice()
        self._waiting: dict[tuple[str, str], asyncio.Queue[Response]] = {}
        self._tag = secrets.token_hex(4)
        self._numbers = itertools.count(1)
        self._invite: Request | None = None
        self._dialog: Dialog | None = None
        self.over = asyncio.Event()
        """No call, or the call has ended."""
        self.over.set()

    @classmethod
    async def open(cls, server: tuple[str, int], number: str, rings: Callable[[], None] | None = None) -> Self:
        """Plug it in."""
        loop, one = asyncio.get_running_loop(), cls(server, number, rings)
        await loop.create_datagram_endpoint(lambda: one, local_addr=(_own_address(server), 0))
        await one._voice.open(one._address[0])
        return one

    def close(self) -> None:
        """Unplug it."""
        self._voice.close()
        self._transport.close()

    # --- what a person does with it ----------------------------------------

    async def register(self, password: str) -> None:
        """Be reachable under the own number, an extension (section 10). Raises `NoAnswer`."""
        answer = await self._request(self._registration())
        challenge = Challenge.topmost(answer.headers.all("www-authenticate")) if answer.status == 401 else None
        if challenge is not None:
            uri, cnonce = str(self._server_uri()), secrets.token_hex(8)
            proof = challenge.answer(self._number, password, "REGISTER", uri, cnonce=cnonce)
            answer = await self._request(self._registration(("Authorization", proof)))
        if answer.status >= 300:
            raise NoAnswer(answer.status)

    async def dial(self, number: str) -> None:
        """Call, and return when it is answered. Raises `NoAnswer`; cancelled, it hangs up."""
        self._invite = request = self._outgoing(number)
        self.over.clear()
        try:
            answer = await self._request(request)
        except (NoAnswer, asyncio.CancelledError):
            self._send(self._like(request, "CANCEL"))
            self._end()
            raise
        if answer.status >= 300:
            self._send(self._like(request, "ACK", to=answer))
            self._end()
            raise NoAnswer(answer.status)
        self._dialog = dialog = Dialog.created(request, answer)
        self._send(dialog.request("ACK", via=self._via()))
        self._speak_to(answer.body)

    def pick_up(self) -> None:
        """Answer the call that rings."""
        if self._invite is None or self._dialog is not None:
            return
        self._dialog = Dialog.answered(self._invite, self._tag)
        self._speak_to(self._invite.body)
        self._answer(self._invite, 200, body=self._voice.description())

    async def hang_up(self) -> None:
        """BYE (section 15)."""
        dialog, self._dialog = self._dialog, None
        self._end()
        if dialog is not None:
            with suppress(NoAnswer):
                await self._request(dialog.next_sequence().request("BYE", via=self._via()))

    # --- the wire ----------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `DatagramProtocol`."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _: tuple[str | Any, int]) -> None:
        """See `DatagramProtocol`. What cannot be read is not for us."""
        with suppress(MalformedMessage):
            frame = frame_datagram(data)
            if frame is not None:
                self._take(read(frame))

    def _take(self, message: Message) -> None:
        if isinstance(message, Response):
            waiting = self._waiting.get((message.vias[0].branch or "", message.cseq[1]))
            if waiting is not None:
                waiting.put_nowait(message)
            return
        match message.method:
            case "ACK":
                return
            case "INVITE" if self._invite is None:
                self._invite = message
                self.over.clear()
                self._answer(message, 180)
                if self._rings is not None:
                    self._rings()
            case "INVITE" if self._invite is not None and message.call_id != self._invite.call_id:
                self._answer(message, 486)
            case "INVITE" | "UPDATE" if message.body:
                self._speak_to(message.body)
                self._answer(message, 200, body=self._voice.description())
            case "BYE" | "CANCEL":
                self._answer(message, 200)
                if message.method == "CANCEL" and self._invite is not None and self._dialog is None:
                    self._answer(self._invite, 487)
                self._dialog = None
                self._end()
            case _:
                self._answer(message, 200)

    def _speak_to(self, description: bytes) -> None:
        with suppress(MediaError):
            media = sdp.parse(description).media[0]
            if media.address is not None:
                self._voice.speak_to((media.address, media.port))

    def _end(self) -> None:
        self._voice.hush()
        self._invite = None
        self.over.set()

    async def _request(self, request: Request) -> Response:
        """The final response. Raises `NoAnswer` where there is none."""
        key = (request.vias[0].branch or "", request.method)
        answers = self._waiting[key] = asyncio.Queue()
        pause_s, is_heard = T1_S, False
        try:
            for _ in range(SENDS):
                if not is_heard:
                    self._send(request)
                with suppress(TimeoutError):
                    while True:
                        within_s = None if is_heard and request.method == "INVITE" else pause_s
                        answer = await asyncio.wait_for(answers.get(), within_s)
                        is_heard = True
                        if answer.is_final:
                            return answer
                pause_s *= 2
            raise NoAnswer(408)
        finally:
            del self._waiting[key]

    def _send(self, message: Message) -> None:
        self._transport.sendto(bytes(message), self._server)

    # --- what it says ----------------------------------------

    @property
    def _address(self) -> tuple[str, int]:
        host, port, *_ = self._transport.get_extra_info("sockname")
        return str(host), int(port)

    def _via(self, branch: str = "") -> str:
        host, port = self._address
        return f"SIP/2.0/UDP {host}:{port};rport;branch={branch or f'z9hG4bK{secrets.token_hex(8)}'}"

    def _contact(self) -> str:
        host, port = self._address
        return f"<sip:{self._number}@{host}:{port}>"

    def _server_uri(self) -> Uri:
        return Uri("sip", self._server[0], port=self._server[1])

    def _registration(self, *extra: tuple[str, str]) -> Request:
        uri = self._server_uri()
        own = f"<sip:{self._number}@{uri.host}>"
        headers = [
            ("Via", self._via()),
            ("Max-Forwards", "70"),
            ("From", f"{own};tag={self._tag}"),
            ("To", own),
            ("Call-ID", f"{self._tag}@demo"),
            ("CSeq", f"{next(self._numbers)} REGISTER"),
            ("Contact", self._contact()),
            ("Expires", str(REGISTERED_S)),
            *extra,
        ]
        return Request(headers=Headers(headers), method="REGISTER", uri=uri)

    def _outgoing(self, number: str) -> Request:
        server = self._server_uri()
        headers = [
            ("Via", self._via()),
            ("Max-Forwards", "70"),
            ("From", f"<sip:{self._number}@{server.host}>;tag={secrets.token_hex(4)}"),
            ("To", f"<sip:{number}@{server.host}>"),
            ("Call-ID", f"{secrets.token_hex(8)}@demo"),
            ("CSeq", "1 INVITE"),
            ("Contact", self._contact()),
            ("Allow", ALLOW),
            ("Content-Type", "application/sdp"),
        ]
        uri = Uri("sip", server.host, user=number, port=server.port)
        return Request(headers=Headers(headers), body=self._voice.description(), method="INVITE", uri=uri)

    def _like(self, request: Request, method: str, to: Response | None = None) -> Request:
        """CANCEL, or the ACK of a refusal: of the same transaction (sections 9.1 and 17.1.1.3)."""
        headers = [
            ("Via", request.headers.all("via")[0]),
            ("Max-Forwards", "70"),
            ("From", request.headers.all("from")[0]),
            ("To", (to or request).headers.all("to")[0]),
            ("Call-ID", request.call_id),
            ("CSeq", f"{request.cseq[0]} {method}"),
        ]
        return Request(headers=Headers(headers), method=method, uri=request.uri)

    def _answer(self, request: Request, status: int, body: bytes = b"") -> None:
        headers: list[tuple[str, str]] = [("Contact", self._contact()), ("Allow", ALLOW)]
        if body:
            headers.append(("Content-Type", "application/sdp"))
        self._send(respond(request, status, to_tag=self._tag, headers=headers, body=body))


def _own_address(server: tuple[str, int]) -> str:
    """The address of this machine that the server can answer to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(server)
        return str(probe.getsockname()[0])
