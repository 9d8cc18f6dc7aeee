"""Sensitive words (敏感词): masked or marked where messages are shown. What was written stands in the log as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from functools import lru_cache
from typing import Annotated

from msgspec import Meta

from rulebook.document import Document, Line, once

MASK = "＊"


class Act(StrEnum):
    """What becomes of a word where it is shown."""

    MASK = "mask"
    """Stars in its place; agents can look at it, citizens cannot (屏蔽)."""
    MARK = "mark"
    """Shown, and marked for agents and supervisors (提示)."""


class Writer(StrEnum):
    """In whose messages."""

    ALL = "all"
    AGENT = "agent"
    CITIZEN = "citizen"


class SensitiveWord(Document, frozen=True):
    """A word, whatever its case, wherever it stands in a message."""

    word: Annotated[str, Meta(min_length=1, max_length=64)]
    act: Act = Act.MASK
    of: Writer = Writer.ALL
    why: Line = ""

    def __post_init__(self) -> None:
        if not self.word.strip() or self.word != self.word.strip():
            raise ValueError("a word begins and ends with something that is seen")


class Words(Document, frozen=True):
    """All of them."""

    words: Annotated[tuple[SensitiveWord, ...], Meta(max_length=5000)] = ()

    def __post_init__(self) -> None:
        once((one.word.lower() for one in self.words), "word")

    def veiled(self, text: str) -> str:
        """What an agent, or a bot, writes, as a citizen may see it."""
        pattern = _pattern(self)
        return pattern.sub(lambda found: MASK * len(found[0]), text) if pattern is not None else text

    def to_veil(self) -> Iterator[str]:
        """The words that citizens never see in what we write, the longest first."""
        mine = (one.word for one in self.words if one.act is Act.MASK and one.of is not Writer.CITIZEN)
        yield from sorted(mine, key=lambda word: (-len(word), word))


@lru_cache(4)
def _pattern(words: Words) -> re.Pattern[str] | None:
    """Of all at once: thousands of words cost a message one pass."""
    veiled = [re.escape(word) for word in words.to_veil()]
    return re.compile("|".join(veiled), re.IGNORECASE) if veiled else None
