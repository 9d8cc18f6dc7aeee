"""Who is heard at all: a bucket for each address, asked before a byte is parsed, and bans for guessed passwords.

Strangers have 32 messages in 2 s, then 300 s of silence: any reply would be a finding for a scanner. Trunks and
addresses with a registered phone have a far higher bound, over which messages are dropped; one that goes on to send
many times its bound is flooding, and not heard at all for some seconds. A proxy of ours speaks for all of them.
All times are the caller's clock, in seconds.
"""

from __future__ import annotations

import ipaddress
import re
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_USER_AGENT = b"user-agent"
_SCANNERS = re.compile(
    rb"(?m)^user-agent[ \t]*:[^\r\n]*"
    rb"(?:friendly-scanner|sipvicious|sipcli|vaxsipuseragent|sundayddr|iwar|sip-scan|smap|pplsip|voipscan)"
)
_TABLE_LIMIT = 65_536
_FORGIVEN = 4
"""So that who sends up to five times the bound only loses what is beyond it."""
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class GuardSettings:
    """The bounds; the defaults are those that the product ships with."""

    stranger_burst: int = 32
    stranger_window_s: float = 2.0
    known_burst: int = 1_200
    known_window_s: float = 2.0
    proxy_burst: int = 12_000
    """In the window of those that are known."""
    ban_s: float = 300.0
    mute_s: float = 5.0
    failures: int = 5
    failures_window_s: float = 60.0


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_at: float
    banned_until: float = 0.0
    overrun: int = 0
    """Messages beyond the bound, less `_FORGIVEN` for each within it."""


class Guard:
    """Token buckets and bans by address. Tables are bounded; under a flood of addresses the oldest are forgotten."""

    def __init__(
        self, settings: GuardSettings, trunks: Iterable[Network] = (), proxies: Iterable[Network] = ()
    ) -> None:
        self._settings = settings
        self._trunks = tuple(trunks)
        self._proxies = tuple(proxies)
        self._trusted: frozenset[str] = frozenset()
        self._trunk_answers: OrderedDict[str, bool] = OrderedDict()
        self._proxy_answers: OrderedDict[str, bool] = OrderedDict()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()
        self._welcome: OrderedDict[str, float] = OrderedDict()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()
        self._barred: OrderedDict[str, float] = OrderedDict()

    def trust(self, hosts: frozenset[str]) -> None:
        """The addresses that the trunks' names lead to now."""
        if hosts != self._trusted:
            self._trusted = hosts
            self._trunk_answers.clear()

    def is_trunk(self, host: str) -> bool:
        """Whether an address is one of a known trunk."""
        known = self._trunk_answers.get(host)
        if known is None:
            known = host in self._trusted or _is_in(host, self._trunks)
            _keep(self._trunk_answers, host, known)
        return known

    def is_proxy(self, host: str) -> bool:
        """Whether an address is a proxy of ours, which says for whom it speaks."""
        if not self._proxies:
            return False
        known = self._proxy_answers.get(host)
        if known is None:
            known = _is_in(host, self._proxies)
            _keep(self._proxy_answers, host, known)
        return known

    def admit(self, host: str, now: float) -> bool:
        """One more message from an address: whether to look at it. Costs under a microsecond or two."""
        settings = self._settings
        is_proxy = self.is_proxy(host)
        is_known = is_proxy or self.is_trunk(host) or self._welcome.get(host, 0.0) > now
        burst = settings.proxy_burst if is_proxy else settings.known_burst if is_known else settings.stranger_burst
        window_s = settings.known_window_s if is_known else settings.stranger_window_s
        bucket = self._buckets.get(host)
        if bucket is None:
            _keep(self._buckets, host, _Bucket(burst - 1, now))
            return True
        if bucket.banned_until > now:
            return False
        bucket.tokens = min(float(burst), bucket.tokens + (now - bucket.filled_at) * burst / window_s)
        bucket.filled_at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            bucket.overrun = max(0, bucket.overrun - _FORGIVEN)
            return True
        bucket.overrun += 1
        if not is_known:
            bucket.banned_until = now + settings.ban_s
            self._buckets.move_to_end(host)
        elif bucket.overrun >= burst:
            # It begins anew behind that, with nothing saved up.
            bucket.banned_until = bucket.filled_at = now + settings.mute_s
            bucket.overrun = 0
        return False

    def is_scan(self, host: str, data: bytes, now: float) -> bool:
        """Whether a message that was admitted is a scanner's. Its address is not heard any more for a while, under
        whatever name, unless it is known to be somebody's: anybody may write it into a datagram.
        """
        if not is_scanner(data):
            return False
        if not (self.is_proxy(host) or self.is_trunk(host) or self._welcome.get(host, 0.0) > now):
            self._buckets[host].banned_until = now + self._settings.ban_s
        return True

    def is_banned(self, host: str, now: float) -> bool:
        """Whether an address is not heard at present. Asking counts as nothing: a connection is not yet a message."""
        bucket = self._buckets.get(host)
        return bucket is not None and bucket.banned_until > now

    def welcome(self, host: str, until: float) -> None:
        """A phone registered from this address: treat it as known until its registration ends."""
        _keep(self._welcome, host, max(until, self._welcome.get(host, 0.0)))

    def failed(self, host: str, user: str, now: float) -> None:
        """A wrong digest. Enough of them ban the address, and bar the name for every address not known to have it."""
        if self._count_failure(f"host {host}", now) and not self.is_trunk(host):
            bucket = self._buckets.setdefault(host, _Bucket(0.0, now))
            bucket.banned_until = now + self._settings.ban_s
        if self._count_failure(f"user {user}", now):
            _keep(self._barred, user, now + self._settings.ban_s)

    def is_barred(self, host: str, user: str, now: float) -> bool:
        """Whether a name may not be tried from here. Where its owner is at home it may: no locking out of others."""
        return self._barred.get(user, 0.0) > now and not self.is_trunk(host) and self._welcome.get(host, 0.0) <= now

    def _count_failure(self, key: str, now: float) -> bool:
        recent = [at for at in self._failures.get(key, []) if at > now - self._settings.failures_window_s]
        recent.append(now)
        if len(recent) >= self._settings.failures:
            self._failures.pop(key, None)
            return True
        _keep(self._failures, key, recent)
        return False


def is_scanner(data: bytes) -> bool:
    """Whether a message says that it comes from a scanner; it gets no reply, since any reply is what it looks for."""
    head = data[:4_096].lower()
    return _USER_AGENT in head and _SCANNERS.search(head) is not None


def _is_in(host: str, networks: Iterable[Network]) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return any(address in network for network in networks)


def _keep(table: OrderedDict[str, _Value], key: str, value: _Value) -> None:
    table[key] = value
    table.move_to_end(key)
    if len(table) > _TABLE_LIMIT:
        table.popitem(last=False)
