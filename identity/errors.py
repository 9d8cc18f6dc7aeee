"""Every error that the room of identity raises on purpose.

IdentityError
├── LinkUnknown          there is no such link, or it is undone already
└── VerificationRefused  a code is not to be had, or is not good
    ├── CodeWrong        not the code that was sent, or none was, or it is too old
    ├── CodeSpent        too many wrong tries
    └── TooManyCodes     no more codes now, for this number, visitor or address
"""

from __future__ import annotations

from session.errors import YihaoError
from session.ids import LinkId


class IdentityError(YihaoError):
    """Anything that this room refuses or fails at, knowingly."""


class LinkUnknown(IdentityError):
    """There is no such link, or it is undone already."""

    def __init__(self, link: LinkId) -> None:
        self.link = link
        super().__init__(f"no link {link} stands")


class VerificationRefused(IdentityError):
    """A code is not to be had, or is not good. `code` is for the page's dictionary."""

    code = "refused"


class CodeWrong(VerificationRefused):
    """Not the code that was sent. Which of the reasons it is, is told to nobody: none sent, too old, or another."""

    code = "wrong_code"

    def __init__(self) -> None:
        super().__init__("the code is not good")


class CodeSpent(VerificationRefused):
    """Too many wrong tries: the code is void, and another must be asked for."""

    code = "code_spent"

    def __init__(self) -> None:
        super().__init__("the code was tried too often")


class TooManyCodes(VerificationRefused):
    """No more codes now. `scope` says for whom: number, asker or origin."""

    code = "too_many_codes"

    def __init__(self, scope: str, retry_after_s: float) -> None:
        self.scope = scope
        self.retry_after_s = retry_after_s
        super().__init__(f"too many codes for one {scope}")
