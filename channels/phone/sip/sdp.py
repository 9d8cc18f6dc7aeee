"""As much of SDP (RFC 8866) as signalling itself must know; codecs and ports are the Audio port's matter."""

from __future__ import annotations

_HELD = {"sendonly", "inactive"}
_DIRECTIONS = {"sendrecv", "sendonly", "recvonly", "inactive"}


def asks_hold(body: bytes) -> bool:
    """Whether a (re-)offer puts us on hold (RFC 3264, section 8.4): the far end will not listen to its first audio.

    The media's direction stands above the session's; a connection to 0.0.0.0 is the older way to say it.
    """
    session_direction = media_direction = ""
    session_address = media_address = ""
    media = 0
    for line in body.decode("utf-8", "replace").splitlines():
        kind, _, value = line.partition("=")
        if kind == "m":
            media += 1
            if media > 1:
                break
        elif kind == "a" and value.strip() in _DIRECTIONS:
            if media:
                media_direction = value.strip()
            else:
                session_direction = value.strip()
        elif kind == "c":
            if media:
                media_address = value
            else:
                session_address = value
    address = (media_address or session_address).split()
    return (media_direction or session_direction) in _HELD or address[-1:] == ["0.0.0.0"]  # noqa: S104 - no bind
