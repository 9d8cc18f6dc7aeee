"""How a citizen proves that a number is theirs: a code is sent there, and typed in where they write.

A code is six digits of chance, kept for five minutes as a keyed hash, good once and for five tries. Whoever asks gets
the same answer for every number: nothing here looks whether it is known. Neither code nor number is in a key or a log.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import msgpack

from identity.errors import CodeSpent, CodeWrong, TooManyCodes
from session.address import Address
from session.ids import SessionId
from session.ports import SharedState

CODE_DIGITS = 6
CODE_S = 300.0
TRIES = 5
SCAN_S = 600.0
_NONCE_BYTES = 16
_OURS = "verify-"
_NEVER = 1e-6
"""Tries that come back in a second: none within the life of a code."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A token bucket: `burst` codes at once, then one each `every_s`."""

    scope: str
    burst: int
    every_s: float


# Who mistypes a number or misses a text meets none of them. By number: nobody's telephone is to be flooded. By asker
# and by origin: nobody walks through numbers, or makes us pay for texts to them.
BY_NUMBER = Limit("number", 3, 300.0)
BY_NUMBER_A_DAY = Limit("number a day", 10, 8640.0)
BY_ASKER = Limit("asker", 5, 300.0)
BY_ORIGIN = Limit("origin", 20, 60.0)
BY_ALL = Limit("hotline", 300, 1.0)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of a code: whose proof it would be, and the code itself only as a hash."""

    nonce: bytes
    number: str
    hashed: bytes

    def pack(self) -> bytes:
        return bytes(msgpack.packb([self.nonce, self.number, self.hashed]))

    @classmethod
    def unpack(cls, data: bytes) -> _Kept:
        return cls(*msgpack.unpackb(data))


class Codes:
    """One code at a time for each asker: a later one voids the earlier."""

    def __init__(self, shared: SharedState, *, pepper: bytes) -> None:
        self._shared, self._pepper = shared, pepper

    async def make(self, number: Address, holder: Address, *, origin: str = "") -> str:
        """A code that will prove `number` to be that of whoever is behind `holder`. Raises `TooManyCodes`.

        `origin` is where the question came from (an IP address), where that is known.
        """
        limits: Sequence[tuple[Limit, str]] = (
            (BY_ASKER, str(holder)),
            *(((BY_ORIGIN, origin),) if origin else ()),
            (BY_NUMBER, str(number)),
            (BY_NUMBER_A_DAY, str(number)),
            (BY_ALL, ""),
        )
        for limit, whose in limits:
            await self._allow(limit, whose)
        digits = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"
        nonce = secrets.token_bytes(_NONCE_BYTES)
        kept = _Kept(nonce, str(number), self._hash(nonce, number, holder, digits))
        await self._shared.put(self._key(holder), kept.pack(), ttl_s=CODE_S)
        return digits

    async def awaits(self, holder: Address) -> bool:
        """Whether a code was sent for that holder which is still good."""
        return await self._shared.get(self._key(holder)) is not None

    async def prove(self, holder: Address, digits: str) -> Address:
        """The number that the code proves. Good once. Raises `CodeWrong`, `CodeSpent`."""
        stored = await self._shared.get(self._key(holder))
        kept = _Kept.unpack(stored) if stored is not None else _Kept(bytes(_NONCE_BYTES), str(holder), b"")
        is_allowed = await self._shared.take(
            f"identity:tries:{self._mac('tries', kept.nonce.hex() + str(holder))}", rate_per_s=_NEVER, burst=TRIES
        )
        if not is_allowed:
            await self._shared.delete(self._key(holder))
            raise CodeSpent
        number = Address.parse(kept.number)
        fits = hmac.compare_digest(kept.hashed, self._hash(kept.nonce, number, holder, digits))
        if not fits or not await self._once(kept.nonce):
            raise CodeWrong
        await self._shared.delete(self._key(holder))
        return number

    async def _once(self, nonce: bytes) -> bool:
        """True for the first of two who prove with one code at the same time."""
        return await self._shared.put_new(f"identity:proven:{nonce.hex()}", b"", ttl_s=CODE_S)

    async def _allow(self, limit: Limit, whose: str) -> None:
        bucket = f"identity:{limit.scope}:{self._mac(limit.scope, whose)}"
        if not await self._shared.take(bucket, rate_per_s=1 / limit.every_s, burst=limit.burst):
            raise TooManyCodes(limit.scope, limit.every_s)

    def _hash(self, nonce: bytes, number: Address, holder: Address, digits: str) -> bytes:
        said = f"code:{nonce.hex()}:{number}:{holder}:{digits}".encode("utf-8", "replace")
        return hmac.digest(self._pepper, said, hashlib.sha256)

    def _key(self, holder: Address) -> str:
        return f"identity:code:{self._mac('holder', str(holder))}"

    def _mac(self, purpose: str, what: str) -> str:
        return hmac.digest(self._pepper, f"{purpose}:{what}".encode(), hashlib.sha256).hex()[:40]


@dataclass(frozen=True, slots=True)
class Shown:
    """At whose address a QR code was shown, and in which session, if any."""

    holder: Address
    session: SessionId | None = None


class Scans:
    """QR codes that are shown to one citizen: whoever scans one is that citizen at another address."""

    def __init__(self, shared: SharedState) -> None:
        self._shared = shared

    async def show(self, shown: Shown) -> str:
        """The scene of a code, good once and for `SCAN_S`."""
        scene = _OURS + secrets.token_urlsafe(24)
        kept = msgpack.packb([str(shown.holder), shown.session])
        await self._shared.put(_scene(scene), kept, ttl_s=SCAN_S)
        return scene

    def made(self, scene: str) -> bool:
        """Whether a scene is of our making: the operator may have posters with others."""
        return scene.startswith(_OURS)

    async def seen(self, scene: str, by: Address) -> Shown | None:
        """Where a scanned code was shown; None for one that is not ours, too old, or was scanned by another.

        The same scan may be told twice.
        """
        key = _scene(scene)
        stored = await self._shared.get(key)
        if stored is None:
            return None
        first = f"{key}:by"
        digest = hashlib.sha256(str(by).encode()).digest()
        if not await self._shared.put_new(first, digest, ttl_s=SCAN_S) and await self._shared.get(first) != digest:
            return None
        holder, session = msgpack.unpackb(stored)
        return Shown(Address.parse(holder), SessionId(session) if session is not None else None)


def _scene(scene: str) -> str:
    """A scene comes from outside: what stands in the key is its hash."""
    return f"identity:scan:{hashlib.sha256(scene.encode('utf-8', 'replace')).hexdigest()[:40]}"
