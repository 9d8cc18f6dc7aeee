"""What the operator decides about the API. The gateway fills it from the section `govapi` of the configuration."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """One platform that may use the API."""

    id: str
    """Its `keyid`; stands in its users' addresses, so it never changes."""
    secrets: tuple[str, ...] = field(repr=False)
    """The current one first, with which we sign too; then the one before it, which is taken until it is removed."""
    callback: str = ""
    """Where its sessions' events are brought; empty brings none, and they are fetched."""
    vouches_for_phones: bool = False
    """A telephone number that it says it has verified is believed: its user is one citizen with that number's."""
    requests_per_s: float = 50.0
    requests_burst: int = 200

    @property
    def keys(self) -> tuple[bytes, ...]:
        """The secrets as HMAC takes them."""
        return tuple(secret.encode() for secret in self.secrets)


@dataclass(frozen=True, slots=True, kw_only=True)
class GovApiSettings:
    """Times in seconds."""

    number: str = "12345"
    """The public number that the API stands for, as the routing rules know it."""
    pepper: bytes = field(repr=False)
    """Hides users in names of keys; all nodes on one store need the same."""
    clients: tuple[Client, ...] = ()
    longest_text: int = 4000
    """Of one message to a user, in characters."""
    file_bytes: int = 10 * 1024 * 1024
    """The largest file that is taken."""
    user_words_per_s: float = 1.0
    """How many messages one user may send in the long run."""
    user_words_burst: int = 30
    """How many they may send at once."""
    polls: int = 200
    """How many requests for events of one client may wait at a node."""
    fresh_s: float = 300.0
    """How far a request's time may lie from ours."""
    remember_s: float = 24 * 3600.0
    """How long the answer to an `Idempotency-Key` is known."""
    user_ttl_s: float = 30 * 24 * 3600.0
    """How long the session of a user who does not write again is remembered here."""
    plain_callbacks: bool = False
    """Whether a callback may be `http://` on this machine: for tests."""
    callback_timeout_s: float = 5.0
    callback_give_up_s: float = 24 * 3600.0
    """How long a callback that fails is tried again for one session; its events can still be fetched."""
    callback_longest_pause_s: float = 300.0
    callback_look_s: float = 15.0
    """How often a session is looked at of which no event was heard, since its node may have died with the hint."""
    sweep_s: float = 1.0
