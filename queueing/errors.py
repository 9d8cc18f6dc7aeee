"""What the queue refuses or fails at."""

from __future__ import annotations

from session.errors import YihaoError
from session.ids import AssigneeId, SessionId
from session.ports import StoreUnavailable


class QueueingError(YihaoError):
    """The root of this folder's errors. (An unreachable store is `session.ports.StoreUnavailable`.)"""


class StaleFence(QueueingError):
    """Another node has taken the mailbox: this one must drop the session."""

    def __init__(self, session: SessionId) -> None:
        self.session = session
        super().__init__(f"session {session} is another node's now")


class VersionConflict(QueueingError):
    """The log has grown meanwhile: read on from `version`, and try again."""

    retryable = True

    def __init__(self, session: SessionId, version: int) -> None:
        self.session, self.version = session, version
        super().__init__(f"the log of session {session} stands at {version}")


class UnknownAssignee(QueueingError):
    """Nobody of that name is enlisted."""

    def __init__(self, assignee: AssigneeId) -> None:
        self.assignee = assignee
        super().__init__("no such assignee is enlisted")


class UnsafeStore(QueueingError):
    """The store's settings can lose what was acknowledged. Says each setting and the mend."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        self.faults = faults
        super().__init__("the store is not durable: " + "; ".join(faults))


class UnfitAddress(QueueingError):
    """An address of a store that is none. It is not repeated: it may hold a password."""

    def __init__(self) -> None:
        super().__init__("store.url must be redis://HOST:PORT, rediss://HOST:PORT, unix:///FILE, or empty")


class StoreAbsent(StoreUnavailable):
    """None answers where the settings say that it is."""

    def __init__(self, what: str) -> None:
        self.what = what
        YihaoError.__init__(self, f"no store answers at store.url ({what}): start it, or mend the address")


class TooLarge(QueueingError):
    """A value beyond the store's bound."""

    def __init__(self, what: str, size: int, limit: int) -> None:
        self.what, self.size, self.limit = what, size, limit
        super().__init__(f"{what} of size {size} is beyond the bound of {limit}")


class UnfitName(QueueingError):
    """A name that would tear what is written around it. Not repeated: it is not ours."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what} must be short, printable and not empty")


class EmbeddedStoreFailed(QueueingError):
    """The embedded Valkey does not start."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the embedded store did not start: {why}")
