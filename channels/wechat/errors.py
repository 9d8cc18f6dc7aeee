"""Every error that the official account raises on purpose.

WeChatError
├── PushRefused              a request to the webhook; `status` is its answer, the sentence goes to the log only
│   ├── PushTooLarge
│   ├── PushMalformed
│   ├── PushUnsigned         the signature is not WeChat's
│   ├── PushStale
│   ├── PushReplayed         the nonce came before, with another body
│   └── PushUndecipherable   no key opens it, or it is another account's
├── ApiError                 WeChat said no; `code` is its errcode
│   ├── WindowClosed         nothing may be sent until the citizen writes again
│   ├── BudgetSpent          all messages that their last word allows are used up
│   ├── TextTooLong
│   ├── TokenRefused         the access token is not good
│   ├── AccountRefused       appid, secret, address or right of the account: somebody has to mend it
│   ├── NotSubscribed        they have not subscribed to such notices, or no longer
│   ├── CitizenUnreachable   they have left the account
│   ├── MediaGone            WeChat has forgotten the file (after three days)
│   ├── StateRefused         WeCom has given the conversation to one of its own people, or ended it
│   └── ApiBusy              not now
├── ApiUnreachable           no answer; nothing was done
├── OutcomeUnknown           no answer; it may have been done
├── TypeUnsendable           an official account cannot send such a file
├── MediaRefused             a file that is not fetched: too large, or from a foreign place
├── NotReviewed              the account has no template for such a notice
├── MenuMalformed
└── SceneMalformed
"""

from __future__ import annotations

from channels.contract import ChannelError
from session.state import Failure


class WeChatError(ChannelError):
    """Anything that the official account refuses or fails at, knowingly."""


class PushRefused(WeChatError):
    """A request to the webhook that is not taken. `status` answers it; who sent it learns no more."""

    status = 403


class PushTooLarge(PushRefused):
    """More bytes than a push has."""

    status = 413

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        super().__init__(f"a push of over {most_bytes} bytes")


class PushMalformed(PushRefused):
    """Not what a push looks like. `where` names the part at fault, never its content."""

    status = 400

    def __init__(self, where: str) -> None:
        self.where = where
        super().__init__(f"a malformed push: {where}")


class PushUnsigned(PushRefused):
    """The signature is missing or wrong."""

    def __init__(self) -> None:
        super().__init__("a push that WeChat has not signed")


class PushStale(PushRefused):
    """Signed too long ago, or in the future: a recording, or a clock that is wrong."""

    def __init__(self, off_s: float) -> None:
        self.off_s = off_s
        super().__init__(f"a push whose time is {off_s:.0f} s off")


class PushReplayed(PushRefused):
    """Its nonce was used for another body."""

    def __init__(self) -> None:
        super().__init__("a push whose nonce has been used")


class PushUndecipherable(PushRefused):
    """None of our keys opens it, or what is inside is meant for another account."""

    def __init__(self) -> None:
        super().__init__("a push that no key opens")


class ApiError(WeChatError):
    """WeChat said no. `code` is its errcode, 0 where we knew before asking."""

    def __init__(self, code: int, sentence: str) -> None:
        self.code = code
        super().__init__(f"WeChat refused ({code}): {sentence}")


class WindowClosed(ApiError):
    """The citizen has not written for 48 h, or never."""

    failure = Failure.WINDOW_CLOSED

    def __init__(self, code: int = 0) -> None:
        super().__init__(code, "nothing may be sent before the citizen writes again")


class BudgetSpent(ApiError):
    """The citizen's last word allows fewer messages than this takes."""

    failure = Failure.BUDGET_SPENT

    def __init__(self, left: int, needed: int, code: int = 0) -> None:
        self.left, self.needed = left, needed
        super().__init__(code, f"it takes {needed} messages, {left} may still be sent")


class TextTooLong(ApiError):
    """One message's text is longer than WeChat takes."""

    failure = Failure.UNSENDABLE

    def __init__(self, code: int = 0) -> None:
        super().__init__(code, "the text is too long")


