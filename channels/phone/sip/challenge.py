"""Digest authentication, the client's side (RFC 7616, RFC 8760): a challenge and what answers it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from channels.phone.errors import MalformedMessage
from channels.phone.sip.digest import ALGORITHMS, ha1
from channels.phone.sip.grammar import quote, split_outside, unquote


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a WWW-Authenticate or Proxy-Authenticate asks for."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    opaque: str | None = None
    stale: bool = False
    has_qop: bool = True
    """`auth` is offered. Without it the answer is that of RFC 2069, which old registrars still want."""

    @classmethod
    def parse(cls, value: str) -> Challenge | None:
        """Read a header value; None for a scheme, an algorithm or a protection that we do not know."""
        scheme, _, rest = value.strip().partition(" ")
        if scheme.lower() != "digest":
            return None
        fields: dict[str, str] = {}
        for part in split_outside(rest, ",", "WWW-Authenticate"):
            name, equals, text = part.partition("=")
            if not equals:
                raise MalformedMessage("WWW-Authenticate", "not a list of parameters")
            fields.setdefault(name.strip().lower(), unquote(text.strip()))
        algorithm = fields.get("algorithm", "MD5").upper()
        offered = [one.strip().lower() for one in fields.get("qop", "").split(",") if one.strip()]
        if algorithm not in ALGORITHMS or (offered and "auth" not in offered):
            return None
        if "realm" not in fields or "nonce" not in fields:
            raise MalformedMessage("WWW-Authenticate", "a parameter is absent")
        return cls(
            realm=fields["realm"],
            nonce=fields["nonce"],
            algorithm=algorithm,
            opaque=fields.get("opaque"),
            stale=fields.get("stale", "").lower() == "true",
            has_qop=bool(offered),
        )

    @classmethod
    def topmost(cls, values: Iterable[str]) -> Challenge | None:
        """The first that we can answer: the server's preference stands on top (RFC 8760, section 2.4)."""
        return next((one for one in map(cls.parse, values) if one is not None), None)

    def answer(self, username: str, password: str, method: str, uri: str, *, cnonce: str, nc: int = 1) -> str:
        """The value of Authorization for a request to `uri`. `nc` rises with each use of one nonce."""
        first = ha1(username, self.realm, password, self.algorithm)
        second = self._hash(f"{method}:{uri}")
        middle = f"{self.nonce}:{nc:08x}:{cnonce}:auth" if self.has_qop else self.nonce
        fields = [
            f"username={quote(username)}",
            f"realm={quote(self.realm)}",
            f"nonce={quote(self.nonce)}",
            f"uri={quote(uri)}",
            f'response="{self._hash(f"{first}:{middle}:{second}")}"',
            f"algorithm={self.algorithm}",
        ]
        if self.has_qop:
            fields += ["qop=auth", f"nc={nc:08x}", f"cnonce={quote(cnonce)}"]
        if self.opaque is not None:
            fields.append(f"opaque={quote(self.opaque)}")
        return f"Digest {', '.join(fields)}"

    def _hash(self, text: str) -> str:
        return hashlib.new(ALGORITHMS[self.algorithm], text.encode(), usedforsecurity=False).hexdigest()
