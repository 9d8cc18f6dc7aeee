"""What was answered to an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07), for a day.

A key is noted before anything is done, so that it can never stand for two wishes. Where the process ended in between,
the same request is simply done again: every operation is the same thing when it is done twice under one key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass

from channels.govapi.errors import KeyReused
from channels.govapi.gate import Admitted
from session.ports import SharedState


@dataclass(frozen=True, slots=True)
class Answer:
    """What a platform is told: a status, and a body of JSON."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Wish:
    """One request under its key, however often it comes."""

    id: str
    """Says nothing of the key; names of legs, messages and events are made of it."""
    digest: str
    """Of all that the request says."""


def wish(admitted: Admitted, method: str, path: str, query: str) -> Wish:
    """The wish of a request that may come in."""
    name = hashlib.sha256(f"{admitted.client.id}\n{admitted.key}".encode()).hexdigest()[:32]
    said = f"{method}\n{path}\n{query}\n{admitted.digest.hex()}"
    return Wish(name, hashlib.sha256(said.encode()).hexdigest())


class Answers:
    """Kept where all nodes find them."""

    def __init__(self, shared: SharedState, *, ttl_s: float) -> None:
        self._shared, self._ttl_s = shared, ttl_s

    async def known(self, wish: Wish) -> Answer | None:
        """The answer that the wish had; None where it is new, or was not answered. Raises `KeyReused`."""
        if await self._shared.put_new(_key(wish), _record(wish, None), ttl_s=self._ttl_s):
            return None
        stored = await self._shared.get(_key(wish))
        if stored is None:
            return None
        digest, status, body = json.loads(stored)
        if digest != wish.digest:
            raise KeyReused
        return Answer(status, base64.b64decode(body)) if status else None

    async def keep(self, wish: Wish, answer: Answer) -> None:
        """The wish has this answer from now on."""
        await self._shared.put(_key(wish), _record(wish, answer), ttl_s=self._ttl_s)


def _key(wish: Wish) -> str:
    return f"govapi:wish:{wish.id}"


def _record(wish: Wish, answer: Answer | None) -> bytes:
    status, body = (answer.status, answer.body) if answer is not None else (0, b"")
    return json.dumps([wish.digest, status, base64.b64encode(body).decode()]).encode()
