"""One connection to a gateway of CMPP or SMPP: frames, the window, answers, the heartbeat; and staying connected.

Both protocols frame a message by its length in the first four octets and answer it by its sequence. What differs is in
a `Dialect`.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Generic, Protocol, TypeVar

from channels.sms.errors import Malformed, OutcomeUnknown, SmsError, SubmitDelayed
from session.errors import YihaoError

log = logging.getLogger(__name__)

_MOST_DELIVERIES = 64
"""Brought in at once and not yet durable; no more is read meanwhile."""
_PARTING_S = 2.0

M = TypeVar("M")
"""A message of the protocol."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """Times in seconds; C, T, N and W as CMPP calls them (section 6)."""

    host: str
    port: int
    heartbeat_s: float = 30.0
    """C. CMPP says 180 s; firewalls forget a silent connection sooner."""
    answer_s: float = 60.0
    """T: how long an answer is waited for."""
    tries: int = 3
    """N: how often the same is sent before the connection is given up."""
    window: int = 16
    """W: how many may be without an answer."""
    connect_s: float = 10.0
    back_off_s: float = 1.0
    """Before the second try to connect; doubled with each, up to `back_off_most_s`."""
    back_off_most_s: float = 60.0


class Role(Enum):
    """What a message is to a link."""

    DELIVERY = auto()
    ANSWER = auto()
    HEARTBEAT = auto()
    GOODBYE = auto()
    OTHER = auto()


class Dialect(Protocol[M]):
    """One protocol, as one account speaks it. Pure but for the time of day in `hello`."""

    @property
    def last_sequence(self) -> int:
        """After it comes 1 again."""
        ...

    @property
    def smallest(self) -> int:
        """Octets of a frame."""
        ...

    @property
    def largest(self) -> int:
        """More than any frame has; what claims more is something else."""
        ...

    def encode(self, message: M, sequence: int) -> bytes:
        """One frame. Raises `Malformed`."""
        ...

    def decode(self, frame: bytes) -> tuple[int, M]:
        """The sequence and the message. Raises `Malformed`."""
        ...

    def role(self, message: M) -> Role:
        """What it is."""
        ...

    def hello(self) -> tuple[M, Callable[[M], None]]:
        """The login, and what looks at its answer: raises `LoginRefused`."""
        ...

    def heartbeat(self) -> M:
        """Asks whether the other is there."""
        ...

    def goodbye(self) -> M:
        """Ends the connection in good order."""
        ...

    def reply(self, message: M) -> M | None:
        """To a heartbeat, a goodbye or what is not known; to a delivery that is durable."""
        ...

    def refusal(self, delivery: M) -> M:
        """To a delivery that cannot be read."""
        ...

    def put_off(self, delivery: M) -> M | None:
        """To a delivery that is to come again; None where silence says so."""
        ...


class LoginRefused(SmsError):
    """The gateway does not let us in, or is not the one that knows our secret."""

    def __init__(self, status: int) -> None:
        self.status = status
        super().__init__(f"the gateway refused the login with {status}" if status else "the gateway proved nothing")


class LinkLost(SmsError):
    """The connection ended, or the gateway has gone silent."""

    retryable = True

    def __init__(self) -> None:
        super().__init__("the connection to the gateway ended")


class Link(Generic[M]):
    """Made by `Link.open`, served by `run`."""

    def __init__(
        self,
        settings: LinkSettings,
        dialect: Dialect[M],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        delivered: Callable[[M], Awaitable[None]],
    ) -> None:
        self._settings, self._dialect, self._delivered = settings, dialect, delivered
        self._reader, self._writer = reader, writer
        self._sequences = itertools.cycle(range(1, dialect.last_sequence + 1))
        self._window = asyncio.Semaphore(settings.window)
        self._waiting: dict[int, asyncio.Future[M]] = {}
        self._room = asyncio.Semaphore(_MOST_DELIVERIES)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._heard_at = asyncio.get_running_loop().time()
        self.is_over = False

    @classmethod
    async def open(
        cls, settings: LinkSettings, dialect: Dialect[M], delivered: Callable[[M], Awaitable[None]]
    ) -> Link[M]:
        """Connect and log in. `delivered` takes what comes; it returns once that is durable.

        Raises `LoginRefused`, `LinkLost`.
        """
        try:
            async with asyncio.timeout(settings.connect_s):
                reader, writer = await asyncio.open_connection(settings.host, settings.port)
        except (OSError, TimeoutError) as error:
            raise LinkLost from error
        link = cls(settings, dialect, reader, writer, delivered)
        is_in = False
        try:
            async with asyncio.timeout(settings.connect_s):
                await link._log_in()
            is_in = True
        except (OSError, TimeoutError, EOFError, Malformed) as error:
            raise LinkLost from error
        finally:
            if not is_in:
                writer.close()
        return link

    async def run(self) -> None:
        """Read and watch until the connection ends; then nothing is pending any more."""
        reading = asyncio.create_task(self._read(), name="sms reading")
        watching = asyncio.create_task(self._watch(), name="sms heartbeat")
        try:
            await asyncio.wait({reading, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.is_over = True
            for task in (reading, watching, *self._deliveries):
                task.cancel()
            await asyncio.gather(reading, watching, *self._deliveries, return_exceptions=True)
            for waiting in self._waiting.values():
                waiting.cancel()
            await self._shut()

    async def submit(self, submit: M) -> tuple[M, bool]:
        """The gateway's answer, and whether it was asked more than once.

        Raises `OutcomeUnknown` where the connection ends without one, `SubmitDelayed` where it ended before.
        """
        async with self._window:
            if self.is_over:
                raise SubmitDelayed("gateway", "disconnected")
            try:
                answer, tries = await self._asked(submit)
            except LinkLost as lost:
                raise OutcomeUnknown("gateway") from lost
        return answer, tries > 1

    async def part(self) -> None:
        """Say goodbye; the gateway has a moment to answer."""
        with suppress(LinkLost, TimeoutError):
            async with asyncio.timeout(_PARTING_S):
                await self._asked(self._dialect.goodbye())
        self._writer.close()

    # --- asking -----------------------------------------------------------------------------------------------------

    async def _asked(self, message: M) -> tuple[M, int]:
        """Ask, and again with the same sequence after T without an answer, N times in all."""
        sequence = next(self._sequences)
        frame = self._dialect.encode(message, sequence)
        waiting: asyncio.Future[M] = asyncio.get_running_loop().create_future()
        self._waiting[sequence] = waiting
        try:
            for tries in range(1, self._settings.tries + 1):
                self._write(frame)
                done, _ = await asyncio.wait({waiting}, timeout=self._settings.answer_s)
                if waiting.cancelled():
                    raise LinkLost
                if done:
                    return waiting.result(), tries
        finally:
            del self._waiting[sequence]
        # Nobody is there: the rest must not wait as long as this one did.
        self._writer.close()
        raise LinkLost

    def _write(self, frame: bytes) -> None:
        if self.is_over or self._writer.is_closing():
            raise LinkLost
        self._writer.write(frame)

    async def _log_in(self) -> None:
        hello, check = self._dialect.hello()
        self._write(self._dialect.encode(hello, next(self._sequences)))
        check(self._dialect.decode(await self._frame())[1])

    # --- what comes in ------------------------------------------------------------------------------------------------

    async def _frame(self) -> bytes:
        """One whole frame. Raises `EOFError` (also within a frame), `Malformed`."""
        head = await self._reader.readexactly(4)
        size = int.from_bytes(head, "big")
        if not self._dialect.smallest <= size <= self._dialect.largest:
            raise Malformed("the length of a frame")
        return head + await self._reader.readexactly(size - 4)

    async def _read(self) -> None:
        """Until the connection ends, or what comes breaks the grammar: nothing after it would be aligned."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                frame = await self._frame()
                self._heard_at = loop.time()
                sequence, message = self._dialect.decode(frame)
                if not await self._take(sequence, message):
                    return
        except (OSError, EOFError):
            log.info("sms gateway: connection ended")
        except Malformed as malformed:
            log.warning("sms gateway: connection given up", extra={"why": malformed.what})

    async def _take(self, sequence: int, message: M) -> bool:
        """False where the gateway has said goodbye."""
        role = self._dialect.role(message)
        match role:
            case Role.DELIVERY:
                await self._room.acquire()
                task = asyncio.create_task(self._bring(sequence, message), name="sms delivery")
                self._deliveries.add(task)
                task.add_done_callback(self._brought)
            case Role.ANSWER:
                waiting = self._waiting.get(sequence)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
            case _:
                self._answer(self._dialect.reply(message), sequence)
        return role is not Role.GOODBYE

    async def _bring(self, sequence: int, delivery: M) -> None:
        """Acknowledge only what is durable: the gateway brings the rest again."""
        try:
            await self._delivered(delivery)
        except Malformed as malformed:
            log.warning("sms delivery refused", extra={"why": malformed.what})
            self._answer(self._dialect.refusal(delivery), sequence)
        except YihaoError as error:
            log.warning("sms delivery not acknowledged", extra={"why": type(error).__name__})
            self._answer(self._dialect.put_off(delivery), sequence)
        except Exception:  # a task's top: one delivery must not end the connection for all
            log.exception("sms delivery not acknowledged")
        else:
            self._answer(self._dialect.reply(delivery), sequence)

    def _brought(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        self._room.release()

    def _answer(self, message: M | None, sequence: int) -> None:
        if message is not None:
            with suppress(LinkLost):
                self._write(self._dialect.encode(message, sequence))

    # --- the heartbeat ------------------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Ask whether the gateway is there when it has been silent for C; returns when it is not."""
        loop = asyncio.get_running_loop()
        while True:
            silent_s = loop.time() - self._heard_at
            if silent_s < self._settings.heartbeat_s:
                await asyncio.sleep(self._settings.heartbeat_s - silent_s)
                continue
            try:
                await self._asked(self._dialect.heartbeat())
            except LinkLost:
                return

    async def _shut(self) -> None:
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PARTING_S):
                await self._writer.wait_closed()


