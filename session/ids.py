"""Names of things. Each is opaque text; only its maker knows what it is made of."""

from __future__ import annotations

from typing import NewType

SessionId = NewType("SessionId", str)
"""A session; a ULID, so that ids sort by birth."""

LegId = NewType("LegId", str)
"""A leg of a session, unique over all sessions."""

MessageId = NewType("MessageId", str)
"""A message: its maker's own id (a client's ULID, a provider's message id), unique within its session."""

AssigneeId = NewType("AssigneeId", str)
"""Who may have a session: an agent's login, or a bot's name."""

NodeId = NewType("NodeId", str)
"""One running gateway process."""

RecordingId = NewType("RecordingId", str)
"""One recording of one citizen's call."""

FileId = NewType("FileId", str)
"""One file that somebody sent, kept by the gateway."""

PersonId = NewType("PersonId", str)
"""One citizen as they are known by their addresses; a ULID."""

LinkId = NewType("LinkId", str)
"""One link between two addresses of a citizen; a ULID."""
