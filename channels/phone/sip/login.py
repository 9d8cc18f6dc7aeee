"""By what we prove ourselves to a trunk, and the proof that a challenge of its asks for (RFC 3261, section 22)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from channels.phone.errors import MalformedMessage
from channels.phone.sip.challenge import Challenge
from channels.phone.sip.message import Response

_HEADERS = {
    401: ("www-authenticate", "Authorization"),
    407: ("proxy-authenticate", "Proxy-Authorization"),
}


@dataclass(frozen=True, slots=True)
class Login:
    """A name and its password, which stands in no sentence of ours."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Demand:
    """A challenge, and the header in which its answer goes."""

    header: str
    challenge: Challenge

    @classmethod
    def of(cls, response: Response) -> Demand | None:
        """The first of a 401 or 407 that we can answer; None where there is none."""
        names = _HEADERS.get(response.status)
        if names is None:
            return None
        try:
            challenge = Challenge.topmost(response.headers.all(names[0]))
        except MalformedMessage:
            return None
        return None if challenge is None else cls(names[1], challenge)

    def proof(self, login: Login, method: str, uri: str, count: int = 1) -> tuple[str, str]:
        """The header to send; `count` rises with each use of one challenge."""
        cnonce = secrets.token_hex(8)
        answer = self.challenge.answer(login.username, login.password, method, uri, cnonce=cnonce, nc=count)
        return (self.header, answer)
