"""What the operator decides about text messages. The gateway fills it from the section `sms` of the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from channels.sms.quiet import Hours


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsSettings:
    """Times in seconds."""

    number: str = "12345"
    """The public number that citizens write to, as the routing rules know it."""
    pepper: bytes = field(repr=False)
    """Hides citizens' numbers in names of keys; all nodes on one store need the same."""
    ways: tuple[tuple[str, str], ...] = ()
    """Which carrier reaches which numbers: (prefix of E.164, name of the carrier); the first that fits is taken."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """Texts of the reviewed templates, with `{parameters}`, by name."""
    reply_template: str = ""
    """The template, with the one parameter `text`, that an agent's words go in where a carrier sends nothing else."""
    longest_text: int = 1000
    """Of one message to a citizen, in characters; over a dozen segments would be read by nobody."""
    number_per_hour: float = 30.0
    """How many messages one number may get in the long run."""
    number_burst: int = 20
    """How many it may get at once."""
    campaign_per_s: float = 10.0
    """How many notices of one campaign may go out in a second."""
    campaign_burst: int = 50
    quiet: Hours = field(default_factory=lambda: Hours("21:00", "08:00"))
    """When no notices are sent that can wait. A citizen who has written is answered at any hour."""
    part_patience_s: float = 300.0
    """How long the rest of a long text is waited for before what is there is shown."""
    submit_patience_s: float = 8.0
    """How long `send` waits for the carrier; the attempt goes on without it."""
    attempt_s: float = 240.0
    """An attempt whose outcome nobody noted for this long will never be known. More than any carrier takes."""
    try_for_s: float = 3600.0
    """How long a message that the carrier does not take is tried again."""
    retry_s: float = 30.0
    """The longest pause between two tries."""
    sweep_s: float = 1.0
    """How often what is due is looked for."""
    thread_ttl_s: float = 90 * 24 * 3600.0
    """How long a citizen's thread is known without a word."""
    remember_s: float = 48 * 3600.0
    """How long what has been brought is known, so that it is not taken twice."""
    sent_ttl_s: float = 7 * 24 * 3600.0
    """How long a sent message is known, so that its report finds it."""
    opt_out_ttl_s: float = 5 * 365 * 24 * 3600.0
