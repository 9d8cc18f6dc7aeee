"""A request to the webhook, made out and believed, or refused. Pure: `now` is an argument.

Compatible and safe mode are one to us: where the account has keys, what was encrypted is what is read, and the plain
fields that the compatible mode puts beside it are not looked at, since nothing signs them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

from channels.wechat.cipher import MessageKey
from channels.wechat.errors import PushMalformed, PushStale, PushUndecipherable, PushUnsigned
from channels.wechat.fields import Fields, is_json, read_fields
from channels.wechat.signature import is_signed

_TIMESTAMP = re.compile(r"[0-9]{1,12}\Z", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9_\-]{1,128}\Z")


@dataclass(frozen=True, slots=True)
class Account:
    """What pushes are believed by."""

    token: str
    keys: Sequence[MessageKey]
    """The current one, then the one before it; none in plaintext mode."""
    fresh_s: float


@dataclass(frozen=True, slots=True)
class Query:
    """What stands behind the webhook's address in a request."""

    timestamp: str
    nonce: str
    signature: str
    msg_signature: str

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> Self:
        """Raises `PushMalformed`."""
        timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
        if not _TIMESTAMP.match(timestamp) or not _WORD.match(nonce):
            raise PushMalformed("its query")
        signatures = [query.get(name, "") for name in ("signature", "msg_signature")]
        if any(one and not _WORD.match(one) for one in signatures):
            raise PushMalformed("its query")
        return cls(timestamp, nonce, *signatures)

    @property
    def moment(self) -> str:
        """What is used once: a nonce at its second."""
        return f"{self.timestamp}-{self.nonce}"

    def is_fresh(self, now: float, fresh_s: float) -> None:
        """Raises `PushStale`."""
        off_s = now - int(self.timestamp)
        if abs(off_s) > fresh_s:
            raise PushStale(off_s)


@dataclass(frozen=True, slots=True)
class Push:
    """A push that WeChat has signed."""

    query: Query
    fields: Fields
    key: MessageKey | None
    """Opened it, so the reply is sealed with it; None in plaintext mode."""
    json: bool
    digest: bytes
    """Of its body: the same again is WeChat's retry, another one with the same nonce is a forgery."""


def open_push(account: Account, query: Mapping[str, str], body: bytes, now: float) -> Push:
    """Believe a push. Raises `PushRefused`.

    In plaintext mode the signature does not cover the body: it proves no more than that somebody has seen a push of
    WeChat's. So its age and its nonce matter most there.
    """
    asked = Query.parse(query)
    asked.is_fresh(now, account.fresh_s)
    digest = hashlib.sha256(body).digest()
    if not account.keys:
        if not is_signed(asked.signature, account.token, asked.timestamp, asked.nonce):
            raise PushUnsigned
        return Push(asked, read_fields(body), None, is_json(body), digest)
    sealed = read_fields(body).get("Encrypt", "")
    # Not `signature`, which is there too, and which the body does not matter to.
    if not sealed or not is_signed(asked.msg_signature, account.token, asked.timestamp, asked.nonce, sealed):
        raise PushUnsigned
    key, message = _deciphered(account.keys, sealed)
    return Push(asked, read_fields(message), key, is_json(body), digest)


def challenge(account: Account, query: Mapping[str, str], now: float) -> str:
    """The echo by which the webhook's address is proven to be ours (验证URL). Raises `PushRefused`."""
    asked = Query.parse(query)
    asked.is_fresh(now, account.fresh_s)
    if not is_signed(asked.signature, account.token, asked.timestamp, asked.nonce):
        raise PushUnsigned
    echo = query.get("echostr", "")
    if not _WORD.match(echo):
        raise PushMalformed("its query")
    return echo


def sealed_challenge(account: Account, query: Mapping[str, str], now: float) -> str:
    """The same for an account of WeCom, where the echo is sealed. Raises `PushRefused`."""
    asked = Query.parse(query)
    asked.is_fresh(now, account.fresh_s)
    sealed = query.get("echostr", "")
    if not is_signed(asked.msg_signature, account.token, asked.timestamp, asked.nonce, sealed):
        raise PushUnsigned
    echo = _deciphered(account.keys, sealed)[1].decode()
    if not _WORD.match(echo):
        raise PushMalformed("its query")
    return echo


def _deciphered(keys: Sequence[MessageKey], sealed: str) -> tuple[MessageKey, bytes]:
    for key in keys:
        try:
            return key, key.decrypt(sealed).encode()
        except PushUndecipherable:
            continue
    raise PushUndecipherable
