"""How one gateway is reached, and as whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.sms.cmpp.messages import V20


@dataclass(frozen=True, slots=True, kw_only=True)
class CmppSettings:
    """Times in seconds; C, T, N and W as the specification calls them (section 6)."""

    host: str
    port: int = 7890
    account: str
    """SP_Id (企业代码), six digits."""
    secret: str = field(repr=False)
    source_id: str
    """The service's number (服务代码) that telephones show; the gateway may add to it."""
    version: int = V20
    service: str = ""
    fee_type: str = "01"
    """01: free for the citizen."""
    fee_code: str = "0"
    heartbeat_s: float = 30.0
    """C. The specification says 180 s; firewalls forget a silent connection sooner."""
    answer_s: float = 60.0
    """T: after this without an answer the same is sent again."""
    tries: int = 3
    """N: after so many the connection is given up."""
    window: int = 16
    """W: how many may be without an answer."""
    connect_s: float = 10.0
    back_off_s: float = 1.0
    """Before the second try to connect; doubled with each, up to `back_off_most_s`."""
    back_off_most_s: float = 60.0
