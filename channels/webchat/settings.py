"""The web chat's settings."""

from __future__ import annotations

from dataclasses import dataclass

from channels.webchat.signing import SiteKey
from realtime.messages import LONGEST_TEXT
from realtime.settings import CITIZEN, SocketSettings


@dataclass(frozen=True, slots=True)
class WebChatSettings:
    """What the operator decides about the chat."""

    number: str = "12345"
    """The public number that the page stands for."""
    sockets: SocketSettings = CITIZEN
    longest_text: int = LONGEST_TEXT
    audience: str = "yihao"
    """What sites that sign who their visitor is must name as the audience."""
    sites: tuple[SiteKey, ...] = ()
    """The keys of such sites."""
    visitor_ttl_s: float = 180 * 24 * 3600.0
    """How long a browser that does not come back is known."""
    upload_ttl_s: float = 24 * 3600.0
    """How long an uploaded file waits to be sent."""
    away_after_s: float = 2.0
    """A cut of less than this is not worth an entry in the timeline."""
    arrives_within_s: float = 15.0
    """A browser that opened a link of ours has so long until its page is connected."""
    place_every_s: float = 1.0
    """At most so often is one session's place in line asked for."""
    place_refresh_s: float = 15.0
    """The estimate is asked for anew after this, even where nobody seems to have moved."""
