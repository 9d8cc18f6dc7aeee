"""Several nodes behind Kamailio are one hotline: whoever calls is answered, by whichever node, and a node may die."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Eventually
from tests.peers.baresip import Baresip
from tests.peers.caller import Call, Telephones
from tests.peers.kamailio import Kamailio
from tests.peers.linphone import Linphone
from tests.peers.ports import free_pair
from tests.peers.sipp import ANSWERED, HANG_UP, INVITE, Sipp, pause
from tests.peers.sound import Sound
from tests.peers.valkey import ValkeyServer
from tests.peers.yihao import Yihao
from tests.scenarios.kinds import MakesGateway
from tests.scenarios.test_conference import AGENT, CITIZEN, COLLEAGUE, Ears
from tests.scenarios.test_nodes import KEYS
from tests.scenarios.test_phone import hears
from tests.scenarios.told import figures

EDGE, NODES, CARRIER = "127.0.0.2", ("127.0.0.11", "127.0.0.12"), "127.0.0.3"
QUICK = {
    "session__callback_pauses_s": "[0.1, 3600]",
    "session__call_grace_s": "0.1",
    "session__wrap_s": "0.1",
    "sip__trunks": "[]",
}
TRIES = 12
"""Calls until each of two nodes has one; that they all fall to one is a chance of 1 in 2,048."""


class City:
    """A carrier's telephones, Kamailio, two nodes, one store."""

    def __init__(self, nodes: dict[str, Yihao], edge: Kamailio, phones: Telephones) -> None:
        self.nodes, self.edge, self.phones = nodes, edge, phones
        self._callers = 0

    async def call(self) -> Call:
        """A citizen calls, each with a number of their own."""
        self._callers += 1
        call = await self.phones.call(caller=f"1380013800{self._callers}", vouched=True)
        await call.answered(15)
        return call

    def phone(self, folder: Path, extension: str, says: Sound) -> Baresip:
        """A colleague's telephone, which picks up."""
        return Baresip(folder / extension, self.server, extension, self.secret(extension), answers=True, says=says)

    @property
    def server(self) -> str:
        """Where telephones register."""
        host, port = self.edge.address
        return f"{host}:{port}"

    def secret(self, extension: str) -> str:
        """The password of an agent's telephone."""
        return next(node for node in self.nodes.values() if node.ready["credentials"]).agent(extension).sip_password

    async def one_at_each(self) -> dict[str, Call]:
        """Calls in line at both nodes, the first that came to each."""
        found: dict[str, Call] = {}
        for _ in range(TRIES):
            call = await self.call()
            if found.setdefault(call.server, call) is not call:
                await call.hang_up()
            if len(found) == len(self.nodes):
                break
        assert found.keys() == self.nodes.keys(), "Kamailio spreads calls over its nodes"
        return found


@pytest.fixture
async def city(own_gateway: MakesGateway, short_folder: Path) -> AsyncIterator[City]:
    store = ValkeyServer(short_folder)
    await asyncio.to_thread(store.start)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(asyncio.to_thread, store.stop)
        address = (EDGE, free_pair())
        phones = await stack.enter_async_context(Telephones(address, CARRIER, answers=True))
        carrier = f'{{name="city", host="{CARRIER}", port={phones.port}, networks=["127.0.0.0/8"], '
        carrier += f'proxy="{EDGE}:{address[1]}"}}'
        behind = {"sip__trusted_proxies": f'["{EDGE}/32"]', "sip__carriers": f"[{carrier}]", **QUICK}
        kept = {"store__url": store.url, "storage__url": f"sqlite+aiosqlite:///{short_folder / 'history.db'}", **KEYS}
        nodes = [own_gateway(host, sip__host=host, **kept, **behind) for host in NODES]
        for node in nodes:  # one after the other: the first makes the tables
            await node.start()
            stack.push_async_exit(node)
        named = {node.sip_text: node for node in nodes}
        edge = Kamailio(short_folder / "edge", address, tuple(named), carriers=f"src_ip == {CARRIER}")
        yield City(named, await stack.enter_async_context(edge), phones)


