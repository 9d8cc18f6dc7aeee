"""A text in as few messages as may be: each costs one of the five that a citizen's word allows. Pure."""

from __future__ import annotations

from collections.abc import Iterator

_BREAKS = ("\n", "。", "！", "？", "；", ". ", "，", " ")
"""Where a reader would pause, the best first."""


def parts_of(text: str, most_bytes: int) -> list[str]:
    """The text cut into messages of at most `most_bytes` of UTF-8, none of them empty.

    A part ends at the best pause in its last third; so it is rarely one message more than the least possible.
    """
    return [part for part in _cut(text, most_bytes) if part]


def _cut(rest: str, most_bytes: int) -> Iterator[str]:
    while len(rest.encode()) > most_bytes:
        # Bytes that are cut in the middle of a character are left out, and come with the next part.
        head = rest.encode()[:most_bytes].decode(errors="ignore")
        end = _pause_in(head)
        yield rest[:end].strip()
        rest = rest[end:]
    yield rest.strip()


def _pause_in(head: str) -> int:
    """How much of `head` to take. At least one character, however large it is."""
    earliest = len(head) * 2 // 3
    for pause in _BREAKS:
        found = head.rfind(pause, earliest)
        if found > 0:
            return found + len(pause)
    return max(1, len(head))
