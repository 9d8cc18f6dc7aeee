"""One citizen's day: what may happen when they switch, drop, dial again, and when a node dies; and a look at it.

All is the product's but the store, which is in memory and whose clock the test moves, and the far ends.
"""

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from channels.contract import Channel, LinkVisit
from gateway.links import Links
from queueing.contract import Store
from queueing.memory import MemoryStore
from queueing.settings import QueueSettings
from session import events as ev
from session.address import Address
from session.ids import AssigneeId, LegId, MessageId, SessionId
from session.notice import Notice
from session.ports import Contact, SessionGone
from session.rules import Rules
from session.state import AssigneeKind, DialFailure, Leg, LegEnd, LegState, Medium, Party, Phase, Session
from session.switch import LinkRefused
from tests.gateway.town import CALLS, CHATS, Device, Post, agents_leg, hire, links_on, post_on

QUEUE = QueueSettings(settle_s=0.0, lease_s=20.0, decline_pause_s=1.0)
RULES = Rules(announce_s=(3600.0,), wrap_s=5.0)
ADDRESS = Address("tel", "+8613800138000")
AGENTS = (AssigneeId("8001"), AssigneeId("8002"))
OVER = (Phase.CLOSED, Phase.WRAPPING)
TIMES = (1.0, 21.0, 61.0, 121.0, 1801.0)
RELEASING = (
    ev.LegClosed,
    ev.LegOpened,
    ev.TimerFired,
    ev.ContactFinished,
    ev.WrapFinished,
    ev.SessionParked,
    ev.SlotGranted,
    ev.DialFailed,
    ev.SessionTransferred,
)
"""Events after which nobody may have the session any longer."""


@dataclass
class Carrier(Device):
    links: list[str] = field(default_factory=list)

    async def may_notify(self, to: Address, template: str) -> bool:
        return to.scheme == "tel" and self.failure is None

    async def notify(self, to: Address, notice: Notice) -> None:
        await self._note("notify", notice.id)
        self.links.append(notice.template.parameters["url"].partition("#")[2])


@dataclass
class Pages(Device):
    """A page opens a leg, as the web chat does it; `post` is whoever serves it now."""

    post: Post | None = None

    async def join_by_link(self, session: SessionId, visit: str) -> LinkVisit:
        assert self.post is not None
        leg = LegId("page-" + re.sub(r"[^0-9A-Za-z]", "-", visit)[-40:])
        opened = Leg(leg, CHATS, Medium.CHAT, Party.CITIZEN, self.post.id, Address("web", leg))
        await self.post.inbox.post(session, ev.LegOpened(leg=opened), dedupe=f"leg:{leg}")
        return LinkVisit(leg, Address("web", leg), f"proof of {leg}")


Pick = Callable[[int], int]