async def callers(city: City, folder: Path) -> None:
    """sipp and pyVoIP call by Kamailio, are answered, and gone once they hang up: their ACK and BYE find the node."""
    save = ("--save", str(folder / "heard.wav"), "--seconds", "3")
    dial = (sys.executable, "-m", "gateway.dial", "12345", "--server", city.server, *save)
    program = await asyncio.create_subprocess_exec(*dial, stdout=asyncio.subprocess.PIPE)
    async with Sipp(folder / "sipp", city.server, [INVITE, ANSWERED, pause(500), HANG_UP]) as sipp:
        await sipp.succeeded()
    said, _ = await asyncio.wait_for(program.communicate(), 30)
    assert program.returncode == 0, said.decode()
    for node in city.nodes.values():
        await figures(node, waiting=0, owed=0)


@pytest.mark.timeout(120)
async def test_any_node_rings_any_telephone_and_a_dead_nodes_caller_is_called_back_first(
    city: City, tmp_path: Path, eventually: Eventually
) -> None:
    await callers(city, tmp_path)
    waiting = await city.one_at_each()
    first, second = waiting.values()
    async with city.phone(tmp_path, "8001", AGENT) as phone:
        # It registers at one of the nodes; callers of both are put through, so one was rung by the other.
        await phone.registered(15)
        await phone.saw("CALL_ESTABLISHED")
        await first.hang_up()
        await phone.saw("CALL_ESTABLISHED", times=2)

        lost = await city.one_at_each()
        victim = lost.pop(next(server for server in city.nodes if server != second.server))
        for call in lost.values():
            await call.hang_up()
        living = city.nodes[second.server]
        await figures(living, waiting=1, owed=0)
        city.nodes[victim.server].kill()
        for _ in range(4):
            call = await city.call()
            assert call.server == second.server, "new calls go to the node that lives"
            await call.hang_up()

        # Only time in line is waited time, and between the loss and the line the debt stands in none: who is to be
        # overtaken calls once it stands there.
        await figures(living, waiting=1, owed=1)
        later = [await city.call() for _ in range(2)]
        await figures(living, waiting=1 + len(later), owed=1)
        assert not city.phones.taken, "nobody is called before an agent is there"
        await second.hang_up()
        await phone.saw("CALL_ESTABLISHED", times=3)
        await eventually(lambda: city.phones.taken)
        (called,) = city.phones.taken.values()
        assert called.startswith(f"INVITE sip:+86{victim.caller}@"), "who waited longest, ahead of who called later"


@pytest.mark.timeout(120)
async def test_a_telephone_consults_and_joins_by_itself_whichever_node_has_the_call(
    city: City, tmp_path: Path, eventually: Eventually
) -> None:
    """The dispatcher would give its second call to the other node each time: that one has all that is new."""
    phone = Linphone(tmp_path / "8001", city.server, "8001", city.secret("8001"), answers=True, says=AGENT)
    async with phone, AsyncExitStack() as stack:
        await phone.registered()
        servers: list[str] = []
        for extension in ("8002", "8003"):
            before = len(phone.lines)
            call = await city.call()
            servers.append(call.server)
            stack.callback(asyncio.create_task(call.sound.say(np.tile(CITIZEN, 120))).cancel)
            theirs = await phone.rings(after=before)
            colleague = await stack.enter_async_context(city.phone(tmp_path, extension, COLLEAGUE))
            await colleague.registered()
            ears = Ears(eventually, citizen=call.sound, agent=phone, colleague=colleague)
            await ears.hear(citizen={"agent"}, agent={"citizen"})
            if len(servers) == 2:
                await city.edge.start_anew()  # what it had noted it learns from the hold
            for node in city.nodes:
                await (city.edge.leave_out(node) if node == call.server else city.edge.take_in(node))
            phone.hold()
            beside = await phone.call(extension)
            await ears.hear(agent={"colleague"}, colleague={"agent"}, citizen=set())
            phone.join(theirs, beside)
            await ears.hear(citizen={"colleague"}, colleague={"citizen"})
        assert set(servers) == set(city.nodes)

        # The node dies with the call that was just handed on, and who hears nothing any more hangs up: both agents are
        # free, for the next caller and for the one who was lost.
        city.nodes[call.server].kill()
        await colleague.hang_up()
        later = await city.call()
        await hears(later.sound, AGENT, COLLEAGUE, deadline_s=30)
        await eventually(lambda: city.phones.taken, deadline_s=30)
        (called,) = city.phones.taken.values()
        assert called.startswith(f"INVITE sip:+86{call.caller}@")
