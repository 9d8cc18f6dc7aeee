"""Messages that an answer quotes (引用), as every channel can show them: a line above the answer's own words. Pure."""

from __future__ import annotations

from session.event import Event
from session.events import FileReceived, FileSent, LocationReceived, TextReceived, TextSent
from session.ids import MessageId

LONGEST = 60
"""Characters: what is quoted must be known again, and a text message is paid for by its length."""


def excerpt(event: Event) -> tuple[MessageId, str] | None:
    """A message and what an answer quotes of it; None for an event that is no message."""
    match event:
        case TextReceived() | TextSent():
            words = " ".join(event.text.split())
        case FileReceived() | FileSent():
            words = f"[{event.name}]"
        case LocationReceived():
            words = f"[{event.name or '位置'}]"
        case _:
            return None
    return event.message, words if len(words) <= LONGEST else f"{words[: LONGEST - 1]}…"


def spoken(sent: TextSent) -> str:
    """An answer as the citizen reads it, whatever brings it."""
    return f"「{sent.quoted}」\n{sent.text}" if sent.quoted else sent.text
