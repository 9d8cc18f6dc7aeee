"""What the web chat asks for besides the ports that other rooms need too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from channels.contract import Badge, Timeline
from channels.webchat.settings import WebChatSettings
from session.ids import NodeId, SessionId
from session.ports import Inbox, SharedState

TypingSeen = Callable[[SessionId], None]
"""Told that a citizen writes, so that whoever has the session is shown it. Takes no time."""

WishForCall = Callable[[SessionId, bool, str], Awaitable[str | None]]
"""The citizen of a session asks to be called, by anyone who is free or by who writes to them; with the word by which a
repetition is known. Why it cannot be; None where it will. Raises `StoreUnavailable`, `SessionGone`."""


async def calls_nobody(session: SessionId, anyone: bool, dedupe: str) -> str | None:
    """Where nobody can be called."""
    del session, anyone, dedupe
    return "no_way_to_call"


@dataclass(frozen=True, slots=True)
class Ports:
    """Everything that a conversation reaches the rest by."""

    settings: WebChatSettings
    channel: str
    node: NodeId
    inbox: Inbox
    shared: SharedState
    timeline: Timeline
    badge: Badge
    call: WishForCall = calls_nobody
