"""A number outside, as a trunk reaches it: SIP over UDP written by hand, which answers, speaks, and hangs up."""

import asyncio
import secrets
from typing import Any, Self

import numpy as np

from tests.peers.caller import Message
from tests.peers.rtp import RtpEnd
from tests.peers.sound import Sound


class Department(asyncio.DatagramProtocol):
    """It says its words over and over to whoever calls; one call at a time. `status` of 300 and more refuses."""

    def __init__(self, port: int, says: Sound, status: int = 200) -> None:
        self.port, self.says, self.status = port, says, status
        self.sound = RtpEnd()
        self.invited: list[str] = []
        """Whom each INVITE was for."""
        self.over = 0
        """Calls that have ended."""
        self._tag = secrets.token_hex(4)
        self._invite: Message | None = None
        self._transport: Any = None
        self._talk: asyncio.Task[None] | None = None
        self._address: tuple[str, int] = ("", 0)

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        await self.sound.__aenter__()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", self.port))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._talk is not None:
            self._talk.cancel()
            await asyncio.gather(self._talk, return_exceptions=True)
        await self.sound.__aexit__()
        self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = Message.parse(data)
        if message.status or not data.strip(b"\r\n\0"):
            return
        match message.start.split(" ")[0]:
            case "INVITE" if ";tag=" not in message.header("to"):
                self._called(message, addr)
            case "BYE":
                self._answer(message, addr, 200)
                self._ended()
            case "CANCEL":
                self._answer(message, addr, 200)
                if self._invite is not None:
                    self._answer(self._invite, addr, 487)
                self._ended()
            case "ACK":
                pass
            case _:
                self._answer(message, addr, 200)

    def hang_up(self) -> None:
        """BYE from this side."""
        invite = self._invite
        assert invite is not None
        contact = invite.header("contact").partition("<")[2].partition(">")[0]
        lines = [
            f"BYE {contact} SIP/2.0",
            f"via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{secrets.token_hex(8)}",
            f"from: {invite.header('to')};tag={self._tag}",
            f"to: {invite.header('from')}",
            f"call-id: {invite.header('call-id')}",
            "cseq: 1 BYE",
            "max-forwards: 70",
            "content-length: 0",
        ]
        self._transport.sendto(("\r\n".join(lines) + "\r\n\r\n").encode(), self._address)
        self._ended()

    def _called(self, invite: Message, addr: tuple[str, int]) -> None:
        if self._invite is not None and self._invite.header("call-id") == invite.header("call-id"):
            return
        self._invite, self._address = invite, addr
        self.invited.append(invite.start.split(" ")[1])
        self._answer(invite, addr, 180)
        if self.status >= 300:
            self._answer(invite, addr, self.status)
            self._invite = None
        elif self.status == 200:
            self.sound.take(invite.body)
            self._answer(invite, addr, 200, self.sound.description)
            self._talk = asyncio.get_running_loop().create_task(self.sound.say(np.tile(self.says, 120)))

    def _ended(self) -> None:
        self.over += 1
        self._invite = None
        if self._talk is not None:
            self._talk.cancel()

    def _answer(self, request: Message, addr: tuple[str, int], status: int, body: str = "") -> None:
        head = f"SIP/2.0 {status} -\r\n"
        for name in ("via", "from", "to", "call-id", "cseq"):
            for value in request.headers.get(name, []):
                tag = f";tag={self._tag}" if name == "to" and ";tag=" not in value else ""
                head += f"{name}: {value}{tag}\r\n"
        head += f"contact: <sip:department@127.0.0.1:{self.port}>\r\n"
        head += "content-type: application/sdp\r\n" if body else ""
        self._transport.sendto(f"{head}content-length: {len(body)}\r\n\r\n{body}".encode(), addr)
