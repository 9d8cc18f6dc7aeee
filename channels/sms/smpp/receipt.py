"""Delivery receipts of SMPP (appendix B, and the optional parameters that newer message centres add). Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from channels.sms.carrier import Fate
from channels.sms.errors import Malformed
from channels.sms.smpp.messages import Deliver

_RECEIPTED_ID, _STATE = 0x001E, 0x0427
_ID = re.compile(r"\bid:\s*([^\s]+)", re.IGNORECASE)
_STATUS = re.compile(r"\bstat:\s*([A-Z]+)", re.IGNORECASE)
_ERROR = re.compile(r"\berr:\s*([0-9A-Za-z]+)", re.IGNORECASE)
_STATES = {
    1: "ENROUTE",
    2: "DELIVRD",
    3: "EXPIRED",
    4: "DELETED",
    5: "UNDELIV",
    6: "ACCEPTD",
    7: "UNKNOWN",
    8: "REJECTD",
}
"""message_state (5.2.28)."""
_ON_ITS_WAY = frozenset({"ENROUTE", "ACCEPTD", "UNKNOWN"})


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a message."""

    message: str
    fate: Fate
    code: str

    @classmethod
    def read(cls, deliver: Deliver) -> Receipt:
        """From the parameters where they are there, else from the text. Raises `Malformed`."""
        text = deliver.octets.decode("ascii", "replace")
        named = deliver.options.get(_RECEIPTED_ID, b"").partition(b"\0")[0].decode("ascii", "replace")
        message = named or _found(_ID, text)
        status = _STATES.get(int.from_bytes(deliver.options.get(_STATE, b""), "big")) or _found(_STATUS, text).upper()
        if not message or not status:
            raise Malformed("a receipt without an id or a state")
        if status == "DELIVRD":
            return cls(message, Fate.DELIVERED, "")
        fate = Fate.ON_ITS_WAY if status in _ON_ITS_WAY else Fate.FAILED
        return cls(message, fate, f"{status} {_found(_ERROR, text)}".strip())


def _found(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""
