"""RFC 3263 over a DNS server of ours: real datagrams, records of each kind, and a server that is silent or lies."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from random import Random

import pytest

from channels.phone.flow import Flow, Protocol3261
from channels.phone.locating import NameUnknown, Srv, in_order, locate
from channels.phone.resolver import Resolver
from tests.peers.names import NameServer

UDP, TCP, TLS = Protocol3261.UDP, Protocol3261.TCP, Protocol3261.TLS

ZONE = """
sip.carrier.example.        60 IN A     192.0.2.10
sip.carrier.example.        60 IN AAAA  2001:db8::10
edge1.carrier.example.      60 IN A     192.0.2.1
edge2.carrier.example.      60 IN A     192.0.2.2
edge3.carrier.example.      60 IN A     192.0.2.3
carrier.example.            60 IN NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.carrier.example.
carrier.example.            60 IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp.carrier.example.
carrier.example.            60 IN NAPTR 5 10 "s" "SIP+D2S" "" _sip._sctp.carrier.example.
carrier.example.            60 IN NAPTR 5 10 "u" "E2U+sip" "!^.*$!sip:x@evil.example!" .
_sip._udp.carrier.example.  60 IN SRV   20 0 5060 edge2.carrier.example.
_sip._udp.carrier.example.  60 IN SRV   10 0 5070 edge1.carrier.example.
_sips._tcp.carrier.example. 60 IN SRV   10 0 5061 edge3.carrier.example.
plain.example.              60 IN A     192.0.2.20
_sip._tcp.tcponly.example.  60 IN SRV   10 0 5062 edge1.carrier.example.
_sip._udp.closed.example.   60 IN SRV   0 0 0 .
"""


@pytest.fixture
async def server() -> AsyncIterator[NameServer]:
    async with NameServer(ZONE) as running:
        yield running


async def found(
    server: NameServer, host: str, port: int | None = None, transport: Protocol3261 | None = None
) -> list[str]:
    flows = await locate(host, port, transport, Resolver([server.address]), lambda: 0.0)
    assert all(flow.name == host for flow in flows), "certificates are held to the name that was configured"
    return [str(flow) for flow in flows]


async def test_an_address_is_not_asked_for(server: NameServer) -> None:
    assert await found(server, "192.0.2.7") == ["udp!192.0.2.7!5060"]
    assert await found(server, "192.0.2.7", None, TLS) == ["tls!192.0.2.7!5061"]
    assert await found(server, "2001:db8::7", 5070, TCP) == ["tcp!2001:db8::7!5070"]
    assert server.asked == []


async def test_a_port_asks_for_addresses_alone(server: NameServer) -> None:
    assert await found(server, "sip.carrier.example", 5080) == ["udp!192.0.2.10!5080", "udp!2001:db8::10!5080"]
    assert {kind for _, kind in server.asked} == {"A", "AAAA"}


async def test_naptr_chooses_the_transport_and_srv_the_places(server: NameServer) -> None:
    assert await found(server, "carrier.example") == ["tls!192.0.2.3!5061"]


async def test_a_chosen_transport_goes_to_srv_at_once(server: NameServer) -> None:
    assert await found(server, "carrier.example", None, UDP) == ["udp!192.0.2.1!5070", "udp!192.0.2.2!5060"]
    assert "NAPTR" not in {kind for _, kind in server.asked}


async def test_without_naptr_each_transport_is_tried(server: NameServer) -> None:
    assert await found(server, "tcponly.example") == ["tcp!192.0.2.1!5062"]


async def test_without_any_of_them_the_name_itself(server: NameServer) -> None:
    assert await found(server, "plain.example") == ["udp!192.0.2.20!5060"]
    assert await found(server, "plain.example", None, TLS) == ["tls!192.0.2.20!5061"]


@pytest.mark.parametrize("name", ["nothing.example", "closed.example", "a" * 70 + ".example", "..", "例.example"])
async def test_a_name_that_leads_nowhere(server: NameServer, name: str) -> None:
    with pytest.raises(NameUnknown):
        await found(server, name)


async def test_answers_are_kept_as_long_as_they_say(server: NameServer) -> None:
    resolver = Resolver([server.address])
    for _ in range(3):
        await locate("plain.example", 5060, UDP, resolver, lambda: 0.0)
    assert Counter(server.asked)["plain.example.", "A"] == 1


async def test_a_server_that_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("channels.phone.resolver._PATIENCE_S", 0.3)
    async with NameServer(ZONE, is_silent=True) as silent:
        with pytest.raises(NameUnknown):
            await found(silent, "plain.example")


def test_weights_by_chance_within_a_priority() -> None:
    """RFC 2782: three to one, over many draws, and never before a more wanted priority."""
    places = [Srv(10, 30, 1, "often"), Srv(10, 10, 1, "seldom"), Srv(20, 100, 1, "last"), Srv(10, 0, 1, "never")]
    draw = Random(2782)
    firsts: Counter[str] = Counter()
    for _ in range(2_000):
        order = in_order(places, draw.random)
        assert [one.target for one in order][-1] == "last"
        assert len(order) == 4
        firsts[order[0].target] += 1
    assert firsts["often"] / firsts["seldom"] == pytest.approx(3, rel=0.25)
    assert firsts["never"] < 20


def test_every_order_holds_every_place() -> None:
    places = [Srv(1, weight, 1, str(weight)) for weight in (0, 0, 5, 7)]
    for chances in itertools.product((0.0, 0.5, 0.999), repeat=4):
        draws = iter(chances)
        assert len(in_order(places, lambda: next(draws))) == 4  # noqa: B023 - drawn at once


async def test_a_flow_names_whom_its_certificate_must() -> None:
    one = Flow(TLS, ("192.0.2.3", 5061), name="carrier.example")
    assert one == Flow(TLS, ("192.0.2.3", 5061)), "but a connection that is there serves whoever asks for it"
    await asyncio.sleep(0)
