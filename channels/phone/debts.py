"""Callers who were let go because the store stayed away: noted on disk until the core has them (law 12).

A file of JSON lines, appended and synced before the caller is let go. It holds telephone numbers, hence mode 600.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from pathlib import Path

from session.address import Address, MalformedAddress
from session.ids import LegId


@dataclass(frozen=True, slots=True)
class Debt:
    """One caller who is owed a call back. `arrived_at` is seconds since 1970, by this node's clock."""

    leg: LegId
    address: Address
    number: str
    asserted: bool
    arrived_at: float


class Debts:
    """The file. Its disk work is done off the event loop, one at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = asyncio.Lock()

    async def note(self, debt: Debt) -> None:
        """Return once it is on disk."""
        async with self._turn:
            await asyncio.to_thread(self._append, debt)

    async def all(self) -> list[Debt]:
        """What is owed, the oldest first."""
        async with self._turn:
            return await asyncio.to_thread(self._read)

    async def settled(self, leg: LegId) -> None:
        """The core has this one."""
        async with self._turn:
            await asyncio.to_thread(self._remove, leg)

    def _append(self, debt: Debt) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(_line(debt))
            file.flush()
            os.fsync(file.fileno())

    def _read(self) -> list[Debt]:
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().splitlines()
        return [debt for debt in map(_debt, lines) if debt is not None]

    def _remove(self, leg: LegId) -> None:
        kept = [debt for debt in self._read() if debt.leg != leg]
        draft = self._path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(map(_line, kept))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)


def _line(debt: Debt) -> bytes:
    fields = {
        "leg": debt.leg,
        "address": str(debt.address),
        "number": debt.number,
        "asserted": debt.asserted,
        "arrived_at": debt.arrived_at,
    }
    return json.dumps(fields).encode() + b"\n"


def _debt(line: bytes) -> Debt | None:
    """A line that a crash cut short is no debt: its caller had not been let go yet."""
    try:
        fields = json.loads(line)
        return Debt(
            leg=LegId(fields["leg"]),
            address=Address.parse(fields["address"]),
            number=fields["number"],
            asserted=bool(fields["asserted"]),
            arrived_at=float(fields["arrived_at"]),
        )
    except (ValueError, KeyError, TypeError, MalformedAddress):
        return None
