"""Names of trunks asked of the DNS: NAPTR, SRV, A and AAAA, without standing in anybody's way."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TypeVar

import dns.asyncresolver
import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rdtypes.IN.NAPTR import NAPTR
from dns.rdtypes.IN.SRV import SRV

from channels.phone.locating import NameUnknown, Naptr, Srv

_PATIENCE_S = 5.0
_CACHED = 1_000
_Record = TypeVar("_Record", A, AAAA, NAPTR, SRV)


class Resolver:
    """A `locating.Names`. Answers are kept as long as they say themselves."""

    def __init__(self, servers: Sequence[str] = ()) -> None:
        """`servers` as `address` or `address:port`, in place of the system's."""
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            places = [_place(one) for one in servers]
            self._resolver.nameservers = [address for address, _ in places]
            self._resolver.nameserver_ports = dict(places)
        self._resolver.lifetime = _PATIENCE_S
        self._resolver.cache = dns.resolver.LRUCache(_CACHED)

    async def naptr(self, name: str) -> Sequence[Naptr]:
        """See the Protocol."""
        found = await self._ask(name, NAPTR)
        # Flag "s": the next to ask is SRV; others (a regexp, an address at once) say nothing that SIP uses.
        return [
            Naptr(one.order, one.preference, one.service.decode("ascii", "replace"), _plain(one.replacement))
            for one in found
            if one.flags.lower() == b"s"
        ]

    async def srv(self, name: str) -> Sequence[Srv]:
        """See the Protocol."""
        found = await self._ask(name, SRV)
        return [Srv(one.priority, one.weight, one.port, _plain(one.target)) for one in found]

    async def addresses(self, name: str) -> Sequence[str]:
        """See the Protocol. An address stands for itself."""
        try:
            return [str(ipaddress.ip_address(name))]
        except ValueError:
            pass
        found = [one.address for one in await self._ask(name, A)]
        return found + [one.address for one in await self._ask(name, AAAA)]

    async def _ask(self, name: str, kind: type[_Record]) -> list[_Record]:
        try:
            answer = await self._resolver.resolve(
                f"{name.rstrip('.')}.", dns.rdatatype.from_text(kind.__name__), raise_on_no_answer=False
            )
        except dns.resolver.NXDOMAIN:
            return []
        except (dns.exception.DNSException, OSError, ValueError) as error:
            raise NameUnknown(name) from error
        return [one for one in answer.rrset or () if isinstance(one, kind)]


def _place(text: str) -> tuple[str, int]:
    try:
        return str(ipaddress.ip_address(text)), 53
    except ValueError:
        address, _, port = text.rpartition(":")
        return address.strip("[]"), int(port)


def _plain(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True)
