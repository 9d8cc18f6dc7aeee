"""A citizen's telephones for tests: SIP over UDP written by hand, so that hundreds of calls fit into one test.

It knows what a caller must (RFC 3261 §17.1 over UDP, ACK, CANCEL, BYE) and shares nothing with the product.
"""

import asyncio
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Self

from tests.peers.rtp import RtpEnd

T1_S = 0.5
TIMER_B_S = 32.0


@dataclass(frozen=True)
class Message:
    """A SIP message as it came. Header names are in lower case; of several values the first is `header`."""

    start: str
    headers: dict[str, list[str]]
    body: str

    @classmethod
    def parse(cls, data: bytes) -> Self:
        head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        headers: dict[str, list[str]] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), []).append(value.strip())
        return cls(start, headers, body)

    @property
    def status(self) -> int:
        """0 for a request."""
        return int(self.start.split(" ")[1]) if self.start.startswith("SIP/2.0 ") else 0

    @property
    def method(self) -> str:
        """Of the request, or of the request that this answers."""
        return self.header("cseq").split(" ")[-1]

    @property
    def branch(self) -> str:
        found = re.search(r"branch=([^;,\s]+)", self.header("via"))
        return found[1] if found else ""

    @property
    def to_tag(self) -> str:
        found = re.search(r";tag=([^;\s]+)", self.header("to"))
        return found[1] if found else ""

    def header(self, name: str) -> str:
        return self.headers.get(name, [""])[0]


