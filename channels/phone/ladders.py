"""The ladders of this node's calls on disk: one file a call, a folder a day, old days removed.

Written behind the calls by one thread, many rows of a call at once, and few calls at a time: neither a slow disk nor
what the thread itself computes delays a call. Rows hold neither numbers nor names; captures do, hence mode 600, and
hence they are off unless the setting says so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import re
import shutil
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

from channels.phone.capture import HEADER, packet
from channels.phone.flow import Flow, SocketAddress
from channels.phone.ladder import Ladder, Row, Seen, Way

log = logging.getLogger(__name__)

_WRITTEN_S = 0.5
"""How long a call's rows wait for those that come behind them."""
_STEP_S = 0.025
"""Between two times of writing. All at once, twice a second, were 20 ms in which no message was answered."""
_SWEPT_S = 3_600.0
_WAITING = 20_000
"""Rows not yet on disk; those beyond are lost, and that is logged."""
_CAPTURE_BYTES = 512 * 1024
"""Of one call."""
_CALLS_KNOWN = 10_000
_NAME = re.compile(r"[A-Za-z0-9-]{1,80}")
_ROWS, _PACKETS = ".jsonl", ".pcap"


class _Kept(NamedTuple):
    """One row on its way to the disk, with the message and the address of ours where it is captured."""

    row: Row
    seen: Seen | None
    local: SocketAddress | None


@dataclass(slots=True)
class _Unwritten:
    """What is not yet on the disk of one call."""

    since_s: float
    rows: list[_Kept]


@dataclass(slots=True)
class _Place:
    """Where a call's files are, and how much of it is captured. The writing thread's."""

    day: Path
    captured: int = 0


class Ladders:
    """Opened by `async with`."""

    def __init__(self, folder: Path, *, days: int, captures: bool) -> None:
        """`days` of 0 keeps none."""
        self._folder = folder
        self._days = days
        self._captures = captures and bool(days)
        self._local: Callable[[Flow], SocketAddress] = lambda _: ("0.0.0.0", 0)  # noqa: S104 - before it is opened
        self._unwritten: dict[str, _Unwritten] = {}
        """By the call's name, who has waited longest first."""
        self._waiting = 0
        """Rows."""
        self._places: OrderedDict[str, _Place] = OrderedDict()
        self._thread = ThreadPoolExecutor(1, "ladders")

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._flush(math.inf)
        self._thread.shutdown()

    def reached_by(self, local: Callable[[Flow], SocketAddress]) -> None:
        """What address of ours a flow ends at, for captures."""
        self._local = local

    def begin(self) -> Ladder:
        """A call begins."""
        return Ladder(time.time, self._keep, captures=self._captures) if self._days else Ladder.unseen()

    def _keep(self, name: str, row: Row, seen: Seen | None) -> None:
        if self._waiting >= _WAITING:
            return
        self._waiting += 1
        if self._waiting == _WAITING:
            log.warning("the disk is too slow: ladders of calls have gaps")
        one = _Kept(row, seen, self._local(seen.flow) if seen is not None else None)
        unwritten = self._unwritten.get(name)
        if unwritten is None:
            self._unwritten[name] = _Unwritten(time.monotonic(), [one])
        else:
            unwritten.rows.append(one)

    async def _run(self) -> None:
        swept = -_SWEPT_S
        loop = asyncio.get_running_loop()
        while True:
            if loop.time() - swept >= _SWEPT_S:
                swept = loop.time()
                await loop.run_in_executor(self._thread, self._sweep)
            await asyncio.sleep(_STEP_S)
            await self._flush(time.monotonic() - _WRITTEN_S)

    async def _flush(self, until_s: float) -> None:
        """Write of whom something has waited since then, or longer."""
        due = list(takewhile(lambda each: each[1].since_s <= until_s, self._unwritten.items()))
        for name, unwritten in due:
            del self._unwritten[name]
            self._waiting -= len(unwritten.rows)
        if due:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._write, due)

    # -- in the thread -----------------------------------------------------------------------------------------

    def _write(self, batch: Sequence[tuple[str, _Unwritten]]) -> None:
        today = self._folder / f"{datetime.now(UTC):%Y-%m-%d}"
        try:
            today.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, unwritten in batch:
                self._write_one(name, unwritten.rows, self._place(name, today))
        except OSError:
            log.exception("ladders of calls cannot be written")

    def _write_one(self, name: str, rows: Sequence[_Kept], place: _Place) -> None:
        _append(f"{place.day}/{name}{_ROWS}", b"".join(kept.row.line() for kept in rows))
        packets = [
            _record(place, kept.row, kept.seen, kept.local)
            for kept in rows
            if kept.seen is not None and kept.local is not None
        ]
        if packets:
            _append(f"{place.day}/{name}{_PACKETS}", b"".join(packets))

    def _place(self, name: str, today: Path) -> _Place:
        """A call that lasts past midnight goes on in the files of its first day: remembered, since a look at the disk
        costs the more the more calls a day has.
        """
        place = self._places.pop(name, None) or _Place(today)
        self._places[name] = place
        if len(self._places) > _CALLS_KNOWN:
            self._places.popitem(last=False)
        return place

    def _sweep(self) -> None:
        oldest = f"{datetime.now(UTC) - timedelta(days=self._days):%Y-%m-%d}"
        with suppress(OSError):
            for day in self._folder.iterdir():
                if day.name < oldest:
                    shutil.rmtree(day, ignore_errors=True)


def _append(path: str, data: bytes) -> None:
    """By nothing but the system's own calls: there is a file a call, each written a few times."""
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, data)
    finally:
        os.close(file)


def _record(place: _Place, row: Row, seen: Seen, local: SocketAddress) -> bytes:
    """A packet for the capture, the first behind the file's header; nothing once that call's has its size."""
    record = packet(row.at, seen.flow, local, seen.data, is_ours=row.way is Way.OUT)
    is_first = not place.captured
    place.captured += len(record)
    if place.captured > _CAPTURE_BYTES:
        return b""
    return HEADER + record if is_first else record


def read_ladder(folder: Path, name: str) -> list[Row] | None:
    """The rows of a call, None for one that is not known here. Blocks on the disk."""
    path = next(_files(folder, name, _ROWS), None)
    if path is None:
        return None
    return [row for line in path.read_bytes().splitlines() if (row := Row.parse(line)) is not None]


def find_capture(folder: Path, name: str) -> Path | None:
    """The capture of a call, if one was made. Blocks on the disk."""
    return next(_files(folder, name, _PACKETS), None)


def find_session(folder: Path, session: str) -> list[str]:
    """The calls of a session, the first one first. Reads the files of every day that is kept: for people who wait."""
    mark = json.dumps(session).encode()
    if not mark.strip(b'"'):
        return []
    found = [path for path in folder.glob(f"*/*{_ROWS}") if mark in path.read_bytes()]
    return [path.stem for path in sorted(found, key=lambda path: path.stat().st_mtime)]


def recent(folder: Path, most: int) -> list[str]:
    """The calls that were written to last, the last one first. Blocks on the disk."""
    files = sorted(folder.glob(f"*/*{_ROWS}"), key=lambda path: path.stat().st_mtime, reverse=True)
    return [path.stem for path in files[:most]]


def _files(folder: Path, name: str, kind: str) -> Iterator[Path]:
    if _NAME.fullmatch(name) is not None:
        yield from folder.glob(f"*/{name}{kind}")
