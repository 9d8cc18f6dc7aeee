"""The in-process engine behind `session.audio.Audio`."""

from __future__ import annotations

import asyncio
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from media.call import Call
from media.codecs import known
from media.errors import AudioRefused, EngineFull
from media.inbox import Inbox
from media.negotiation import spoken
from media.pace import Rounds, Ticker
from media.ports import PortRange
from media.shield import Doors
from session.audio import AudioCapabilities

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from media.prompts import PromptLibrary
    from media.tap import Recorder


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of an engine, in each process of its own. A session takes four sockets once both its slots are up."""

    sessions: int = 1000
    lost_after_s: float = 10.0
    """How long a far end may send nothing before `AudioLost`."""
    handshakes: int = 32
    """Of pages, at once."""


class Engine:
    """An async context manager; leaving it closes every session.

    `addresses` are addresses of this machine that far ends can reach, at most one of each IP family: they are
    bound and written into SDP. `ports` is the lowest and highest RTP port, (0, 0) for any free ones. `codecs` are
    what is offered, the best first; a far end that speaks none of them is answered in any that this machine knows.
    """

    def __init__(
        self,
        prompts: PromptLibrary,
        *,
        addresses: Sequence[str] = ("127.0.0.1",),
        ports: tuple[int, int] = (0, 0),
        recorder: Recorder | None = None,
        limits: Limits | None = None,
        codecs: Sequence[str] = ("PCMA", "PCMU"),
    ) -> None:
        self.codecs = spoken(codecs)
        self.capabilities = AudioCapabilities(
            codecs=("PCMA", "PCMU", *known()), can_record=recorder is not None, can_mix=True, has_quality=True
        )
        self.prompts = prompts
        self.ports = PortRange(ports)
        self.recorder = recorder
        self.limits = limits or Limits()
        self.inbox = Inbox()
        self.ticker = Ticker()
        self.doors = Doors(self.limits.handshakes)
        self._rounds = Rounds()
        self._hosts: dict[int, str] = {ipaddress.ip_address(address).version: address for address in addresses}
        self._first_host = addresses[0]
        self._calls: set[Call] = set()
        self.packets_lost = 0
        """Of all far ends that have gone: sent by them, never heard here."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await asyncio.gather(*(call.close() for call in tuple(self._calls)))
        finally:
            self.inbox.close()
            self.ticker.close()
            self._rounds.close()

    async def open(self, key: str) -> Call:
        """A new session. Raises `EngineFull`."""
        return self.begin(key)

    def begin(self, key: str) -> Call:
        """As `open`."""
        if len(self._calls) >= self.limits.sessions:
            raise EngineFull(self.limits.sessions)
        call = self._call(key)
        self._calls.add(call)
        self._rounds.add(call)
        return call

    def _call(self, key: str) -> Call:
        return Call(key, self)

    def host_for(self, family: int | None) -> str:
        """The address to bind for a far end of this IP version; None means any."""
        if family is None:
            return self._first_host
        host = self._hosts.get(family)
        if host is None:
            raise AudioRefused(f"no address of IPv{family} here")
        return host

    def count_lost(self, packets: int) -> None:
        """A far end has gone; a stream that was restarted may count below nought."""
        self.packets_lost += max(0, packets)

    def forget(self, call: Call) -> None:
        """A session has closed."""
        self._calls.discard(call)
        self._rounds.remove(call)
