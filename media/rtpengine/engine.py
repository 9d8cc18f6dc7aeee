"""The second engine behind `session.audio.Audio`: far ends meet rtpengine, and rtpengine meets ours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from media.engine import Engine
from media.rtpengine.call import AnchoredCall
from media.rtpengine.pool import Pool

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from media.engine import Limits
    from media.prompts import PromptLibrary
    from media.tap import Recorder


class AnchoredEngine(Engine):
    """As `Engine`, whose `addresses` are then those by which rtpengine reaches us; far ends see its own."""

    def __init__(
        self,
        prompts: PromptLibrary,
        *,
        rtpengines: Sequence[tuple[str, int]],
        addresses: Sequence[str] = ("127.0.0.1",),
        ports: tuple[int, int] = (0, 0),
        recorder: Recorder | None = None,
        limits: Limits | None = None,
        codecs: Sequence[str] = ("PCMA", "PCMU"),
    ) -> None:
        super().__init__(prompts, addresses=addresses, ports=ports, recorder=recorder, limits=limits, codecs=codecs)
        self.pool = Pool(rtpengines)

    async def __aenter__(self) -> Self:
        await self.pool.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await super().__aexit__(kind, error, trace)
        finally:
            await self.pool.close()

    def _call(self, key: str) -> AnchoredCall:
        return AnchoredCall(key, self, self.pool.freest())
