"""Canned replies (常用语): sentences that agents put in by `/` and a word, with what differs filled in."""

from __future__ import annotations

import re
from typing import Annotated

from msgspec import Meta

from rulebook.document import Document, Line, Name, Title, once

VARIABLES = ("name", "number", "citizen", "queue", "date", "time")
"""`{name}` and `{number}` are the agent's, `{citizen}` is masked; the desk fills them in when it puts the reply in."""
_BRACES = re.compile(r"\{([^{}]*)\}")


class CannedReply(Document, frozen=True):
    """One of them."""

    word: Annotated[str, Meta(pattern=r"^[^\s/]{1,24}\Z")]
    """What is typed after `/`: letters, or Chinese."""
    title: Title
    text: Annotated[str, Meta(min_length=1, max_length=2000)]
    english: Annotated[str, Meta(max_length=2000)] = ""
    """What is put in where the citizen writes English; empty puts in `text`."""
    queues: Annotated[tuple[Name, ...], Meta(max_length=64)] = ()
    """Only for contacts of these queues; none is for all."""
    group: Line = ""

    def __post_init__(self) -> None:
        for text in (self.text, self.english):
            for name in _BRACES.findall(text):
                if name not in VARIABLES:
                    raise ValueError(
                        f"{{{name}}} is no variable; there are {', '.join(f'{{{one}}}' for one in VARIABLES)}"
                    )
            if set("{}") & set(_BRACES.sub("", text)):
                raise ValueError("a brace is left over")


class Canned(Document, frozen=True):
    """All of them."""

    replies: Annotated[tuple[CannedReply, ...], Meta(max_length=1000)] = ()

    def __post_init__(self) -> None:
        once((one.word.lower() for one in self.replies), "word")
