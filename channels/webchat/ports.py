"""What the web chat asks for besides the ports that other rooms need too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from channels.contract import Badge, Timeline
from channels.webchat.settings import WebChatSettings
from session.ids import NodeId, SessionId
from session.ports import Inbox, SharedState

TypingSeen = Callable[[SessionId], None]
"""Told that a citizen writes, so that whoever has the session is shown it. Takes no time."""


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
