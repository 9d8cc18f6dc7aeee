"""One Twilio account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from channels.sms.media import MediaSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class TwilioSettings:
    """Times in seconds."""

    account: str
    """AccountSid."""
    tokens: tuple[str, ...] = field(repr=False)
    """Auth tokens: the one in force first, then the one before while it is being replaced."""
    shared_keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secrets of SharedKeys that webhooks are signed with instead, by the key's id."""
    sender: str
    """Our number in E.164, or a MessagingServiceSid (MG…)."""
    public_url: str
    """How Twilio reaches us (`https://…`), since a proxy hides what was asked; signatures are over it."""
    contents: Mapping[str, str] = field(default_factory=dict)
    """ContentSid by our template's name; its variables are called as ours are."""
    url: str = "https://api.twilio.com"
    media: MediaSettings = field(
        default_factory=lambda: MediaSettings(hosts=("api.twilio.com", "mms.twiliocdn.com", "media.twiliocdn.com"))
    )
    vouched: bool = False
    """Whether senders' numbers are believed. Abroad they can be made up."""
    answer_within_s: float = 12.0
    """Twilio hangs up after 15 s, connecting included."""
    timeout_s: float = 10.0
