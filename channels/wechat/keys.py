"""The names of what all nodes share about one account. No openid stands in them, only its hash."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from session.ids import MessageId, SessionId


@dataclass(frozen=True, slots=True)
class Keys:
    """Of one account; an appid is no secret, every page of the account shows it."""

    appid: str

    def moment(self, moment: str) -> str:
        """A push's timestamp and nonce."""
        return self._named("moment", _hash(moment))

    def done(self, openid: str, message: MessageId) -> str:
        """A push that is durable, with all that follows from it."""
        return self._named("done", _hash(f"{openid}\n{message}"))

    def window(self, openid: str, cause: str) -> str:
        """What allows messages to the citizen."""
        return self._named(f"window-{cause}", _hash(openid))

    def slot(self, openid: str, window: str, number: int) -> str:
        """One message that a window allows, once it is used."""
        return self._named("slot", _hash(f"{openid}\n{window}\n{number}"))

    def attempt(self, session: SessionId, message: MessageId, part: int) -> str:
        """One message's way to the citizen."""
        return self._named("attempt", _hash(f"{session}\n{message}\n{part}"))

    @property
    def token(self) -> str:
        """The access token."""
        return self._named("token", "current")

    @property
    def forced(self) -> str:
        """That an access token was made void just now."""
        return self._named("token", "forced")

    @property
    def cursor(self) -> str:
        """Up to where messages were pulled."""
        return self._named("pull", "cursor")

    @property
    def pull_token(self) -> str:
        """By which the newest callback allows to pull."""
        return self._named("pull", "token")

    @property
    def owed(self) -> str:
        """Files that are still to be fetched."""
        return self._named("media", "owed")

    def _named(self, kind: str, name: str) -> str:
        return f"wechat:{self.appid}:{kind}:{name}"


def _hash(text: str) -> str:
    """An openid has over a hundred random bits, so a bare hash hides it."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
