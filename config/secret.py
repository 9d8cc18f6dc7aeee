"""Values that never print."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit, urlunsplit

HIDDEN = "(hidden)"


class Secret:
    """A text that shows itself only to who asks by `reveal`. Compares in constant time."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Never into a log line, a URL or an error."""
        return self._text

    def __str__(self) -> str:
        return HIDDEN if self._text else ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._text.encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash(self._text)


class SecretUrl(Secret):
    """An address of a server, which may carry a password: printed without it."""

    __slots__ = ()

    def __str__(self) -> str:
        parts = urlsplit(self.reveal())
        user, at, host = parts.netloc.rpartition("@")
        if not at and not parts.query:
            return self.reveal()
        name = user.partition(":")[0]
        query = HIDDEN if "pass" in parts.query.lower() else parts.query
        return urlunsplit(
            parts._replace(netloc=f"{name}:{HIDDEN}@{host}" if ":" in user else parts.netloc, query=query)
        )
