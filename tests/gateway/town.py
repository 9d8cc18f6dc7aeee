"""Gateway nodes on one store: all parts are the product's, but for the citizens' devices, which note what is asked."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from aiohttp import web

from channels.contract import Capabilities, Channel, Content
from channels.door import Ports
from gateway.feed import Feed
from gateway.inbox import StoreInbox
from gateway.links import Links
from gateway.mailboxes import Mailboxes
from gateway.metrics import Metrics
from gateway.node import Node
from gateway.notices import Notices
from gateway.outgoing import Outgoing, OutgoingRule
from gateway.performer import Performer
from gateway.ulid import new_ulid
from queueing.contract import Presence, Profile, Store
from rulebook.routing import LAST_RESORT, Named, Routing
from session.address import Address
from session.audio import Announcement
from session.events import Event, LegOpened, OfferMade
from session.ids import AssigneeId, LegId, MessageId, NodeId, RecordingId, SessionId
from session.ports import Contact
from session.rules import Rules
from session.state import AssigneeKind, Leg, LegEnd, Medium, Party, Phase, Session, Supervision
from storage.files import FileStore

LINK_KEY = b"a key that only tests have to sign"
PAGE = "https://hotline.example"
ROUTING = Routing(queues=(Named(name=LAST_RESORT, title="综合"),))
CALLS, CHATS, LETTERS = "calls", "chats", "letters"
PATIENT = Rules(announce_s=(3600.0,))
"""Nothing is said while a test runs that it did not ask for."""


@dataclass
class Device:
    """The far end of all legs of one channel on one node: keeps what it was asked to do."""

    name: str
    medium: Medium
    survives_node: bool = False
    follows_timeline: bool = False
    recalls: bool = False
    asked: list[tuple[object, ...]] = field(default_factory=list)
    failure: Exception | None = None
    """Raised by whatever it is asked."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared, it takes its time."""

    def __post_init__(self) -> None:
        self.gate.set()
        self.capabilities = Capabilities(
            schemes=("tel",) if self.medium is Medium.VOICE else ("web",),
            medium=self.medium,
            survives_node=self.survives_node,
            follows_timeline=self.follows_timeline,
            longest_text=4000,
            recalls=self.recalls,
        )

    def of(self, what: str) -> list[tuple[object, ...]]:
        """What it was asked of one kind."""
        return [one for one in self.asked if one[0] == what]

    async def _note(self, *asked: object) -> None:
        self.asked.append(asked)
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure

    def routes(self) -> Sequence[web.RouteDef]:
        return ()

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:
        await self._note("send", leg, content)

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:
        await self._note("close", leg, reason)

    async def drain(self, within_s: float) -> None:
        await self._note("drain", within_s)


class Telephone(Device):
    """A device that carries sound."""

    async def play(self, leg: LegId, items: Sequence[Announcement], *, music: bool) -> None:
        await self._note("play", leg, tuple(items), music)

    async def ring(
        self, session: SessionId, citizen_leg: LegId, assignee: AssigneeId, token: int, lease_until: float
    ) -> None:
        await self._note("ring", citizen_leg, assignee, token)

    async def stop_ringing(self, citizen_leg: LegId, assignee: AssigneeId, token: int) -> None:
        await self._note("stop_ringing", citizen_leg, assignee, token)

    @property
    def calls_out(self) -> bool:
        return True

    async def reserve(self, session: SessionId, leg: LegId, contact: Address, number: str, *, is_taken: bool) -> None:
        await self._note("reserve", leg, contact, is_taken)

    async def dial(self, leg: LegId, ring_s: float) -> None:
        await self._note("dial", leg)

    async def join(self, session: SessionId, citizen_leg: LegId, assignee_leg: LegId, recording: RecordingId) -> None:
        await self._note("join", citizen_leg, assignee_leg, recording)

    async def let_go(self, leg: LegId, items: Sequence[Announcement]) -> None:
        await self._note("let_go", leg, tuple(items))

    async def take_message(self, leg: LegId, recording: RecordingId, longest_s: float) -> None:
        await self._note("take_message", leg, recording, longest_s)

    async def hold(self, leg: LegId, *, held: bool) -> None:
        await self._note("hold", leg, held)

    async def mute(self, leg: LegId, *, muted: bool) -> None:
        await self._note("mute", leg, muted)

    async def press(self, leg: LegId, digits: str, turn: int) -> None:
        await self._note("press", leg, digits, turn)

    async def supervise(self, leg: LegId, by: AssigneeId, what: Supervision, turn: int) -> None:
        await self._note("supervise", leg, by, what, turn)


@dataclass
class Post:
    """One node, and what a test looks at."""

    id: NodeId
    store: Store
    node: Node
    mailboxes: Mailboxes
    inbox: StoreInbox
    performer: Performer
    metrics: Metrics
    telephone: Telephone
    chat: Device
    letters: Device
    duties: list[asyncio.Task[None]] = field(default_factory=list)

    async def session(self, session: SessionId) -> Session:
        """As the store has it."""
        found = await self.store.log.open_session_of(session)
        assert found is not None
        return found

    async def phase(self, session: SessionId) -> Phase:
        return (await self.session(session)).phase

    async def events(self, session: SessionId) -> list[Event]:
        return [entry.event for entry in await self.store.log.read(session, limit=5000)]

    async def said(self, session: SessionId, kind: type[Event]) -> list[Event]:
        return [event for event in await self.events(session) if isinstance(event, kind)]

    async def absorbed(self, session: SessionId) -> bool:
        """Whether the snapshot has caught up with the log."""
        return (await self.session(session)).version == len(await self.events(session))

    async def offer(self, session: SessionId) -> OfferMade | None:
        """The newest offer, once the machine has seen it."""
        state = await self.session(session)
        made = [event for event in await self.events(session) if isinstance(event, OfferMade)]
        return made[-1] if made and state.offer is not None and state.offer.token == made[-1].token else None

    async def die(self) -> None:
        """As the process would: nothing is said to anybody."""
        for duty in self.duties:
            duty.cancel()
        await asyncio.gather(*self.duties, return_exceptions=True)
        self.duties.clear()
        await self.mailboxes.stop()


