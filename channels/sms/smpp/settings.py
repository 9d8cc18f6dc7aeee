"""As whom a message centre of SMPP is spoken to."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.sms.coding import Coding
from channels.sms.link import LinkSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SmppSettings:
    """Usual port: 2775. Of `link`, `tries` is not used: SMPP knows no repetition by its sequence."""

    link: LinkSettings
    system: str
    """system_id."""
    password: str = field(repr=False)
    """At most eight characters, says the protocol."""
    kind: str = ""
    """system_type."""
    source: str
    """What telephones show as the sender."""
    source_ton: int = 0
    source_npi: int = 0
    default: Coding = Coding.GSM7
    """What the message centre means by data_coding 0; it is its own affair (5.2.19)."""
    vouched: bool = False
    """Whether senders' numbers are believed."""
