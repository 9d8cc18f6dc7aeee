"""The desks of the agents whose browsers are connected to this node: what they see, and what their commands do."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress

from gateway import desk_view
from gateway.beginning import Beginning
from gateway.bulletin import Bulletin
from gateway.chronicle import chronicle
from gateway.conferring import Conferring
from gateway.desk_commands import event_of
from gateway.desk_state import DeskState, Watched
from gateway.destinations import Destinations
from gateway.outgoing import CallRefused, Outgoing
from gateway.oversight import Oversight
from gateway.parking import Parking
from gateway.passing import Passing
from gateway.reach import Reach
from gateway.seats import Seats
from gateway.sight import comes_to
from gateway.staff import Staff
from gateway.wording import Word, Wording
from gateway.wrapping import event_of as wrapping
from queueing.contract import AssigneeView, Presence, QueueView, Store
from queueing.errors import UnknownAssignee
from realtime import desk as frames
from realtime.conference import CallBegin, CallConfer, CallConsult, CallFetch, CallPark
from realtime.link import Link
from realtime.messages import Close, Command, Durable, Ephemeral
from realtime.ownership import ContactTransfer
from realtime.peer import Refusal
from rulebook.wrapup import WrapUp
from session.errors import YihaoError
from session.events import (
    AssigneeAway,
    AssigneeBack,
    Event,
    MessageDelivered,
    SessionParked,
    SessionResumed,
)
from session.handling import call_of
from session.ids import AssigneeId, MessageId, NodeId, SessionId
from session.ports import Entry, Files, Inbox, StoreUnavailable
from session.rules import Rules
from session.state import Medium, Party, Phase, Supervision

log = logging.getLogger(__name__)

BY_DESK = frozenset({Medium.CHAT, Medium.MESSAGE})
"""What a browser without a telephone brings to an agent."""
REACH_TTL_S = 10.0
REFRESH_S = 3.0
LOOK_S = 1.0
TOGETHER = 20
"""So many are looked at at once: two hundred in a row took a busy node `REACH_TTL_S`, and offers were taken back."""

_ON_A_CALL = (frames.CallHold, frames.CallMute, frames.CallDigits, frames.CallJudge, CallConfer)
Typing = Callable[[SessionId], None]
Opened = Callable[[AssigneeId, str], None]


def _told_nobody(*about: str) -> None:
    del about


class Desks:
    """The `realtime.peer.Peer` of all desks on this node. `link.subject` is the agent's login."""

    def __init__(
        self,
        store: Store,
        node: NodeId,
        inbox: Inbox,
        files: Files,
        staff: Staff,
        rules: Rules,
        rescind_after_s: float,
        reach: Reach,
        outgoing: Outgoing,
        seats: Seats,
        beginning: Beginning,
    ) -> None:
        self._seats, self._beginning = seats, beginning
        self._store, self._node, self._inbox = store, node, inbox
        self._staff, self._rules, self._reachable, self._outgoing = staff, rules, reach, outgoing
        self._destinations = Destinations(store.queue)
        self._oversight = Oversight(store, inbox, staff)
        self._wording = Wording(files, staff, reach.can_recall)
        self._conferring = Conferring(store.queue, outgoing)
        self._parking = Parking(store.shared, store.log, store.queue, inbox, rules)
        self.tell_typing: Typing = _told_nobody
        """Set once: the channel that shows the citizen that the agent writes."""
        self.tell_opened: Opened = _told_nobody
        """Set once: the other nodes' desks are told that this agent's is here (`opened`)."""
        self.revision: Callable[[], int] = int
        """Set once: which revision of the rules is in force here."""
        self.wrap: Callable[[], WrapUp] = WrapUp
        """Set once: what the rules in force say of write-ups."""
        self._rescind_after_s = rescind_after_s
        self._desks: dict[AssigneeId, DeskState] = {}
        self._links: dict[AssigneeId, set[Link]] = defaultdict(set)
        self._leaving: dict[AssigneeId, asyncio.TimerHandle] = {}
        self._undelivered: dict[Link, deque[tuple[int, SessionId, MessageId]]] = defaultdict(deque)
        """Citizens' messages that were sent to a page, by the number of the frame that it has not confirmed."""
        self._bulletin = Bulletin(store.shared)
        self.passing = Passing(self._links_having)
        self._revisions: dict[Link, int] = {}
        """What each page was told last that is in force."""
        self._told: dict[AssigneeId, str] = {}
        """The word to all that each desk was told last."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._looking: set[tuple[AssigneeId, SessionId]] = set()
        """Contacts of which it is being asked what can be sent."""
        self._loading: dict[AssigneeId, asyncio.Task[DeskState]] = {}

    # --- Peer ----------------------------------------

    async def snapshot(self, link: Link) -> Durable:
        """See `Peer`. The desk is loaded once; from then on the feed keeps it."""
        agent = AssigneeId(link.subject)
        desk = await self._desk_of(agent)
        self._links[agent].add(link)
        shown = desk.snapshot()
        for contact in shown.contacts:
            for message in desk_view.undelivered(contact.timeline):
                self._undelivered[link].append((link.last + 1, SessionId(contact.session), message))
        return shown

    async def command(self, link: Link, command: Command) -> int | Refusal:
        """See `Peer`."""
        agent = AssigneeId(link.subject)
        match command:
            case frames.PresenceSet():
                return await self._present(agent, command)
            case frames.OfferAccept() | frames.OfferDecline():
                return await self._answer(agent, command)
            case frames.MessageSend() | frames.FileSend() | frames.MessageRecall() | frames.NoteAdd():
                return await self._word(agent, command)
            case ContactTransfer():
                return await self._hand_on(agent, command)
            case frames.MessageAgain():
                return await self._send_again(agent, command)
            case frames.CallStart():
                return await self._call(agent, command)
            case frames.CallSupervise() | CallConsult() | CallPark() | CallFetch() | CallBegin():
                return await self._on_calls(agent, command)
            case frames.WrapSave() | frames.WrapExtend():
                return await self._wrap(agent, command)
        event = event_of(agent, command)
        session = SessionId(str(getattr(command, "session", "")))
        if event is None or not self._has(agent, session):
            return Refusal("not_yours")
        if isinstance(command, _ON_A_CALL) and not self._talks(agent, session):
            return Refusal("no_call")
        version = await self._post(agent, session, event, command)
        if isinstance(event, SessionParked):
            await self._remember_parked(agent, session)
        return version

    def ephemeral(self, link: Link, frame: Ephemeral) -> None:
        """See `Peer`."""
        if isinstance(frame, frames.Typing) and self._has(AssigneeId(link.subject), SessionId(frame.session)):
            self.tell_typing(SessionId(frame.session))

    def received(self, link: Link, seq: int) -> None:
        """See `Peer`: what a desk has received was delivered."""
        waiting = self._undelivered.get(link)
        arrived = []
        while waiting and waiting[0][0] <= seq:
            arrived.append(waiting.popleft()[1:])
        if arrived:
            self._start(self._delivered(arrived))

    def connected(self, link: Link) -> None:
        """See `Peer`."""
        agent = AssigneeId(link.subject)
        if timer := self._leaving.pop(agent, None):
            timer.cancel()
        self.tell_opened(agent, link.sid)
        self._start(self._arrive(agent))
        for session in self._desks[agent].watched if agent in self._desks else ():
            self._look_at_reach(agent, session)

    def disconnected(self, link: Link) -> None:
        """See `Peer`: an offer is rescinded when they are not back after a moment."""
        agent = AssigneeId(link.subject)
        self._start(self._get_up(agent, link.sid))
        if any(one.is_connected for one in self._links[agent]) or agent in self._leaving:
            return
        loop = asyncio.get_running_loop()
        self._leaving[agent] = loop.call_later(self._rescind_after_s, lambda: self._start(self._vanish(agent)))

    def forgotten(self, link: Link) -> None:
        """See `Peer`."""
        agent = AssigneeId(link.subject)
        self._undelivered.pop(link, None)
        self._revisions.pop(link, None)
        self._links[agent].discard(link)
        if not self._links[agent]:
            del self._links[agent]
            self._desks.pop(agent, None)
            self._told.pop(agent, None)

    # --- the feed ----------------------------------------

    async def follow(self, entry: Entry) -> None:
        """One more event of any session."""
        asked = self._desks.get(comes_to(entry.event) or AssigneeId(""))
        if asked is not None and entry.session not in asked.watched:
            await self._watch(asked, entry.session)
        for desk in list(self._desks.values()):
            if entry.session in desk.watched:
                await self._take(desk, entry)

    def _links_having(self, session: SessionId) -> Iterator[Link]:
        """The pages of whoever has that session."""
        for agent, desk in self._desks.items():
            if session in desk.watched and desk.has(desk.watched[session].session):
                yield from self._links.get(agent, ())

    def opened(self, agent: AssigneeId, sid: str) -> None:
        """An agent's desk was opened as that link, perhaps at another node. It is a hint: the claim says who has it."""
        for link in self._links.get(agent, ()):
            if link.sid != sid and link.is_connected:
                self._start(self._keep_seat(agent, link))

    async def run(self) -> None:
        """Until cancelled: say that the desks are there, and show what the queue makes of their agents."""
        now = asyncio.get_running_loop().time
        refreshed = now()
        while True:
            await asyncio.sleep(LOOK_S)
            if is_due := now() - refreshed >= REFRESH_S:
                refreshed = now()
            try:
                await self._look_around(refresh=is_due)
            except StoreUnavailable:
                continue
            except YihaoError as error:
                log.warning("desks not refreshed", extra={"why": type(error).__name__})

    # --- what it takes ----------------------------------------

    async def _desk_of(self, agent: AssigneeId) -> DeskState:
        """The agent's desk, loaded once however many ask for it at the same time."""
        loading = self._loading.get(agent)
        if loading is None:
            if agent in self._desks:
                return self._desks[agent]
            loading = self._loading[agent] = asyncio.create_task(self._load(agent))
            loading.add_done_callback(lambda _: self._loading.pop(agent, None))
        return await asyncio.shield(loading)

    async def _load(self, agent: AssigneeId) -> DeskState:
        """Known to the feed before anything is read, so that what happens meanwhile is not missed.

        The queue hears of the desk once its socket is up (`connected`): an offer made sooner would be shown to nobody.
        """
        account = await self._staff.account(agent)
        if account is None:
            raise UnknownAssignee(agent)
        profile, extension = account
        await self._store.queue.enlist(profile)
        view = await self._store.queue.view(agent)
        desk = DeskState(agent, extension, profile.queues, self._rules, view)
        desk.measure(await self._store.queue.queues())
        self._desks[agent] = desk
        try:
            concerned = [charge.session for charge in view.charges] + await self._parked(agent)
            for session in dict.fromkeys(concerned):
                await self._watch(desk, session)
        except BaseException:  # a task's top: half a desk is none
            del self._desks[agent]
            raise
        return desk

    async def _watch(self, desk: DeskState, session: SessionId) -> None:
        """Read a session and keep it if it concerns the agent; what came while it was read is read too."""
        watched = Watched.load(await chronicle(self._store.log, session), self._rules)
        if watched is None or session in desk.watched:
            return
        if not desk.concerns(watched):
            self._start(self._forget_parked(desk.agent, session))
            return
        self.show(desk.agent, desk.begin(watched))
        self._look_at_reach(desk.agent, session)
        await self._catch_up(desk, session)

    async def _catch_up(self, desk: DeskState, session: SessionId) -> None:
        """Take what the log has and the feed has not brought yet: what the agent does next stands on it."""
        watched = desk.watched.get(session)
        if watched is None:
            await self._watch(desk, session)
            return
        for entry in await chronicle(self._store.log, session, watched.session.version):
            await self._take(desk, entry)

    async def _take(self, desk: DeskState, entry: Entry) -> None:
        try:
            shown = list(desk.take(entry))
        except ValueError:
            del desk.watched[entry.session]
            await self._watch(desk, entry.session)
            return
        self.show(desk.agent, shown)
        watched = desk.watched.get(entry.session)
        if watched is not None and self._reachable.moves(watched.session, entry.event):
            self._look_at_reach(desk.agent, entry.session)
        if isinstance(entry.event, SessionResumed):
            self._start(self._forget_parked(desk.agent, entry.session))
        is_here = any(link.is_connected for link in self._links.get(desk.agent, ()))
        if isinstance(entry.event, AssigneeAway) and entry.event.assignee == desk.agent and is_here:
            self._start(self._arrive(desk.agent))  # so it was thought while the store was away, or a moment too late

    def show(self, agent: AssigneeId, shown: Iterable[Durable]) -> None:
        """Put frames on an agent's desk, where it is open here."""
        links = self._links.get(agent, ())
        for frame in shown:
            word = desk_view.word_of(frame)
            for link in links:
                seq = link.publish(frame)
                if word is not None:
                    self._undelivered[link].append((seq, *word))

    def _look_at_reach(self, agent: AssigneeId, session: SessionId) -> None:
        """Show what can be sent now: once for all that comes while it is being asked."""
        if self._has(agent, session) and (agent, session) not in self._looking:
            self._looking.add((agent, session))
            self._start(self._mention_reach(agent, session))

    async def _mention_reach(self, agent: AssigneeId, session: SessionId) -> None:
        await asyncio.sleep(0)
        self._looking.discard((agent, session))
        desk = self._desks.get(agent)
        watched = desk.watched.get(session) if desk else None
        if watched is None:
            return
        with suppress(StoreUnavailable):
            frame = await self._reachable.of(watched.session)
            for link in self._links.get(agent, ()):
                link.mention(frame)

    def _has(self, agent: AssigneeId, session: SessionId) -> bool:
        desk = self._desks.get(agent)
        watched = desk.watched.get(session) if desk else None
        return desk is not None and watched is not None and desk.has(watched.session)

    def _talks(self, agent: AssigneeId, session: SessionId) -> bool:
        """Whether the agent is on the citizen's call now."""
        watched = self._desks[agent].watched[session]
        return call_of(watched.session, agent) is not None

    async def _present(self, agent: AssigneeId, command: frames.PresenceSet) -> int | Refusal:
        presence = Presence(command.presence)
        if presence is not Presence.READY and not command.reason.strip():
            return Refusal("reason_needed")
        try:
            view = await self._staff.present(agent, presence, command.reason)
        except UnknownAssignee:
            return Refusal("forbidden")
        self.show(agent, self._desks[agent].look(view))
        return 0

    async def _answer(self, agent: AssigneeId, command: frames.OfferAccept | frames.OfferDecline) -> int | Refusal:
        session = SessionId(command.session)
        desk = self._desks.get(agent)
        watched = desk.watched.get(session) if desk else None
        if isinstance(command, frames.OfferDecline):
            declined = await self._inbox.decline(session, agent, command.token, command.reason or "desk")
            return 0 if declined else Refusal("not_offered")
        offer = watched.session.offer if watched else None
        if offer is not None and offer.medium is Medium.VOICE:
            return Refusal("use_phone")
        verdict = await self._inbox.accept(session, agent, command.token)
        if not verdict.granted:
            return Refusal(verdict.value)
        if desk is not None:
            await self._catch_up(desk, session)
        return 0

    async def _wrap(self, agent: AssigneeId, command: frames.WrapSave | frames.WrapExtend) -> int | Refusal:
        session = SessionId(command.session)
        if not self._has(agent, session):
            return Refusal("not_yours")
        contact, now = self._desks[agent].watched[session], await self._store.shared.now()
        event = wrapping(agent, command, contact, self.wrap(), now)
        return event if isinstance(event, Refusal) else await self._post(agent, session, event, command)

    async def _hand_on(self, agent: AssigneeId, command: ContactTransfer) -> int | Refusal:
        session = SessionId(command.session)
        desk = self._desks.get(agent)
        held = desk.watched[session].session if desk is not None and session in desk.watched else None
        if held is None or held.phase is not Phase.ACTIVE or held.assignee != agent:
            return Refusal("not_yours")
        event = await self._destinations.transfer(
            agent, held.demand, to=command.to, queue=command.queue, why=command.why
        )
        return event if isinstance(event, Refusal) else await self._post(agent, session, event, command)

    async def _on_calls(
        self, agent: AssigneeId, command: frames.CallSupervise | CallConsult | CallPark | CallFetch | CallBegin
    ) -> int | Refusal:
        once = _once(agent, command)
        match command:
            case CallBegin():
                begun = await self._beginning.begin(agent, command.number, is_up=False, dedupe=once)
                return Refusal(begun) if isinstance(begun, str) else 0  # the feed brings the contact
            case CallConsult():
                return await self._consult(agent, command)
            case CallPark():
                parked = await self._parking.park(SessionId(command.session), agent, dedupe=once)
                return parked if isinstance(parked, Refusal) else 0
            case CallFetch():
                return await self._parking.fetch(command.place, agent, dedupe=once)
            case frames.CallSupervise():
                what = Supervision(command.what)
                return await self._oversight.ask(agent, SessionId(command.session), what, dedupe=once)

    async def _consult(self, agent: AssigneeId, command: CallConsult) -> int | Refusal:
        """Call a third to the agent's call, where a rule allows it."""
        session = SessionId(command.session)
        if not self._has(agent, session):
            return Refusal("not_yours")
        if not self._talks(agent, session):
            return Refusal("no_call")
        if self._desks[agent].watched[session].session.live_legs(Party.THIRD):
            return Refusal("third_there")
        event = await self._conferring.third(agent, to=command.to, queue=command.queue, number=command.number)
        return event if isinstance(event, Refusal) else await self._post(agent, session, event, command)

    async def _call(self, agent: AssigneeId, command: frames.CallStart) -> int | Refusal:
        """Ask for a call to the citizen, where a rule allows it."""
        session = SessionId(command.session)
        watched = self._desks[agent].watched.get(session) if self._has(agent, session) else None
        if watched is None:
            return Refusal("not_yours")
        if watched.session.phase is not Phase.ACTIVE or watched.session.call is not None:
            return Refusal("call_running")
        if Medium.VOICE not in (await self._store.queue.view(agent)).reachable:
            return Refusal("no_phone")
        try:
            wish = await self._outgoing.wish(watched.session, agent, at=command.at)
        except CallRefused as refused:
            return Refusal(refused.why.value)
        return await self._post(agent, session, wish, command)

    async def _word(self, agent: AssigneeId, command: Word) -> int | Refusal:
        session = SessionId(command.session)
        if not self._has(agent, session):
            return Refusal("not_yours")
        watched = self._desks[agent].watched[session]
        event = await self._wording.event(agent, watched.session, watched.entries, command)
        return event if isinstance(event, Refusal) else await self._post(agent, session, event, command)

    async def _send_again(self, agent: AssigneeId, command: frames.MessageAgain) -> int | Refusal:
        session = SessionId(command.session)
        if not self._has(agent, session):
            return Refusal("not_yours")
        watched = self._desks[agent].watched[session]
        return await self._reachable.again(agent, watched.session, watched.entries, command)

    async def _parked(self, agent: AssigneeId) -> list[SessionId]:
        """What the agent has set aside: nobody is charged for it, so the queue does not know."""
        return [SessionId(name) for name in await self._store.shared.fields(f"parked:{agent}")]

    async def _remember_parked(self, agent: AssigneeId, session: SessionId) -> None:
        """Where more are set aside than are remembered, the oldest comes back by the citizen's own word only."""
        with suppress(YihaoError):
            await self._store.shared.put_field(f"parked:{agent}", session, b"", ttl_s=self._rules.park_s)

    async def _forget_parked(self, agent: AssigneeId, session: SessionId) -> None:
        with suppress(YihaoError):
            await self._store.shared.delete_field(f"parked:{agent}", session)

    async def _post(self, agent: AssigneeId, session: SessionId, event: Event, command: Command) -> int:
        return await self._inbox.post(session, event, dedupe=_once(agent, command))

    async def _delivered(self, arrived: Iterable[tuple[SessionId, MessageId]]) -> None:
        for session, message in arrived:
            event = MessageDelivered(message=message, to=Party.ASSIGNEE)
            await self._quietly(session, event, f"delivered:{message}")

    async def _quietly(self, session: SessionId, event: Event, dedupe: str | None = None) -> None:
        with suppress(YihaoError):
            await self._inbox.post(session, event, dedupe=dedupe)

    # --- coming and going ----------------------------------------

    async def _reach(self, agent: AssigneeId) -> AssigneeView:
        return await self._store.queue.reach(agent, f"desk:{self._node}", BY_DESK, ttl_s=REACH_TTL_S)

    async def _arrive(self, agent: AssigneeId) -> None:
        with suppress(YihaoError):
            await self._reach(agent)
        desk = self._desks.get(agent)
        for session, watched in list(desk.watched.items()) if desk else []:
            if watched.away:
                await self._quietly(session, AssigneeBack(assignee=agent), f"back:{agent}:{watched.session.version}")

    async def _keep_seat(self, agent: AssigneeId, link: Link) -> None:
        with suppress(StoreUnavailable):
            if not await self._seats.keeps(agent, link.sid):
                link.close(Close.REPLACED, "replaced")

    async def _get_up(self, agent: AssigneeId, sid: str) -> None:
        with suppress(YihaoError):  # the claim runs out
            await self._seats.leave(agent, sid)

    async def _vanish(self, agent: AssigneeId) -> None:
        """The desk is gone: nothing more is offered to it, and its chats wait for it a while."""
        self._leaving.pop(agent, None)
        try:
            view = await self._store.queue.reach(agent, f"desk:{self._node}", frozenset(), ttl_s=REACH_TTL_S)
        except YihaoError:
            return  # the device's own time runs out, and the sweep says so
        for charge in view.charges:
            is_chat = charge.state == "engaged" and charge.medium is not Medium.VOICE
            if is_chat and charge.medium not in view.reachable:
                await self._quietly(charge.session, AssigneeAway(assignee=agent))

    async def _look_around(self, *, refresh: bool) -> None:
        if not self._desks:
            return
        self._tell_revision()
        await self._read_out()
        queues = await self._store.queue.queues()
        desks = list(self._desks.items())
        for first in range(0, len(desks), TOGETHER):
            some = desks[first : first + TOGETHER]
            await asyncio.gather(*(self._look_at(agent, desk, queues, refresh=refresh) for agent, desk in some))

    async def _look_at(self, agent: AssigneeId, desk: DeskState, queues: Sequence[QueueView], *, refresh: bool) -> None:
        links = self._links.get(agent, set())
        connected = [link for link in links if link.is_connected]
        if not connected:
            return
        for link in connected if refresh else ():
            await self._keep_seat(agent, link)
        try:
            view = await (self._reach(agent) if refresh else self._store.queue.view(agent))
        except UnknownAssignee:
            self._turn_out(links)
            return
        self.show(agent, desk.look(view))
        stats = desk.measure(queues)
        if stats is not None:
            for link in links:
                link.mention(stats)

    def _tell_revision(self) -> None:
        """Nothing that an administrator changes waits for a page to be loaded anew."""
        revision = self.revision()
        for links in self._links.values():
            for link in links:
                if link.is_connected and self._revisions.get(link) != revision:
                    self._revisions[link] = revision
                    link.mention(frames.RulesChanged(revision=revision))

    async def _read_out(self) -> None:
        """What a supervisor has said to all, once to each desk."""
        word = await self._bulletin.last()
        if word is None:
            return
        notice = frames.Notice(level="info", text_key="bulletin.said", by=word.by, text=word.text)
        for agent in self._desks:
            if self._told.get(agent) != word.id:
                self._told[agent] = word.id
                self.show(agent, [notice])

    def _turn_out(self, links: Iterable[Link]) -> None:
        """Their account was taken away or disabled; the page will find that it cannot log in again."""
        for link in list(links):
            link.close(Close.AUTH, "discharged")

    def _start(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Leave in good order: the desks are gone from here at once."""
        for timer in self._leaving.values():
            timer.cancel()
        for agent in list(self._desks):
            with suppress(YihaoError):
                await self._store.queue.reach(agent, f"desk:{self._node}", frozenset(), ttl_s=REACH_TTL_S)
        for task in list(self._tasks):
            task.cancel()


def _once(agent: AssigneeId, command: Command) -> str:
    """What makes a repeated command one event."""
    return f"desk:{agent}:{command.id}"
