"""The web chat as a channel, and as the peer of its sockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web
from msgspec.structs import replace

from channels.calls import TakesCalls
from channels.contract import Badge, Capabilities, Content, LinkVisit, Timeline
from channels.webchat.answers import refused
from channels.webchat.calls import PageCalls
from channels.webchat.closing import Closing
from channels.webchat.conversation import Conversation, contact_of, record_key
from channels.webchat.errors import BodyMalformed, OriginForeign, TooOften
from channels.webchat.leaving_word import absence_of
from channels.webchat.places import MOVES, Places
from channels.webchat.ports import Absent, Ports, TypingSeen, WishForCall, calls_nobody, never_absent
from channels.webchat.proofs import Proofs
from channels.webchat.settings import WebChatSettings
from channels.webchat.signing import Signatures
from channels.webchat.uploads import Uploads
from channels.webchat.visitor import SCHEME, Visitors, address_of, leg_for, new_visitor
from realtime import citizen
from realtime.link import Link
from realtime.messages import Command, Durable, Ephemeral
from realtime.origin import may_connect
from realtime.peer import Refusal
from realtime.socket import Sockets
from realtime.tokens import Tickets
from session import events as ev
from session.address import Address
from session.errors import YihaoError
from session.ids import LegId, NodeId, SessionId
from session.ports import Attests, Entry, Files, Inbox, Lines, Proves, SharedState
from session.state import Leg, LegEnd, Medium, Party

_LONGEST_BODY = 4096
_BEGINNINGS = frozenset({ev.SessionOpened, ev.LegOpened})
"""Events that may bring a visitor of ours into a session."""


class WebChatChannel:
    """A `Channel` that follows the timeline: whatever a page shows came from there."""

    def __init__(
        self,
        settings: WebChatSettings,
        *,
        node: NodeId,
        inbox: Inbox,
        lines: Lines,
        shared: SharedState,
        files: Files,
        timeline: Timeline,
        key: bytes,
        badge: Badge,
        on_typing: TypingSeen,
        proves: Proves | None = None,
        call: WishForCall = calls_nobody,
        absent: Absent = never_absent,
        attests: Attests | None = None,
        name: str = "webchat",
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(
            schemes=(SCHEME,),
            medium=Medium.CHAT,
            survives_node=True,
            follows_timeline=True,
            longest_text=settings.longest_text,
            recalls=True,
        )
        self._settings, self._shared, self._on_typing = settings, shared, on_typing
        self._ports = Ports(settings, name, node, inbox, shared, timeline, badge, call, absent, attests)
        self._visitors = Visitors(key, ttl_s=settings.visitor_ttl_s)
        self._tickets = Tickets(key, shared)
        self._sockets = Sockets(citizen.UP, self, self._tickets.redeem, key, settings.sockets)
        self._uploads = Uploads(settings, self._visitors, shared, files, self._recalled)
        signatures = Signatures(settings.sites, settings.audience)
        self._proofs = Proofs(self._visitors, proves, self._recalled, signatures, shared) if proves else None
        self._conversations: dict[str, Conversation] = {}
        """By visitor."""
        self._watched: dict[SessionId, tuple[Conversation, ...]] = {}
        """By session: who came by two links has two."""
        self._places = Places(settings, lines, self._conversations.values)
        self._closing = Closing(self._ports, self._conversations.values, self._show_anew)
        self._telling: list[asyncio.Task[None]] = []
        self._calls: PageCalls | None = None

    async def __aenter__(self) -> Self:
        await self._sockets.__aenter__()
        self._telling = [asyncio.create_task(work) for work in (self._places.run(), self._closing.run())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._sockets.__aexit__(kind, error, trace)
        for task in self._telling:
            task.cancel()
        await asyncio.gather(*self._telling, return_exceptions=True)
        await asyncio.gather(*(conversation.close() for conversation in list(self._conversations.values())))

    # --- the channel ------------------------------------------------------------------------------------------------

    def routes(self) -> Sequence[web.RouteDef]:
        """Its page's addresses."""
        return [
            web.post("/api/webchat/visitor", self._greet),
            web.get("/api/webchat/socket", self._sockets.handle),
            web.post("/api/webchat/files", self._uploads.take),
            web.get("/api/webchat/files/{file}", self._uploads.give),
            *(self._proofs.routes() if self._proofs is not None else ()),
        ]

    async def follow(self, entry: Entry) -> None:
        """Any event of any session; one look into a table for those that nobody here shows."""
        kind = type(entry.event)
        watching = self._watched.get(entry.session, ())
        newcomer = self._of_newcomer(entry.event) if kind in _BEGINNINGS else None
        if kind in MOVES:
            self._places.has_moved = True
        for conversation in watching:
            conversation.hear(entry)
        if newcomer is not None and newcomer not in watching:
            newcomer.hear(entry)

    def _of_newcomer(self, event: ev.Event) -> Conversation | None:
        """The visitor here who has begun a session through another page or node."""
        address = event.leg.address if isinstance(event, ev.LegOpened) else None
        if isinstance(event, ev.SessionOpened):
            address = event.citizen
        if address is None or address.scheme != SCHEME:
            return None
        return self._conversations.get(address.identifier)

    async def send(self, session: SessionId, leg: LegId, content: Content) -> None:
        """Nothing to do: the timeline brings it."""

    async def close_leg(self, session: SessionId, leg: LegId, reason: LegEnd) -> None:
        """Nothing to do: the page hears of the end from the timeline, and stays open for the rating."""

    async def drain(self, within_s: float) -> None:
        """Send the pages to another node."""
        await self._sockets.drain(within_s)

    def typing(self, session: SessionId) -> None:
        """The session's assignee writes: shown to its citizen, if their page is here."""
        for conversation in self._watched.get(session, ()):
            assignee = conversation.transcript.standing.assignee if conversation.transcript else None
            if assignee is not None:
                conversation.mention(citizen.AssigneeTyping(from_=assignee.kind))

    async def join_by_link(self, session: SessionId, visit: str) -> LinkVisit:
        """See `JoinsByLink`."""
        visitor = self._visitors.by_link(visit)
        leg = Leg(
            id=leg_for(visitor, "link"),
            channel=self.name,
            medium=Medium.CHAT,
            party=Party.CITIZEN,
            owner=self._ports.node,
            address=address_of(visitor),
        )
        self._conversation_of(visitor).expect()
        await self._ports.inbox.post(session, ev.LegOpened(leg=leg), dedupe=f"leg:{leg.id}")
        await self._shared.put(record_key(visitor), session.encode(), ttl_s=self._settings.visitor_ttl_s)
        await self._recalled(visitor)
        return LinkVisit(leg.id, address_of(visitor), self._visitors.token(visitor))

    @property
    def open_sockets(self) -> int:
        """How many pages are connected."""
        return self._sockets.open

    # --- calls (`calls.Pages`) ---------------------------------------------------------------------------------------

    def let_call(self, carrier: TakesCalls) -> None:
        """Pages may call from now on, where the carrier takes any call."""
        self._calls = PageCalls(carrier, self) if carrier.calls_at_once else None

    def remember(self, visitor: str, session: SessionId) -> None:
        """See `calls.Pages`."""
        self._conversation_of(visitor).came_to(session)

    def show(self, visitor: str, frame: Durable) -> None:
        """See `calls.Pages`."""
        conversation = self._conversations.get(visitor)
        if conversation is not None:
            conversation.publish(frame)

    def has_page(self, who: Address) -> bool:
        """See `calls.Pages`."""
        conversation = self._conversations.get(who.identifier)
        return conversation is not None and conversation.is_connected

    # --- the peer ---------------------------------------------------------------------------------------------------

    async def snapshot(self, link: Link) -> citizen.Snapshot:
        """All that a new link is to show."""
        absence = await absence_of(
            contact_of(link.subject, self._ports, LegId("page"), Medium.CHAT), self._ports.absent
        )
        if absence is not None and absence.why == "closed":
            self._closing.is_told(link.subject)
        shown = (await self._recalled(link.subject)).show(link)  # before anything else runs: see `_recalled`
        return self._whole(shown, absence)

    def _show_anew(self, conversation: Conversation, absence: citizen.Absence) -> None:
        conversation.publish(self._whole(conversation.shown(), absence))

    def _whole(self, shown: citizen.Snapshot, absence: citizen.Absence | None) -> citizen.Snapshot:
        return replace(shown, calls=self._calls is not None, absence=absence)

    def command(self, link: Link, command: Command) -> Coroutine[Any, Any, int | Refusal]:
        """What the page asks."""
        if (
            type(command) is citizen.CallOffer
            or type(command) is citizen.CallDecline
            or type(command) is citizen.CallEnd
        ):
            return self._call(link, command)
        return self._conversations[link.subject].command(link, command)

    async def _call(
        self, link: Link, command: citizen.CallOffer | citizen.CallDecline | citizen.CallEnd
    ) -> int | Refusal:
        if self._calls is None:
            return Refusal("no_calls")
        match command:
            case citizen.CallOffer():
                return await self._calls.offer(link, command)
            case citizen.CallDecline():
                return await self._calls.decline(link, command)
        return await self._calls.end(link, command)

    def ephemeral(self, link: Link, frame: Ephemeral) -> None:
        """The citizen writes."""
        transcript = self._conversations[link.subject].transcript
        is_answered = transcript is not None and transcript.standing.phase in ("talking", "with_bot")
        if transcript is not None and is_answered and isinstance(frame, citizen.CitizenTyping):
            self._on_typing(transcript.session_id)

    def received(self, link: Link, seq: int) -> None:
        """The page has what was sent."""
        self._conversations[link.subject].received(link, seq)

    def connected(self, link: Link) -> None:
        """A page is here."""
        self._places.has_moved = True
        self._conversations[link.subject].connected()

    def disconnected(self, link: Link) -> None:
        """A page is gone, perhaps for a moment."""
        self._conversations[link.subject].disconnected()

    def forgotten(self, link: Link) -> None:
        """A page will not come back."""
        conversation = self._conversations[link.subject]
        conversation.leave(link)
        self._let_go(conversation)

    # --- conversations ----------------------------------------------------------------------------------------------

    async def _recalled(self, visitor: str) -> Conversation:
        """The visitor's conversation, up to date. Raises `StoreUnavailable`."""
        conversation = self._conversation_of(visitor)
        conversation.holds += 1
        try:
            await conversation.recall()
        finally:
            conversation.holds -= 1
            # Whoever asked may add a link before anything else runs; only then is it known whether it is needed.
            asyncio.get_running_loop().call_soon(self._let_go, conversation)
        return conversation

    def _conversation_of(self, visitor: str) -> Conversation:
        conversation = self._conversations.get(visitor)
        if conversation is None:
            conversation = Conversation(visitor, self._ports, self._watch, self._let_go)
            self._conversations[visitor] = conversation
        return conversation

    def _watch(self, conversation: Conversation, former: SessionId | None, session: SessionId) -> None:
        if former is not None:
            self._unwatch(conversation, former)
        self._watched[session] = (*self._watched.get(session, ()), conversation)

    def _unwatch(self, conversation: Conversation, session: SessionId) -> None:
        others = tuple(one for one in self._watched.pop(session, ()) if one is not conversation)
        if others:
            self._watched[session] = others

    def _let_go(self, conversation: Conversation) -> None:
        if conversation.is_idle and self._conversations.get(conversation.visitor) is conversation:
            del self._conversations[conversation.visitor]
            if conversation.transcript is not None:
                self._unwatch(conversation, conversation.transcript.session_id)

    # --- over HTTP --------------------------------------------------------------------------------------------------

    async def _greet(self, request: web.Request) -> web.Response:
        """POST: who the browser is, anew or again, and a ticket for one socket."""
        try:
            visitor = await self._visitor(request)
        except YihaoError as error:
            return refused(error, otherwise=(400, "refused"))
        return web.json_response({"visitor": self._visitors.token(visitor), "ticket": self._tickets.issue(visitor)})

    async def _visitor(self, request: web.Request) -> str:
        origin = request.headers.get("Origin")
        if origin is not None and not may_connect(origin, request.host, self._settings.sockets.origins):
            raise OriginForeign
        bucket = f"webchat:greet:{self._visitors.key_of_ip(request.remote or '')}"
        if not await self._shared.take(bucket, rate_per_s=5.0, burst=100):
            raise TooOften(retry_after_s=5.0)
        token = _token_in(await request.content.read(_LONGEST_BODY))
        return self._visitors.known(token) if token else new_visitor()


def _token_in(body: bytes) -> str:
    """The token that the page kept; empty for a first visit. Raises `BodyMalformed`."""
    try:
        whole = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise BodyMalformed from None
    token = whole.get("visitor", "") if isinstance(whole, dict) else None
    if not isinstance(token, str):
        raise BodyMalformed
    return token
