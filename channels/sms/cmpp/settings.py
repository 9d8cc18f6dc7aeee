"""As whom a gateway of CMPP is spoken to."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.sms.cmpp.messages import V20
from channels.sms.link import LinkSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class CmppSettings:
    """Usual port: 7890."""

    link: LinkSettings
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