def post_on(store: Store, name: str, rules: Rules = PATIENT) -> Post:
    """A node's parts, with nothing running yet."""
    node_id, metrics = NodeId(name), Metrics()
    mailboxes = Mailboxes(store, node_id, rules)
    inbox = StoreInbox(store, node_id, ROUTING.route, mailboxes.wake)
    telephone = Telephone(CALLS, Medium.VOICE)
    chat = Device(CHATS, Medium.CHAT, survives_node=True, follows_timeline=True)
    letters = Device(LETTERS, Medium.MESSAGE)
    channels: Mapping[str, Channel] = {CALLS: telephone, CHATS: chat, LETTERS: letters}
    links = links_on(store, channels, inbox, rules)
    outgoing = outgoing_on(store, channels, metrics)
    performer = Performer(store, node_id, channels, inbox, metrics, links, outgoing)
    mailboxes.perform = performer.perform
    node = Node(store, node_id, mailboxes, performer, channels, metrics)
    return Post(node_id, store, node, mailboxes, inbox, performer, metrics, telephone, chat, letters)


def outgoing_on(store: Store, channels: Mapping[str, Channel], metrics: Metrics) -> Outgoing:
    """The rules that the product ships with."""
    return Outgoing(OutgoingRule(), channels, queue=store.queue, shared=store.shared, metrics=metrics)


def links_on(store: Store, channels: Mapping[str, Channel], inbox: StoreInbox, rules: Rules = PATIENT) -> Links:
    """Links that lead to a page that only tests have."""
    return Links(
        Notices(channels, inbox),
        channels,
        log=store.log,
        shared=store.shared,
        inbox=inbox,
        key=LINK_KEY,
        rules=rules,
        page=lambda: PAGE,
    )


async def unknown(_: Address, __: str) -> None:
    """No QR code is shown to anybody."""


@dataclass
class Attested:
    """What was said of citizens' telephone numbers: holder, number, whether somebody vouches for it."""

    said: list[tuple[Address, str, bool]] = field(default_factory=list)

    async def attest(self, holder: Address, number: str, *, vouched: bool) -> None:
        self.said.append((holder, number, vouched))


def ports_on(store: Store, post: Post, folder: Path) -> Ports:
    """What the house gives to channels that open by their section."""
    return Ports(
        node=post.id,
        number="12345",
        pepper=b"a pepper that only tests have",
        inbox=post.inbox,
        shared=store.shared,
        files=FileStore(folder / "files"),
        lines=store.queue,
        timeline=store.log.read,
        badge=str,
        scanned=unknown,
        attests=Attested(),
        words={"link": "请打开 {url} 继续", "reply": "{text}"},
    )


@asynccontextmanager
async def open_post(store: Store, name: str, rules: Rules = PATIENT) -> AsyncIterator[Post]:
    """A node that beats, sweeps and reads the feed, until it dies or the test ends."""
    post = post_on(store, name, rules)
    await post.node.start()

    async def hint_all(entry: object) -> None:
        post.mailboxes.hint(entry)  # type: ignore[arg-type] # the feed gives entries only

    feed = Feed(store.log, [hint_all])
    await feed.start()
    post.duties += [asyncio.create_task(post.node.run()), asyncio.create_task(feed.run())]
    try:
        yield post
    finally:
        await post.die()


def a_call(number: str = "+8613800138000", node_leg: str = "") -> Contact:
    """Somebody rings."""
    leg = LegId(node_leg or f"call-{new_ulid()}")
    return Contact(leg, CALLS, Medium.VOICE, Address("tel", number), "12345", asserted=True)


def a_chat(visitor: str = "visitor-1", channel: str = CHATS, first: Event | None = None) -> Contact:
    """Somebody writes."""
    medium = Medium.MESSAGE if channel == LETTERS else Medium.CHAT
    return Contact(LegId(f"chat-{new_ulid()}"), channel, medium, Address("web", visitor), "12345", first=first)


async def hire(store: Store, login: str, *media: Medium, chats: int = 3) -> AssigneeId:
    """An agent who is ready and reached for these media (all, where none is named)."""
    agent = AssigneeId(login)
    capacity = {Medium.VOICE: 1, Medium.CHAT: chats, Medium.MESSAGE: 5}
    await store.queue.enlist(Profile(agent, AssigneeKind.AGENT, ("general",), capacity))
    await store.queue.reach(agent, "test", frozenset(media or Medium), ttl_s=120.0)
    await store.queue.present(agent, Presence.READY)
    return agent


def agents_leg(owner: NodeId) -> LegOpened:
    """The agent has picked up."""
    leg = Leg(LegId(f"agent-{new_ulid()}"), CALLS, Medium.VOICE, Party.ASSIGNEE, owner)
    return LegOpened(leg=leg)


def message_id() -> MessageId:
    return MessageId(new_ulid())
