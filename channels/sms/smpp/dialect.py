"""SMPP as a link speaks it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from channels.sms.errors import Malformed
from channels.sms.link import LoginRefused, Role
from channels.sms.smpp import messages as smpp
from channels.sms.smpp.settings import SmppSettings

_UNKNOWN_COMMAND = 0x03
_LATER, _NEVER = 0x64, 0x65
"""ESME_RX_T_APPN and ESME_RX_P_APPN: bring it again, or do not."""
_ROLES: dict[type[smpp.Message], Role] = {
    smpp.Deliver: Role.DELIVERY,
    smpp.SubmitResponse: Role.ANSWER,
    smpp.EnquireLinkResponse: Role.ANSWER,
    smpp.UnbindResponse: Role.ANSWER,
    smpp.Nack: Role.ANSWER,
    smpp.EnquireLink: Role.HEARTBEAT,
    smpp.Unbind: Role.GOODBYE,
}


@dataclass(frozen=True, slots=True)
class SmppDialect:
    """Of one account."""

    settings: SmppSettings
    last_sequence: int = 0x7FFFFFFF
    smallest: int = smpp.HEADER_OCTETS
    largest: int = smpp.LARGEST_OCTETS

    def encode(self, message: smpp.Message, sequence: int) -> bytes:
        """One frame."""
        return smpp.encode(message, sequence)

    def decode(self, frame: bytes) -> tuple[int, smpp.Message]:
        """The sequence and the message."""
        return smpp.decode(frame)

    def role(self, message: smpp.Message) -> Role:
        """What it is."""
        return _ROLES.get(type(message), Role.OTHER)

    def hello(self) -> tuple[smpp.Message, Callable[[smpp.Message], None]]:
        """bind_transceiver."""

        def check(answer: smpp.Message) -> None:
            if isinstance(answer, smpp.Nack):
                raise LoginRefused(answer.status)
            if not isinstance(answer, smpp.BindResponse):
                raise Malformed("an answer to the login that is none")
            if answer.status != 0:
                raise LoginRefused(answer.status)

        return smpp.Bind(self.settings.system, self.settings.password, self.settings.kind), check

    def heartbeat(self) -> smpp.Message:
        """enquire_link."""
        return smpp.EnquireLink()

    def goodbye(self) -> smpp.Message:
        """The command unbind."""
        return smpp.Unbind()

    def reply(self, message: smpp.Message) -> smpp.Message | None:
        """A request that is not known is told so; an answer that nobody waits for is passed over."""
        match message:
            case smpp.Deliver():
                return smpp.DeliverResponse(0)
            case smpp.EnquireLink():
                return smpp.EnquireLinkResponse()
            case smpp.Unbind():
                return smpp.UnbindResponse()
            case smpp.Unknown(command) if not command & smpp.RESPONSE:
                return smpp.Nack(_UNKNOWN_COMMAND)
        return None

    def refusal(self, delivery: smpp.Message) -> smpp.Message:  # noqa: ARG002 - the dialect's
        """It would be as broken the next time."""
        return smpp.DeliverResponse(_NEVER)

    def put_off(self, delivery: smpp.Message) -> smpp.Message | None:  # noqa: ARG002 - the dialect's
        """The message centre keeps it."""
        return smpp.DeliverResponse(_LATER)
