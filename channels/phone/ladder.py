"""A call as operators read it: every message and event at its time, between whom, drawn as a ladder.

A row holds no header field but the Reason of an ending: neither numbers nor names. Whole messages are the capture's
matter, which is off unless somebody wants it.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from channels.phone.flow import Flow
from channels.phone.sip.message import Message, Request

ROWS = 400
"""Of one call; what comes behind them is not kept."""
_US = "yihao"
_NOTE_LIMIT = 120
_quoted = lru_cache(maxsize=4096)(json.encoder.encode_basestring_ascii)
"""Of some hundred texts, calls long."""
_COLUMN = 26


class Way(StrEnum):
    """Which way a row points."""

    IN = "in"
    OUT = "out"
    NOTE = "note"
    """Something that happened at ours: sound, a timer, a verdict."""


class Row(NamedTuple):
    """One rung. `at` is seconds since 1970, by the node's clock."""

    at: float
    way: Way
    peer: str
    """Who is at the other end: `caller`, `agent 1`; empty for a note about the whole call."""
    what: str
    detail: str = ""
    place: str = ""
    """The flow that it went by."""

    def line(self) -> bytes:
        """As it is kept: one line of JSON."""
        at, way, peer, what, detail, place = self
        said = f'{{"at": {at!r}, "way": {_quoted(way)}, "what": {_quoted(what)}'
        if peer:
            said += f', "peer": {_quoted(peer)}'
        if detail:
            said += f', "detail": {_quoted(detail)}'
        if place:
            said += f', "place": {_quoted(place)}'
        return f"{said}}}\n".encode()

    @classmethod
    def parse(cls, line: bytes) -> Row | None:
        """The inverse of `line`; None for one that a crash cut short."""
        try:
            fields = json.loads(line)
            return cls(
                at=float(fields["at"]),
                way=Way(fields["way"]),
                peer=str(fields.get("peer", "")),
                what=str(fields["what"]),
                detail=str(fields.get("detail", "")),
                place=str(fields.get("place", "")),
            )
        except (ValueError, KeyError, TypeError):
            return None


@dataclass(frozen=True, slots=True)
class Seen:
    """A message as it stood on the wire, for a capture."""

    data: bytes
    flow: Flow


Keep = Callable[[str, Row, Seen | None], None]


class Ladder:
    """One call's, while it runs. Until it has a name (the call's leg) its rows wait in memory."""

    __slots__ = ("_captures", "_clock", "_keep", "_peers", "_rows", "_unnamed", "name")

    def __init__(self, clock: Callable[[], float], keep: Keep, *, captures: bool = False) -> None:
        """`keep` takes the name and each row, and the message too where it `captures`."""
        self.name = ""
        self._clock = clock
        self._keep = keep
        self._captures = captures
        self._peers: dict[str, str] = {}
        self._rows = 0
        self._unnamed: list[tuple[Row, Seen | None]] = []

    @classmethod
    def unseen(cls) -> Ladder:
        """Of a call that nobody looks at."""
        return cls(lambda: 0.0, lambda *_: None)

    def named(self, name: str) -> None:
        """The call has its leg: what was seen so far is kept under it."""
        self.name = name
        for row, seen in self._unnamed:
            self._keep(self.name, row, seen)
        self._unnamed.clear()

    def meet(self, call_id: str, peer: str) -> None:
        """Messages of that Call-ID are exchanged with that peer."""
        self._peers[call_id] = peer

    def saw(self, message: Message, flow: Flow, way: Way) -> None:
        """A message has come or gone."""
        if isinstance(message, Request):
            what, detail = message.method, ""
        else:
            what, detail = f"{message.status} {message.reason}", message.cseq[1]
        reason = message.headers.first("reason")
        if reason:
            detail = f"{detail} {reason}".strip()
        if message.body:
            detail = f"{detail} ({message.content_type or 'body'})".strip()
        peer = self._peers.get(message.call_id, "")
        row = Row(self._clock(), way, peer, what, detail[:_NOTE_LIMIT], str(flow))
        self._add(row, Seen(bytes(message), flow) if self._captures else None)

    def note(self, what: str, detail: str = "", peer: str = "") -> None:
        """Something has happened that is no message."""
        self._add(Row(self._clock(), Way.NOTE, peer, what, detail[:_NOTE_LIMIT]), None)

    def _add(self, row: Row, seen: Seen | None) -> None:
        self._rows += 1
        if self._rows > ROWS:
            return
        if self.name:
            self._keep(self.name, row, seen)
        else:
            self._unnamed.append((row, seen))


def draw(rows: Sequence[Row]) -> str:
    """The ladder for a terminal: ourselves in the left column, each peer in one to the right of it."""
    if not rows:
        return ""
    peers = list(dict.fromkeys(row.peer for row in rows if row.peer and row.way is not Way.NOTE)) or ["?"]
    began = rows[0].at
    lines = [f"{'':9} {_US:^{_COLUMN}}" + "".join(f"{_short(peer):^{_COLUMN}}" for peer in peers)]
    lines += [f"{row.at - began:8.3f}  {_rung(row, peers)}".rstrip() for row in rows]
    return "\n".join(lines) + "\n"


def _rung(row: Row, peers: Sequence[str]) -> str:
    half = _COLUMN // 2
    if row.way is Way.NOTE:
        about = f" [{row.peer}]" if row.peer else ""
        detail = f": {row.detail}" if row.detail else ""
        return " " * half + f"* {row.what}{about}{detail}"
    column = peers.index(row.peer) if row.peer in peers else 0
    length = _COLUMN * (column + 1) - 2
    label = f" {row.what} "
    dashes = "─" * max(1, length - _width(label) - 1)
    arrow = f"{label}{dashes}▶" if row.way is Way.OUT else f"◀{dashes}{label}"
    between = f"│{arrow}│"
    rest = (" " * (_COLUMN - 1) + "│") * len(peers[column + 1 :])
    detail = f"{row.detail}  {row.place}".strip()
    return " " * half + between + rest + "  " + detail


def _short(text: str) -> str:
    return text if len(text) < _COLUMN else text[: _COLUMN - 2] + "…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)
