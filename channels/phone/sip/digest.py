"""Digest authentication (RFC 7616, RFC 8760), the server's side. Pure but for the table of used nonces, and chance.

A nonce is its own evidence, time and HMAC, so that unanswered challenges cost no memory. Only a nonce that has been
used by someone who knew the secret is remembered, for its `nc` must strictly rise.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from channels.phone.errors import MalformedMessage
from channels.phone.sip.grammar import is_quoted, is_token, split_outside, unquote
from channels.phone.sip.uri import Uri

# RFC 8760, section 2.3: in the server's order of preference, each with a nonce of its own.
ALGORITHMS: Mapping[str, str] = {"SHA-256": "sha256", "MD5": "md5"}
_USED_LIMIT = 100_000
_SALT_BYTES = 6
_HEX = re.compile(r"[0-9a-fA-F]+")


class Verdict(StrEnum):
    """What credentials are worth."""

    ACCEPTED = "accepted"
    STALE = "stale"
    WRONG = "wrong"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Credentials:
    """The Authorization header's parts that count. `response` is hex in lower case."""

    username: str
    realm: str
    nonce: str
    uri: str
    response: str
    algorithm: str
    qop: str
    cnonce: str
    nc: str

    @classmethod
    def parse(cls, value: str) -> Credentials | None:
        """Read a header value; None for another scheme, which counts as no credentials (RFC 4475, section 3.3.7)."""
        scheme, _, rest = value.strip().partition(" ")
        if scheme.lower() != "digest":
            return None
        fields: dict[str, str] = {}
        for part in split_outside(rest, ",", "Authorization"):
            name, equals, text = part.partition("=")
            name, text = name.strip().lower(), text.strip()
            if not equals or not is_token(name) or not (is_quoted(text) or '"' not in text) or name in fields:
                raise MalformedMessage("Authorization", "not a list of parameters")
            fields[name] = unquote(text)
        try:
            return cls(
                username=fields["username"],
                realm=fields["realm"],
                nonce=fields["nonce"],
                uri=fields["uri"],
                response=fields["response"].lower(),
                algorithm=fields.get("algorithm", "MD5").upper(),
                qop=fields.get("qop", "").lower(),
                cnonce=fields.get("cnonce", ""),
                nc=fields.get("nc", ""),
            )
        except KeyError as missing:
            raise MalformedMessage("Authorization", "a parameter is absent") from missing


def ha1(username: str, realm: str, password: str, algorithm: str) -> str:
    """H(username:realm:password), which is what is stored in place of the password."""
    return _hash(algorithm, f"{username}:{realm}:{password}")


