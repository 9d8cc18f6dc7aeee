"""Server transactions (RFC 3261, section 17.2; RFC 6026 for the accepted state). Pure: `now` is an argument."""

from __future__ import annotations

from channels.phone.errors import CallOver
from channels.phone.sip.client import Action, State, TimedOut, Transmit
from channels.phone.sip.message import Request, Response
from channels.phone.sip.timing import Timer, Timers, Timing

TransactionKey = tuple[str, ...]


def transaction_key(request: Request, source: str) -> TransactionKey:
    """What names a request's transaction (section 17.2.3). ACK belongs to its INVITE's.

    Source, Call-ID and From tag stand beside the branch: senders exist whose branches are not unique, and a stranger
    who guesses a branch must neither be answered for another nor stop their call. A branch without more than the
    cookie, or none, falls back to the fields of RFC 2543.
    """
    top = request.vias[0]
    method = "INVITE" if request.method == "ACK" else request.method
    tag = request.from_address.tag or ""
    if top.is_unique:
        return (source, top.branch or "", top.sent_by, method, request.call_id, tag)
    return (
        source,
        "2543",
        str(request.uri),
        request.call_id,
        tag,
        str(request.cseq[0]),
        method,
        top.sent_by,
        top.branch or "",
    )


class ServerTransaction:
    """What both server machines share."""

    def __init__(self, request: Request, key: TransactionKey, *, reliable: bool, timing: Timing) -> None:
        self.request = request
        self.key = key
        self.reliable = reliable
        self.timers = Timers()
        self.state = State.TRYING
        self.last_response: Response | None = None
        self._timing = timing

    @property
    def is_over(self) -> bool:
        """Whether the machine may be forgotten."""
        return self.state is State.TERMINATED

    @property
    def is_answered(self) -> bool:
        """Whether a final response has been sent."""
        return self.state not in {State.TRYING, State.PROCEEDING}

    def respond(self, response: Response, now: float) -> list[Action]:
        """The user's response. Raises `CallOver` behind a final one: nothing may follow it."""
        raise NotImplementedError

    def repeat(self) -> list[Action]:
        """The same request came again."""
        raise NotImplementedError

    def advance(self, now: float) -> list[Action]:
        """Let time pass up to `now`."""
        raise NotImplementedError

    def _refuse_second(self) -> None:
        if self.is_answered:
            raise CallOver("be answered again", "answered")

    def _terminate(self) -> None:
        self.state = State.TERMINATED
        self.timers.clear()


class InviteServer(ServerTransaction):
    """INVITE server transaction: figure 7, and RFC 6026, figure 1."""

    def __init__(self, request: Request, key: TransactionKey, *, reliable: bool, timing: Timing) -> None:
        super().__init__(request, key, reliable=reliable, timing=timing)
        self.state = State.PROCEEDING
        self._interval_s = timing.t1_s

    def respond(self, response: Response, now: float) -> list[Action]:
        """1xx as they come; 2xx once (its repetition is the dialog's matter); others are repeated until the ACK."""
        self._refuse_second()
        self.last_response = response
        if response.is_final:
            if response.status < 300:
                self.state = State.ACCEPTED
                self.timers.set(Timer.L, now + self._timing.give_up_s)
            else:
                self.state = State.COMPLETED
                if not self.reliable:
                    self.timers.set(Timer.G, now + self._interval_s)
                self.timers.set(Timer.H, now + self._timing.give_up_s)
        return [Transmit(response)]

    def repeat(self) -> list[Action]:
        """A repeated INVITE hears the last response again; once accepted it is absorbed (RFC 6026, section 7.1)."""
        if self.state in {State.PROCEEDING, State.COMPLETED} and self.last_response is not None:
            return [Transmit(self.last_response)]
        return []

    def acknowledge(self, now: float) -> bool:
        """The ACK of a response other than 2xx; False when the ACK is not this machine's (2xx: the dialog's)."""
        if self.state is State.COMPLETED:
            self.timers.clear()
            if self.reliable:
                self._terminate()
            else:
                self.state = State.CONFIRMED
                self.timers.set(Timer.I, now + self._timing.t4_s)
            return True
        return self.state is State.CONFIRMED

    def advance(self, now: float) -> list[Action]:
        """Repeat the response, give up waiting for the ACK, or end."""
        actions: list[Action] = []
        for timer in self.timers.due(now):
            if timer is Timer.G and self.last_response is not None:
                self._interval_s = min(2 * self._interval_s, self._timing.t2_s)
                self.timers.set(Timer.G, now + self._interval_s)
                actions.append(Transmit(self.last_response))
            else:
                if timer is Timer.H:
                    actions.append(TimedOut())
                self._terminate()
        return actions


class NonInviteServer(ServerTransaction):
    """Server transaction of every other method: figure 8."""

    def respond(self, response: Response, now: float) -> list[Action]:
        """A final response is kept for timer J, to be given again to repetitions."""
        self._refuse_second()
        self.last_response = response
        if not response.is_final:
            self.state = State.PROCEEDING
        elif self.reliable:
            self._terminate()
        else:
            self.state = State.COMPLETED
            self.timers.set(Timer.J, now + self._timing.give_up_s)
        return [Transmit(response)]

    def repeat(self) -> list[Action]:
        """Once there is a response, it is given again; before, the repetition is dropped."""
        return [] if self.last_response is None else [Transmit(self.last_response)]

    def advance(self, now: float) -> list[Action]:
        """End when timer J has run down."""
        if self.timers.due(now):
            self._terminate()
        return []


class Acceptance:
    """The repetition of a 2xx to INVITE until its ACK comes (section 13.3.1.4), over any transport."""

    def __init__(self, response: Response, now: float, timing: Timing) -> None:
        self.response = response
        self.timers = Timers()
        self.is_over = False
        self._timing = timing
        self._interval_s = timing.t1_s
        self.timers.set(Timer.G, now + self._interval_s)
        self.timers.set(Timer.H, now + timing.give_up_s)

    def acknowledge(self) -> None:
        """The ACK has come."""
        self.is_over = True
        self.timers.clear()

    def advance(self, now: float) -> list[Action]:
        """Repeat, or give up: then the call is ended by BYE."""
        due = self.timers.due(now)
        if Timer.H in due:  # also where the loop was late, and a repetition is due as well
            self.acknowledge()
            return [TimedOut()]
        if not due:
            return []
        self._interval_s = min(2 * self._interval_s, self._timing.t2_s)
        self.timers.set(Timer.G, now + self._interval_s)
        return [Transmit(self.response)]
