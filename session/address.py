"""One way to reach a citizen."""

from __future__ import annotations

import re
from dataclasses import dataclass

from session.errors import YihaoError

_SCHEME = re.compile(r"[a-z][a-z0-9.+-]{0,31}\Z")
_LONGEST = 256


class MalformedAddress(YihaoError):
    """A text that is no address. Its text is not repeated: it may be a citizen's number."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"not an address: {what}")


@dataclass(frozen=True, slots=True, order=True)
class Address:
    """Scheme, account and identifier, opaque to the core.

    Written `tel:+8613800138000`, `web:<visitor>`, or with the account that the identifier belongs to,
    `wechat:<appid>/<openid>`. Phone and SMS share `tel`. A channel declares which schemes are its own.
    """

    scheme: str
    identifier: str
    account: str = ""

    def __post_init__(self) -> None:
        if not _SCHEME.match(self.scheme):
            raise MalformedAddress("its scheme")
        if not self.identifier or len(self.identifier) + len(self.account) > _LONGEST:
            raise MalformedAddress("its length")
        if "/" in self.account or not (self.identifier + self.account).isprintable():
            raise MalformedAddress("its characters")
        if not self.account and "/" in self.identifier:
            raise MalformedAddress("a slash without an account")

    @classmethod
    def parse(cls, text: str) -> Address:
        """The address that `text` writes. Raises `MalformedAddress`."""
        scheme, colon, rest = text.partition(":")
        if not colon:
            raise MalformedAddress("no scheme")
        account, slash, identifier = rest.partition("/")
        if slash and not account:
            raise MalformedAddress("an empty account")
        return cls(scheme, identifier, account) if slash else cls(scheme, rest)

    def __str__(self) -> str:
        return f"{self.scheme}:{self.account}/{self.identifier}" if self.account else f"{self.scheme}:{self.identifier}"
