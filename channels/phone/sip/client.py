"""Client transactions (RFC 3261, section 17.1; RFC 6026 for the accepted state). Pure: `now` is an argument.

Each method gives back the actions that follow, in order; the endpoint performs them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from channels.phone.sip.message import Headers, Request, Response
from channels.phone.sip.timing import Timer, Timers, Timing


@dataclass(frozen=True, slots=True)
class Transmit:
    """Put this on the wire."""

    message: Request | Response


@dataclass(frozen=True, slots=True)
class Deliver:
    """Show this response to the transaction's user."""

    response: Response


@dataclass(frozen=True, slots=True)
class TimedOut:
    """No final response came (client), or no ACK (server)."""


Action = Transmit | Deliver | TimedOut


class State(StrEnum):
    """The states of figures 5 to 8 and RFC 6026."""

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


class ClientTransaction:
    """What both client machines share: the request, its timers and its state."""

    def __init__(self, request: Request, *, reliable: bool, timing: Timing) -> None:
        self.request = request
        self.reliable = reliable
        self.timers = Timers()
        self.state = State.TRYING
        self._timing = timing
        self._interval_s = timing.t1_s
        self.key = (request.vias[0].branch or "", request.method)
        """What a response must carry to be ours (section 17.1.3): branch and method."""

    @property
    def is_over(self) -> bool:
        """Whether the machine may be forgotten."""
        return self.state is State.TERMINATED

    @property
    def is_settled(self) -> bool:
        """Whether nothing that may still come of it changes anything, or is answered."""
        return self.state is State.TERMINATED

    def start(self, now: float) -> list[Action]:
        """Send the request."""
        raise NotImplementedError

    def receive(self, response: Response, now: float) -> list[Action]:
        """A response whose key matches."""
        raise NotImplementedError

    def advance(self, now: float) -> list[Action]:
        """Let time pass up to `now`."""
        raise NotImplementedError

    def fail(self) -> list[Action]:
        """The transport could not carry it (section 17.1.4): as a time-out."""
        if self.state in {State.CALLING, State.TRYING, State.PROCEEDING}:
            self._terminate()
            return [TimedOut()]
        return []

    def _terminate(self) -> None:
        self.state = State.TERMINATED
        self.timers.clear()


class InviteClient(ClientTransaction):
    """INVITE client transaction: figure 5, and RFC 6026, figure 3."""

    def __init__(self, request: Request, *, reliable: bool, timing: Timing) -> None:
        super().__init__(request, reliable=reliable, timing=timing)
        self.state = State.CALLING
        self._ack: Request | None = None

    def start(self, now: float) -> list[Action]:
        """Send the INVITE; repeat it by timer A unless the transport is reliable; give up by timer B."""
        if not self.reliable:
            self.timers.set(Timer.A, now + self._interval_s)
        self.timers.set(Timer.B, now + self._timing.give_up_s)
        return [Transmit(self.request)]

    def receive(self, response: Response, now: float) -> list[Action]:
        """Provisional: stop repeating. 2xx: accepted, further 2xx are passed on. Else: acknowledge, wait by timer D."""
        if self.state in {State.CALLING, State.PROCEEDING}:
            if not response.is_final:
                # In proceeding only a CANCEL has set timer B, and a further provisional does not undo it.
                if self.state is State.CALLING:
                    self.timers.clear()
                self.state = State.PROCEEDING
                return [Deliver(response)]
            self.timers.clear()
            if response.status < 300:
                self.state = State.ACCEPTED
                self.timers.set(Timer.M, now + self._timing.give_up_s)
                return [Deliver(response)]
            return self._complete(response, now)
        if self.state is State.ACCEPTED and 200 <= response.status < 300:
            return [Deliver(response)]
        if self.state is State.COMPLETED and response.status >= 300 and self._ack is not None:
            return [Transmit(self._ack)]
        return []

    def cancelled(self, now: float) -> None:
        """A CANCEL has gone out: the far end has 64·T1 for its final response (section 9.1)."""
        if self.state is State.PROCEEDING:
            self.timers.set(Timer.B, now + self._timing.give_up_s)

    def advance(self, now: float) -> list[Action]:
        """Repeat, give up or end."""
        actions: list[Action] = []
        for timer in self.timers.due(now):
            if timer is Timer.A:
                self._interval_s *= 2
                self.timers.set(Timer.A, now + self._interval_s)
                actions.append(Transmit(self.request))
            else:
                if timer is Timer.B:
                    actions.append(TimedOut())
                self._terminate()
        return actions

    def _complete(self, response: Response, now: float) -> list[Action]:
        self._ack = acknowledge(self.request, response)
        if self.reliable:
            self._terminate()
        else:
            self.state = State.COMPLETED
            self.timers.set(Timer.D, now + self._timing.give_up_s)
        return [Transmit(self._ack), Deliver(response)]


