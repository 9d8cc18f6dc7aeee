"""Session timers (RFC 4028): both ends learn that the other is gone. Pure: `now` is an argument.

"Refresher" is said of the roles in the transaction that carries it; a `SessionTimer` knows only whether it is we.
"""

from __future__ import annotations

from dataclasses import dataclass

from channels.phone.errors import MalformedMessage
from channels.phone.sip.grammar import param, parse_number, parse_params
from channels.phone.sip.message import Message, Request, Response
from channels.phone.sip.timing import Timer, Timers

OPTION = "timer"
LEAST_S = 90
"""No interval may be shorter (section 4)."""
_MOST_S = 2**32 - 1
_LATE_S = 32.0


@dataclass(frozen=True, slots=True)
class SessionExpires:
    """The header's value: seconds, and who refreshes."""

    interval_s: int
    refresher: str = ""
    """`uac`, `uas`, or empty where that is left to the other end."""

    @classmethod
    def of(cls, message: Message) -> SessionExpires | None:
        """That of a message, None where it has none. Raises `MalformedMessage`."""
        text = message.headers.first("session-expires")
        if text is None:
            return None
        number, semicolon, rest = text.partition(";")
        refresher = (param(parse_params(semicolon + rest, "Session-Expires"), "refresher") or "").lower()
        return cls(parse_number(number, "Session-Expires", _MOST_S), refresher if refresher in {"uac", "uas"} else "")

    def __str__(self) -> str:
        return f"{self.interval_s};refresher={self.refresher}" if self.refresher else str(self.interval_s)


@dataclass(frozen=True, slots=True)
class SessionTiming:
    """What we want: an interval (0: none), and the least that we agree to, in seconds."""

    interval_s: int = 1800
    least_s: int = LEAST_S

    def check(self, request: Request) -> None:
        """Refuse an interval that is too small with 422 (section 9), if its sender can take that."""
        asked = SessionExpires.of(request)
        if asked is not None and asked.interval_s < self.least_s and _supports(request):
            raise MalformedMessage("Session-Expires", "too small", status=422, headers=(("Min-SE", str(self.least_s)),))

    def asking(self, interval_s: int = 0, *, least_s: int = 0, we_refresh: bool = False) -> tuple[tuple[str, str], ...]:
        """The headers of an INVITE or UPDATE of ours: for what is agreed on, or for the least that a 422 asked for."""
        chosen_s = max(interval_s or self.interval_s, least_s)
        if not chosen_s:
            return ()
        value = SessionExpires(chosen_s, "uac" if we_refresh else "")
        return (("Session-Expires", str(value)), ("Min-SE", str(max(self.least_s, least_s))))

    def begun_by(self, response: Response, now: float) -> SessionTimer | None:
        """The timer that a 2xx to a request of ours begins (section 7.2); None where it knows of none."""
        try:
            agreed = SessionExpires.of(response)
        except MalformedMessage:
            return None
        if agreed is None:
            return None
        return SessionTimer(max(agreed.interval_s, self.least_s), now, we_refresh=agreed.refresher != "uas")

    def agree(self, request: Request, current: SessionTimer | None = None) -> tuple[SessionExpires | None, bool]:
        """Section 9: what our 2xx says, and whether `Require: timer` stands beside it.

        Whoever asks refreshes, if it can and does not want us to; one that knows nothing of timers is refreshed by us.
        """
        asked = SessionExpires.of(request)
        wanted_s = self.interval_s or (current.interval_s if current is not None else 0)
        if asked is None and not wanted_s:
            return None, False
        interval_s = asked.interval_s if asked is not None else wanted_s
        if self.interval_s:
            interval_s = min(interval_s, self.interval_s)
        interval_s = max(interval_s, self.least_s, _least(request))
        theirs = _supports(request) and (asked is None or asked.refresher != "uas")
        return SessionExpires(interval_s, "uac" if theirs else "uas"), theirs


class SessionTimer:
    """One end's view of a session's time. Restarted by each refresh; `we_refresh` may change with it."""

    def __init__(self, interval_s: int, now: float, *, we_refresh: bool) -> None:
        self.interval_s = interval_s
        self.we_refresh = we_refresh
        self.timers = Timers()
        # Section 10: the one who does not refresh ends the session a little before its time.
        self.timers.set(Timer.EXPIRY, now + interval_s - min(_LATE_S, interval_s / 3))
        if we_refresh:
            self.timers.set(Timer.REFRESH, now + interval_s / 2)

    def stop(self) -> None:
        """The session is over, or begins anew."""
        self.timers.clear()

    def advance(self, now: float) -> Timer | None:
        """`REFRESH` where it is time to, `EXPIRY` where the session's time is over: then BYE."""
        due = self.timers.due(now)
        if Timer.EXPIRY in due:
            self.timers.clear()
            return Timer.EXPIRY
        return due[0] if due else None


def least_of(response: Response) -> int:
    """The interval that a 422 asks for; 0 where it says none that makes sense."""
    return _least(response)


def _least(message: Message) -> int:
    text = message.headers.first("min-se")
    if text is None:
        return 0
    try:
        return parse_number(text.partition(";")[0], "Min-SE", _MOST_S)
    except MalformedMessage:
        return 0


def _supports(request: Request) -> bool:
    return OPTION in request.headers.listed("supported") or OPTION in request.headers.listed("require")
