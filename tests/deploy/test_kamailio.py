"""What Kamailio does with our configuration before any node is asked: whom it hears, what it relays, where it goes."""

import asyncio
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Self

import pytest

from channels.phone.flow import Flow, Protocol3261
from channels.phone.proxies import seen_through
from channels.phone.sip.via import Via
from tests.peers.caller import Message
from tests.peers.kamailio import SHIPPED, Kamailio, options, program
from tests.peers.ports import free_pair

EDGE, NODE, OTHER_NODE = "127.0.0.2", "127.0.0.11", "127.0.0.12"
OUTSIDE, STRANGER, FLOODER = "127.0.0.3", "127.0.0.4", "127.0.0.5"
FLOOD = 60
PATIENCE_S = 1.5
"""Longer than a silent node is given in these tests."""
TRIES = 10
"""Calls that all fall to one of two nodes by chance in one of a thousand runs."""


class Socket(asyncio.DatagramProtocol):
    """Somebody with a UDP socket. As a node, `status` is how they answer what they are asked."""

    def __init__(self, host: str, status: int = 0) -> None:
        self.host, self.status = host, status
        self.came: list[Message] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Self:
        loop = asyncio.get_running_loop()
        self.transport: Any
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self.host, 0))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.transport.close()

    @property
    def address(self) -> str:
        host, port = self.transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = Message.parse(data)
        self.came.append(message)
        if self.status and not message.status and message.method != "ACK":
            self.answer(message, self.status, addr)
        self._news.set()

    def answer(self, asked: Message, status: int, to: tuple[str, int]) -> None:
        kept = ("via", "record-route", "from", "to", "call-id", "cseq")
        lines = [f"{name}: {value}" for name in kept for value in asked.headers.get(name, [])]
        self.transport.sendto("\r\n".join([f"SIP/2.0 {status} -", *lines, "content-length: 0", "", ""]).encode(), to)

    async def until(self, method: str, call: str, deadline_s: float = 15.0, *, is_final: bool = False) -> Message:
        """The first message of that call with that method, a request or an answer; or the first final answer."""
        async with asyncio.timeout(deadline_s):
            while True:
                for one in self.came:
                    if (
                        one.header("call-id") == call
                        and one.method == method
                        and (one.status >= 200 if is_final else one.status != 100)
                    ):
                        return one
                self._news.clear()
                await self._news.wait()


@pytest.fixture
async def node() -> AsyncIterator[Socket]:
    async with Socket(NODE, status=200) as one:
        yield one


@pytest.fixture
async def edge(short_folder: Path, node: Socket) -> AsyncIterator[Kamailio]:
    async with Kamailio(short_folder / "edge", (EDGE, free_pair()), [node.address], flood=FLOOD) as kamailio:
        yield kamailio


def request(
    method: str,
    edge: Kamailio,
    sender: str,
    call: str,
    *more: str,
    to_tag: str = "",
    via: str = "",
    target: str = "",
    caller: str = "13800138000",
    callee: str = "12345",
) -> bytes:
    host, port = edge.address
    lines = (
        f"{method} {target or f'sip:12345@{host}:{port}'} SIP/2.0",
        f"Via: SIP/2.0/UDP {sender};branch=z9hG4bK{call}{method}{via}",
        *(() if any(one.startswith("Max-Forwards") for one in more) else ("Max-Forwards: 70",)),
        f"From: <sip:{caller}@{sender}>;tag=1",
        f"To: <sip:{callee}@{host}>{to_tag}",
        f"Call-ID: {call}",
        f"CSeq: 1 {method}",
        f"Contact: <sip:{caller}@{sender}>",
        *more,
        "Content-Length: 0",
    )
    return "\r\n".join((*lines, "", "")).encode()


