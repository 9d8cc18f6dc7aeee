"""What descriptions say of keys: `a=crypto` (RFC 4568), and how a page is reached and proves itself (RFC 8839, 8842).

Pure: lines in, values out, and back. What is malformed or unknown counts as not said.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")
"""Of RFC 4568, section 6.2, the better first. NULL ciphers and F8 are never taken."""
KEY_BYTES = 30
"""A master key of 16 bytes and its salt of 14, in both."""
MAX_CRYPTO = 16
_INLINE = re.compile(r"inline:([A-Za-z0-9+/=]{1,64})(?:\|[0-9^]{1,16})?")
_FINGERPRINT = re.compile(r"(sha-256|sha-384|sha-512) ((?:[0-9a-f]{2}:){31,63}[0-9a-f]{2})")
_ICE_CHARS = re.compile(r"[A-Za-z0-9+/]+")


@dataclass(frozen=True, slots=True)
class Crypto:
    """One `a=crypto`: the key under which whoever wrote it sends."""

    tag: int
    suite: str
    key: bytes

    @classmethod
    def parse(cls, text: str) -> Crypto | None:
        """None for a suite or a demand that we do not know (section 6.3.7), such as a master key identifier."""
        fields = text.split()
        if len(fields) < 3 or not (fields[0].isascii() and fields[0].isdigit() and len(fields[0]) <= 9):
            return None
        # WSH is advice; what begins with "-" may be passed over (section 9.1); any other changes what is sent.
        demands = [each for each in fields[3:] if not each.startswith(("-", "WSH="))]
        inline = _INLINE.fullmatch(fields[2])
        if fields[1] not in SUITES or demands or inline is None:
            return None
        try:
            key = base64.b64decode(inline[1], validate=True)
        except binascii.Error:
            return None
        return cls(int(fields[0]), fields[1], key) if len(key) == KEY_BYTES else None

    def __str__(self) -> str:
        return f"{self.tag} {self.suite} inline:{base64.b64encode(self.key).decode()}"


@dataclass(frozen=True, slots=True)
class Page:
    """How one side of a WebRTC call is reached (ICE) and by what certificate it is known (DTLS)."""

    ufrag: str
    password: str
    fingerprint: str
    """`sha-256 aa:bb:…`, in lower case."""
    setup: str
    mid: str = ""

    @classmethod
    def said(cls, ufrag: str, password: str, fingerprint: str, setup: str, mid: str) -> Page | None:
        """None where a part is missing or malformed: there is no page then."""
        if not (4 <= len(ufrag) <= 256 and 22 <= len(password) <= 256):
            return None
        if _ICE_CHARS.fullmatch(ufrag) is None or _ICE_CHARS.fullmatch(password) is None:
            return None
        if _FINGERPRINT.fullmatch(fingerprint) is None or setup not in {"actpass", "active"}:
            return None
        return cls(ufrag, password, fingerprint, setup, mid[:32])

    def lines(self, address: str, port: int) -> list[str]:
        """As attributes, with the one way to us (RFC 8839, section 5.1): we are reached where we listen."""
        kind, _, digest = self.fingerprint.partition(" ")
        return [
            *([f"mid:{self.mid}"] if self.mid else []),
            f"ice-ufrag:{self.ufrag}",
            f"ice-pwd:{self.password}",
            f"fingerprint:{kind} {digest.upper()}",
            f"setup:{self.setup}",
            f"candidate:1 1 udp 2130706431 {address} {port} typ host",
            "end-of-candidates",
        ]


@dataclass(frozen=True, slots=True)
class Sdes:
    """What was agreed by `a=crypto`: each side sends under the key that it wrote."""

    suite: str
    ours: bytes
    theirs: bytes