class Authenticator:
    """Challenges and verifies for one realm. `secret` keys the nonces; nodes that share it know each other's."""

    def __init__(
        self,
        realm: str,
        secret: bytes,
        *,
        algorithms: tuple[str, ...] = tuple(ALGORITHMS),
        life_s: float = 30.0,
    ) -> None:
        self.realm = realm
        self.algorithms = algorithms
        self._secret = secret
        self._life_s = life_s
        self._used: dict[str, tuple[float, int]] = {}

    def challenges(self, now: float, *, stale: bool = False, only_md5: bool = False) -> tuple[tuple[str, str], ...]:
        """The WWW-Authenticate headers of a 401, the preferred algorithm first. `now` is wall-clock seconds.

        `only_md5` names MD5 alone, if it is accepted at all.
        """
        flag = ", stale=true" if stale else ""
        named = ("MD5",) if only_md5 and "MD5" in self.algorithms else self.algorithms
        return tuple(("WWW-Authenticate", self._challenge(algorithm, now) + flag) for algorithm in named)

    def _challenge(self, algorithm: str, now: float) -> str:
        nonce = self._nonce(algorithm, now)
        return f'Digest realm="{self.realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth"'

    def verify(
        self, credentials: Credentials, method: str, uri: Uri, stored: Mapping[str, str] | None, now: float
    ) -> Verdict:
        """Judge credentials by the stored HA1 values (algorithm to hex), None for a user that does not exist.

        The same hashing is done for users that do not exist and the comparison takes the same time, so that no
        name can be found out.
        """
        algorithm = credentials.algorithm if credentials.algorithm in self.algorithms else self.algorithms[0]
        decoy = hmac.new(self._secret, credentials.username.encode("utf-8", "surrogateescape"), "sha256")
        known = (stored or {}).get(algorithm)
        expected = _response(credentials, method, known or decoy.hexdigest(), algorithm)
        is_right = hmac.compare_digest(expected.encode(), credentials.response.encode("utf-8", "replace"))
        made_at = self._made_at(credentials.nonce, algorithm)
        is_formal = (
            credentials.algorithm == algorithm
            and credentials.realm == self.realm
            and credentials.qop == "auth"
            and bool(credentials.cnonce)
            and len(credentials.nc) == 8
            and _HEX.fullmatch(credentials.nc) is not None
            and _same_place(credentials.uri, uri)
        )
        if known is None or not is_right or not is_formal:
            # A right digest over a nonce that is not ours (a restart) or not fresh is no attack: it may try again.
            return Verdict.WRONG
        if made_at is None or not made_at <= now + 1 or now > made_at + self._life_s:
            return Verdict.STALE
        return self._count(credentials, made_at, now)

    def _count(self, credentials: Credentials, made_at: float, now: float) -> Verdict:
        """The nonce count must strictly rise: a replay, by whatever means, is told that its nonce is stale."""
        count = int(credentials.nc, 16)
        _, seen = self._used.get(credentials.nonce, (made_at, 0))
        if count <= seen:
            return Verdict.STALE
        self._forget(now)
        self._used[credentials.nonce] = (made_at, count)
        return Verdict.ACCEPTED

    def _forget(self, now: float) -> None:
        """Drop nonces past their life; insertion is close to time order, so the oldest stand in front."""
        while self._used:
            nonce, (made_at, _) = next(iter(self._used.items()))
            if made_at + self._life_s >= now and len(self._used) < _USED_LIMIT:
                return
            del self._used[nonce]

    def _nonce(self, algorithm: str, now: float) -> str:
        # Two phones asked in the same millisecond must not share a nonce, whose count is one's alone.
        stamp = struct.pack(">Q", int(now * 1000)) + secrets.token_bytes(_SALT_BYTES)
        return base64.urlsafe_b64encode(stamp + self._seal(stamp, algorithm)).decode()

    def _made_at(self, nonce: str, algorithm: str) -> float | None:
        """When we made a nonce, in wall-clock seconds; None when it is none of ours for this algorithm."""
        try:
            raw = base64.urlsafe_b64decode(nonce.encode("ascii", "replace"))
        except ValueError:
            return None
        stamp, seal = raw[: 8 + _SALT_BYTES], raw[8 + _SALT_BYTES :]
        if len(stamp) != 8 + _SALT_BYTES or not hmac.compare_digest(seal, self._seal(stamp, algorithm)):
            return None
        return int(struct.unpack(">Q", stamp[:8])[0]) / 1000

    def _seal(self, stamp: bytes, algorithm: str) -> bytes:
        """Bound to realm and algorithm: the same nonce never serves two algorithms (RFC 8760, section 2.4)."""
        text = stamp + algorithm.encode() + b"\0" + self.realm.encode()
        return hmac.new(self._secret, text, "sha256").digest()[:16]


def _response(credentials: Credentials, method: str, first: str, algorithm: str) -> str:
    second = _hash(algorithm, f"{method}:{credentials.uri}")
    middle = f"{credentials.nonce}:{credentials.nc}:{credentials.cnonce}:{credentials.qop}"
    return _hash(algorithm, f"{first}:{middle}:{second}")


def _hash(algorithm: str, text: str) -> str:
    digest = hashlib.new(ALGORITHMS[algorithm], usedforsecurity=False)
    digest.update(text.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _same_place(stated: str, actual: Uri) -> bool:
    """The digest's URI must name the server asked; phones differ over its user part and parameters."""
    try:
        return Uri.parse(stated, "digest URI").host.lower() == actual.host.lower()
    except MalformedMessage:
        return False
