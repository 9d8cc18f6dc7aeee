"""What citizens are shown of what we write: sensitive words (敏感词) under stars. The log has every word."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from channels.contract import Timeline
from gateway.feed import Follower
from rulebook.words import Words
from session.events import Event, TextSent
from session.ids import SessionId
from session.ports import Entry


class Veil:
    """Between the log and every channel. `words` gives those in force at the moment of asking."""

    def __init__(self, words: Callable[[], Words]) -> None:
        self._words = words

    def text(self, text: str) -> str:
        """As citizens see it."""
        return self._words().veiled(text)

    def event(self, event: Event) -> Event:
        """As citizens see it; what they wrote themselves is theirs."""
        if not isinstance(event, TextSent):
            return event
        return replace(event, text=self.text(event.text), quoted=self.text(event.quoted))

    def timeline(self, read: Timeline) -> Timeline:
        """The same timeline, veiled."""

        async def veiled(session: SessionId) -> Sequence[Entry]:
            return [self._entry(one) for one in await read(session)]

        return veiled

    def follower(self, follow: Follower) -> Follower:
        """The same follower, who sees entries veiled."""

        def veiled(entry: Entry) -> Awaitable[None]:
            return follow(self._entry(entry))

        return veiled

    def _entry(self, entry: Entry) -> Entry:
        return entry._replace(event=self.event(entry.event))
