"""Every error that the socket protocol raises on purpose.

RealtimeError
├── FrameRefused         a frame that is none, or is not allowed: answered by a nack where it names its command
│   ├── NotText          bytes that are no UTF-8
│   ├── NotAFrame        no JSON object with a `t`
│   ├── UnknownFrame     a `t` that this socket does not take
│   └── BadField         a field that is missing, unknown, or out of its bounds
└── TokenRefused         a ticket, resume or visitor token that is not good
"""

from __future__ import annotations

from typing import ClassVar, Literal

from realtime.messages import Close
from session.errors import YihaoError


class RealtimeError(YihaoError):
    """Anything that the socket protocol refuses, knowingly."""


class FrameRefused(RealtimeError):
    """What came is not a frame of this protocol. Its content is not repeated: it may be a citizen's words.

    `command_id` and `cseq` are the command's, where they could be read: then a nack tells; else the socket is closed.
    """

    code = "malformed"
    close: int = Close.MALFORMED
    waits: ClassVar[Literal[False]] = False
    """It is no command: see `Command.waits`."""

    def __init__(self, sentence: str, command_id: str = "", cseq: int | None = None) -> None:
        self.command_id = command_id
        self.cseq = cseq
        super().__init__(sentence)


class NotText(FrameRefused):
    """Bytes that are no UTF-8 (RFC 6455, section 8.1)."""

    close = 1007

    def __init__(self) -> None:
        super().__init__("a text that is no UTF-8")


class NotAFrame(FrameRefused):
    """No JSON object with a `t`."""

    def __init__(self, what: str) -> None:
        super().__init__(f"not a frame: {what}")


class UnknownFrame(FrameRefused):
    """A `t` that this socket does not take."""

    code = "unknown"

    def __init__(self, command_id: str = "", cseq: int | None = None) -> None:
        super().__init__("a frame of an unknown kind", command_id, cseq)


class BadField(FrameRefused):
    """A field that is missing, unknown, or out of its bounds. `field` is empty where it is none of the frame's."""

    def __init__(self, field: str, command_id: str = "", cseq: int | None = None, *, too_long: bool = False) -> None:
        self.field, self.too_long = field, too_long
        if too_long:
            self.code = "too_long"
        super().__init__(f"field {field or 'unknown or missing'} is not as it must be", command_id, cseq)


class TokenRefused(RealtimeError):
    """A token that we did not make, that has expired, that was used, or that is another's. Which is not told."""

    def __init__(self, purpose: str) -> None:
        self.purpose = purpose
        super().__init__(f"the {purpose} token is not good")
