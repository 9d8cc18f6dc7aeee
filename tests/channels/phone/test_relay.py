"""Two nodes: the citizen's call is at one, the agent's telephone keeps its connection to the other."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.flow import Flow, Protocol3261
from channels.phone.relay import Kind, Letter
from channels.phone.sip.framing import frame_datagram
from channels.phone.sip.message import Request
from queueing.memory import MemoryStore
from session.events import LegOpened, LegsJoined
from session.ids import AssigneeId, LegId, NodeId, RecordingId, SessionId
from session.ports import NodeMail, StoreUnavailable
from session.state import LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.telephone import Telephone
from tests.conftest import Eventually

AGENT = AssigneeId("a8001")
HERE, THERE = NodeId("n1"), NodeId("n2")


@dataclass
class Post:
    """The post between the nodes, which may be away as the store can."""

    mail: NodeMail
    is_away: bool = False
    sent: list[Letter] = field(default_factory=list)

    async def send(self, node: str, letter: bytes) -> bool:
        if self.is_away:
            raise StoreUnavailable("send")
        self.sent.append(Letter.parse(letter))
        return await self.mail.send(node, letter)

    async def receive(self, node: str, after: str, *, block_s: float = 5.0) -> tuple[str, list[bytes]]:
        return await self.mail.receive(node, after, block_s=block_s)

    async def lives(self, node: str) -> bool:
        return await self.mail.lives(node)


@dataclass
class Two:
    """Both nodes, a caller at the first, and the agent's telephone at the second."""

    here: PhoneChannel
    there: PhoneChannel
    store: MemoryStore
    post: Post
    caller: Telephone
    device: Telephone
    core: Core

    async def ring(self, token: int = 1) -> Request:
        leg = self.core.contacts[0].leg
        await self.here.ring(SessionId(f"session-{leg}"), leg, AGENT, token, time.time() + 20)
        return await self.device.request("INVITE", token)

    async def joined(self, eventually: Eventually) -> Request:
        invite = await self.ring()
        self.device.reply(invite, 180)
        self.device.reply(invite, 200, body=self.device.offer())
        await self.device.request("ACK")
        opened = await eventually(lambda: self.core.said(LegOpened))
        assert isinstance(opened[0], LegOpened)
        leg = self.core.contacts[0].leg
        await self.here.join(SessionId(f"session-{leg}"), leg, opened[0].leg.id, RecordingId("r1"))
        await eventually(lambda: self.core.said(LegsJoined))
        return invite

    def within(self, invite: Request, method: str, cseq: int, body: str = "") -> bytes:
        """A request of the device's within the dialog of that INVITE."""
        message = self.device.compose(
            method, call=invite.call_id, cseq=cseq, to=invite.headers.first("from") or "", body=body
        )
        ours = f"From: <sip:8001@127.0.0.1>;tag=t{invite.call_id[:6]}"
        return message.replace(ours.encode(), f"From: {invite.headers.first('to')};tag=dev".encode())