class Day:
    """One citizen's day. `pick` chooses a number below its argument."""

    def __init__(self, pick: Pick, wrap: Callable[[MemoryStore], Store] = lambda store: store) -> None:
        """`wrap` makes what the first node has of the store."""
        self.pick = pick
        self.now = 1_790_000_000.0
        self.store = MemoryStore(QUEUE, lambda: self.now)
        self.carrier = Carrier("texts", Medium.MESSAGE)
        self.pages = Pages(CHATS, Medium.CHAT, survives_node=True, follows_timeline=True)
        self.names = 0
        self.said: dict[SessionId, list[str]] = {}
        """What the citizen was told is accepted, by session, in order."""
        self.waits: dict[SessionId, float] = {}
        self.spoken: dict[SessionId, int] = {}
        self.post, self.links = self._node(wrap(self.store))

    def _node(self, store: Store) -> tuple[Post, Links]:
        self.names += 1
        post = post_on(store, f"n{self.names}", RULES)
        channels: dict[str, Channel] = {CALLS: post.telephone, CHATS: self.pages, "texts": self.carrier}
        links = links_on(store, channels, post.inbox, RULES)
        post.performer._links, post.performer._channels = links, channels
        self.pages.post = post
        return post, links

    async def begin(self) -> None:
        await self.store.mailboxes.beat(self.post.id, ttl_s=5.0)
        for agent in AGENTS:
            await hire(self.store, agent)
        await self.rest()

    # --- what may happen -----------------------------------------------------------------------------------------

    async def calls(self) -> None:
        self.names += 1
        leg = LegId(f"call-{self.names}")
        await self.post.inbox.open(Contact(leg, CALLS, Medium.VOICE, ADDRESS, "12345", asserted=True))

    async def call_ends(self) -> None:
        for session in self.mine():
            for leg in session.legs:
                if leg.medium is Medium.VOICE and leg.state is LegState.LIVE and self.pick(2):
                    reason = (LegEnd.HANGUP, LegEnd.LOST, LegEnd.NODE_LOST)[self.pick(3)]
                    await self.tell(session, ev.LegClosed(leg=leg.id, reason=reason), f"closed:{leg.id}:{reason}")

    async def keeps_the_place(self) -> None:
        for session in self.mine():
            call = session.voice_leg(Party.CITIZEN)
            if call is not None:
                await self.tell(session, ev.PlaceKept(leg=call.id))

    async def asks_for_a_picture(self) -> None:
        for session in self.mine():
            if session.assignee is not None:
                await self.tell(session, ev.PictureRequested(by=session.assignee))

    async def opens_a_link(self) -> None:
        if self.carrier.links:
            token = self.carrier.links[self.pick(len(self.carrier.links))]
            claim = ("own browser of the citizen", "a thief who has the link")[self.pick(8) == 0]
            with suppress(LinkRefused):
                await self.links.open(token, claim)

    async def writes(self) -> None:
        for session in self.mine():
            for leg in session.live_legs(Party.CITIZEN):
                if leg.medium is Medium.CHAT:
                    self.names += 1
                    name = f"m{self.names}"
                    event = ev.TextReceived(leg=leg.id, message=MessageId(name), text=name)
                    for _ in range(1 + self.pick(2)):  # a page that has no answer sends again
                        await self.tell(session, event, f"{leg.id}:{name}")
                    return

    async def page_comes_and_goes(self) -> None:
        for session in self.mine():
            for leg in session.live_legs(Party.CITIZEN):
                if leg.medium is Medium.CHAT:
                    away, back = ev.LegAway(leg=leg.id), ev.LegBack(leg=leg.id, owner=self.post.id)
                    await self.tell(session, away if leg.state is LegState.LIVE else back)

    async def agents_answer(self) -> None:
        for session in self.mine():
            offer = session.offer
            if offer is None:
                continue
            if self.pick(4) == 0:
                await self.post.inbox.decline(session.id, offer.assignee, offer.token, "desk")
            else:
                await self.post.inbox.accept(session.id, offer.assignee, offer.token)

    async def telephone_is_picked_up(self) -> None:
        for session in self.mine():
            if session.phase is Phase.ACTIVE and not session.live_legs(Party.ASSIGNEE):
                await self.tell(session, agents_leg(self.post.id))

    async def a_call_is_asked_for(self) -> None:
        """By the citizen, from the page; or by who writes to them."""
        for session in self.mine():
            self.names += 1
            by = session.assignee if self.pick(2) else None
            leg = LegId(f"dial-{self.names}")
            await self.tell(session, ev.CallRequested(by=by, leg=leg, channel=CALLS, address=ADDRESS))

    async def a_page_is_to_ring(self) -> None:
        """By who writes to its citizen."""
        for session in self.mine():
            legs = session.live_legs(Party.CITIZEN)
            page = next((leg for leg in legs if leg.medium is Medium.CHAT and leg.state is LegState.LIVE), None)
            if session.assignee is not None and page is not None and page.address is not None:
                self.names += 1
                leg, node = LegId(f"dial-{self.names}"), page.owner
                wish = ev.CallRequested(by=session.assignee, leg=leg, channel=CALLS, address=page.address, node=node)
                await self.tell(session, wish)

    async def the_citizen_is_called(self) -> None:
        """And picks up, or does not."""
        for session in self.mine():
            dial = session.dial
            if dial is None or dial.state is not LegState.CALLING:
                continue
            await self.tell(session, ev.DialStarted(leg=dial.id), f"dialling:{dial.id}")
            up = replace(dial, state=LegState.LIVE, owner=self.post.id)
            missed = ev.DialFailed(leg=dial.id, reason=DialFailure.NO_ANSWER)
            outcome = missed if self.pick(2) else ev.LegOpened(leg=up)
            await self.tell(session, outcome, f"dialled:{dial.id}")

    async def agent_hands_it_on(self) -> None:
        for session in self.mine():
            if session.phase is Phase.ACTIVE and session.assignee is not None:
                to = AGENTS[self.pick(len(AGENTS))] if self.pick(2) else None
                await self.tell(session, ev.SessionTransferred(by=session.assignee, to=to, why="a test"))

    async def agent_writes(self) -> None:
        for session in self.mine():
            if session.assignee is not None:
                self.names += 1
                text = MessageId(f"a{self.names}")
                await self.tell(
                    session, ev.TextSent(by=session.assignee, kind=AssigneeKind.AGENT, message=text, text=text)
                )

    async def agent_finishes(self) -> None:
        for session in self.mine():
            if session.assignee is not None and self.pick(2):
                done = ev.WrapFinished if session.phase is Phase.WRAPPING else ev.ContactFinished
                await self.tell(session, done(by=session.assignee))

    async def time_passes(self) -> None:
        self.now += TIMES[self.pick(len(TIMES))]
        await self.store.mailboxes.beat(self.post.id, ttl_s=5.0)
        for agent in AGENTS:
            await self.store.queue.reach(agent, "test", frozenset(Medium), ttl_s=120.0)

    async def node_dies(self) -> None:
        """Another takes over, with whatever was not done; the dead one's calls are mourned."""
        old = self.post
        await old.mailboxes.stop()
        await self.store.mailboxes.leave(old.id)
        self.post, self.links = self._node(self.store)
        await self.store.mailboxes.beat(self.post.id, ttl_s=5.0)
        await self.rest()
        await self.post.node._take_over()

    async def carrier_fails(self) -> None:
        self.carrier.failure = None if self.carrier.failure else RuntimeError("the carrier is broken")

    ACTS = (
        *(calls, calls, call_ends, call_ends, keeps_the_place, keeps_the_place, asks_for_a_picture, opens_a_link),
        *(opens_a_link, writes, writes, page_comes_and_goes, agents_answer, agents_answer, telephone_is_picked_up),
        *(telephone_is_picked_up, agent_writes, agent_finishes, time_passes, time_passes, node_dies, carrier_fails),
        *(a_call_is_asked_for, the_citizen_is_called, the_citizen_is_called, agent_hands_it_on, a_page_is_to_ring),
    )

    # --- rest, and a look --------------------------------------------------------------------------------------

    async def tell(self, session: Session, event: ev.Event, dedupe: str | None = None) -> None:
        try:
            version = await self.post.inbox.post(session.id, event, dedupe=dedupe)
        except SessionGone:
            return
        if isinstance(event, ev.TextReceived):
            said = self.said.setdefault(session.id, [])
            if event.text not in said:
                said.append(event.text)
        assert version > 0

    def mine(self) -> list[Session]:
        held = (kept.snapshot for kept in self.store.log._world.sessions.values())
        return [session for session in held if session is not None and session.phase is not Phase.CLOSED]

    async def rest(self) -> None:
        """Until nothing is left to be absorbed, offered or fired."""
        for _ in range(50):
            await self.store.queue.sweep()
            for session, kept in self.store.log._world.sessions.items():
                if kept.absorbed < len(kept.log) or kept.pending:
                    self.post.mailboxes.wake(session)
            for _ in range(20):
                await asyncio.sleep(0)
            world = self.store.log._world.sessions.values()
            if all(kept.absorbed == len(kept.log) and not kept.pending for kept in world):
                return
        raise AssertionError("it never came to rest")

    async def look(self) -> None:
        for name, kept in self.store.log._world.sessions.items():
            session = kept.snapshot
            assert session is not None
            self._look_at_words(name, kept.log)
            self._look_at_agents(kept.log)
            waited = session.waited_s(self.now)
            assert waited >= self.waits.get(name, 0.0) - 1e-6, "the wait has shrunk"
            self.waits[name] = waited
            if session.phase in OVER:
                left = [leg for leg in session.legs if leg.state is not LegState.ENDED]
                awaited = [session.dropped_call] if session.phase is Phase.WRAPPING and session.dropped_call else []
                assert left == awaited, "a leg is left after the end"
                assert all(f"grace:{leg.id}" in kept.timers for leg in left), "away without an end"
            else:
                self._look_where_they_are(session)
        for view in await self.store.queue.roster():
            charged = [charge.session for charge in view.charges]
            assert len(set(charged)) == len(charged), "two charges for one session"

    def _look_at_words(self, name: SessionId, log: list[ev.Event]) -> None:
        came = [event.text for event in log if isinstance(event, ev.TextReceived)]
        assert came == self.said.get(name, []), "a message was lost, doubled or reordered"

    def _look_at_agents(self, log: list[ev.Event]) -> None:
        """Who has it changes by an accept alone; and between two accepts stands an event that let the first go."""
        holder, let_go = None, True
        for event in log:
            if isinstance(event, ev.OfferAccepted):
                assert let_go or event.assignee == holder, "the agent changed and nothing says why"
                holder, let_go = event.assignee, False
            elif isinstance(event, RELEASING):
                let_go = True

    def _look_where_they_are(self, session: Session) -> None:
        """In one of the places, never in neither."""
        legs = session.live_legs(Party.CITIZEN)
        owed = session.debt is not None or session.phase in (Phase.CALLBACK_PENDING, Phase.PARKED)
        assert legs or owed, f"nobody is there and nothing is owed: {session.phase}"
        kept = self.store.log._world.sessions[session.id]
        assert (kept.waiting is not None) == (session.phase in (Phase.QUEUED, Phase.OFFERED))
        timers = set(kept.timers)
        for leg in legs:
            assert leg.state is not LegState.AWAY or f"grace:{leg.id}" in timers, "away without an end"
