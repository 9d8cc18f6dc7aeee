"""Passwords: made, hashed by argon2id, and checked at the same cost whether there is one or not."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Self, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from accounts.errors import PasswordRefused, TooManyAttempts

_T = TypeVar("_T")

LEAST_CHARACTERS = 10
MOST_CHARACTERS = 256

# OWASP's Password Storage Cheat Sheet asks for 46 MiB with one pass; two passes take about 80 ms of one core here.
_MEMORY_KIB = 47_104
_PASSES = 2
_THREADS = 2
_WAITING = 16
"""Checks that may wait for a thread; more are told to come again, so that a flood costs no memory."""

# Neither 0 and O, nor 1, l and I: people read these aloud.
_ALPHABET = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
_GENERATED_CHARACTERS = 14
"""Of 56: 81 bits."""


def generate_password() -> str:
    """A password that can be read aloud and typed."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_GENERATED_CHARACTERS))


class Passwords:
    """Hashes in threads of its own, since each takes a core for long. Closed by `with`."""

    def __init__(self) -> None:
        self._hasher = PasswordHasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        self._threads = ThreadPoolExecutor(_THREADS, "argon2")
        self._running = 0
        self._nobodys: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)

    async def hash(self, password: str) -> str:
        """The hash to keep. Raises `PasswordRefused`, `TooManyAttempts`."""
        if not LEAST_CHARACTERS <= len(password) <= MOST_CHARACTERS:
            raise PasswordRefused(LEAST_CHARACTERS, MOST_CHARACTERS)
        return await self._work(self._hasher.hash, password)

    async def fits(self, kept: str | None, password: str) -> bool:
        """Whether the password is the one that was hashed. Without a hash the same work is done, in vain."""
        if self._nobodys is None:
            self._nobodys = await self._work(self._hasher.hash, generate_password())
        fits = await self._work(self._verify, kept or self._nobodys, password[:MOST_CHARACTERS])
        return fits and kept is not None and len(password) <= MOST_CHARACTERS

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (Argon2Error, InvalidHashError):
            return False

    async def _work(self, work: Callable[..., _T], *arguments: str) -> _T:
        if self._running >= _THREADS + _WAITING:
            raise TooManyAttempts(1.0)
        self._running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)
        finally:
            self._running -= 1