class Line(Generic[M]):
    """Connected, again and again, while entered."""

    def __init__(self, carrier: str, settings: LinkSettings, dialect: Dialect[M]) -> None:
        self._carrier, self._settings, self._dialect = carrier, settings, dialect
        self._link: Link[M] | None = None

    @property
    def is_connected(self) -> bool:
        """Logged in at the gateway."""
        return self._link is not None and not self._link.is_over

    @asynccontextmanager
    async def serving(self, delivered: Callable[[M], Awaitable[None]]) -> AsyncIterator[None]:
        """Bring what comes to `delivered`."""
        task = asyncio.create_task(self._stay(delivered), name="sms gateway")
        try:
            yield
        finally:
            if self._link is not None and not self._link.is_over:
                await self._link.part()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def submit(self, submit: M) -> tuple[M, bool]:
        """See `Link.submit`."""
        if self._link is None:
            raise SubmitDelayed(self._carrier, "disconnected")
        return await self._link.submit(submit)

    async def _stay(self, delivered: Callable[[M], Awaitable[None]]) -> None:
        pause_s = self._settings.back_off_s
        while True:
            try:
                link = await Link.open(self._settings, self._dialect, delivered)
            except SmsError as error:
                log.warning("sms gateway: not connected", extra={"carrier": self._carrier, "why": str(error)})
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, self._settings.back_off_most_s)
                continue
            pause_s = self._settings.back_off_s
            self._link = link
            try:
                await link.run()
            finally:
                self._link = None
