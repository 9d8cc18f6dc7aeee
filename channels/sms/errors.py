"""Every error that the SMS channel raises on purpose.

SmsError
├── SubmitRefused        the carrier will not send it, and said why
├── SubmitDelayed        certainly not sent; the same may be tried again
├── OutcomeUnknown       perhaps sent: never tried again
├── CarrierMissing       nobody is there who would bring it
├── TemplateNeeded       the carrier takes reviewed templates only, and none was named
├── FileNotCarried       a text message carries no file
├── OptedOut             the citizen has said that they want no notices
├── TooMany              more messages than this number or campaign may get
├── QuietHours           notices are not sent at this hour
├── CallRefused          a webhook without proof, or that cannot be read; carries the status to answer
├── MediaRefused         a picture that is not fetched: a foreign host, too large, not what it says
├── MediaAway            a picture that could not be fetched now
└── Malformed            a frame that breaks the carrier's grammar
"""

from __future__ import annotations

from channels.contract import ChannelError
from session.state import Failure


class SmsError(ChannelError):
    """Anything that the SMS channel refuses or fails at, knowingly."""


class SubmitRefused(SmsError):
    """The carrier will not send it. `code` is the carrier's own; `opted_out`: because the citizen told it so."""

    def __init__(self, carrier: str, code: str, *, opted_out: bool = False, failure: Failure = Failure.REFUSED) -> None:
        self.carrier, self.code = carrier, code
        self.failure = Failure.OPTED_OUT if opted_out else failure
        super().__init__(f"{carrier} refused the message with {code}")

    @property
    def opted_out(self) -> bool:
        """The citizen has told the carrier that they want nothing."""
        return self.failure is Failure.OPTED_OUT


class SubmitDelayed(SmsError):
    """Certainly not sent."""

    retryable = True
    failure = Failure.BUSY

    def __init__(self, carrier: str, code: str, retry_after_s: float = 5.0) -> None:
        self.carrier, self.code, self.retry_after_s = carrier, code, retry_after_s
        super().__init__(f"{carrier} takes nothing now ({code})")


class OutcomeUnknown(SmsError):
    """The carrier may have it: a second try could send it twice."""

    failure = Failure.UNKNOWN

    def __init__(self, carrier: str) -> None:
        self.carrier = carrier
        super().__init__(f"it is not known whether {carrier} has the message")


class CarrierMissing(SmsError):
    """No carrier of that name, or none that serves the number."""

    failure = Failure.NO_WAY

    def __init__(self, carrier: str) -> None:
        self.carrier = carrier
        super().__init__(f"there is no carrier {carrier!r}" if carrier else "no carrier serves that number")


class TemplateNeeded(SmsError):
    """The carrier takes reviewed templates only; the settings name none that fits."""

    failure = Failure.NO_WAY

    def __init__(self, carrier: str, template: str) -> None:
        self.carrier, self.template = carrier, template
        super().__init__(f"{carrier} has no reviewed template {template!r}")


class FileNotCarried(SmsError):
    """A text message carries no file; a link to it must be written as a text."""

    failure = Failure.UNSENDABLE

    def __init__(self) -> None:
        super().__init__("a text message carries no file")


class OptedOut(SmsError):
    """The citizen wants no notices (退订)."""

    failure = Failure.OPTED_OUT

    def __init__(self) -> None:
        super().__init__("the citizen has opted out of notices")


class TooMany(SmsError):
    """More messages than this number or campaign may get; `bound` says which bound it was."""

    retryable = True
    failure = Failure.BUSY

    def __init__(self, bound: str, retry_after_s: float) -> None:
        self.bound, self.retry_after_s = bound, retry_after_s
        super().__init__(f"too many messages for this {bound}")


class QuietHours(SmsError):
    """Notices are not sent at this hour."""

    retryable = True
    failure = Failure.BUSY

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"quiet hours for {retry_after_s:.0f} s more")


class CallRefused(SmsError):
    """A webhook that is not answered as it wishes. `why` never repeats what came in."""

    def __init__(self, status: int, why: str) -> None:
        self.status, self.why = status, why
        super().__init__(f"webhook refused with {status}: {why}")


class MediaRefused(SmsError):
    """A picture that will never be fetched."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the file was not fetched: {why}")


class MediaAway(SmsError):
    """A picture that could not be fetched now."""

    retryable = True
    retry_after_s = 5.0

    def __init__(self) -> None:
        super().__init__("the file could not be fetched now")


class Malformed(SmsError):
    """A frame that breaks the carrier's grammar. `what` names a field, never its content."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"malformed: {what}")
