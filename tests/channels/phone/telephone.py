"""A telephone made of a socket and of messages written by hand: what it sends is exactly what a test says."""

import asyncio
import hashlib
import re
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from channels.phone.errors import MalformedMessage
from channels.phone.sip.framing import StreamFramer, frame_datagram
from channels.phone.sip.message import Message, Request, Response
from channels.phone.sip.reading import read
from channels.phone.sip.uri import write_host

SDP = (
    "v=0\r\no=t 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"
)


@dataclass
class Telephone:
    """One UDP socket, or one TCP connection, and everything that came to it."""

    server: tuple[str, int]
    host: str = "127.0.0.1"
    tcp: bool = False
    tls: ssl.SSLContext | None = None
    user: str = "caller"
    device: str = ""
    """What its Contact calls it, where that is not the user."""
    contact_params: str = ""
    heard: list[Message] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    is_closed: bool = False

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        if self.tcp or self.tls:
            reader, writer = await asyncio.open_connection(
                *self.server, local_addr=(self.host, 0), ssl=self.tls, server_hostname="localhost" if self.tls else None
            )
            self._write: Callable[[bytes], object] = writer.write
            self._close = writer.close
            self.port = writer.get_extra_info("sockname")[1]
            self._task = loop.create_task(self._read(reader))
        else:
            transport, _ = await loop.create_datagram_endpoint(lambda: _Socket(self), local_addr=(self.host, 0))
            self._write = lambda data: transport.sendto(data, self.server)
            self._close = transport.close
            self.port = transport.get_extra_info("sockname")[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._close()
        if self.tcp or self.tls:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.sleep(0)

    async def _read(self, reader: asyncio.StreamReader) -> None:
        framer = StreamFramer()
        while data := await reader.read(65536):
            self.raw.append(data)
            for frame in framer.feed(data):
                if frame is not None:
                    self.take(read(frame))
            self._news.set()
        self.is_closed = True
        self._news.set()

    def take(self, message: Message) -> None:
        self.heard.append(message)
        self.noticed()

    def noticed(self) -> None:
        self._news.set()

    async def refused(self, count: int = 1) -> None:
        """So many answers of 4xx have come, whatever they give back."""
        await self.until(lambda: len([one for one in self.raw if one.startswith(b"SIP/2.0 4")]) >= count)

    def send(self, data: bytes) -> None:
        self._write(data)

    def disconnect(self) -> None:
        """As if the network were gone."""
        self._close()

    async def until(self, found: Callable[[], object], deadline_s: float = 15.0) -> None:
        async with asyncio.timeout(deadline_s):
            while not found():
                self._news.clear()
                await self._news.wait()

    async def response(self, method: str = "INVITE", least: int = 200, count: int = 1) -> Response:
        """The count-th response to a method with at least that status."""

        def found() -> list[Response]:
            return [
                one for one in self.heard if isinstance(one, Response) and one.cseq[1] == method and one.status >= least
            ]

        await self.until(lambda: len(found()) >= count)
        return found()[count - 1]

    async def request(self, method: str, count: int = 1) -> Request:
        def found() -> list[Request]:
            return [one for one in self.heard if isinstance(one, Request) and one.method == method]

        await self.until(lambda: len(found()) >= count)
        return found()[count - 1]

    # -- messages --------------------------------------------------------------------------------------------

    @property
    def way(self) -> str:
        return "tls" if self.tls else "tcp" if self.tcp else "udp"

    @property
    def contact(self) -> str:
        way = "" if self.way == "udp" else f";transport={self.way}"
        return f"<sip:{self.device or self.user}@{write_host(self.host, self.port or None)}{way}>{self.contact_params}"

    def compose(
        self,
        method: str,
        target: str = "12345",
        *,
        call: str = "",
        cseq: int = 1,
        to: str = "",
        branch: str = "",
        extra: tuple[str, ...] = (),
        body: str = "",
        kind: str = "application/sdp",
    ) -> bytes:
        call = call or secrets.token_hex(8)
        branch = branch or f"z9hG4bK{secrets.token_hex(6)}"
        uri = target if target.startswith("sip") else f"sip:{target}@{write_host(*self.server)}"
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.way.upper()} {write_host(self.host, self.port or None)};branch={branch};rport",
            f"From: <sip:{self.user}@{write_host(self.host)}>;tag=t{call[:6]}",
            f"To: {to or f'<{uri}>'}",
            f"Call-ID: {call}",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            f"Contact: {self.contact}",
            *extra,
            *((f"Content-Type: {kind}",) if body else ()),
            f"Content-Length: {len(body)}",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def offer(self) -> str:
        return SDP.format(port=40000 + secrets.randbelow(1000) * 2)

    async def call(self, target: str = "12345", extra: tuple[str, ...] = (), body: str = "") -> "Dialled":
        """Dial, wait for the 200 and acknowledge it. `body` is another offer than the telephone's own."""
        call = secrets.token_hex(8)
        self.send(self.compose("INVITE", target, call=call, extra=extra, body=body or self.offer()))
        answer = await self.response()
        dialled = Dialled(self, call, target, answer)
        if answer.status == 200:
            dialled.ack()
        return dialled

    async def register(
        self,
        password: str,
        *,
        expires: int = 600,
        algorithm: str = "SHA-256",
        cseq: int = 1,
        extra: tuple[str, ...] = (),
    ) -> Response:
        """REGISTER with the challenge's answer; gives the second response."""
        call = f"reg{self.user}{self.port}"
        uri = f"sip:{write_host(*self.server)}"
        to = f"<sip:{self.user}@yihao>"
        before = len([one for one in self.heard if isinstance(one, Response)])
        expiry = (f"Expires: {expires}", *extra)
        self.send(self.compose("REGISTER", uri, call=call, cseq=cseq, to=to, extra=expiry))
        await self.until(lambda: len([one for one in self.heard if isinstance(one, Response)]) > before)
        challenge = self.heard[-1]
        proof = authorization(challenge, "REGISTER", uri, self.user, password, algorithm)
        self.send(self.compose("REGISTER", uri, call=call, cseq=cseq + 1, to=to, extra=(*expiry, proof)))
        await self.until(lambda: len([one for one in self.heard if isinstance(one, Response)]) > before + 1)
        final = self.heard[-1]
        assert isinstance(final, Response)
        return final

    def reply(
        self, request: Request, status: int, *, tag: str = "dev", body: str = "", extra: tuple[str, ...] = ()
    ) -> None:
        """Answer a request that came to this telephone."""
        to = request.headers.first("to") or ""
        lines = [
            f"SIP/2.0 {status} Whatever",
            *(f"Via: {value}" for value in request.headers.all("via")),
            f"From: {request.headers.first('from')}",
            f"To: {to if 'tag=' in to else f'{to};tag={tag}'}",
            f"Call-ID: {request.call_id}",
            f"CSeq: {request.cseq[0]} {request.cseq[1]}",
            f"Contact: {self.contact}",
            *extra,
            *(("Content-Type: application/sdp",) if body else ()),
            f"Content-Length: {len(body)}",
        ]
        self.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())


