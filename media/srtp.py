"""SRTP and SRTCP (RFC 3711) of one far end, both ways, by libsrtp. Replays and forgeries are dropped without a word."""

from __future__ import annotations

from dataclasses import dataclass

from pylibsrtp import Error, Policy, Session

MAX_SEALED_BYTES = 1400


@dataclass(frozen=True, slots=True)
class Profile:
    """How libsrtp and DTLS (RFC 5764, RFC 7714) name a suite, and the lengths of its master key and salt."""

    number: int
    dtls: bytes
    key_bytes: int
    salt_bytes: int


SHA1_80 = Profile(Policy.SRTP_PROFILE_AES128_CM_SHA1_80, b"SRTP_AES128_CM_SHA1_80", 16, 14)
SHA1_32 = Profile(Policy.SRTP_PROFILE_AES128_CM_SHA1_32, b"SRTP_AES128_CM_SHA1_32", 16, 14)
GCM = Profile(Policy.SRTP_PROFILE_AEAD_AES_128_GCM, b"SRTP_AEAD_AES_128_GCM", 16, 12)
BY_SUITE = {"AES_CM_128_HMAC_SHA1_80": SHA1_80, "AES_CM_128_HMAC_SHA1_32": SHA1_32}


def is_rtcp(data: bytes) -> bool:
    """Which of the two a packet is, on a port that both share (RFC 5761, section 4)."""
    return len(data) > 1 and 192 <= data[1] <= 223


class Srtp:
    """`ours` and `theirs` are master keys with their salts behind them."""

    def __init__(self, profile: Profile, ours: bytes, theirs: bytes) -> None:
        self._profile = profile
        self._sealing = Session(Policy(ours, Policy.SSRC_ANY_OUTBOUND, srtp_profile=profile.number))
        self.renew(theirs)

    def renew(self, theirs: bytes) -> None:
        """They send under another key from now on. Ours runs on: no packet may be sealed twice under one index."""
        self._opening = Session(Policy(theirs, Policy.SSRC_ANY_INBOUND, srtp_profile=self._profile.number))

    def sealed(self, packet: bytes) -> bytes | None:
        """A packet as it goes out; None where it may not, such as the repetition of one that has gone."""
        try:
            return self._sealing.protect_rtcp(packet) if is_rtcp(packet) else self._sealing.protect(packet)
        except (Error, ValueError):
            return None

    def opened(self, data: bytes, _: object = None) -> bytes | None:
        """What was sealed in a packet of theirs; None for anybody else's."""
        if len(data) > MAX_SEALED_BYTES:
            return None
        try:
            return self._opening.unprotect_rtcp(data) if is_rtcp(data) else self._opening.unprotect(data)
        except Error:
            return None

    def close(self) -> None:
        """Nothing is kept."""
