"""The Range header of a player that seeks (RFC 9110, section 14.1.2). Pure."""

from __future__ import annotations

import re

from recordings.errors import RangeUnsatisfiable

_ONE_RANGE = re.compile(r"bytes\s*=\s*(\d{0,18})\s*-\s*(\d{0,18})\s*", re.ASCII | re.IGNORECASE)


def parse(text: str | None, size_bytes: int) -> tuple[int, int] | None:
    """First and last octet, or None for the whole file: no header, several ranges, or one that is not understood.

    Raises `RangeUnsatisfiable` where the range begins behind the end.
    """
    found = _ONE_RANGE.fullmatch(text) if text is not None else None
    if found is None or found[1] == found[2] == "":
        return None
    if found[1] == "":
        wanted = int(found[2])
        if wanted == 0 or size_bytes == 0:
            raise RangeUnsatisfiable(size_bytes)
        return max(0, size_bytes - wanted), size_bytes - 1
    first = int(found[1])
    last = int(found[2]) if found[2] else size_bytes - 1
    if first > last and found[2]:
        return None
    if first >= size_bytes:
        raise RangeUnsatisfiable(size_bytes)
    return first, min(last, size_bytes - 1)
