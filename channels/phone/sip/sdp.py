"""As much of SDP (RFC 8866) as signalling itself must know; codecs and ports are the Audio port's matter."""

from __future__ import annotations

import re
from collections.abc import Sequence

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


_STATIC = {"0": "PCMU", "3": "GSM", "4": "G723", "8": "PCMA", "9": "G722", "18": "G729"}
_ALWAYS = {"TELEPHONE-EVENT", "CN"}
_ATTRIBUTE = re.compile(r"a=(rtpmap|fmtp|rtcp-fb):(\S+)\s*([^/\s]*)")


def narrowed(body: bytes, codecs: Sequence[str]) -> bytes:
    """A description whose audio has those codecs only, in that order, beside digits and comfort noise; empty where none
    of them is in it. Names are compared without case.
    """
    if not codecs:
        return body
    lines = body.decode("utf-8", "surrogateescape").splitlines()
    names = _names(lines)
    order = [one.upper() for one in codecs]
    written: list[str] = []
    kept: set[str] | None = None
    for one in lines:
        line = one
        if line.startswith("m="):
            kept = None
        if line.startswith("m=audio "):
            head, types = line.split(" ")[:3], line.split(" ")[3:]
            chosen = sorted(
                (each for each in types if names.get(each) in order), key=lambda each: order.index(names[each])
            )
            if not chosen:
                return b""
            chosen += [each for each in types if names.get(each) in _ALWAYS]
            kept = set(chosen)
            line = " ".join((*head, *chosen))
        attribute = _ATTRIBUTE.match(line)
        if attribute is None or kept is None or attribute[2] in kept or attribute[2] == "*":
            written.append(line)
    return "\r\n".join((*written, "")).encode("utf-8", "surrogateescape")


def has_any(body: bytes, codecs: Sequence[str]) -> bool:
    """Whether one of its audio lines has one of those codecs."""
    lines = body.decode("utf-8", "surrogateescape").splitlines()
    names, wanted = _names(lines), {one.upper() for one in codecs}
    return any(names.get(each) in wanted for one in lines if one.startswith("m=audio") for each in one.split()[3:])


def _names(lines: Sequence[str]) -> dict[str, str]:
    """Payload types and what they mean (RFC 3551, table 4, as far as telephones use it; `rtpmap` for the rest)."""
    found = {one[2]: one[3].upper() for one in map(_ATTRIBUTE.match, lines) if one is not None and one[1] == "rtpmap"}
    return {**_STATIC, "13": "CN", **found}
