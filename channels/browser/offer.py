"""A page's description (RFC 8829), checked and put in our order before any port is taken for it. Pure.

Its candidates mean nothing to us: we answer checks and send none (ICE lite), so that no page can have us send a packet
to whomever it names. They are left out, and a description that is full of them is refused as what it is.
"""

from __future__ import annotations

from channels.browser.errors import OfferMalformed

MOST_BYTES = 16_384
MOST_CANDIDATES = 64
_A_LAW = "8"
_CANDIDATE = "a=candidate:"
_NEEDED = {
    "a=ice-ufrag:": "no ice-ufrag",
    "a=ice-pwd:": "no ice-pwd",
    "a=fingerprint:": "no fingerprint",
    "a=rtcp-mux": "no rtcp-mux",
}


def read(offer: bytes) -> bytes:
    """The description as the engine is to have it. Raises `OfferMalformed`."""
    if len(offer) > MOST_BYTES:
        raise OfferMalformed("too long")
    lines = offer.decode("utf-8", "replace").split("\r\n")
    if sum(line.startswith(_CANDIDATE) for line in lines) > MOST_CANDIDATES:
        raise OfferMalformed("too many candidates")
    for beginning, why in _NEEDED.items():
        if not any(line.startswith(beginning) for line in lines):
            raise OfferMalformed(why)
    described = [line for line in lines if line.startswith("m=")]
    if len(described) != 1 or not described[0].startswith("m=audio "):
        raise OfferMalformed("not one line of sound")
    kept = (line for line in lines if not line.startswith(_CANDIDATE))
    return "\r\n".join(_a_law_first(line) if line.startswith("m=") else line for line in kept).encode()


def _a_law_first(line: str) -> str:
    """With PCMA before all: what the trunks and the agents' telephones speak, so that nothing is translated."""
    kind, port, protocol, *types = line.split(" ")
    if _A_LAW in types:
        types.remove(_A_LAW)
        types.insert(0, _A_LAW)
    return " ".join((kind, port, protocol, *types))
