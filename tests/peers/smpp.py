"""A message centre of another library's making: smpp34's server, which is written in Rust."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import smpp34


@dataclass
class Centre:
    """`results` are for the next submits; then all are taken, with ids `1`, `2`, …"""

    server: smpp34.Server
    port: int
    submits: list[smpp34.SubmitSmEvent] = field(default_factory=list)
    results: deque[int] = field(default_factory=deque)
    esme: smpp34.Esme | None = None
    binds: int = 0
    unbinds: int = 0

    async def run(self) -> None:
        while True:
            event = await self.server.next()
            if isinstance(event, smpp34.SubmitSmEvent):
                self.submits.append(event)
                result = self.results.popleft() if self.results else 0
                if result:
                    event.reject(result)
                else:
                    event.accept(str(len(self.submits)))
            elif isinstance(event, smpp34.Unbound):
                self.unbinds += 1
            else:
                self.esme = event
                self.binds += 1

    async def bring(self, octets: bytes, source: str = "8613800138000", **fields: Any) -> int:
        """A citizen's text; gives the status of our answer."""
        assert self.esme is not None
        answer = await self.esme.deliver_sm("12345", octets, source_addr=source, source_addr_ton=1, **fields)
        return int(answer.command_status)

    async def receipt(self, message: str, status: str) -> int:
        text = (
            f"id:{message} sub:001 dlvrd:001 submit date:2611230900 done date:2611230901 stat:{status} err:000 text:x"
        )
        return await self.bring(text.encode(), esm_class=4)


@asynccontextmanager
async def open_centre(port: int) -> AsyncIterator[Centre]:
    server = smpp34.Server("127.0.0.1", port, system_id="centre")
    await server.start()
    centre = Centre(server, port)
    running = asyncio.create_task(centre.run())
    try:
        yield centre
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running
        await server.stop()
        if centre.esme is not None:
            # Its sessions live on after it; one that is over already has nobody to say goodbye to.
            with suppress(smpp34.SmppError, TimeoutError):
                await asyncio.wait_for(centre.esme.unbind(), 1.0)
