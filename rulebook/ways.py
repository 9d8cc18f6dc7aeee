"""What a caller is told whom nobody can take now, and by which ways they may go on (分流规则). Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, field

from rulebook.document import Document, Name, once
from session.ways import Patience, Way

Offered = Annotated[tuple[Way, ...], Meta(max_length=len(Way))]
LONGEST_PATIENCE_S = 4 * 3600


class Instead(Document, frozen=True):
    """What is offered in place of a human. Keys are not chosen here: 1 is the link, 2 the call back, 3 the message."""

    ways: Offered = ()
    owed: bool = False
    """Whether whoever chooses none of them is owed a call all the same (漏接回拨)."""

    def __post_init__(self) -> None:
        once((one.value for one in self.ways), "way")


class Often(Document, frozen=True):
    """How often one number may call; more is a flood, and is told so. Calls beyond come back with the time."""

    calls: Annotated[int, Meta(ge=0, le=10_000)] = 60
    """0 is without bound."""
    within_s: Annotated[int, Meta(ge=1, le=24 * 3600)] = 600
    ways: Offered = ()


class Bound(Document, frozen=True):
    """What holds for one queue."""

    queue: Name
    longest: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    """So many may stand in it; who calls then is told that it is full."""
    patience_s: Annotated[int, Meta(ge=30, le=LONGEST_PATIENCE_S)] | None = None
    """After so long in it something is done: first `overflow`, where there is one; then the ways are offered."""
    overflow: Name | None = None
    """The queue in which they wait on."""
    ways: Offered = ()

    def __post_init__(self) -> None:
        if self.overflow == self.queue:
            raise ValueError(f"{self.queue!r} cannot overflow into itself")
        if self.patience_s is None and (self.overflow or self.ways):
            raise ValueError(f"without `patience_s` nothing is ever done for who waits in {self.queue!r}")

    @property
    def patience(self) -> Patience | None:
        """What is done for whoever waits too long."""
        if self.patience_s is None:
            return None
        return Patience(float(self.patience_s), self.overflow or "", self.ways)


class WaysOn(Document, frozen=True):
    """The whole of it. A queue that `queues` does not name has no bound."""

    closed: Instead = field(default_factory=lambda: Instead(ways=tuple(Way)))
    """Outside the hours in which people answer, where no routing rule is for those hours."""
    full: Instead = field(default_factory=lambda: Instead(ways=tuple(Way), owed=True))
    often: Often = field(default_factory=Often)
    queues: Annotated[tuple[Bound, ...], Meta(max_length=200)] = ()

    def __post_init__(self) -> None:
        once((one.queue for one in self.queues), "queue")

    def bound(self, queue: str) -> Bound | None:
        """What holds for a queue; None where nothing was said."""
        return next((one for one in self.queues if one.queue == queue), None)