class NonInviteClient(ClientTransaction):
    """Client transaction of every other method: figure 6."""

    @property
    def is_settled(self) -> bool:
        """Once completed it absorbs repetitions, as whoever knows it no longer does."""
        return self.state in {State.COMPLETED, State.TERMINATED}

    def start(self, now: float) -> list[Action]:
        """Send; repeat by timer E unless reliable; give up by timer F."""
        if not self.reliable:
            self.timers.set(Timer.E, now + self._interval_s)
        self.timers.set(Timer.F, now + self._timing.give_up_s)
        return [Transmit(self.request)]

    def receive(self, response: Response, now: float) -> list[Action]:
        """The first final response decides; timer K absorbs its repetitions."""
        if self.state not in {State.TRYING, State.PROCEEDING}:
            return []
        if not response.is_final:
            self.state = State.PROCEEDING
            return [Deliver(response)]
        self.timers.clear()
        if self.reliable:
            self._terminate()
        else:
            self.state = State.COMPLETED
            self.timers.set(Timer.K, now + self._timing.t4_s)
        return [Deliver(response)]

    def advance(self, now: float) -> list[Action]:
        """Repeat (doubling up to T2; every T2 once proceeding), give up or end."""
        actions: list[Action] = []
        for timer in self.timers.due(now):
            if timer is Timer.E:
                doubled = min(2 * self._interval_s, self._timing.t2_s)
                self._interval_s = self._timing.t2_s if self.state is State.PROCEEDING else doubled
                self.timers.set(Timer.E, now + self._interval_s)
                actions.append(Transmit(self.request))
            else:
                if timer is Timer.F:
                    actions.append(TimedOut())
                self._terminate()
        return actions


def acknowledge(request: Request, response: Response) -> Request:
    """The ACK to a final response other than 2xx, within the transaction (section 17.1.1.3)."""
    copied = [("Via", str(request.vias[0]))]
    copied += [("Route", value) for value in request.headers.all("route")]
    copied += [
        ("From", request.headers.first("from") or ""),
        ("To", response.headers.first("to") or ""),
        ("Call-ID", request.call_id),
        ("CSeq", f"{request.cseq[0]} ACK"),
        ("Max-Forwards", "70"),
    ]
    return Request(headers=Headers(copied), method="ACK", uri=request.uri)


def cancellation(request: Request, extra: tuple[tuple[str, str], ...] = ()) -> Request:
    """The CANCEL of a request that has got a provisional response (section 9.1); `extra` may give a Reason."""
    copied = [("Via", str(request.vias[0]))]
    copied += [("Route", value) for value in request.headers.all("route")]
    copied += [
        ("From", request.headers.first("from") or ""),
        ("To", request.headers.first("to") or ""),
        ("Call-ID", request.call_id),
        ("CSeq", f"{request.cseq[0]} CANCEL"),
        ("Max-Forwards", "70"),
        *extra,
    ]
    return Request(headers=Headers(copied), method="CANCEL", uri=request.uri)
