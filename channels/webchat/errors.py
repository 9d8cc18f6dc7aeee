"""Every error that the web chat raises on purpose; each knows its answer over HTTP.

WebChatError
├── OriginForeign        a page from elsewhere, which the settings do not name
├── VisitorRefused       the visitor's token is not good
├── BodyMalformed        a request's body is not what it should be
├── UploadTooLarge       a file of more bytes than are taken
├── FileNotTheirs        a file that is not there, or is not for this visitor; which is not told
├── SignatureRefused     a site's word of who its visitor is that is worth nothing
├── SitesAlike           two keys of sites have one name
└── TooOften             more requests than are taken
"""

from __future__ import annotations

from channels.contract import ChannelError


class WebChatError(ChannelError):
    """Anything that the web chat refuses or fails at, knowingly. `code` is what the page is told."""

    status = 400
    code = "refused"


class OriginForeign(WebChatError):
    """A page from elsewhere, which the settings do not name."""

    status, code = 403, "origin"

    def __init__(self) -> None:
        super().__init__("the page's origin is foreign")


class VisitorRefused(WebChatError):
    """A token that we did not make, or that has expired: the page asks for a new one."""

    status, code = 401, "visitor"

    def __init__(self) -> None:
        super().__init__("the visitor's token is not good")


class BodyMalformed(WebChatError):
    """A request's body is not what it should be."""

    status, code = 400, "malformed"

    def __init__(self) -> None:
        super().__init__("the body is malformed")


class UploadTooLarge(WebChatError):
    """A file of more bytes than are taken; noticed while it comes in."""

    status, code = 413, "too_large"

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        super().__init__(f"a file of over {most_bytes} bytes")


class FileNotTheirs(WebChatError):
    """A file that is not there, or is not for this visitor; which is not told."""

    status, code = 404, "unknown_file"

    def __init__(self) -> None:
        super().__init__("no file of that name is this visitor's")


class SignatureRefused(WebChatError):
    """A site's word of who its visitor is that is worth nothing. `code` tells its developer why."""

    status = 422

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(f"who the visitor is was not taken: {code}")


class SitesAlike(WebChatError):
    """Two keys of sites have one name, so that a token would not tell whose it is. It stops the start."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"webchat.sites: two keys are named {name}; give each a name of its own")


class TooOften(WebChatError):
    """More requests than are taken."""

    status, code = 429, "rate"
    retryable = True

    def __init__(self, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__("too many requests")