class Telephones(asyncio.DatagramProtocol):
    """One socket that any number of calls share."""

    def __init__(self, server: tuple[str, int], host: str = "127.0.0.1", *, answers: bool = False) -> None:
        """`answers` picks up whoever calls here, silently."""
        self.server = server
        self.host = host
        self.taken: dict[str, str] = {}
        """The calls that were picked up: by Call-ID, the first line of what called."""
        self._silence = RtpEnd() if answers else None
        self.calls: dict[str, Call] = {}
        self._transport: Any = None
        self._transactions: dict[tuple[str, str], asyncio.Queue[Message]] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        if self._silence is not None:
            await self._silence.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        for call in list(self.calls.values()):
            await call.leave()
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        if self._silence is not None:
            await self._silence.__aexit__()
        self._transport.abort()  # what the other side does not take does not keep it open

    @property
    def port(self) -> int:
        return int(self._transport.get_extra_info("sockname")[1])

    async def call(
        self,
        number: str = "12345",
        caller: str = "13800138000",
        *,
        vouched: bool = False,
        display: str = "",
        acknowledges: bool = True,
    ) -> "Call":
        """Send an INVITE and come back at once: `await call.answered()` tells the rest."""
        call = Call(self, number, caller, vouched, display, acknowledges)
        await call.start()
        return call

    async def vanish(self) -> None:
        """As without power: nothing is sent or answered any more, nor heard or said."""
        self._transport.abort()
        for call in self.calls.values():
            await call.sound.__aexit__()
        self.calls.clear()

    def run(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    def send(self, text: str) -> None:
        self._transport.sendto(text.encode(), self.server)

    async def request(self, method: str, text: str, branch: str) -> int:
        """A request other than INVITE: sent again as timer E says; gives the final status, 408 when none comes."""
        answers = self._transactions[branch, method] = asyncio.Queue()
        ends_at, pause = time.monotonic() + TIMER_B_S, T1_S
        try:
            while time.monotonic() < ends_at:
                self.send(text)
                try:
                    answer = await asyncio.wait_for(answers.get(), pause)
                except TimeoutError:
                    pause = min(pause * 2, 4.0)
                    continue
                if answer.status >= 200:
                    return answer.status
            return 408
        finally:
            del self._transactions[branch, method]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.strip(b"\r\n\0"):
            return
        message = Message.parse(data)
        answers = self._transactions.get((message.branch, message.method)) if message.status else None
        if answers is not None:
            answers.put_nowait(message)
            return
        call = self.calls.get(message.header("call-id"))
        if call is not None:
            call.take(message)
        elif message.status == 0 and message.method != "ACK":
            self._take_stranger(message, addr)

    def _take_stranger(self, request: Message, sender: tuple[str, int]) -> None:
        """A call that comes in; or what belongs to none of ours."""
        call = request.header("call-id")
        if request.method == "INVITE" and self._silence is not None and not request.to_tag:
            self.taken[call] = request.start
            contact = f"contact: <sip:{self.host}:{self.port}>\r\ncontent-type: application/sdp\r\n"
            self.answer(request, 200, contact, self._silence.description, to=sender)
        else:
            self.answer(request, 200 if call in self.taken else 481, to=sender)

    def answer(
        self, request: Message, status: int, extra: str = "", body: str = "", *, to: tuple[str, int] | None = None
    ) -> None:
        head = f"SIP/2.0 {status} -\r\n"
        for name in ("via", "record-route", "from", "to", "call-id", "cseq"):
            head += "".join(f"{name}: {value}\r\n" for value in request.headers.get(name, []))
        if to is not None and not request.to_tag:
            head = head.replace("\r\ncall-id:", ";tag=taken\r\ncall-id:", 1)
        text = f"{head}{extra}content-length: {len(body)}\r\n\r\n{body}"
        self._transport.sendto(text.encode(), to or self.server)


@dataclass
class Call:
    """One call out. `status` is the last that the INVITE got; `over` says who ended it, or the refusing status."""

    phones: Telephones
    number: str
    caller: str
    vouched: bool = False
    """The network vouches for the number, as a trunk does (RFC 3325)."""
    display: str = ""
    """How the caller names themselves, as it stands in From."""
    acknowledges: bool = True
    """Else each ACK is lost on the way."""
    status: int = 0
    over: str = ""
    began_at: float = 0.0
    answered_at: float = 0.0
    sound: RtpEnd = field(default_factory=RtpEnd)
    requests: list[str] = field(default_factory=list)
    """Methods of what the other side asked within the dialog."""
    _call_id: str = field(default_factory=lambda: f"{secrets.token_hex(8)}@test")
    _tag: str = field(default_factory=lambda: secrets.token_hex(4))
    _branch: str = field(default_factory=lambda: f"z9hG4bK{secrets.token_hex(8)}")
    _cseq: int = 1
    _to_tag: str = ""
    _contact: str = ""
    _route: str = ""
    """The proxies between us, as header lines: from the answer's Record-Route (RFC 3261, section 12.1.2)."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        await self.sound.__aenter__()
        self.phones.calls[self._call_id] = self
        self.began_at = time.monotonic()
        self.phones.run(self._invite())

    @property
    def server(self) -> str:
        """Where the one who answered is, as its Contact says."""
        return self._contact.partition(":")[2].partition(";")[0]

    async def answered(self, deadline_s: float = 15.0) -> None:
        """Come back when the call is up; fail the test when it is refused or the deadline passes."""
        await self._wait(lambda: self.answered_at > 0 or bool(self.over), deadline_s)
        assert self.answered_at, f"not answered: {self.over}"

    async def ended(self, deadline_s: float = 15.0) -> str:
        """Come back when the call is over; gives `over`."""
        await self._wait(lambda: bool(self.over), deadline_s)
        return self.over

    async def hang_up(self) -> int:
        """BYE after the answer, else CANCEL; gives the status of that request."""
        if self.over:
            return 0
        if self.answered_at:
            self._end("us")
            self._cseq += 1
            branch = f"z9hG4bK{secrets.token_hex(8)}"
            return await self.phones.request("BYE", self._request("BYE", branch, self._contact), branch)
        return await self.phones.request("CANCEL", self._request("CANCEL", self._branch), self._branch)

    async def drop(self) -> None:
        """The network has lost the caller, and says so for them (RFC 3326)."""
        self._end("us")
        self._cseq += 1
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        bye = self._request("BYE", branch, self._contact).replace(
            "Max-Forwards", 'Reason: Q.850;cause=41;text="Temporary failure"\r\nMax-Forwards', 1
        )
        assert await self.phones.request("BYE", bye, branch) == 200

    async def press(self, digit: str) -> None:
        """A key, as INFO brings it."""
        self._cseq += 1
        branch = f"z9hG4bK{secrets.token_hex(8)}"
        body = f"Signal={digit}\r\nDuration=160\r\n"
        info = self._request("INFO", branch, self._contact, body=body)
        info = info.replace("application/sdp", "application/dtmf-relay", 1)
        assert await self.phones.request("INFO", info, branch) == 200

    async def leave(self) -> None:
        """End without ceremony: the test is over."""
        if not self.over and self.answered_at:
            self._end("us")
            self._cseq += 1
            self.phones.send(self._request("BYE", f"z9hG4bK{secrets.token_hex(8)}", self._contact))
        elif not self.over:
            self.phones.send(self._request("CANCEL", self._branch))
        await self.sound.__aexit__()

    def take(self, message: Message) -> None:
        if message.status:
            if message.method == "INVITE":
                self._take_answer(message)
        elif message.method != "ACK":
            self.requests.append(message.method)
            self._take_request(message)
        self._changed.set()

    def _take_answer(self, message: Message) -> None:
        self.status = message.status
        if message.status < 200:
            return
        if message.status < 300:
            self._to_tag = message.to_tag
            self._contact = re.sub(r".*<([^>]*)>.*", r"\1", message.header("contact"))
            recorded = reversed(message.headers.get("record-route", []))
            self._route = "".join(f"Route: {proxy}\r\n" for proxy in recorded)
            if self.acknowledges:
                self.phones.send(self._request("ACK", f"z9hG4bK{secrets.token_hex(8)}", self._contact))
            if not self.answered_at:
                self.answered_at = time.monotonic()
                self.sound.take(message.body)
        else:
            self.phones.send(self._request("ACK", self._branch, to_tag=message.to_tag))
            self._end(str(message.status))

    def _take_request(self, message: Message) -> None:
        match message.method:
            case "BYE":
                self.phones.answer(message, 200)
                self._end("them")
            case "INVITE" | "UPDATE" if message.body:
                self.sound.take(message.body)
                contact = f"contact: <sip:{self.caller}@{self.phones.host}:{self.phones.port}>\r\n"
                self.phones.answer(message, 200, f"{contact}content-type: application/sdp\r\n", self.sound.description)
            case _:
                self.phones.answer(message, 200)

    async def _invite(self) -> None:
        pause, ends_at = T1_S, time.monotonic() + TIMER_B_S
        text = self._request("INVITE", self._branch, body=self.sound.description)
        while not self.status and not self.over:
            if time.monotonic() > ends_at:
                self._end("408")
                return
            self.phones.send(text)
            await asyncio.sleep(pause)
            pause *= 2

    def _end(self, over: str) -> None:
        self.over = self.over or over
        self._changed.set()

    def _request(self, method: str, branch: str, uri: str = "", *, to_tag: str = "", body: str = "") -> str:
        host, port = self.phones.server
        tag = to_tag or self._to_tag
        return (
            f"{method} {uri or f'sip:{self.number}@{host}:{port}'} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {self.phones.host}:{self.phones.port};branch={branch};rport\r\n"
            f"Max-Forwards: 70\r\n"
            + (self._route if uri else "")
            + (f"P-Asserted-Identity: <tel:+86{self.caller}>\r\n" if self.vouched else "")
            + f"From: {self.display}<sip:{self.caller}@{self.phones.host}>;tag={self._tag}\r\n"
            f"To: <sip:{self.number}@{host}>{f';tag={tag}' if tag else ''}\r\n"
            f"Call-ID: {self._call_id}\r\n"
            f"CSeq: {1 if method in {'ACK', 'CANCEL'} else self._cseq} {method}\r\n"
            f"Contact: <sip:{self.caller}@{self.phones.host}:{self.phones.port}>\r\n"
            f"Allow: INVITE, ACK, BYE, CANCEL, OPTIONS, UPDATE, INFO\r\n"
            + (f"P-Asserted-Identity: <tel:+86{self.caller}>\r\n" if self.vouched else "")
            + ("Content-Type: application/sdp\r\n" if body else "")
            + f"Content-Length: {len(body)}\r\n\r\n{body}"
        )

    async def _wait(self, holds: Any, deadline_s: float) -> None:
        async with asyncio.timeout(deadline_s):
            while not holds():
                self._changed.clear()
                await self._changed.wait()
