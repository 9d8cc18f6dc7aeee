"""Both ends re-INVITE at once (RFC 3261, section 14.1): each refuses the other with 491 and tries again later."""

from __future__ import annotations

REQUEST_PENDING = 491
ATTEMPTS = 5


def wait_s(*, owns_call_id: bool, chance: float) -> float:
    """How long to wait, by a chance in [0, 1): who made the Call-ID 2.1 to 4 s, the other up to 2 s, in 10 ms steps."""
    least, most = (210, 400) if owns_call_id else (0, 200)
    return (least + int(chance * (most - least + 1))) / 100
