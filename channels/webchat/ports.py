"""What the web chat asks for besides the ports that other rooms need too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from channels.webchat.settings import WebChatSettings
from channels.webchat.translate import Badge
from session.ids import NodeId, SessionId
from session.ports import Entry, Inbox, SharedState


class Timelines(Protocol):
    """Reads a session's timeline, live or archived."""

    async def read(self, session: SessionId, after: int = 0) -> Sequence[Entry]:
        """The entries after a version, in order, without a gap; may be called again for more.

        Raises `StoreUnavailable`.
        """
        ...


class TypingSeen(Protocol):
    """Told that a citizen writes, so that whoever has the session is shown it."""

    def __call__(self, session: SessionId) -> None:
        """Takes no time."""
        ...


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that a conversation reaches the rest by."""

    settings: WebChatSettings
    channel: str
    node: NodeId
    inbox: Inbox
    state: SharedState
    timelines: Timelines
    badge: Badge
