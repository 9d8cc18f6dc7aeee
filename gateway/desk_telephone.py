"""The telephone in an agent's desk: a login for an hour, so that no password is typed into a page or kept there."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from accounts.roster import Roster, ha1
from session.ids import AssigneeId
from session.ports import Credential

LIFE_S = 3600
_MARK = "."
"""Between an extension and the end of its hour: no extension has one."""


@dataclass(frozen=True, slots=True)
class Lent:
    """What a page registers with."""

    extension: str
    username: str
    password: str
    realm: str
    echo: str = ""
    """What it calls to hear itself."""
    lasts_s: int = LIFE_S


class DeskTelephones:
    """The roster's telephones, and those of desks. Logins are their own evidence: each node knows each other's."""

    def __init__(
        self, roster: Roster, realm: str, secret: bytes, wall: Callable[[], float] = time.time, *, echo: str = ""
    ) -> None:
        self._echo = echo
        self._roster = roster
        self._realm = realm
        self._secret = secret
        self._wall = wall

    async def lend(self, login: AssigneeId) -> Lent | None:
        """A login from now on; None for who has no telephone."""
        extension = await self._roster.extension_of(login)
        if extension is None:
            return None
        username = f"{extension}{_MARK}{int(self._wall()) + LIFE_S}"
        return Lent(extension, username, self._password(username), self._realm, self._echo)

    async def credential(self, username: str) -> Credential | None:
        """Of a telephone by its extension, or of a desk by the name that it was lent, until its hour is over."""
        extension, mark, until = username.partition(_MARK)
        if not mark:
            return await self._roster.credential(username)
        if not (until.isascii() and until.isdigit() and len(until) < 12) or int(until) < self._wall():
            return None
        known = await self._roster.credential(extension)
        return known and replace(known, ha1=ha1(username, self._realm, self._password(username)))

    async def extension_of(self, assignee: AssigneeId) -> str | None:
        """The extension of an agent."""
        return await self._roster.extension_of(assignee)

    def _password(self, username: str) -> str:
        return hmac.new(self._secret, f"desk telephone {username}".encode(), "sha256").hexdigest()
