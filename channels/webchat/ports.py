"""What the web chat asks for besides the ports that other rooms need too."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from channels.contract import Absence, Badge, Timeline
from channels.webchat.settings import WebChatSettings
from session.ids import NodeId, SessionId
from session.ports import Attests, Contact, Inbox, SharedState

TypingSeen = Callable[[SessionId], None]
"""Told that a citizen writes, so that whoever has the session is shown it. Takes no time."""

WishForCall = Callable[[SessionId, bool, str], Awaitable[str | None]]
"""The citizen of a session asks to be called, by anyone who is free or by who writes to them; with the word by which a
repetition is known. Why it cannot be; None where it will. Raises `StoreUnavailable`, `SessionGone`."""

Absent = Callable[[Contact], Awaitable[Absence | None]]
"""Whether nobody is there for who would write now. Raises `YihaoError` where that cannot be told."""


async def never_absent(contact: Contact) -> Absence | None:
    """Where somebody always answers."""
    del contact
    return None


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
    absent: Absent = never_absent
    attests: Attests | None = None
