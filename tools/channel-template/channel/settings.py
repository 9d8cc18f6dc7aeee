"""What the operator decides about Postbox. The gateway fills it from the section `postbox` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PostboxSettings:
    """Times in seconds. A field that the section has too is filled from there (`channels.door.filled`)."""

    url: str
    """The provider's server."""
    secret: str = field(repr=False)
    """Signs letters both ways."""
    number: str = "12345"
    """The public number that the channel stands for, as the routing rules know it."""
    pepper: bytes = field(repr=False)
    """Hides citizens in names of keys."""
    fresh_s: float = 300.0
    """How far a letter's time may lie from ours."""
    largest_bytes: int = 64 * 1024
    """Of a letter as it comes in."""
    longest_text: int = 2000
    """Of a letter to a citizen, in characters."""
    timeout_s: float = 5.0
    """How long the provider may take to answer; the gateway gives up after ten."""
    thread_ttl_s: float = 30 * 24 * 3600.0
    """How long a citizen who does not write again is remembered here."""
