"""Provisional responses that are acknowledged (RFC 3262), from either end. Pure: `now` is an argument."""

from __future__ import annotations

import re
from collections import deque
from dataclasses import replace

from channels.phone.sip.client import Action, TimedOut, Transmit
from channels.phone.sip.grammar import parse_number
from channels.phone.sip.message import CSEQ_LIMIT, Headers, Request, Response
from channels.phone.sip.timing import Timer, Timers, Timing

OPTION = "100rel"
_RACK = re.compile(r"([0-9]{1,10})\s+([0-9]{1,10})\s+([A-Z]+)")
_FIRST_LIMIT = 2**31 - 1


class ReliableServer:
    """The provisionals of one INVITE that we answer (section 3): one at a time, each repeated until its PRACK."""

    def __init__(self, request: Request, first: int, timing: Timing) -> None:
        """`first` is the first RSeq, by chance, so that a PRACK shows that it has seen the response."""
        self.timers = Timers()
        self.is_required = OPTION in request.headers.listed("require")
        self.is_supported = self.is_required or OPTION in request.headers.listed("supported")
        self._cseq = request.cseq[0]
        self._next = first % _FIRST_LIMIT + 1
        self._timing = timing
        self._interval_s = timing.t1_s
        self._unacknowledged: Response | None = None
        self._waiting: deque[Response] = deque()

    @property
    def holds_up_answer(self) -> bool:
        """Whether a 2xx must wait: a description went out, or is to go, that has not been acknowledged."""
        waiting = [one for one in (self._unacknowledged, *self._waiting) if one is not None]
        return any(one.body for one in waiting)

    def send(self, response: Response, now: float) -> list[Action]:
        """Send a provisional reliably, at once or behind the one before."""
        self._waiting.append(response)
        return self._send_next(now)

    def acknowledge(self, request: Request, now: float) -> list[Action] | None:
        """A PRACK; None where it acknowledges nothing that waits (answered 481)."""
        match = _RACK.fullmatch((request.headers.first("rack") or "").strip())
        expected = (self._next - 1, self._cseq, "INVITE")
        if self._unacknowledged is None or match is None:
            return None
        if (int(match[1]), int(match[2]), match[3]) != expected:
            return None
        self._unacknowledged = None
        self.timers.clear()
        return self._send_next(now)

    def finish(self) -> None:
        """A final response has gone out: nothing is repeated any more."""
        self.timers.clear()
        self._unacknowledged = None
        self._waiting.clear()

    def advance(self, now: float) -> list[Action]:
        """Repeat with doubling pauses; after 64·T1 the INVITE is to be refused with 5xx."""
        due = self.timers.due(now)
        if Timer.PRACK_LOST in due:  # also where the loop was late, and a repetition is due as well
            self.finish()
            return [TimedOut()]
        if not due or self._unacknowledged is None:
            return []
        self._interval_s *= 2
        self.timers.set(Timer.PRACK, now + self._interval_s)
        return [Transmit(self._unacknowledged)]

    def _send_next(self, now: float) -> list[Action]:
        if self._unacknowledged is not None or not self._waiting:
            return []
        response = self._waiting.popleft()
        headers = Headers((*response.headers, ("Require", OPTION), ("RSeq", str(self._next))))
        self._unacknowledged = replace(response, headers=headers)
        self._next += 1
        self._interval_s = self._timing.t1_s
        self.timers.set(Timer.PRACK, now + self._interval_s)
        self.timers.set(Timer.PRACK_LOST, now + self._timing.give_up_s)
        return [Transmit(self._unacknowledged)]


class ReliableClient:
    """The provisionals of one early dialog that we hear (section 4): in order, each acknowledged once."""

    def __init__(self) -> None:
        self._last: int | None = None

    def acknowledgement(self, response: Response) -> str | None:
        """The RAck of the PRACK to send; None where none is: not reliable, repeated, or out of order.

        Raises `MalformedMessage` for an RSeq that is none.
        """
        if OPTION not in response.headers.listed("require"):
            return None
        number = parse_number(response.headers.first("rseq") or "", "RSeq", 2**32 - 1)
        if self._last is not None and number != self._last + 1:
            return None
        self._last = number
        return f"{number} {min(response.cseq[0], CSEQ_LIMIT)} {response.cseq[1]}"


def is_reliable(response: Response) -> bool:
    """Whether a response wants a PRACK."""
    return 100 < response.status < 200 and OPTION in response.headers.listed("require")
