"""ICE lite (RFC 8445, section 2.5): we have a public address, so we only answer the checks of a page that looks for us.

Whoever does not know the user name that our description gave is dropped before anything is computed.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

from aioice import stun

MAX_CHECK_BYTES = 548
_CHECKS_PER_S = 100
"""A page sends some fifty in its first second, and one in a few seconds from then on."""
_Address = tuple[str | int, ...]


class Checked(NamedTuple):
    """The response to a check, and whether its way is the one to take (USE-CANDIDATE)."""

    response: bytes
    is_nominated: bool


class IceLite:
    """Our side of one far end's."""

    def __init__(self) -> None:
        self.ufrag = secrets.token_hex(4)
        self.password = secrets.token_hex(16)
        self._second = 0
        self._checks = 0

    def check(self, data: bytes, addr: _Address, far_ufrag: str, now_s: float) -> Checked | None:
        """Answer a binding request of the page whose part of the user name is `far_ufrag`; None for all else."""
        username = f"{self.ufrag}:{far_ufrag}"
        if len(data) > MAX_CHECK_BYTES or username.encode() not in data or not self._admits(now_s):
            return None
        try:
            message = stun.parse_message(data)
            is_theirs = message.attributes.get("USERNAME") == username and message.check_message_integrity(
                self.password.encode()
            )
        except ValueError:
            return None
        if not is_theirs or (message.message_method, message.message_class) != _REQUEST:
            return None
        response = stun.Message(stun.Method.BINDING, stun.Class.RESPONSE, message.transaction_id)
        response.attributes["XOR-MAPPED-ADDRESS"] = (str(addr[0]), int(addr[1]))
        response.add_message_integrity(self.password.encode())
        return Checked(bytes(response), "USE-CANDIDATE" in message.attributes)

    def _admits(self, now_s: float) -> bool:
        if int(now_s) != self._second:
            self._second, self._checks = int(now_s), 0
        self._checks += 1
        return self._checks <= _CHECKS_PER_S


_REQUEST = (stun.Method.BINDING, stun.Class.REQUEST)
