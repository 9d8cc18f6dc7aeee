"""What the rulebook refuses."""

from __future__ import annotations

from session.errors import YihaoError


class RulebookError(YihaoError):
    """The root of this folder's errors."""


class UnknownKind(RulebookError):
    """No document of that name."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        super().__init__(f"there is no document {kind!r}")


class DocumentMalformed(RulebookError):
    """A document that cannot be put in force. `at` is the place in it, as `$.week[0]`."""

    def __init__(self, kind: str, at: str, fault: str) -> None:
        self.kind, self.at, self.fault = kind, at, fault
        super().__init__(f"{kind} at {at}: {fault}")


class NoSuchVersion(RulebookError):
    """A version that was never written."""

    def __init__(self, kind: str, version: int) -> None:
        self.kind, self.version = kind, version
        super().__init__(f"{kind} has no version {version}")
