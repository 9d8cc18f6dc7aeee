"""Logins at the desk: begun by a password, carried by a cookie, ended by time, by hand or by a new password.

All of it stands in the shared store under hashes of random tokens, so that any node knows a login, and who reads the
store cannot use one.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from dataclasses import dataclass

import msgpack

from accounts.agent import Agent
from accounts.errors import NotLoggedIn, TooManyAttempts, WrongPassword
from accounts.roster import Roster
from session.ids import AssigneeId
from session.ports import SharedState

TICKET_S = 30.0
_TOKEN_BYTES = 32
_LONGEST_TOKEN = 64
_LONGEST_LOGIN = 64
_REFRESH_PART = 10
"""A login's idle time is written anew after a tenth of it: not at each request, since each write is an fsync."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket: `burst` attempts at once, then one each `every_s`."""

    name: str
    burst: int
    every_s: float


# A person who mistypes meets the first only. The second stops one machine that tries many logins, the third many
# machines that try one; it is wide, since it can be used to keep the true agent out.
_BOTH = Limit("both", 5, 12.0)
_BY_ADDRESS = Limit("address", 30, 4.0)
_BY_LOGIN = Limit("login", 60, 10.0)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the store keeps of a login. Times by the store's clock."""

    login: AssigneeId
    epoch: int
    began_at: float
    seen_at: float

    def pack(self) -> bytes:
        return bytes(msgpack.packb([self.login, self.epoch, self.began_at, self.seen_at]))

    @classmethod
    def unpack(cls, data: bytes) -> _Kept:
        return cls(*msgpack.unpackb(data))


class Logins:
    """Who is logged in. `pepper` hides logins and network addresses in the names of keys."""

    def __init__(self, roster: Roster, shared: SharedState, *, pepper: bytes, idle_s: float, longest_s: float) -> None:
        self._roster, self._shared, self._pepper = roster, shared, pepper
        self._idle_s, self._longest_s = idle_s, longest_s

    async def log_in(
        self, login: str, password: str, *, address: str, old_token: str | None = None
    ) -> tuple[str, Agent]:
        """A new token, to be the cookie, and whose it is; `old_token` ends, so that none is carried over a login.

        Raises `WrongPassword`, and `TooManyAttempts` before anything is looked at.
        """
        login = login.strip().lower()[:_LONGEST_LOGIN]
        await self._limit(_BY_ADDRESS, address)
        await self._limit(_BOTH, login, address)
        await self._limit(_BY_LOGIN, login)
        verified = await self._roster.verified(login, password)
        if verified is None:
            raise WrongPassword
        if old_token:
            await self.log_out(old_token)
        agent, epoch = verified
        now = await self._shared.now()
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        await self._keep(token, _Kept(agent.login, epoch, now, now))
        return token, agent

    async def known(self, login: str) -> str:
        """The login, as it is kept, where somebody has it; empty where nobody has."""
        agent = await self._roster.agent(AssigneeId(login.strip().lower()[:_LONGEST_LOGIN]))
        return agent.login if agent else ""

    async def agent(self, token: str) -> Agent:
        """Whose login this is; goes on with it. Raises `NotLoggedIn`."""
        kept = await self._shared.get(_key("login", token)) if len(token) <= _LONGEST_TOKEN else None
        if kept is None:
            raise NotLoggedIn
        login = _Kept.unpack(kept)
        now = await self._shared.now()
        if now - login.began_at > self._longest_s or now - login.seen_at > self._idle_s:
            raise NotLoggedIn
        agent = await self._standing(login.login, login.epoch)
        if now - login.seen_at > self._idle_s / _REFRESH_PART:
            await self._keep(token, _Kept(login.login, login.epoch, login.began_at, now))
        return agent

    async def log_out(self, token: str) -> None:
        """End a login; one that is over already is no error."""
        if len(token) <= _LONGEST_TOKEN:
            await self._shared.delete(_key("login", token))

    async def ticket(self, token: str) -> str:
        """A one-time pass to open a socket with, in place of the cookie. Raises `NotLoggedIn`."""
        await self.agent(token)
        ticket = secrets.token_urlsafe(_TOKEN_BYTES)
        await self._shared.put(_key("ticket", ticket), token.encode(), ttl_s=TICKET_S)
        return ticket

    async def redeem(self, ticket: str) -> Agent:
        """Whose ticket this is, once. Raises `NotLoggedIn`, also where the login ended meanwhile."""
        token = await self._shared.get(_key("ticket", ticket)) if len(ticket) <= _LONGEST_TOKEN else None
        # Two may come with one ticket at the same instant: the first to leave its mark has it.
        if token is None or not await self._shared.put_new(_key("redeemed", ticket), b"1", ttl_s=2 * TICKET_S):
            raise NotLoggedIn
        await self._shared.delete(_key("ticket", ticket))
        return await self.agent(token.decode())

    async def _standing(self, login: AssigneeId, epoch: int) -> Agent:
        standing = await self._roster.standing(login)
        if standing is None or standing[0].disabled or standing[1] != epoch:
            raise NotLoggedIn
        return standing[0]

    async def _keep(self, token: str, login: _Kept) -> None:
        left_s = min(self._idle_s, login.began_at + self._longest_s - login.seen_at)
        await self._shared.put(_key("login", token), login.pack(), ttl_s=max(1.0, left_s))

    async def _limit(self, limit: Limit, *whom: str) -> None:
        name = hmac.digest(self._pepper, "\0".join(whom).encode(), "sha256").hex()[:32]
        if not await self._shared.take(
            f"attempts:{limit.name}:{name}", rate_per_s=1 / limit.every_s, burst=limit.burst
        ):
            raise TooManyAttempts(limit.every_s)


def _key(kind: str, token: str) -> str:
    return f"{kind}:{hashlib.sha256(token.encode()).hexdigest()}"