async def test_what_the_edge_hears_and_relays(edge: Kamailio, node: Socket) -> None:
    host, port = edge.address
    async with Socket(OUTSIDE) as caller, Socket(STRANGER) as stranger, Socket(FLOODER) as flooder:

        async def asked(call: str, *more: str, method: str = "INVITE", **how: str) -> Message:
            caller.transport.sendto(request(method, edge, caller.address, call, *more, **how), edge.address)
            return await caller.until(method, call)

        assert (await asked("plain")).status == 200
        assert (await asked("hops", "Max-Forwards: 0")).status == 483
        assert (await asked("large", f"X-Filling: {'x' * 40_000}")).status == 513
        assert (await asked("loop", f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bKours")).status == 482
        assert (await asked("message", method="MESSAGE")).status == 405
        elsewhere = f"Route: <sip:{host}:{port};lr>, <sip:{stranger.address};lr>"
        assert (await asked("route", elsewhere)).status == 403
        assert (await asked("within", elsewhere, to_tag=";tag=2", method="BYE")).status == 403
        assert (await asked("nowhere", to_tag=";tag=2", method="BYE")).status == 481
        ours = f"Route: <sip:{host}:{port};lr>"
        target = f"sip:{node.address}"
        assert (await asked("talk", ours, to_tag=";tag=2", method="BYE", target=target)).status == 200
        assert not stranger.came, "nothing is relayed to whom no node speaks with"

        forged = ";received=198.51.100.10;rport=9"
        assert (await asked("forged", via=forged)).status == 200
        vias = [Via.parse(one) for one in (await node.until("INVITE", "forged")).headers["via"]]
        flow = Flow(Protocol3261.UDP, edge.address)
        assert seen_through(flow, vias, lambda one: one == EDGE).origin == OUTSIDE, (
            "what Kamailio saw, not what it read"
        )

        registered = await asked("phone", "Expires: 60", method="REGISTER")
        assert registered.status == 200
        path = (await node.until("REGISTER", "phone")).header("path")
        assert f"{host}:{port}" in path
        assert caller.address.replace(":", "%3A") in path or caller.address in path

        node.transport.sendto(
            request("INVITE", edge, node.address, "ring", f"Route: {path}", target="sip:8001@192.0.2.1"), edge.address
        )
        assert (await caller.until("INVITE", "ring")).start.startswith("INVITE sip:8001@192.0.2.1"), "rung by its Path"

        for _ in range(FLOOD * 3):
            flooder.transport.sendto(options(edge.address, flooder.address), edge.address)
            await asyncio.sleep(0)
        assert (await asked("others")).status == 200
        flooder.transport.sendto(options(edge.address, flooder.address, call="late"), edge.address)
        assert (await asked("and-again")).status == 200
        assert not [one for one in flooder.came if one.header("call-id") == "late"], "a flood is not heard any more"
        await _drains(caller, edge, node)


async def _drains(caller: Socket, edge: Kamailio, node: Socket) -> None:
    """A node that answers 503 to OPTIONS gets nothing new; where there is no other, callers are told when to try."""
    node.status = 503
    async with asyncio.timeout(15):
        for number in range(1000):
            caller.transport.sendto(options(edge.address, caller.address, call=f"drain{number}"), edge.address)
            if (await caller.until("OPTIONS", f"drain{number}")).status == 503:
                break
            await asyncio.sleep(0.05)
    before = len(node.came)
    caller.transport.sendto(request("INVITE", edge, caller.address, "none", caller="13900139000"), edge.address)
    answer = await caller.until("INVITE", "none")
    assert (answer.status, answer.header("retry-after")) == (503, "5")
    assert all(one.method == "OPTIONS" for one in node.came[before:])


class Agent:
    """The agent 8001 and two nodes, all of them sockets."""

    def __init__(self, edge: Kamailio, phone: Socket, nodes: tuple[Socket, Socket]) -> None:
        self.edge, self.phone, self.nodes = edge, phone, nodes
        host, port = edge.address
        self.here = f"{host}:{port}"
        self._calls = 0

    async def rung_by(self, node: Socket, call: str) -> None:
        """And picked up."""
        path = f"Route: <sip:{self.here};lr;received=sip:{self.phone.address}>"
        asked = request("INVITE", self.edge, node.address, call, path, target="sip:x-1@192.0.2.1", callee="8001")
        node.transport.sendto(asked, self.edge.address)
        assert (await node.until("INVITE", call)).status == 200

    async def within(self, node: Socket, method: str, call: str, sender: Socket, caller: str = "8001") -> None:
        """What the node or the telephone asks within such a call."""
        target = f"sip:{(self.phone if sender is node else node).address}"
        ours = f"Route: <sip:{self.here};lr>"
        asked = request(method, self.edge, sender.address, call, ours, to_tag=";tag=2", target=target, caller=caller)
        sender.transport.sendto(asked, self.edge.address)
        assert (await sender.until(method, call, is_final=True)).status == 200

    async def calls(self, *more: str, caller: str = "8001") -> list[Socket]:
        """A call of their own, begun and ended; the nodes that it was given to, one after the other."""
        self._calls += 1
        call = f"own{self._calls}"
        asked = request("INVITE", self.edge, self.phone.address, call, *more, caller=caller, target="sip:8002@x")
        self.phone.transport.sendto(asked, self.edge.address)
        assert (await self.phone.until("INVITE", call)).status == 200
        given = [one for one in self.nodes if any(had.header("call-id") == call for had in one.came)]
        await self.within(given[-1], "BYE", call, self.phone, caller)
        return given

    async def spread(self, *more: str, caller: str = "8001") -> set[Socket]:
        """All that get some of many."""
        return {one for _ in range(TRIES) for one in await self.calls(*more, caller=caller)}


@pytest.fixture
async def agent(short_folder: Path) -> AsyncIterator[Agent]:
    async with (
        Socket(NODE, status=200) as one,
        Socket(OTHER_NODE, status=200) as other,
        Socket(OUTSIDE, status=200) as phone,
        Kamailio(
            short_folder / "edge", (EDGE, free_pair()), [one.address, other.address], answers_within_ms=1000
        ) as edge,
    ):
        yield Agent(edge, phone, (one, other))


async def test_who_is_on_a_call_calls_the_node_that_has_it(agent: Agent) -> None:
    one, other = agent.nodes
    both = {one, other}
    assert await agent.spread(caller="8002") == both
    await agent.rung_by(one, "first")
    assert await agent.spread() == {one}
    assert await agent.spread(caller="8003") == both, "it is theirs alone"
    assert await agent.spread("Replaces: first;to-tag=2;from-tag=1", caller="8003") == {one}, "who comes in its place"
    await agent.edge.leave_out(one.address)
    assert await agent.calls() == [one], "a node that drains finishes what it has"

    await agent.rung_by(other, "second")
    assert await agent.calls() == [other], "the call that they were on last"
    await agent.within(one, "INVITE", "first", agent.phone)
    assert await agent.calls() == [one], "which they show by taking it up, or putting it on hold"
    await agent.within(one, "BYE", "first", one)
    assert await agent.calls() == [other]


async def test_a_node_that_died_with_the_call_is_left(agent: Agent) -> None:
    one, other = agent.nodes
    await agent.rung_by(one, "first")
    one.status = 0
    assert await agent.calls() == [one, other]
    async with asyncio.timeout(15):
        while await agent.calls() != [other]:  # the dispatcher may not know it yet
            pass
    assert await agent.spread() == {other}


async def test_a_colleague_has_their_time_to_pick_up(agent: Agent) -> None:
    one, _ = agent.nodes
    await agent.rung_by(one, "first")
    one.status = 180
    asked = request("INVITE", agent.edge, agent.phone.address, "beside", caller="8001", target="sip:8002@x")
    agent.phone.transport.sendto(asked, agent.edge.address)
    assert (await agent.phone.until("INVITE", "beside")).status == 180
    rung = await one.until("INVITE", "beside")
    asyncio.get_running_loop().call_later(PATIENCE_S, one.answer, rung, 200, agent.edge.address)
    assert (await agent.phone.until("INVITE", "beside", is_final=True)).status == 200
    assert not [had for had in agent.nodes[1].came if had.header("call-id") == "beside"]


@pytest.mark.parametrize("tls", [False, True])
def test_the_shipped_files_are_taken(tmp_path: Path, tls: bool) -> None:
    for name in ("kamailio.cfg", "site.cfg"):
        shutil.copy(SHIPPED / name, tmp_path)
    if tls:
        site = tmp_path / "site.cfg"
        site.write_text(site.read_text().replace("# #!define LISTEN_TLS", "#!define LISTEN_TLS"))
    checked = subprocess.run(
        [program(), "-c", "-f", str(tmp_path / "kamailio.cfg")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "config file ok" in checked.stderr
    assert "ERROR" not in checked.stderr
