"""One visitor on this node: their links, the session that these show, and what their commands do."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, ClassVar

from channels.webchat.leaving_word import claim, tell_name, written
from channels.webchat.ports import Ports
from channels.webchat.transcript import Transcript, came_at
from channels.webchat.translate import is_from
from channels.webchat.visitor import address_of, key_of, leg_for
from realtime import citizen
from realtime.link import Link
from realtime.messages import Command, Durable, Ephemeral
from realtime.peer import Refusal
from realtime.wire import encode
from session import belonging as bl
from session import events as ev
from session.ids import FileId, LegId, MessageId, SessionId
from session.ports import Contact, Entry, SessionGone, StoreUnavailable
from session.state import Leg, LegEnd, LegState, Medium, Party

_RETRY_S = 1.0
_MOST_UNDELIVERED = 500
_MOST_SAID = 64
_GOES_ON = frozenset({bl.JoinedInto, bl.SessionsSplit})
"""Events after which the citizen's words may stand in another session."""

Watch = Callable[["Conversation", SessionId | None, SessionId], None]
"""The conversation hears no longer the first session's entries, but the second's."""

Idle = Callable[["Conversation"], None]
"""Something that kept the conversation in memory has ended."""


class Conversation:
    """All shown derives from the session's timeline; nothing is shown because a command was given."""

    __slots__ = (
        "_claims",
        "_gone_on",
        "_idle",
        "_leaving",
        "_opening",
        "_ports",
        "_reading",
        "_recorded",
        "_said",
        "_seen",
        "_sent",
        "_tending",
        "_told_at",
        "_undelivered",
        "_watch",
        "address",
        "holds",
        "links",
        "place",
        "transcript",
        "visitor",
    )

    def __init__(self, visitor: str, ports: Ports, watch: Watch, idle: Idle) -> None:
        self.visitor = visitor
        self.address = address_of(visitor)
        self.links: list[Link] = []
        self.transcript: Transcript | None = None
        self.place: citizen.QueuePlace | None = None
        """The place in line that was last shown."""
        self.holds = 0
        """Who needs it besides its links: see `is_idle`."""
        self._ports, self._watch, self._idle = ports, watch, idle
        self._opening = asyncio.Lock()
        self._seen = 0
        """The newest version that was heard of; more than the transcript's while a gap is being read."""
        self._reading: asyncio.Task[None] | None = None
        self._tending: asyncio.Task[None] | None = None
        self._sent: dict[str, deque[tuple[int, MessageId]]] = {}
        """Messages on their way to a page, by link: the number of the frame that has them."""
        self._said: dict[str, Link] = {}
        """Words that have not come back by the timeline: the page that said them knows them by their `ack`."""
        self._undelivered: deque[MessageId] = deque(maxlen=_MOST_UNDELIVERED)
        self._told_at = 0
        """The version at which the leg's going or coming was last written; until it is heard nothing more is."""
        self._claims = False
        """A page has come here, so the leg is to be this node's. Not for ever: another page may be elsewhere."""
        self._leaving: asyncio.TimerHandle | None = None
        """Runs while no page is here and one may be back at once."""
        self._recorded: SessionId | None = None
        self._gone_on: set[SessionId] = set()
        """Sessions that go on in the one that is shown."""

    # --- links -----------------------------------------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Nothing keeps it in memory."""
        return not self.links and not self.holds

    @property
    def is_connected(self) -> bool:
        """A page of the visitor's is here now."""
        return any(link.is_connected for link in self.links)

    @property
    def is_waiting(self) -> bool:
        """It stands in line and somebody looks."""
        return self.transcript is not None and self.transcript.standing.phase == "waiting" and self.is_connected

    def show(self, link: Link) -> citizen.Snapshot:
        """Begin to show the conversation on a link, with this as the first frame."""
        self.links.append(link)
        self.place = None
        snapshot = self.shown()
        for message in snapshot.messages:
            self._note_sent(link, 1, message)
        return snapshot

    def shown(self) -> citizen.Snapshot:
        """What there is to be seen now."""
        if self.transcript is not None:
            return self.transcript.snapshot()
        return citizen.Snapshot(state=citizen.Standing(phase="new", assignee=None, may_rate=False), messages=())

    def leave(self, link: Link) -> None:
        """The link is no more."""
        self.links.remove(link)
        self._sent.pop(link.sid, None)

    def mention(self, frame: Ephemeral) -> None:
        """Show it wherever a page is open."""
        for link in self.links:
            link.mention(frame)

    # --- the timeline ------------------------------------------------------------------------------------------------

    async def recall(self) -> None:
        """Find the visitor's session, wherever it was opened. Raises `StoreUnavailable`."""
        stored = await self._ports.shared.get(self._record)
        if stored is not None:
            self._recorded = SessionId(stored.decode())
            await self._adopt(self._recorded)

    def hear(self, entry: Entry) -> None:
        """The next entry of the session that is shown, or one of a session that the visitor has come to since."""
        transcript = self.transcript
        if transcript is None or transcript.session_id != entry.session:
            if not self._is_newer(entry.session) and not self._came_here_since(entry):
                return
            transcript = self._take_up(entry.session)
        if entry.version == transcript.version + 1:
            self._take(transcript, entry)
        else:
            self._seen = max(self._seen, entry.version)
        if self._seen > transcript.version and (self._reading is None or self._reading.done()):
            self._reading = self._start(self._catch_up())

    def _is_newer(self, session: SessionId) -> bool:
        """Session ids sort by birth; what is told late of an old one must not bring it back."""
        if session in self._gone_on:
            return False
        return self.transcript is None or session > self.transcript.session_id

    def _go_on(self, event: ev.Event, session: SessionId) -> None:
        """What is shown goes on in another session, or by itself again (拆分)."""
        match event:
            case bl.JoinedInto():
                self._gone_on.add(session)
                self._take_up(event.kept, joined=session)
            case bl.SessionsSplit() if event.other in self._gone_on:
                self._gone_on.discard(event.other)
                self._take_up(event.other)
            case _:
                return
        self._seen = 1  # at least: it is read as far as it goes
        if self._reading is None or self._reading.done():
            self._reading = self._start(self._catch_up())

    def _came_here_since(self, entry: Entry) -> bool:
        """The visitor's words go on with an older session: one that another address of theirs has begun."""
        transcript = self.transcript
        return (
            transcript is not None
            and entry.session != transcript.session_id
            and entry.session not in self._gone_on
            and (came_at(entry, self.address) > transcript.came_at)
        )

    @property
    def _is_behind(self) -> bool:
        return self.transcript is not None and self._seen > self.transcript.version

    def _take_up(self, session: SessionId, joined: SessionId | None = None) -> Transcript:
        """Show another session; the messages of the one before stay above.

        Of one that the one before was joined to, only what comes from then on is shown: the agent may be wrong.
        """
        earlier = self.transcript
        self.transcript = Transcript(session, self.address, self._ports.badge, earlier, joined)
        self._seen = self._told_at = 0
        self._claims = False
        self._watch(self, earlier.session_id if earlier is not None else None, session)
        return self.transcript

    async def _adopt(self, session: SessionId) -> None:
        if self._is_newer(session) or await self._was_come_to(session):
            self._take_up(session)
            await self._read()

    async def _was_come_to(self, session: SessionId) -> bool:
        """An older session may be where the visitor is now: their last leg says so."""
        transcript = self.transcript
        if transcript is None or session == transcript.session_id:
            return False
        return any(self._came_here_since(entry) for entry in await self._ports.timeline(session))

    async def _read(self) -> None:
        if self.transcript is None:
            return
        for entry in await self._ports.timeline(self.transcript.session_id):
            # Passed over: what was taken already, what does not follow yet, and what is another session's by now.
            if (entry.session, entry.version) == self.transcript.awaits:
                self._take(self.transcript, entry)

    async def _catch_up(self) -> None:
        """Read until nothing that was heard of is missing."""
        while self._is_behind:
            try:
                await self._read()
            except StoreUnavailable:
                await asyncio.sleep(_RETRY_S)
            else:
                if self._is_behind:
                    await asyncio.sleep(_RETRY_S)

    def _take(self, transcript: Transcript, entry: Entry) -> None:
        """Show the entry that comes next."""
        before = transcript.session
        for frame in transcript.hear(entry):
            self.publish(frame)
        if type(entry.event) in _GOES_ON:
            self._go_on(entry.event, entry.session)
        if transcript.session is not before or self._undelivered:
            self._tend()

    def publish(self, frame: Durable) -> None:
        """Show it for certain, but to the page that said it, which knows it."""
        message = frame if isinstance(frame, citizen.MessageNew) else None
        said_on = self._said.pop(message.id, None) if message is not None else None
        body = b""
        for link in self.links:
            if link is said_on:
                continue
            body = body or encode(frame)
            seq = link.publish_body(body)
            if message is not None:
                self._note_sent(link, seq, message)

    # --- commands ------------------------------------------------------------------------------------------------

    def command(self, link: Link, command: Command) -> Coroutine[Any, Any, int | Refusal]:
        """Do what the page asks. Raises `StoreUnavailable`, `SessionGone`."""
        return self._DOES[type(command)](self, link, command)

    def _send_text(self, link: Link, command: citizen.MessageSend) -> Coroutine[Any, Any, int | Refusal]:
        text = command.text
        if len(text) > self._ports.settings.longest_text:
            return _refused("too_long")
        return self._say(
            link, command.id, lambda leg: ev.TextReceived(leg=leg, message=MessageId(command.id), text=text)
        )

    async def _send_file(self, link: Link, command: citizen.FileSend) -> int | Refusal:
        stored = await self._ports.shared.get(upload_key(command.file))
        upload = json.loads(stored) if stored is not None else {}
        if upload.get("visitor") != key_of(self.visitor):
            return Refusal("unknown_file")
        return await self._say(
            link,
            command.id,
            lambda leg: ev.FileReceived(
                leg=leg,
                message=MessageId(command.id),
                file=FileId(command.file),
                name=command.name,
                content_type=upload["content_type"],
                size_bytes=upload["size"],
            ),
        )

    def _send_location(self, link: Link, command: citizen.LocationSend) -> Coroutine[Any, Any, int]:
        return self._say(
            link,
            command.id,
            lambda leg: ev.LocationReceived(
                leg=leg,
                message=MessageId(command.id),
                latitude=command.latitude,
                longitude=command.longitude,
                accuracy_m=command.accuracy_m,
            ),
        )

    async def _say(self, link: Link, command_id: str, said: Callable[[LegId], ev.Event]) -> int:
        """Put the citizen's word into the running session, or into a new one; gives its place among all."""
        transcript = self.transcript
        if transcript is not None:
            known = transcript.messages.get(command_id)
            if known is not None:
                # Sent again; its session may be over by now, and must not be opened a second time.
                return known.rev
            if transcript.session_id != self._recorded:
                await self._remember(transcript.session_id)
            if transcript.leg is not None:
                event, dedupe = said(transcript.leg.id), f"{self.visitor}:{command_id}"
                self._said[command_id] = link
                if len(self._said) > _MOST_SAID:
                    del self._said[next(iter(self._said))]  # it will be shown twice, as one
                try:
                    version = await self._ports.inbox.post(transcript.session_id, event, dedupe=dedupe)
                    return transcript.offset + version
                except SessionGone:
                    pass  # closed meanwhile: the word begins a new one
        async with self._opening:
            if self.transcript is transcript:
                return await self._opened(command_id, said)
        return await self._say(link, command_id, said)  # in the session that another page has begun meanwhile

    async def _opened(self, command_id: str, said: Callable[[LegId], ev.Event], medium: Medium = Medium.CHAT) -> int:
        leg = leg_for(self.visitor, command_id)
        contact = replace(
            contact_of(self.visitor, self._ports, leg, medium),
            first=said(leg),
            first_dedupe=f"{self.visitor}:{command_id}",
        )
        admission = await self._ports.inbox.open(contact)
        await self._adopt(admission.session)
        await self._remember(admission.session)
        transcript = self.transcript
        if transcript is None:
            return 0
        known = transcript.messages.get(command_id)
        return known.rev if known is not None else transcript.offset + transcript.version

    async def _leave_word(self, link: Link, command: citizen.WordLeave) -> int | Refusal:
        """Where a chat ends with its page, what is left waits like a letter: so it is a leg of that kind."""
        text = written(command)
        if len(text) > self._ports.settings.longest_text:
            return Refusal("too_long")

        def said(leg: LegId) -> ev.Event:
            return ev.TextReceived(leg=leg, message=MessageId(command.id), text=text)

        if self.transcript is not None and self.transcript.standing.phase == "talking":
            place = await self._say(link, command.id, said)
        else:
            async with self._opening:
                place = await self._opened(command.id, said, Medium.MESSAGE)
            await self._wait_as_letter(command.id)
        if self.transcript is not None and self.transcript.leg is not None:
            await tell_name(self.transcript.session_id, self.transcript.leg.id, command, self._ports)
        await claim(self.visitor, command.number, self._ports)
        return place

    async def _wait_as_letter(self, command_id: str) -> None:
        """No robot is to answer it, and no page has to stay. What is done already is not done again."""
        transcript = self.transcript
        if transcript is None or transcript.session is None:
            return
        legs = transcript.session.live_legs(Party.CITIZEN)
        chats = [leg for leg in legs if leg.medium is Medium.CHAT and leg.address == self.address]
        steps: list[ev.Event] = [ev.LegClosed(leg=leg.id, reason=LegEnd.CLOSED) for leg in chats]
        for number, event in enumerate((*steps, ev.HumanRequested())):
            with suppress(SessionGone):
                dedupe = f"{self.visitor}:{command_id}:{number - len(steps)}"
                await self._ports.inbox.post(transcript.session_id, event, dedupe=dedupe)

    def came_to(self, session: SessionId) -> None:
        """The visitor's matter is in that session without a word of theirs: they called."""
        self._start(self._come_to(session))

    async def _come_to(self, session: SessionId) -> None:
        while True:
            try:
                await self._remember(session)
                await self._adopt(session)
            except StoreUnavailable as away:
                await asyncio.sleep(away.retry_after_s or _RETRY_S)
            else:
                return

    async def _remember(self, session: SessionId) -> None:
        """Let any node find the session again."""
        await self._ports.shared.put(self._record, session.encode(), ttl_s=self._ports.settings.visitor_ttl_s)
        self._recorded = session

    def _ask_for_human(self, link: Link, command: citizen.HumanRequest) -> Coroutine[Any, Any, int]:
        return self._say(link, command.id, lambda _: ev.HumanRequested())

    async def _ask_for_call(self, _: Link, command: citizen.CallAsk) -> int | Refusal:
        """The chat is to become a call, at a number of theirs that is proven."""
        transcript = self.transcript
        if transcript is None or transcript.leg is None:
            return Refusal("not_now")
        word = f"{self.visitor}:{command.id}"
        why = await self._ports.call(transcript.session_id, command.anyone, word)
        return 0 if why is None else Refusal(why)

    async def _read_up_to(self, _: Link, command: citizen.MessageRead) -> int | Refusal:
        transcript, message = self.transcript, command.message
        known = transcript.messages.get(message) if transcript is not None else None
        if transcript is None or known is None or is_from(known, Party.CITIZEN):
            return Refusal("unknown_message")
        if known.state == "read" or not transcript.has(message):
            return 0
        event = ev.MessageRead(message=MessageId(message), by=Party.CITIZEN)
        return await self._ports.inbox.post(transcript.session_id, event, dedupe=f"read:{self.visitor}:{message}")

    async def _rate(self, _: Link, command: citizen.RatingGive) -> int | Refusal:
        """One rating a session: whatever is sent again, the first stands."""
        transcript = self.transcript
        if transcript is None or transcript.standing.phase != "ended" or not transcript.was_answered:
            return Refusal("not_now")
        event = ev.RatingGiven(score=command.score, comment=command.comment, solved=command.solved)
        return await self._ports.inbox.post(transcript.session_id, event, dedupe=f"rating:{transcript.session_id}")

    async def _end(self, _: Link, command: citizen.SessionEnd) -> int:
        transcript = self.transcript
        leg = transcript.leg if transcript is not None else None
        if transcript is None or leg is None:
            return 0
        event = ev.LegClosed(leg=leg.id, reason=LegEnd.HANGUP)
        return await self._ports.inbox.post(transcript.session_id, event, dedupe=f"{self.visitor}:{command.id}")

    # --- what follows from links coming and going ------------------------------------------------------------------

    def connected(self) -> None:
        """A page is here (again)."""
        leg = self.transcript.leg if self.transcript is not None else None
        self._claims = leg is not None and not self._holds_live(leg)
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None
            self.holds -= 1
        self._tend()

    def disconnected(self) -> None:
        """A page is gone; it may come back at once."""
        self._await_page(self._ports.settings.away_after_s)

    def expect(self) -> None:
        """A page is on its way here: until it has had time to come, its leg is not away."""
        self._await_page(self._ports.settings.arrives_within_s)

    def _await_page(self, within_s: float) -> None:
        if not self.is_connected and self._leaving is None:
            self.holds += 1
            self._leaving = asyncio.get_running_loop().call_later(within_s, self._left)

    def _left(self) -> None:
        self._leaving = None
        self._tend()
        self._let_go()

    def received(self, link: Link, seq: int) -> None:
        """A page has every frame up to `seq`: the messages in them are delivered."""
        sent = self._sent.get(link.sid)
        if sent is None:
            return
        while sent and sent[0][0] <= seq:
            _, message = sent.popleft()
            known = self.transcript.messages.get(message) if self.transcript is not None else None
            if known is not None and known.state == "sent" and message not in self._undelivered:
                self._undelivered.append(message)
        self._tend()

    def _note_sent(self, link: Link, seq: int, message: citizen.Message | citizen.MessageNew) -> None:
        if message.from_ != "citizen" and message.state == "sent":
            self._sent.setdefault(link.sid, deque(maxlen=_MOST_UNDELIVERED)).append((seq, MessageId(message.id)))

    def _tend(self) -> None:
        """Bring the timeline up to what is true here: messages delivered, the leg away or back."""
        if (self._tending is None or self._tending.done()) and self._due() is not None:
            self._tending = self._start(self._write_due())

    async def _write_due(self) -> None:
        while (due := self._due()) is not None and self.transcript is not None:
            event, dedupe = due
            try:
                version = await self._ports.inbox.post(self.transcript.session_id, event, dedupe=dedupe)
            except StoreUnavailable as away:
                await asyncio.sleep(away.retry_after_s or _RETRY_S)
                continue
            except SessionGone:
                version = self.transcript.version + 1
            if isinstance(event, ev.MessageDelivered):
                self._undelivered.popleft()
            else:
                self._told_at = version
                self._claims = False

    def _due(self) -> tuple[ev.Event, str | None] | None:
        """What the timeline does not know yet."""
        transcript = self.transcript
        if transcript is None:
            return None
        while self._undelivered:
            message = self._undelivered[0]
            if transcript.has(message):
                delivered = ev.MessageDelivered(message=message, to=Party.CITIZEN)
                return delivered, f"delivered:{self.visitor}:{message}"
            self._undelivered.popleft()
        leg = transcript.leg
        if leg is None or leg.medium is Medium.MESSAGE or transcript.version < self._told_at:
            return None
        if self.is_connected:
            back = leg.state is LegState.AWAY or (self._claims and not self._holds_live(leg))
            return (ev.LegBack(leg=leg.id, owner=self._ports.node), None) if back else None
        return (ev.LegAway(leg=leg.id), None) if self._holds_live(leg) and self._leaving is None else None

    def _holds_live(self, leg: Leg) -> bool:
        return leg.state is LegState.LIVE and leg.owner == self._ports.node

    def _start(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        """Work that keeps the conversation in memory until it is done."""
        self.holds += 1
        task = asyncio.get_running_loop().create_task(work)
        task.add_done_callback(self._let_go)
        return task

    def _let_go(self, _: asyncio.Task[None] | None = None) -> None:
        self.holds -= 1
        self._idle(self)

    async def close(self) -> None:
        """Stop what runs."""
        if self._leaving is not None:
            self._leaving.cancel()
        running = [task for task in (self._reading, self._tending) if task is not None and not task.done()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    @property
    def _record(self) -> str:
        return record_key(self.visitor)

    _DOES: ClassVar[Mapping[type[Command], Callable[[Conversation, Link, Any], Coroutine[Any, Any, int | Refusal]]]] = {
        citizen.MessageSend: _send_text,
        citizen.FileSend: _send_file,
        citizen.LocationSend: _send_location,
        citizen.WordLeave: _leave_word,
        citizen.HumanRequest: _ask_for_human,
        citizen.CallAsk: _ask_for_call,
        citizen.MessageRead: _read_up_to,
        citizen.RatingGive: _rate,
        citizen.SessionEnd: _end,
    }


def contact_of(visitor: str, ports: Ports, leg: LegId, medium: Medium) -> Contact:
    """The visitor, as who comes by that leg."""
    return Contact(
        leg=leg,
        channel=ports.channel,
        medium=medium,
        address=address_of(visitor),
        number=ports.settings.number,
        asserted=True,  # the visitor's name is of our own signing
    )


async def _refused(code: str) -> Refusal:
    return Refusal(code)


def record_key(visitor: str) -> str:
    """Where it is kept which session a visitor has, for any node."""
    return f"webchat:visitor:{key_of(visitor)}"


def upload_key(file: str) -> str:
    """Where it is kept whose an uploaded file is."""
    return f"webchat:upload:{file}"
