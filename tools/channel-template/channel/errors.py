"""Every error that Postbox raises on purpose. Each carries the decision that its reader needs.

PostboxError
├── LetterRefused           a request to the webhook; `status` is its answer
│   ├── LetterTooLarge
│   ├── LetterMalformed
│   └── LetterUnsigned      not the provider's, or too old
├── FileNotCarried          Postbox brings texts only
├── ProviderRefused         it said no: again would be in vain
└── ProviderAway            not now; nothing was done, or it knows the letter by its id
"""

from __future__ import annotations

from channels.contract import ChannelError
from session.state import Failure


class PostboxError(ChannelError):
    """Anything that Postbox refuses or fails at, knowingly."""


class LetterRefused(PostboxError):
    """A request to the webhook that is not taken; who sent it learns no more than `status`."""

    status = 400


class LetterTooLarge(LetterRefused):
    """More bytes than a letter has."""

    status = 413

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        super().__init__(f"a letter of over {most_bytes} bytes")


class LetterMalformed(LetterRefused):
    """Not what a letter looks like. `where` names the part at fault, never its content."""

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"a malformed letter: {where}")


class LetterUnsigned(LetterRefused):
    """The signature is missing, wrong or too old; which is not told."""

    status = 403

    def __init__(self) -> None:
        super().__init__("a letter that the provider has not just signed")


class FileNotCarried(PostboxError):
    """Postbox brings texts only."""

    failure = Failure.UNSENDABLE

    def __init__(self) -> None:
        super().__init__("no files go by this way")


class ProviderRefused(PostboxError):
    """The provider would not have it."""

    failure = Failure.REFUSED

    def __init__(self, status: int) -> None:
        self.code = status
        super().__init__(f"the provider refused ({status})")


class ProviderAway(PostboxError):
    """No answer, or "not now"."""

    failure = Failure.BUSY
    retryable = True
    retry_after_s = 1.0

    def __init__(self) -> None:
        super().__init__("the provider cannot take it now")