@dataclass
class Dialled:
    """A call that a telephone has made."""

    telephone: Telephone
    call: str
    target: str
    answer: Response

    @property
    def to(self) -> str:
        return self.answer.headers.first("to") or ""

    def within(
        self,
        method: str,
        cseq: int,
        *,
        body: str = "",
        kind: str = "application/sdp",
        branch: str = "",
        extra: tuple[str, ...] = (),
    ) -> bytes:
        return self.telephone.compose(
            method, self.target, call=self.call, cseq=cseq, to=self.to, body=body, kind=kind, branch=branch, extra=extra
        )

    def ack(self, cseq: int = 1, body: str = "") -> None:
        self.telephone.send(self.within("ACK", cseq, body=body))

    def bye(self, cseq: int = 9) -> None:
        self.telephone.send(self.within("BYE", cseq))


def authorization(
    challenge: Message, method: str, uri: str, user: str, password: str, algorithm: str, nc: str = "00000001"
) -> str:
    """The Authorization line that answers a 401."""
    (line,) = [one for one in challenge.headers.all("www-authenticate") if f"algorithm={algorithm}" in one]
    nonce, realm = re.search(r'nonce="([^"]+)"', line), re.search(r'realm="([^"]+)"', line)
    assert nonce
    assert realm

    def digest(text: str) -> str:
        return hashlib.new({"SHA-256": "sha256", "MD5": "md5"}[algorithm], text.encode()).hexdigest()

    first, second = digest(f"{user}:{realm[1]}:{password}"), digest(f"{method}:{uri}")
    response = digest(f"{first}:{nonce[1]}:{nc}:beef:auth:{second}")
    return (
        f'Authorization: Digest username="{user}", realm="{realm[1]}", nonce="{nonce[1]}", uri="{uri}", '
        f'response="{response}", algorithm={algorithm}, qop=auth, nc={nc}, cnonce="beef"'
    )


class _Socket(asyncio.DatagramProtocol):
    def __init__(self, owner: Telephone) -> None:
        self._owner = owner

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._owner.raw.append(data)
        frame = frame_datagram(data)
        if frame is None:
            return
        try:
            self._owner.take(read(frame))
        except MalformedMessage:
            # The refusal of what was sent broken gives it back: it stands in `raw`.
            self._owner.noticed()
