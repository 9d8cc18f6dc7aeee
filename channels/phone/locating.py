"""Where a trunk's name leads (RFC 3263): NAPTR to transports, SRV to places in their order, then addresses.

The records come from a `Names`; what is made of them is here, with chance as an argument (RFC 2782's weights).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Protocol

from channels.phone.errors import PhoneError
from channels.phone.flow import Flow, Protocol3261
from channels.phone.sip.uri import DEFAULT_PORT

_TLS_PORT = 5061
_SERVICES = {"SIP+D2U": Protocol3261.UDP, "SIP+D2T": Protocol3261.TCP, "SIPS+D2T": Protocol3261.TLS}
_LABELS = {
    Protocol3261.UDP: "_sip._udp",
    Protocol3261.TCP: "_sip._tcp",
    Protocol3261.TLS: "_sips._tcp",
}
_MOST = 16
"""Places of one name."""


class NameUnknown(PhoneError):
    """A trunk's name leads nowhere, or nobody can be asked."""

    retryable = True
    retry_after_s = 30.0

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"the name {name} leads to no address")


@dataclass(frozen=True, slots=True)
class Naptr:
    """RFC 3403, section 4.1, as far as SIP needs it."""

    order: int
    preference: int
    service: str
    replacement: str


@dataclass(frozen=True, slots=True)
class Srv:
    """RFC 2782."""

    priority: int
    weight: int
    port: int
    target: str


class Names(Protocol):
    """Who knows names. Each gives nothing for a name without such records; `NameUnknown` where nobody answers."""

    async def naptr(self, name: str) -> Sequence[Naptr]:
        """NAPTR records."""
        ...

    async def srv(self, name: str) -> Sequence[Srv]:
        """SRV records."""
        ...

    async def addresses(self, name: str) -> Sequence[str]:
        """A and AAAA records."""
        ...


async def locate(
    host: str, port: int | None, transport: Protocol3261 | None, names: Names, chance: Callable[[], float]
) -> tuple[Flow, ...]:
    """The flows to try, in order. `port` and `transport` are None where nobody has said. Raises `NameUnknown`."""
    if _is_address(host):
        chosen = transport or Protocol3261.UDP
        return (_flow(chosen, host, port, host),)
    if port is not None:
        chosen = transport or Protocol3261.UDP
        found = [_flow(chosen, address, port, host) for address in await names.addresses(host)]
        return _demanded(found, host)
    for chosen, label in await _services(host, transport, names):
        found = [
            _flow(chosen, address, place.port, host)
            for place in in_order(await names.srv(label), chance)
            for address in await names.addresses(place.target)
        ]
        if found:
            return tuple(found[:_MOST])
    chosen = transport or Protocol3261.UDP
    return _demanded([_flow(chosen, address, None, host) for address in await names.addresses(host)], host)


async def _services(host: str, transport: Protocol3261 | None, names: Names) -> list[tuple[Protocol3261, str]]:
    """Section 4.1: the transports that the name offers, each with where its SRV records are."""
    if transport is not None:
        return [(transport, f"{_LABELS[transport]}.{host}")]
    offered = sorted(await names.naptr(host), key=lambda one: (one.order, one.preference))
    known = [(_SERVICES[one.service.upper()], one.replacement) for one in offered if one.service.upper() in _SERVICES]
    return known or [(one, f"{label}.{host}") for one, label in _LABELS.items()]


def in_order(places: Sequence[Srv], chance: Callable[[], float]) -> list[Srv]:
    """RFC 2782: by priority; within one by chance, in proportion to the weights."""
    ordered: list[Srv] = []
    usable = [one for one in places if one.target not in {"", "."} and one.port]
    for _, group in groupby(sorted(usable, key=lambda one: (one.priority, one.weight)), key=lambda one: one.priority):
        left = list(group)
        while left:
            mark = chance() * sum(one.weight for one in left)
            passed = 0.0
            for one in left:
                passed += one.weight
                if passed >= mark:
                    break
            left.remove(one)
            ordered.append(one)
    return ordered


def _flow(protocol: Protocol3261, address: str, port: int | None, name: str) -> Flow:
    usual = _TLS_PORT if protocol is Protocol3261.TLS else DEFAULT_PORT
    return Flow(protocol, (address, port or usual), name=name)


def _demanded(found: list[Flow], host: str) -> tuple[Flow, ...]:
    if not found:
        raise NameUnknown(host)
    return tuple(found[:_MOST])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
