"""One message to a citizen, from the wish to send it to what became of it. Values only."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum

from channels.sms.carrier import Message
from session.ids import MessageId, SessionId
from session.notice import Template
from session.state import Failure


class Standing(StrEnum):
    """Where a message to a citizen stands."""

    WAITING = "waiting"
    """Not handed over yet; it will be."""
    ACCEPTED = "accepted"
    """A carrier has it."""
    DELIVERED = "delivered"
    """The telephone has it."""
    FAILED = "failed"
    """The carrier had it and could not deliver it."""
    REFUSED = "refused"
    """The carrier would not have it."""
    UNKNOWN = "unknown"
    """An attempt broke off: perhaps sent, and so not sent again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispatch:
    """A message to a citizen, and where it stands."""

    key: str
    to: str
    carrier: str
    text: str
    template: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    session: str = ""
    message: str = ""
    since: float = 0.0
    """When it was first wished for, by the store's clock."""
    attempt: int = 0
    """Of the next or running attempt."""
    standing: Standing = Standing.WAITING
    code: str = ""
    """The carrier's own word, where it refused or failed."""
    reason: Failure | None = None
    """Why it will not come."""
    ids: tuple[str, ...] = ()

    @property
    def of_session(self) -> tuple[SessionId, MessageId] | None:
        """In whose timeline it stands; None for a notice beside any session."""
        return (SessionId(self.session), MessageId(self.message)) if self.session else None

    @property
    def is_settled(self) -> bool:
        """No attempt will follow."""
        return self.standing is not Standing.WAITING

    def ended(self, standing: Standing, reason: Failure | None = None, code: str = "") -> Dispatch:
        """It as it stands in the end; what it said is not kept any longer."""
        return replace(self, standing=standing, reason=reason, code=code, text="", parameters={})

    def outgoing(self) -> Message:
        """It as its carrier gets it."""
        template = Template(self.template, self.parameters) if self.template else None
        return Message(key=self.key, to=self.to, text=self.text, template=template)

    def dump(self) -> bytes:
        return json.dumps({**asdict(self), "parameters": dict(self.parameters)}).encode()

    @classmethod
    def load(cls, data: bytes) -> Dispatch:
        fields = json.loads(data)
        reason = fields.get("reason")
        return cls(
            **{
                **fields,
                "standing": Standing(fields["standing"]),
                "reason": Failure(reason) if reason is not None else None,
                "ids": tuple(fields["ids"]),
            }
        )
