"""CMPP as a link speaks it."""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass

from channels.sms.cmpp import messages as cmpp
from channels.sms.cmpp.settings import CmppSettings
from channels.sms.errors import Malformed
from channels.sms.link import LoginRefused, Role

_CHINA_S = 8 * 3600
_ROLES: dict[type[cmpp.Message], Role] = {
    cmpp.Deliver: Role.DELIVERY,
    cmpp.SubmitResponse: Role.ANSWER,
    cmpp.ActiveTestResponse: Role.ANSWER,
    cmpp.TerminateResponse: Role.ANSWER,
    cmpp.ActiveTest: Role.HEARTBEAT,
    cmpp.Terminate: Role.GOODBYE,
}
_BROKEN = 1
"""Result: the message's structure is wrong."""


@dataclass(frozen=True, slots=True)
class CmppDialect:
    """Of one account."""

    settings: CmppSettings
    last_sequence: int = 0xFFFFFFFF
    smallest: int = cmpp.HEADER_OCTETS
    largest: int = cmpp.LARGEST_OCTETS

    def encode(self, message: cmpp.Message, sequence: int) -> bytes:
        """One frame."""
        return cmpp.encode(message, sequence, self.settings.version)

    def decode(self, frame: bytes) -> tuple[int, cmpp.Message]:
        """The sequence and the message."""
        return cmpp.decode(frame, self.settings.version)

    def role(self, message: cmpp.Message) -> Role:
        """What it is."""
        return _ROLES.get(type(message), Role.OTHER)

    def hello(self) -> tuple[cmpp.Message, Callable[[cmpp.Message], None]]:
        """CMPP_CONNECT; the gateway has to prove itself too."""
        settings = self.settings
        timestamp = int(time.strftime("%m%d%H%M%S", time.gmtime(time.time() + _CHINA_S)))
        proof = cmpp.authenticator_of_source(settings.account, settings.secret, timestamp)

        def check(answer: cmpp.Message) -> None:
            if not isinstance(answer, cmpp.ConnectResponse):
                raise Malformed("an answer to the login that is none")
            if answer.status != 0:
                raise LoginRefused(answer.status)
            wanted = cmpp.authenticator_of_gateway(answer.status, proof, settings.secret, settings.version)
            if not hmac.compare_digest(answer.authenticator, wanted):
                raise LoginRefused(0)

        return cmpp.Connect(settings.account, proof, settings.version, timestamp), check

    def heartbeat(self) -> cmpp.Message:
        """CMPP_ACTIVE_TEST."""
        return cmpp.ActiveTest()

    def goodbye(self) -> cmpp.Message:
        """CMPP_TERMINATE."""
        return cmpp.Terminate()

    def reply(self, message: cmpp.Message) -> cmpp.Message | None:
        """None to what is not known: the specification has no word for it."""
        match message:
            case cmpp.Deliver():
                return cmpp.DeliverResponse(message.message, 0)
            case cmpp.ActiveTest():
                return cmpp.ActiveTestResponse()
            case cmpp.Terminate():
                return cmpp.TerminateResponse()
        return None

    def refusal(self, delivery: cmpp.Message) -> cmpp.Message:
        """It would be as broken the next time."""
        return cmpp.DeliverResponse(delivery.message if isinstance(delivery, cmpp.Deliver) else 0, _BROKEN)

    def put_off(self, delivery: cmpp.Message) -> cmpp.Message | None:  # noqa: ARG002 - the dialect's
        """Silence: after T the gateway brings it again."""
        return None
