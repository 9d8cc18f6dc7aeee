"""What stands behind an endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from channels.phone.flow import Flow
    from channels.phone.incoming import IncomingCall
    from channels.phone.sip.message import Request


@dataclass(frozen=True, slots=True)
class Reply:
    """A final response as its maker thinks of it."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    kept_s: float = 0.0
    """How long the connection that it goes out by may be silent: a telephone is registered by it."""


class Application(Protocol):
    """Whoever registers telephones, and takes calls."""

    async def invited(self, call: IncomingCall) -> None:
        """A call came in; it lives on after the method returns if it was answered."""
        ...

    async def registered(self, request: Request, flow: Flow) -> Reply:
        """A REGISTER came in."""
        ...

    def lost(self, flow: Flow) -> None:
        """A connection is gone."""
        ...

    @property
    def takes_calls(self) -> bool:
        """Whether a call that came now would be taken."""
        ...