class TokenRefused(ApiError):
    """The access token is not good, and a new one did not help or cannot be had yet."""

    retryable = True
    retry_after_s = 30.0
    failure = Failure.BUSY

    def __init__(self, code: int = 0) -> None:
        super().__init__(code, "the access token is not good")


class AccountRefused(ApiError):
    """Appid, secret, our network address or the account's rights are not in order."""

    def __init__(self, code: int) -> None:
        super().__init__(code, "the account's settings at WeChat are not in order")


class CitizenUnreachable(ApiError):
    """The citizen has left the account, or the openid is another account's."""

    failure = Failure.NO_WAY

    def __init__(self, code: int) -> None:
        super().__init__(code, "the citizen no longer follows the account")


class NotSubscribed(ApiError):
    """The citizen has not subscribed to such notices, or has used the one that they allowed."""

    failure = Failure.OPTED_OUT

    def __init__(self, code: int) -> None:
        super().__init__(code, "the citizen has not subscribed to it")


class MediaGone(ApiError):
    """WeChat does not have the file, or no longer."""

    def __init__(self, code: int) -> None:
        super().__init__(code, "WeChat no longer has the file")


class StateRefused(ApiError):
    """The conversation is not in a state in which we may send (微信客服会话状态 0 and 1)."""

    def __init__(self, code: int) -> None:
        super().__init__(code, "WeCom has the conversation, or has ended it")


class ApiBusy(ApiError):
    """WeChat has too much to do, or we have asked too often. Nothing was done."""

    retryable = True
    failure = Failure.BUSY

    def __init__(self, code: int, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(code, "too busy")


class ApiUnreachable(WeChatError):
    """No connection: nothing was asked, so nothing was done."""

    retryable = True
    retry_after_s = 1.0
    failure = Failure.BUSY

    def __init__(self) -> None:
        super().__init__("WeChat cannot be reached")


class OutcomeUnknown(WeChatError):
    """Asked, and not answered: to ask again might do it twice."""

    failure = Failure.UNKNOWN

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"WeChat did not say whether it did: {what}")


class TypeUnsendable(WeChatError):
    """An official account sends pictures, AMR and MP3 sounds, and MP4 videos."""

    failure = Failure.UNSENDABLE

    def __init__(self, content_type: str) -> None:
        self.content_type = content_type
        super().__init__(f"an official account cannot send {content_type}")


class MediaRefused(WeChatError):
    """A file that is not fetched."""

    failure = Failure.UNSENDABLE

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"a file is not fetched: {why}")


class NotReviewed(WeChatError):
    """There are neither words nor a reviewed template for a notice, or a parameter is missing."""

    failure = Failure.NO_WAY

    def __init__(self, template: str) -> None:
        self.template = template
        super().__init__(f"the account has no template for {template!r}")


class MenuMalformed(WeChatError):
    """A menu that WeChat would refuse, or show other than it was meant."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the menu: {why}")


class SceneMalformed(WeChatError):
    """A scene, or its time to live, that a temporary QR code cannot have."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"the QR code: {why}")


def said(code: int) -> ApiError:
    """What an errcode means to us (微信全局返回码)."""
    known = {
        45015: WindowClosed,
        45002: TextTooLong,
        40007: MediaGone,
        43101: NotSubscribed,
        43004: CitizenUnreachable,
        40003: CitizenUnreachable,
        95018: StateRefused,
    }
    if code in (45047, 95001):
        return BudgetSpent(0, 1, code)
    if code in TOKEN_CODES:
        return TokenRefused(code)
    if code in (-1, 45009, 45011):
        return ApiBusy(code)
    if code in (40013, 40125, 40164, 48001, 50002, 61024):
        return AccountRefused(code)
    meant = known.get(code)
    return meant(code) if meant is not None else ApiError(code, "see its table of return codes")


TOKEN_CODES = frozenset({40001, 40014, 42001})
"""The access token is wrong, malformed or has run out."""
