"""Who asks: a known client, by a signature that is fresh and was not used before.

In this order, so that a forgery costs no look into the store and none of its body is read: the signature's form, its
secret, its time, the client's rate, the nonce, and then the body against the digest that was signed.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

from aiohttp import web

from channels.govapi import signature as rfc9421
from channels.govapi.errors import (
    BodyTooLarge,
    DigestWrong,
    KeyMissing,
    SignatureMalformed,
    SignatureMissing,
    SignatureRefused,
    SignatureReplayed,
    SignatureStale,
    TooOften,
)
from channels.govapi.settings import Client, GovApiSettings
from channels.govapi.signature import Message, Signature
from channels.govapi.structured import NotStructured, string
from session.ports import SharedState

TAG = "yihao-v1"
"""The `tag` of a request's signature; our own calls of platforms have another, so that none can be sent back to us."""
ALWAYS = ("@method", "@path", "@query")
OF_A_POST = (*ALWAYS, "content-digest", "idempotency-key")
LARGEST_BODY_BYTES = 64 * 1024

_MAKES_NONE = (secrets.token_bytes(32),)
"""For a client that there is not: to refuse it takes as long as to refuse a wrong secret."""
_NONCE = range(8, 129)
_KEY = range(8, 129)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may come in. Its body is still to be read, and to be held to `digest`."""

    client: Client
    digest: bytes
    """The SHA-256 that was signed; empty where no body was."""
    key: str
    """The `Idempotency-Key`; empty for a request that changes nothing."""


class Gate:
    """One for all requests of a node."""

    def __init__(self, settings: GovApiSettings, shared: SharedState, clock: Callable[[], float]) -> None:
        """`clock` is the node's own: of a forgery the store is to hear nothing."""
        self._clients = {client.id: client for client in settings.clients}
        self._fresh_s, self._shared, self._clock = settings.fresh_s, shared, clock

    async def admit(self, request: web.Request) -> Admitted:
        """Let a request in. Raises `GovApiError`, `StoreUnavailable`."""
        message = message_of(request)
        try:
            signature = _meant_for_us(message)
            client = self._signer(message, signature)
            digest = rfc9421.digest_in(message.fields["content-digest"]) if request.method == "POST" else b""
        except rfc9421.SignatureMalformed as error:
            raise SignatureMalformed(str(error)) from error
        self._check_time(signature)
        key = _key_of(message) if request.method == "POST" else ""
        rate = f"govapi:requests:{client.id}"
        if not await self._shared.take(rate, rate_per_s=client.requests_per_s, burst=client.requests_burst):
            raise TooOften(max(1.0, 1.0 / client.requests_per_s))
        await self._use_once(client, signature.text("nonce"))
        return Admitted(client, digest, key)

    def _signer(self, message: Message, signature: Signature) -> Client:
        client = self._clients.get(signature.text("keyid"))
        keys = client.keys if client is not None else _MAKES_NONE
        if not rfc9421.is_by(message, signature, keys) or client is None:
            raise SignatureRefused
        return client

    def _check_time(self, signature: Signature) -> None:
        now, created, expires = self._clock(), signature.number("created"), signature.number("expires")
        if created is None or abs(now - created) > self._fresh_s or (expires is not None and expires < now):
            raise SignatureStale

    async def _use_once(self, client: Client, nonce: str) -> None:
        # Signed up to `fresh_s` in the future, it is good for twice as long.
        name = hashlib.sha256(f"{client.id}\n{nonce}".encode()).hexdigest()[:40]
        if not await self._shared.put_new(f"govapi:nonce:{name}", b"", ttl_s=2 * self._fresh_s + 60.0):
            raise SignatureReplayed


def message_of(request: web.Request) -> Message:
    """What of a request can be signed. A field that came more than once is joined (RFC 9421, section 2.1)."""
    fields: dict[str, str] = {}
    for name, value in request.headers.items():
        small = name.lower()
        fields[small] = f"{fields[small]}, {value.strip()}" if small in fields else value.strip()
    url = request.rel_url
    return Message(request.method, request.host, url.raw_path, url.raw_query_string, fields)


def _meant_for_us(message: Message) -> Signature:
    """The one signature with our tag. Raises `GovApiError`, `rfc9421.SignatureMalformed`."""
    if "signature-input" not in message.fields:
        raise SignatureMissing
    ours = [one for one in rfc9421.signatures(message.fields) if one.text("tag") == TAG]
    if not ours:
        raise SignatureMissing
    signature, *others = ours
    if others:
        raise SignatureMalformed("two signatures for us")
    needed = OF_A_POST if message.method == "POST" else ALWAYS
    if message.method == "POST" and "idempotency-key" not in message.fields:
        raise KeyMissing
    if missing := [name for name in needed if name not in signature.covers.items]:
        raise SignatureMalformed(f"does not cover {', '.join(missing)}")
    if signature.covers.parameters.get("alg", rfc9421.ALGORITHM) != rfc9421.ALGORITHM:
        raise SignatureMalformed(f"alg is not {rfc9421.ALGORITHM}")
    if signature.number("created") is None or len(signature.text("nonce")) not in _NONCE:
        raise SignatureMalformed("created, or a nonce of 8 to 128 characters, is missing")
    return signature


def _key_of(message: Message) -> str:
    """The `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header): a structured string."""
    try:
        key = string(message.fields.get("idempotency-key", ""))
    except NotStructured as error:
        raise KeyMissing from error
    if len(key) not in _KEY:
        raise KeyMissing
    return key


async def body_of(request: web.Request, admitted: Admitted) -> bytes:
    """All of a small body. Raises `GovApiError`."""
    body = bytearray()
    async for chunk in checked(request, admitted, LARGEST_BODY_BYTES, BodyTooLarge):
        body += chunk
    return bytes(body)


async def checked(
    request: web.Request, admitted: Admitted, most_bytes: int, too_large: Callable[[], Exception]
) -> AsyncIterator[bytes]:
    """A body as it comes in; what has been given of it is the signed one only if this comes to its end.

    Raises `GovApiError`.
    """
    if "Content-Encoding" in request.headers:  # aiohttp would unpack it, and other bytes would be digested than signed
        raise DigestWrong
    if (request.content_length or 0) > most_bytes:
        raise too_large()
    digest, size = hashlib.sha256(), 0
    try:
        async for chunk in request.content.iter_chunked(64 * 1024):
            size += len(chunk)
            if size > most_bytes:
                raise too_large()
            digest.update(chunk)
            yield chunk
    except web.RequestPayloadError as error:
        raise DigestWrong from error
    if digest.digest() != admitted.digest:
        raise DigestWrong
