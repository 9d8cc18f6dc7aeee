"""What an endpoint waits for: requests that it serves, requests that it asks, and the machines of its calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from channels.phone.flow import Flow
from channels.phone.sip.client import Action, ClientTransaction
from channels.phone.sip.message import Request, Response
from channels.phone.sip.server import ServerTransaction
from channels.phone.sip.timing import Timers

if TYPE_CHECKING:
    from channels.phone.incoming import IncomingCall


@dataclass(eq=False, slots=True)
class Served:
    """A request of a peer, its transaction, and the way its response goes."""

    transaction: ServerTransaction
    flow: Flow
    perform: Callable[[Served, list[Action]], None]
    call: IncomingCall | None = None
    merge: tuple[str, ...] | None = None
    """Its name among requests that may come by two ways; None where that was not asked."""

    @property
    def request(self) -> Request:
        """What was asked."""
        return self.transaction.request

    @property
    def timers(self) -> Timers:
        """The transaction's."""
        return self.transaction.timers

    def turn(self, now: float) -> None:
        """Do what is due."""
        self.perform(self, self.transaction.advance(now))


@dataclass(eq=False, slots=True)
class Asked:
    """A request of ours and who waits for its responses."""

    transaction: ClientTransaction
    flow: Flow
    heard: Callable[[Response], None]
    unheard: Callable[[], None]
    perform: Callable[[Asked, list[Action]], None]

    @property
    def timers(self) -> Timers:
        """The transaction's."""
        return self.transaction.timers

    def turn(self, now: float) -> None:
        """Do what is due."""
        self.perform(self, self.transaction.advance(now))


class HasTimers(Protocol):
    """A machine of a call's."""

    @property
    def timers(self) -> Timers:
        """Its running timers."""
        ...


@dataclass(eq=False, slots=True)
class Watched:
    """A machine of a call's, and what is done when its time has come."""

    machine: HasTimers
    turn: Callable[[float], None]

    @property
    def timers(self) -> Timers:
        """The machine's."""
        return self.machine.timers
