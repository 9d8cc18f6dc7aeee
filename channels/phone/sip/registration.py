"""A registration of ours with a trunk (RFC 3261, section 10.2): asked for, kept up, and tried again. Pure.

`now` and chance are arguments; what is to be done comes back as an `Ask`, and the endpoint sends it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from channels.phone.errors import MalformedMessage
from channels.phone.sip.grammar import param, parse_number
from channels.phone.sip.login import Demand
from channels.phone.sip.message import Response
from channels.phone.sip.timing import Timer, Timers

_MOST_S = 86_400
_FIRST_PAUSE_S = 10.0
_LONGEST_PAUSE_S = 300.0
_LEAST_S = 20


class Standing(StrEnum):
    """Where we stand with the trunk."""

    ABSENT = "absent"
    REGISTERED = "registered"
    REFUSED = "refused"
    """It answered, and will not have us: the password, the number, the contract."""
    UNHEARD = "unheard"


@dataclass(frozen=True, slots=True)
class Ask:
    """A REGISTER to send: for so many seconds, with the proof that was demanded, for the `count`-th time."""

    expires_s: int
    demand: Demand | None = None
    count: int = 0


class Registration:
    """One. `due` gives what its timer wants; `heard` and `unheard` what follows from an answer, or from none."""

    def __init__(self, expires_s: int) -> None:
        self.standing = Standing.ABSENT
        self.status = 0
        """Of the last final answer; 0 where none came."""
        self.timers = Timers()
        self._expires_s = expires_s
        self._demand: Demand | None = None
        self._count = 0
        self._is_proving = False
        self._failures = 0

    def start(self) -> Ask:
        """The first; also the next where an address of the trunk has changed."""
        self.timers.clear()
        self._is_proving = self._demand is not None
        return self._ask(self._expires_s)

    def leave(self) -> Ask:
        """We go: nobody is to call here any more."""
        self.timers.clear()
        self.standing = Standing.ABSENT
        return self._ask(0)

    def due(self, now: float) -> Ask | None:
        """What is to be sent now, if anything."""
        return self.start() if self.timers.due(now) else None

    def heard(self, response: Response, now: float, chance: float) -> Ask | None:
        """A final answer."""
        self.status = response.status
        if response.status < 300:
            self._granted(response, now)
            return None
        demand = Demand.of(response)
        if demand is not None and (not self._is_proving or demand.challenge.stale):
            self._demand, self._count, self._is_proving = demand, 0, True
            return self._ask(self._expires_s)
        if response.status == 423 and (least_s := _least(response)) > self._expires_s:
            self._expires_s = least_s
            return self._ask(least_s)
        self._demand = None
        self._fail(Standing.REFUSED, now, chance)
        return None

    def unheard(self, now: float, chance: float) -> None:
        """No answer came, or there was no way."""
        self.status = 0
        self._fail(Standing.UNHEARD, now, chance)

    def _ask(self, expires_s: int) -> Ask:
        if self._demand is None:
            return Ask(expires_s)
        self._count += 1
        return Ask(expires_s, self._demand, self._count)

    def _granted(self, response: Response, now: float) -> None:
        self.standing, self._failures, self._is_proving = Standing.REGISTERED, 0, False
        granted_s = max(_LEAST_S, min(_granted(response, self._expires_s), _MOST_S))
        # Early enough for a whole transaction that is lost, and for another one.
        self.timers.set(Timer.REFRESH, now + max(granted_s / 2, granted_s - 90))

    def _fail(self, standing: Standing, now: float, chance: float) -> None:
        """RFC 5626, section 4.5: longer and longer pauses, by chance, so that not all come back at once."""
        self.standing, self._is_proving = standing, False
        pause_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        self.timers.set(Timer.REFRESH, now + pause_s * (0.5 + chance / 2))


def _granted(response: Response, asked_s: int) -> int:
    """The seconds that a 200 grants: its Contact's, else its Expires, else what was asked."""
    try:
        for contact in response.contacts:
            if (text := param(contact.params, "expires")) is not None:
                return parse_number(text, "expires", 2**32 - 1)
        if (text := response.headers.first("expires")) is not None:
            return parse_number(text, "Expires", 2**32 - 1)
    except MalformedMessage:
        pass
    return asked_s


def _least(response: Response) -> int:
    try:
        return min(_MOST_S, parse_number(response.headers.first("min-expires") or "", "Min-Expires", 2**32 - 1))
    except MalformedMessage:
        return 0
