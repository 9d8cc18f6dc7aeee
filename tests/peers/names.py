"""A DNS server of a test's own: a zone in the usual text form, served over UDP on loopback."""

import asyncio
from dataclasses import dataclass, field
from typing import Self

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers what stands in the zone, NXDOMAIN for the rest; or nothing at all. Remembers what it was asked."""

    zone: str
    is_silent: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        self._records: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], list[str]] = {}
        self._ttls: dict[dns.name.Name, int] = {}
        for line in filter(None, map(str.strip, self.zone.splitlines())):
            name, ttl, _, kind, data = line.split(None, 4)
            owner = dns.name.from_text(name)
            self._records.setdefault((owner, dns.rdatatype.from_text(kind)), []).append(data)
            self._ttls[owner] = int(ttl)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._transport.close()
        await asyncio.sleep(0)

    @property
    def address(self) -> str:
        """`address:port`, as the setting has it."""
        return "127.0.0.1:{}".format(self._transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        (question,) = query.question
        self.asked.append((str(question.name), dns.rdatatype.to_text(question.rdtype)))
        if self.is_silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        found = self._records.get((question.name, question.rdtype))
        if found:
            ttl = self._ttls[question.name]
            answer.answer.append(dns.rrset.from_text_list(question.name, ttl, "IN", question.rdtype, found))
        elif question.name not in self._ttls:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        self._transport.sendto(answer.to_wire(), addr)
