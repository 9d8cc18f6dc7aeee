"""Why a page's call is not taken, beside what the exchange says. `code` is what the page is told.

CallRefused
├── OfferMalformed    the description is none that a page makes, or more than one
├── OneAtATime        the page is in a call already
├── CallGone          the page is back too late
├── HoursOver         nobody is expected to answer now
└── CalledTooOften    more offers than are taken
"""

from __future__ import annotations

from channels.calls import CallRefused


class OfferMalformed(CallRefused):
    """A description that no browser makes, or that no call can come of; `why` is for the log."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__("bad_offer")


class OneAtATime(CallRefused):
    """The person is heard on another call of theirs."""

    def __init__(self) -> None:
        super().__init__("one_call")


class CallGone(CallRefused):
    """The call that a page was in is over: another is begun by its person only."""

    def __init__(self) -> None:
        super().__init__("gone")


class HoursOver(CallRefused):
    """Out of hours (非工作时间), where the operator takes no calls then."""

    def __init__(self) -> None:
        super().__init__("closed")


class CalledTooOften(CallRefused):
    """More offers of one page than are taken."""

    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("rate")
