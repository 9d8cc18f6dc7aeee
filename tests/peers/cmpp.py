"""A gateway (ISMG) of ours that drops, repeats, reorders and refuses as a test tells it."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from channels.sms.cmpp import messages as cmpp

ACCOUNT, SECRET = "900001", "888888"


@dataclass
class Gateway:
    """Talks with one client at a time."""

    version: int = cmpp.V20
    secret: str = SECRET
    port: int = 0
    logins: int = 0
    submits: list[tuple[int, cmpp.Submit]] = field(default_factory=list)
    """Every one that arrived, repetitions included, with its sequence."""
    messages: dict[int, int] = field(default_factory=dict)
    """Msg_Id by sequence, of this connection."""
    acknowledged: list[tuple[int, int]] = field(default_factory=list)
    """Msg_Id and result, as the client acknowledged deliveries."""
    tests: int = 0
    answered_tests: int = 0
    terminated: bool = False
    mute: bool = False
    """Reads, and answers nothing."""
    drops: int = 0
    """So many answers to submits are lost on the way."""
    results: deque[int] = field(default_factory=deque)
    """For the next submits; then 0."""
    holds: Callable[[], int] | None = None
    """Answers to submits are held until there are so many, and then sent the last one first."""
    repeats: int = 1
    """How often each answer is sent."""
    refuses_sequences: bool = False
    """Answers a repeated sequence with 3, as the specification has it."""
    peak: int = 0
    """The most submits that were without an answer at once."""
    _held: list[bytes] = field(default_factory=list)
    _writer: asyncio.StreamWriter | None = None
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(0xB4C5530000010000))
    _sequences: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1000))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self.messages.clear()
        with suppress(EOFError, OSError):
            while True:
                head = await reader.readexactly(4)
                frame = head + await reader.readexactly(int.from_bytes(head, "big") - 4)
                sequence, message = cmpp.decode(frame, self.version)
                self._take(sequence, message)
        writer.close()

    def _take(self, sequence: int, message: cmpp.Message) -> None:
        match message:
            case cmpp.Connect():
                self._let_in(sequence, message)
            case cmpp.Submit():
                self._submitted(sequence, message)
            case cmpp.DeliverResponse():
                self.acknowledged.append((message.message, message.result))
            case cmpp.ActiveTest():
                self.tests += 1
                self._send(cmpp.ActiveTestResponse(), sequence)
            case cmpp.ActiveTestResponse():
                self.answered_tests += 1
            case cmpp.Terminate():
                self.terminated = True
                self._send(cmpp.TerminateResponse(), sequence)

    def _let_in(self, sequence: int, hello: cmpp.Connect) -> None:
        wanted = cmpp.authenticator_of_source(hello.source, SECRET, hello.timestamp)
        status = 0 if (hello.source, hello.authenticator) == (ACCOUNT, wanted) else 3
        self.logins += status == 0
        proof = cmpp.authenticator_of_gateway(status, hello.authenticator, self.secret, self.version)
        self._send(cmpp.ConnectResponse(status, proof, self.version), sequence)

    def _submitted(self, sequence: int, submit: cmpp.Submit) -> None:
        self.submits.append((sequence, submit))
        known = self.messages.get(sequence)
        result = self.results.popleft() if self.results else 0
        if known is not None and self.refuses_sequences:
            result = 3
        message = known or next(self._ids)
        self.messages[sequence] = message
        if self.drops:
            self.drops -= 1
            return
        answer = cmpp.encode(cmpp.SubmitResponse(message, result), sequence, self.version)
        self._held.append(answer)
        self.peak = max(self.peak, len(self._held))
        if self.holds is None or len(self._held) >= self.holds():
            self.release()

    def release(self) -> None:
        """Send what is held, the last one first."""
        for answer in reversed(self._held):
            for _ in range(self.repeats):
                self._write(answer)
        self._held.clear()

    def bring(self, deliver: cmpp.Deliver) -> None:
        """A citizen's text or a report."""
        self._send(deliver, next(self._sequences))

    def report(self, message: int, status: str) -> None:
        content = (
            message.to_bytes(8, "big")
            + status.encode().ljust(7, b"\0")
            + b"1511120955" * 2
            + b"13800138000".ljust(32 if self.version == cmpp.V30 else 21, b"\0")
            + bytes(4)
        )
        self.bring(
            cmpp.Deliver(
                message=next(self._ids), destination="12345", source="x", format=0, content=content, is_report=True
            )
        )

    def ask(self) -> None:
        self._send(cmpp.ActiveTest(), next(self._sequences))

    def leave(self) -> None:
        self._send(cmpp.Terminate(), next(self._sequences))

    def cut(self) -> None:
        assert self._writer is not None
        self._writer.close()

    def raw(self, octets: bytes) -> None:
        assert self._writer is not None
        self._writer.write(octets)

    def _send(self, message: cmpp.Message, sequence: int) -> None:
        self._write(cmpp.encode(message, sequence, self.version))

    def _write(self, octets: bytes) -> None:
        if not self.mute and self._writer is not None and not self._writer.is_closing():
            self._writer.write(octets)


@asynccontextmanager
async def listening(gateway: Gateway) -> AsyncIterator[Gateway]:
    server = await asyncio.start_server(gateway.serve, "127.0.0.1", gateway.port)
    gateway.port = server.sockets[0].getsockname()[1]
    try:
        yield gateway
    finally:
        server.close()
        if gateway._writer is not None:
            gateway._writer.close()
        await server.wait_closed()
        await asyncio.sleep(0)
