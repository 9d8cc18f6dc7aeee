"""One connection to a gateway: frames, the window, answers, the heartbeat. Ends with the connection."""

from __future__ import annotations

import asyncio
import hmac
import itertools
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from channels.sms.cmpp import messages as cmpp
from channels.sms.cmpp.settings import CmppSettings
from channels.sms.errors import Malformed, OutcomeUnknown, SmsError, SubmitDelayed
from session.errors import YihaoError

log = logging.getLogger(__name__)

_MOST_DELIVERIES = 64
"""Brought in at once and not yet durable; no more is read meanwhile."""
_PARTING_S = 2.0
_LAST_SEQUENCE = 0xFFFFFFFF

Delivered = Callable[[cmpp.Deliver], Awaitable[None]]
"""Takes what the gateway brings; returns once it is durable, raises to leave it unacknowledged."""


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


class Link:
    """Made by `Link.open`, served by `run`."""

    def __init__(
        self, settings: CmppSettings, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delivered: Delivered
    ) -> None:
        self._settings, self._reader, self._writer, self._delivered = settings, reader, writer, delivered
        self._sequences = itertools.cycle(range(1, _LAST_SEQUENCE + 1))
        self._window = asyncio.Semaphore(settings.window)
        self._waiting: dict[int, asyncio.Future[cmpp.Message]] = {}
        self._room = asyncio.Semaphore(_MOST_DELIVERIES)
        self._deliveries: set[asyncio.Task[None]] = set()
        self._heard_at = asyncio.get_running_loop().time()
        self.is_over = False

    @classmethod
    async def open(cls, settings: CmppSettings, delivered: Delivered) -> Link:
        """Connect and log in. Raises `LoginRefused`, `LinkLost`."""
        try:
            async with asyncio.timeout(settings.connect_s):
                reader, writer = await asyncio.open_connection(settings.host, settings.port)
        except (OSError, TimeoutError) as error:
            raise LinkLost from error
        link = cls(settings, reader, writer, delivered)
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
        reading = asyncio.create_task(self._read(), name="cmpp reading")
        watching = asyncio.create_task(self._watch(), name="cmpp heartbeat")
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

    async def submit(self, submit: cmpp.Submit) -> tuple[cmpp.SubmitResponse, bool]:
        """The gateway's answer, and whether it was asked more than once.

        Raises `OutcomeUnknown` where the connection ends without one, `SubmitDelayed` where it ended before.
        """
        async with self._window:
            if self.is_over:
                raise SubmitDelayed("cmpp", "disconnected")
            try:
                answer, tries = await self._asked(submit)
            except LinkLost as lost:
                raise OutcomeUnknown("cmpp") from lost
        if not isinstance(answer, cmpp.SubmitResponse):
            raise OutcomeUnknown("cmpp")
        return answer, tries > 1

    async def part(self) -> None:
        """Say goodbye; the gateway has a moment to answer."""
        with suppress(LinkLost, TimeoutError):
            async with asyncio.timeout(_PARTING_S):
                await self._asked(cmpp.Terminate())
        self._writer.close()

    # --- asking -----------------------------------------------------------------------------------------------------

    async def _asked(self, message: cmpp.Message) -> tuple[cmpp.Message, int]:
        """Ask, and again with the same sequence after T without an answer, N times in all (section 6.3)."""
        sequence = next(self._sequences)
        frame = cmpp.encode(message, sequence, self._settings.version)
        waiting: asyncio.Future[cmpp.Message] = asyncio.get_running_loop().create_future()
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
        settings = self._settings
        timestamp = int(time.strftime("%m%d%H%M%S", time.gmtime(time.time() + 8 * 3600)))
        proof = cmpp.authenticator_of_source(settings.account, settings.secret, timestamp)
        hello = cmpp.Connect(settings.account, proof, settings.version, timestamp)
        self._write(cmpp.encode(hello, next(self._sequences), settings.version))
        _, answer = cmpp.decode(await self._frame(), settings.version)
        if not isinstance(answer, cmpp.ConnectResponse):
            raise LinkLost
        if answer.status != 0:
            raise LoginRefused(answer.status)
        wanted = cmpp.authenticator_of_gateway(answer.status, proof, settings.secret, settings.version)
        if not hmac.compare_digest(answer.authenticator, wanted):
            raise LoginRefused(0)

    # --- what comes in ------------------------------------------------------------------------------------------------

    async def _frame(self) -> bytes:
        """One whole frame. Raises `EOFError` (also within a frame), `Malformed`."""
        head = await self._reader.readexactly(4)
        size = int.from_bytes(head, "big")
        if not cmpp.HEADER_OCTETS <= size <= cmpp.LARGEST_OCTETS:
            raise Malformed("the length of a frame")
        return head + await self._reader.readexactly(size - 4)

    async def _read(self) -> None:
        """Until the connection ends, or what comes is no CMPP: then nothing after it can be trusted to be aligned."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                frame = await self._frame()
                self._heard_at = loop.time()
                sequence, message = cmpp.decode(frame, self._settings.version)
                if not await self._take(sequence, message):
                    return
        except (OSError, EOFError):
            log.info("cmpp connection ended")
        except Malformed as malformed:
            log.warning("cmpp connection given up", extra={"why": malformed.what})

    async def _take(self, sequence: int, message: cmpp.Message) -> bool:
        """False where the gateway has said goodbye."""
        match message:
            case cmpp.Deliver():
                await self._room.acquire()
                task = asyncio.create_task(self._bring(sequence, message), name="cmpp delivery")
                self._deliveries.add(task)
                task.add_done_callback(self._brought)
            case cmpp.ActiveTest():
                self._answer(cmpp.ActiveTestResponse(), sequence)
            case cmpp.Terminate():
                self._answer(cmpp.TerminateResponse(), sequence)
                return False
            case cmpp.Unknown():
                log.info("cmpp command passed over", extra={"command": message.command})
            case _:
                waiting = self._waiting.get(sequence)
                if waiting is not None and not waiting.done():
                    waiting.set_result(message)
        return True

    async def _bring(self, sequence: int, deliver: cmpp.Deliver) -> None:
        """Acknowledge only what is durable: the gateway brings the rest again."""
        try:
            await self._delivered(deliver)
        except Malformed as malformed:
            log.warning("cmpp delivery refused", extra={"why": malformed.what})
            self._answer(cmpp.DeliverResponse(deliver.message, 1), sequence)
        except YihaoError as error:
            log.warning("cmpp delivery not acknowledged", extra={"why": type(error).__name__})
        except Exception:  # a task's top: one delivery must not end the connection for all
            log.exception("cmpp delivery not acknowledged")
        else:
            self._answer(cmpp.DeliverResponse(deliver.message, 0), sequence)

    def _brought(self, task: asyncio.Task[None]) -> None:
        self._deliveries.discard(task)
        self._room.release()

    def _answer(self, message: cmpp.Message, sequence: int) -> None:
        with suppress(LinkLost):
            self._write(cmpp.encode(message, sequence, self._settings.version))

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
                await self._asked(cmpp.ActiveTest())
            except LinkLost:
                return

    async def _shut(self) -> None:
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_PARTING_S):
                await self._writer.wait_closed()