class Now:
    """A clock for the store, so that a node dies when the test says so."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead_s


@pytest.fixture
def now() -> Now:
    return Now()


@pytest.fixture
async def two(open_phone: OpenPhone, core: Core, now: Now) -> AsyncIterator[Two]:
    store = MemoryStore(clock=now)
    post = Post(store.mail)
    for node in (HERE, THERE):
        await store.mailboxes.beat(node, ttl_s=3600)
    async with (
        open_phone(node=HERE, mail=post) as here,
        open_phone(node=THERE, mail=post) as there,
        Telephone(here.bound) as caller,
        connected(there) as device,
    ):
        await caller.call()
        yield Two(here, there, store, post, caller, device, core)


@asynccontextmanager
async def connected(phone: PhoneChannel) -> AsyncIterator[Telephone]:
    async with Telephone(phone.bound, user="8001", tcp=True) as device:
        assert (await device.register(PASSWORD)).status == 200
        yield device


async def test_a_telephone_at_another_node_is_rung_joined_and_hung_up(two: Two, eventually: Eventually) -> None:
    invite = await two.joined(eventually)
    assert invite.vias[0].port == two.here.bound[1], "it is the caller's node that rings"
    await two.here.close_leg(SessionId("s"), two.core.contacts[0].leg, LegEnd.CLOSED)
    two.device.reply(await two.device.request("BYE"), 200)
    await eventually(lambda: sorted(two.core.closed()) == [("agent", LegEnd.CLOSED), ("call", LegEnd.CLOSED)])


async def test_what_the_telephone_asks_for_reaches_the_call(two: Two, eventually: Eventually) -> None:
    invite = await two.joined(eventually)
    for number, body in ((5, two.device.offer() + "a=sendonly\r\n"), (6, two.device.offer())):
        two.device.send(two.within(invite, "INVITE", number, body=body))
        assert (await two.device.response("INVITE", count=number - 4)).status == 200
        two.device.send(two.within(invite, "ACK", number))
    two.device.send(two.within(invite, "BYE", 7))
    assert (await two.device.response("BYE")).status == 200
    await eventually(lambda: two.core.closed() == [("agent", LegEnd.HANGUP)])


async def test_a_telephone_that_comes_to_the_call_s_node_by_itself_is_heard_too(
    two: Two, eventually: Eventually
) -> None:
    """The Contact names that node: a telephone may make a connection of its own to it."""
    invite = await two.joined(eventually)
    assert invite.contacts[0].uri.port == two.here.bound[1]
    async with Telephone(two.here.bound, user="8001", tcp=True) as second:
        second.send(two.within(invite, "BYE", 7))
        assert (await second.response("BYE")).status == 200
    await eventually(lambda: two.core.closed() == [("agent", LegEnd.HANGUP)])


async def test_an_offer_that_is_over_is_cancelled_there(two: Two) -> None:
    invite = await two.ring()
    two.device.reply(invite, 180)
    await two.here.stop_ringing(two.core.contacts[0].leg, AGENT, 1)
    cancel = await two.device.request("CANCEL")
    two.device.reply(cancel, 200)
    two.device.reply(invite, 487)
    await two.device.request("ACK")
    assert (await two.ring(2)).call_id != invite.call_id


async def test_other_calls_of_that_connection_stay_there(two: Two) -> None:
    await two.ring()
    before = len(two.post.sent)
    two.device.send(two.device.compose("OPTIONS"))
    assert (await two.device.response("OPTIONS")).status == 200
    assert [letter.kind for letter in two.post.sent[before:]] == []


async def test_a_telephone_that_is_gone_is_unreachable(two: Two, eventually: Eventually) -> None:
    two.device.disconnect()
    leg = two.core.contacts[0].leg
    await two.here.ring(SessionId(f"session-{leg}"), leg, AGENT, 1, time.time() + 20)
    await eventually(lambda: two.core.declined == [(AGENT, 1, "unreachable")])


async def test_a_telephone_that_goes_while_it_rings_is_unreachable(two: Two, eventually: Eventually) -> None:
    two.device.reply(await two.ring(), 180)
    two.device.disconnect()
    await eventually(lambda: two.core.declined == [(AGENT, 1, "unreachable")])


async def test_a_node_that_dies_while_its_telephone_rings_is_unreachable(
    two: Two, now: Now, eventually: Eventually
) -> None:
    two.device.reply(await two.ring(), 180)
    now.ahead_s = 3000
    await two.store.mailboxes.beat(HERE, ttl_s=3600)
    now.ahead_s = 4000
    await two.store.mailboxes.beat(HERE, ttl_s=3600)
    await eventually(lambda: two.core.declined == [(AGENT, 1, "unreachable")])


async def test_a_dead_node_s_telephone_is_unreachable_at_once(two: Two, eventually: Eventually) -> None:
    await two.store.mailboxes.leave(THERE)
    leg = two.core.contacts[0].leg
    await two.here.ring(SessionId(f"session-{leg}"), leg, AGENT, 1, time.time() + 20)
    await eventually(lambda: two.core.declined == [(AGENT, 1, "unreachable")])


async def test_a_goodbye_waits_for_the_store(two: Two, eventually: Eventually) -> None:
    await two.joined(eventually)
    two.post.is_away = True
    await two.here.close_leg(SessionId("s"), two.core.contacts[0].leg, LegEnd.CLOSED)
    await two.caller.request("BYE")
    two.post.is_away = False
    two.device.reply(await two.device.request("BYE"), 200)


async def test_without_post_a_telephone_elsewhere_is_unreachable(
    open_phone: OpenPhone, core: Core, eventually: Eventually
) -> None:
    async with (
        open_phone(node=HERE) as here,
        open_phone(node=THERE) as there,
        Telephone(here.bound) as caller,
        connected(there),
    ):
        await caller.call()
        leg = LegId(core.contacts[0].leg)
        await here.ring(SessionId(f"session-{leg}"), leg, AGENT, 1, time.time() + 20)
        await eventually(lambda: core.declined == [(AGENT, 1, "unreachable")])


def test_a_letter_is_read_as_it_was_written() -> None:
    letter = Letter(Kind.WRITE, HERE, Flow(Protocol3261.TLS, ("2001:db8::1", 5061)), b"BYE sip:a SIP/2.0\r\n\r\n\x00\n")
    assert Letter.parse(bytes(letter)) == letter


@pytest.mark.parametrize(
    "text", [b"", b"burn n1 h 1\n", b"write n1 h\n", b"write n1 h one\n", b"\xff\n", b"came n2 h 1\n"]
)
async def test_a_letter_that_says_nothing_costs_no_other(two: Two, text: bytes) -> None:
    for node in (HERE, THERE):
        await two.store.mail.send(node, text)
    await two.ring()


def test_a_frame_is_passed_on_as_it_came() -> None:
    head = b"INFO sip:a SIP/2.0\r\nv: SIP/2.0/TCP h;branch=z9\r\nSubject: a\r\n  b \xff\r\nContent-Length: 3\r\n\r\n"
    frame = frame_datagram(head + b"\x00\r\n")
    assert frame is not None
    assert frame_datagram(bytes(frame)) == frame
