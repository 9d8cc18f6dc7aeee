"""HTTP message signatures (RFC 9421) by hmac-sha256, and digests of bodies (RFC 9530). Pure.

Both ways use it: platforms sign their requests, we sign our calls of their addresses. What must be signed is said by
whoever verifies; here stand the rules of the RFC alone.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from channels.govapi.structured import Bare, InnerList, NotStructured, dictionary, encoded, quoted

ALGORITHM = "hmac-sha256"
_DIGEST = "sha-256"


class SignatureMalformed(ValueError):
    """Fields that are no signature, or cover what the message does not have."""


@dataclass(frozen=True, slots=True)
class Message:
    """The parts of a request that can be signed. Names of fields are small; one that came twice is joined by `, `."""

    method: str
    authority: str
    path: str
    query: str
    """As sent, without the question mark."""
    fields: Mapping[str, str]

    def component(self, name: str) -> str:
        """What a component's line says (sections 2.1 and 2.2). Raises `SignatureMalformed`."""
        match name:
            case "@method":
                return self.method
            case "@authority":
                return self.authority.lower()
            case "@path":
                return self.path or "/"
            case "@query":
                return f"?{self.query}"
        if name.startswith("@") or name not in self.fields:
            raise SignatureMalformed(f"covers {name[:40]!r}, which the message has not")
        return self.fields[name].strip()


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of a message: what it covers, with which parameters, and its bytes."""

    label: str
    covers: InnerList
    value: bytes

    def text(self, name: str) -> str:
        """A parameter that is a text; empty where there is none, or it is none."""
        value = self.covers.parameters.get(name)
        return value if isinstance(value, str) else ""

    def number(self, name: str) -> int | None:
        """A parameter that is a number."""
        value = self.covers.parameters.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else None


def signatures(fields: Mapping[str, str]) -> list[Signature]:
    """Those that a message has (sections 4.1 and 4.2). Raises `SignatureMalformed`."""
    try:
        inputs = dictionary(fields.get("signature-input", ""))
        values = dictionary(fields.get("signature", ""))
    except NotStructured as error:
        raise SignatureMalformed(str(error)) from error
    found = []
    for label, covers in inputs.items():
        value = values.get(label)
        if not isinstance(covers, InnerList) or not isinstance(value, bytes):
            raise SignatureMalformed("an input without its signature")
        if len(set(covers.items)) != len(covers.items):
            raise SignatureMalformed("a component twice")
        found.append(Signature(label, covers, value))
    return found


def base(message: Message, covers: InnerList) -> bytes:
    """The signature base (section 2.5). Raises `SignatureMalformed`."""
    lines = [f"{quoted(name)}: {message.component(name)}" for name in covers.items]
    whole = "\n".join([*lines, f'"@signature-params": {covers}'])
    try:
        return whole.encode("ascii")
    except UnicodeEncodeError as error:
        raise SignatureMalformed("covers what is not in ASCII") from error


def is_by(message: Message, signature: Signature, secrets: Iterable[bytes]) -> bool:
    """Whether one of the secrets made it (section 3.3.3). All are tried, and each is compared in constant time.

    Raises `SignatureMalformed`.
    """
    signed = base(message, signature.covers)
    fits = [hmac.compare_digest(_mac(secret, signed), signature.value) for secret in secrets]
    return any(fits)


def signed(
    message: Message, covers: Sequence[str], parameters: Mapping[str, Bare], secret: bytes, *, label: str = "yihao"
) -> Message:
    """The message with its two fields. Raises `SignatureMalformed`."""
    covered = InnerList(tuple(covers), parameters)
    value = encoded(_mac(secret, base(message, covered)))
    added = {"signature-input": f"{label}={covered}", "signature": f"{label}={value}"}
    return replace(message, fields={**message.fields, **added})


def _mac(secret: bytes, signed_bytes: bytes) -> bytes:
    return hmac.digest(secret, signed_bytes, "sha256")


def content_digest(body: bytes) -> str:
    """What `Content-Digest` says of a body (RFC 9530, section 2)."""
    return digest_field(hashlib.sha256(body).digest())


def digest_field(digest: bytes) -> str:
    """The same for a digest that is known."""
    return f"{_DIGEST}={encoded(digest)}"


def digest_in(field: str) -> bytes:
    """The SHA-256 that `Content-Digest` claims; other algorithms beside it are passed over. Raises
    `SignatureMalformed`.
    """
    try:
        claimed = dictionary(field).get(_DIGEST)
    except NotStructured as error:
        raise SignatureMalformed(str(error)) from error
    if not isinstance(claimed, bytes) or len(claimed) != hashlib.sha256().digest_size:
        raise SignatureMalformed("no SHA-256 of the body")
    return claimed
