"""Every error that the API raises on purpose. Each is a problem (RFC 9457) with a type that never changes.

GovApiError
├── SignatureMissing, SignatureMalformed, SignatureRefused, SignatureStale, SignatureReplayed
├── VersionUnknown, PathUnknown, MethodUnknown
├── BodyTooLarge, BodyMalformed, DigestWrong, QueryMalformed
├── KeyMissing                  no `Idempotency-Key`
├── KeyReused                   the key came with another request
├── TooOften, TooManyWaiting
├── SessionUnknown, SessionEnded, NotYetRateable
├── MessageUnknown
├── FileUnknown, FileRefused, FileTooLarge
└── StoreAway                   nothing was taken, or nobody knows
ClientsAlike                    two clients with one id, or one secret: stops the start
CallbackForeign                 a callback that is not https: stops the start
"""

from __future__ import annotations

from typing import ClassVar

from channels.contract import ChannelError

TYPES = "/api/govapi/v1/problems/"
"""Where each type's meaning can be read; a relative URI with its whole path (RFC 9457, section 3.1.1)."""


class GovApiError(ChannelError):
    """Anything that the API refuses or fails at, knowingly."""

    status: ClassVar[int] = 400
    slug: ClassVar[str]
    title: ClassVar[str]
    mend: ClassVar[str]
    """What the platform's engineer is to do."""

    def __init__(self, detail: str = "", where: str | None = None) -> None:
        """`detail` never repeats what was sent."""
        self.detail, self.where = detail, where
        super().__init__(f"{self.slug}: {detail or self.title}")


class SignatureMissing(GovApiError):
    """No signature that is meant for us."""

    status, slug, title = 401, "signature-missing", "The request has no signature for this API"
    mend = 'Sign it as RFC 9421 says, with tag="yihao-v1".'


class SignatureMalformed(GovApiError):
    """What is there is no signature, or leaves out what must be covered."""

    status, slug, title = 401, "signature-malformed", "The signature cannot be read, or covers too little"
    mend = "Cover what the documentation lists, with created, nonce and keyid."


class SignatureRefused(GovApiError):
    """An unknown client, or a wrong secret; which is not told."""

    status, slug, title = 401, "signature-refused", "The signature is not a known client's"
    mend = "Check keyid and secret, and the signature base against the published vectors."


class SignatureStale(GovApiError):
    """A recording, or a clock that is wrong."""

    status, slug, title = 401, "signature-stale", "The signature was made too long ago, or in the future"
    mend = "Set the clock right; sign anew for each try."


class SignatureReplayed(GovApiError):
    """The nonce was used."""

    status, slug, title = 401, "signature-replayed", "The nonce has been used"
    mend = "Sign anew for each try, with a new nonce and the same Idempotency-Key."


class VersionUnknown(GovApiError):
    """Another version than we speak."""

    status, slug, title = 404, "version-unknown", "This version of the API is not spoken here"
    mend = "Use /api/govapi/v1/."


class PathUnknown(GovApiError):
    """No such resource."""

    status, slug, title = 404, "path-unknown", "There is nothing at this path"
    mend = "See /api/govapi/v1/openapi.json."


class MethodUnknown(GovApiError):
    """The resource does not do that."""

    status, slug, title = 405, "method-unknown", "This path does not take the method"
    mend = "See the header Allow."

    def __init__(self, allowed: str) -> None:
        self.allowed = allowed
        super().__init__()


class BodyTooLarge(GovApiError):
    """More bytes than a request has."""

    status, slug, title = 413, "body-too-large", "The body is too large"
    mend = "Send less; files go to /files."


class BodyMalformed(GovApiError):
    """Not what the operation takes."""

    status, slug, title = 422, "body-malformed", "The body is not what the operation takes"
    mend = "See the field that `where` points at."


class QueryMalformed(GovApiError):
    """Not what the operation takes."""

    status, slug, title = 400, "query-malformed", "The query is not what the operation takes"
    mend = "See the parameter that `where` names."


class DigestWrong(GovApiError):
    """The body is not the one that was signed."""

    status, slug, title = 400, "digest-wrong", "The body is not the one whose digest was signed"
    mend = "Compute Content-Digest (RFC 9530) over the very bytes that are sent, and pack nothing."


class KeyMissing(GovApiError):
    """A request that changes something must be repeatable."""

    status, slug, title = 400, "key-missing", "The header Idempotency-Key is missing or malformed"
    mend = 'Send Idempotency-Key: "…" of 8 to 128 characters, the same for each try of one wish, and sign it.'


class KeyReused(GovApiError):
    """The key stands for another request."""

    status, slug, title = 422, "key-reused", "The Idempotency-Key came before with another request"
    mend = "Use a new key for a new wish."


class TooOften(GovApiError):
    """More requests than are taken."""

    status, slug, title = 429, "too-often", "Too many requests"
    mend = "Wait for Retry-After, then go on slower."
    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__()


class TooManyWaiting(GovApiError):
    """More requests for events are open than are kept."""

    status, slug, title = 429, "too-many-waiting", "Too many requests wait for events"
    mend = "Use the callback, or ask with wait_s=0."
    retryable = True
    retry_after_s = 5.0


class SessionUnknown(GovApiError):
    """Not there, or another client's; which is not told."""

    status, slug, title = 404, "session-unknown", "No such session is this client's"
    mend = "Open one by POST /sessions."


class SessionEnded(GovApiError):
    """It takes no more."""

    status, slug, title = 409, "session-ended", "The session has ended"
    mend = "Open another by POST /sessions."


class NotYetRateable(GovApiError):
    """Nobody has answered, or it still runs."""

    status, slug, title = 409, "not-yet-rateable", "The session cannot be rated (yet)"
    mend = "Wait for a state event with may_rate."


class MessageUnknown(GovApiError):
    """No message to the user of that id."""

    status, slug, title = 404, "message-unknown", "No such message was sent to this user"
    mend = "Use the id of a message event."


class FileUnknown(GovApiError):
    """Not there, or not theirs; which is not told."""

    status, slug, title = 404, "file-unknown", "No such file is this client's"
    mend = "Upload it by POST /files, and send it within a day."


class FileRefused(GovApiError):
    """A kind that is not taken, or not what it says."""

    status, slug, title = 415, "file-refused", "The file is of a kind that is not taken, or is not what it says"
    mend = "Send JPEG, PNG, GIF, WebP, PDF, AMR, MP3 or MP4, with the right Content-Type."


class FileTooLarge(GovApiError):
    """More bytes than are taken."""

    status, slug, title = 413, "file-too-large", "The file is too large"
    mend = "Send a smaller one."


class StoreAway(GovApiError):
    """Nothing may be called taken."""

    status, slug, title = 503, "store-away", "It is not certain that this was taken"
    mend = "Try again after Retry-After, with the same Idempotency-Key."
    retryable = True

    def __init__(self, retry_after_s: float = 1.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__()


class ClientsAlike(ChannelError):
    """Two clients that could be taken for each other."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"govapi.clients: two clients have the same {what}")


class CallbackForeign(ChannelError):
    """A callback that could be read or bent on its way."""

    def __init__(self, client: str) -> None:
        self.client = client
        super().__init__(f"govapi.clients: the callback of {client} must be https://")


def problems() -> dict[str, type[GovApiError]]:
    """All of them, by type."""
    return {kind.slug: kind for kind in GovApiError.__subclasses__()}
