"""What each citizen's call is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from channels.phone.asides import Asides
from channels.phone.carriers import Carriers
from channels.phone.endpoint import Endpoint
from channels.phone.registrar import Registrar
from channels.phone.secrecy import Secrecies
from channels.phone.trunk import Trunk
from channels.phone.vigil import Vigilance
from session.ids import AssigneeId, NodeId, RecordingId, SessionId
from session.ports import Handover, Inbox, SharedState, Telephones

Sounded = Callable[[SessionId, str, float, float, float], None]
"""How a call that runs has sounded lately: whose end (`Party`), mean opinion, loss from 0 to 1, jitter in ms."""


class Spares(Protocol):
    """A call whose agent may be needed for another."""

    def spare(self, assignee: AssigneeId) -> None:
        """That agent is about to be rung."""
        ...


@dataclass(frozen=True, slots=True)
class BridgePorts:
    """The parts that all bridges share."""

    endpoint: Endpoint
    registrar: Registrar
    inbox: Inbox
    telephones: Telephones
    shared: SharedState
    node: NodeId
    channel: str
    recording_path: Callable[[RecordingId], Path] | None
    vigilance: Vigilance
    trunk: Trunk
    carriers: Carriers
    secrecies: Secrecies
    asides: Asides
    number: str
    """Ours that is shown to who is called beside any session."""
    handover: Handover | None = None
    sounded: Sounded = lambda *_: None
    telling: set[Spares] = field(default_factory=set)
    """Calls that broke off, whose agents are just being told."""
