"""Every error the phone raises on purpose.

PhoneError
├── MalformedMessage     what came in breaks the grammar or the rules of a request; carries the status to answer
├── CallOver             a call was asked for something that its state no longer allows
├── ReofferRefused       the far end keeps the session as it was
├── TrunkUnreachable     there is no way to a citizen's telephone (trunk.py)
└── NotBound             the endpoint was used before it was opened
"""

from __future__ import annotations

from session.errors import YihaoError


class PhoneError(YihaoError):
    """Anything that the phone refuses or fails at, knowingly."""


class MalformedMessage(PhoneError):
    """A message that must be refused; `status` is the answer that RFC 3261 asks for, `where` the part at fault.

    `headers` go into the answer (Unsupported, Allow, Accept). `where` names a grammar element, never its content,
    so that the sentence may be logged.
    """

    def __init__(self, where: str, why: str, status: int = 400, headers: tuple[tuple[str, str], ...] = ()) -> None:
        self.where = where
        self.why = why
        self.status = status
        self.headers = headers
        super().__init__(f"{where}: {why} (answered {status})")


class CallOver(PhoneError):
    """The call has ended, or has not come far enough, for what was asked of it."""

    def __init__(self, asked: str, state: str) -> None:
        self.asked = asked
        self.state = state
        super().__init__(f"a call that is {state} cannot {asked}")


class ReofferRefused(PhoneError):
    """The far end refused a re-INVITE, with `status`; 491 (both at once) may be tried again."""

    def __init__(self, status: int) -> None:
        self.status = status
        self.retryable = status == 491
        self.retry_after_s = 2.0 if self.retryable else None
        super().__init__(f"re-offer refused with {status}")


class NotBound(PhoneError):
    """The endpoint has no socket: it was not opened, or was closed."""

    def __init__(self) -> None:
        super().__init__("the SIP endpoint is not open")
