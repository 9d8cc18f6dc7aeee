"""Assembles one gateway process from its settings: what is opened here is closed in the opposite order."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from aiohttp import web

from accounts.audit import Audit
from accounts.demo import seed_demo
from accounts.errors import NotLoggedIn
from accounts.logins import Logins
from accounts.passwords import Passwords
from accounts.presence import PresenceLog
from accounts.roster import Roster
from bots.guide import Guide
from bots.runner import BotRunner
from channels.browser.adapter import BrowserChannel
from channels.contract import Channel, FollowsTimeline
from channels.door import Ports
from channels.phone.adapter import PhoneChannel
from channels.webchat.adapter import WebChatChannel
from channels.webchat.settings import WebChatSettings
from config.secrets import machine_secrets
from config.settings import Settings
from gateway import api, arrivals, pages
from gateway.absence import Absences
from gateway.access import Access
from gateway.administration import Administration, Parts
from gateway.beginning import Beginning
from gateway.bulletin import Bulletin
from gateway.calls import Calls
from gateway.certificate import Certificate
from gateway.data_folder import prepare
from gateway.database import open_database
from gateway.desk import Desks
from gateway.desk_telephone import DeskTelephones
from gateway.destinations import Destinations
from gateway.detours import Detours
from gateway.doors import open_doors, shut
from gateway.dossier import Dossiers
from gateway.errands import attend, match
from gateway.feed import Feed
from gateway.handover import TelephoneHandover
from gateway.hearsay import Hearsay
from gateway.inbox import StoreInbox
from gateway.joining import Joining
from gateway.kinship import one_hotline
from gateway.links import Links
from gateway.listening import Address, listening
from gateway.mailboxes import Mailboxes
from gateway.measures import Measures
from gateway.mending import Mending
from gateway.mentions import Callings
from gateway.metrics import Metrics
from gateway.node import Node
from gateway.notices import Notices
from gateway.outgoing import Outgoing, Wishes
from gateway.oversight import Oversight
from gateway.parking import Parking
from gateway.past import PastFigures
from gateway.performer import Performer
from gateway.persons import Persons
from gateway.prompts import PromptShelf
from gateway.pulse import Pulse
from gateway.reach import Reach
from gateway.rules import open_rulebook
from gateway.seats import Seats
from gateway.serving import application, serving
from gateway.sight import Sight
from gateway.sites import site_keys
from gateway.sound import open_audio
from gateway.staff import Staff
from gateway.telephones import TelephonesReach
from gateway.telephony import browser_settings, outgoing_rule, phone_settings, rules_of
from gateway.ulid import new_ulid
from gateway.veil import Veil
from gateway.verification import Verification
from gateway.wallboard import Alarms, Wallboard
from identity.ledger import Ledger
from identity.verification import Codes, Scans
from insight.board import Board
from insight.past import Past
from media.decoder import Decoder
from media.playable import Playable
from media.prompts import PromptLibrary
from queueing.contract import Presence, Profile, Store
from queueing.embedded import EmbeddedValkey
from queueing.settings import QueueSettings
from queueing.store import RedisStore
from realtime.desk import UP
from realtime.errors import TokenRefused
from realtime.settings import CITIZEN, DESK
from realtime.socket import Sockets
from recordings.store import RecordingStore
from rulebook.routing import Route
from session.audio import Audio
from session.ids import AssigneeId, NodeId, RecordingId, SessionId
from session.ports import Contact, Entry
from session.state import AssigneeKind, Medium
from storage.archiver import Archiver
from storage.database import Database
from storage.files import FileStore
from storage.history import History
from storage.mentions import Mentions
from storage.timeline import read_timeline

log = logging.getLogger(__name__)

SCRAPERS = ("127.0.0.0/8", "::1/128")
BOT_CAPACITY = 1000


@dataclass(frozen=True, slots=True)
class House:
    """A process that serves."""

    settings: Settings
    node: Node
    http: Address
    https: Address | None
    sip: Address
    sip_tls: Address | None
    credentials: Path | None
    channels: Mapping[str, Channel]
    desk: Sockets
    app: web.Application
    """What it answers over HTTP."""
    failed: asyncio.Event
    """A duty has ended that must not: the process is to be started anew."""

    async def drain(self) -> None:
        """Take nothing new, offer nothing; return when what runs has ended, at the latest after the bound."""
        self.node.draining = True
        bound_s = self.settings.drain.bound_s
        await asyncio.gather(self.desk.drain(0.0), *(one.drain(bound_s) for one in self.channels.values()))


@asynccontextmanager
async def open_house(settings: Settings) -> AsyncIterator[House]:
    """Start everything; it truly serves once this has yielded. Raises `YihaoError` with the mend."""
    prepare(settings.data)
    async with AsyncExitStack() as stack:
        yield await _Builder(settings, stack).build()


class _Builder:
    """One pass over the parts, in the order in which each needs the ones before."""

    def __init__(self, settings: Settings, stack: AsyncExitStack) -> None:
        self._settings, self._stack = settings, stack
        self._keys = machine_secrets(settings)
        self._certificate = Certificate(settings.tls)
        self._node = NodeId(f"{socket.gethostname()[:24]}-{secrets.token_hex(4)}")
        self._metrics = Metrics()
        self._failed = asyncio.Event()
        self._channels: dict[str, Channel] = {}
        self._pulse = Pulse(self._channels)
        self._public = settings.http.public
        self._decoder = Decoder()
        self._library = PromptLibrary.load()
        self._rules = rules_of(settings)

    async def build(self) -> House:
        """All of it."""
        settings, enter = self._settings, self._stack.enter_async_context
        self._store = await self._open_store()
        self._seats = Seats(self._store.shared, self._store.mail, self._node)
        self._hearsay = Hearsay(self._store, self._node)
        database = await enter(open_database(settings))
        self._roster = Roster(database, self._stack.enter_context(Passwords()), realm=settings.sip.realm)
        self._audit = Audit(database, self._store.shared.now)
        self._rulebook = await open_rulebook(database, self._roster, settings.bots.hours)
        self._shelf = PromptShelf(database, self._decoder, self._library, self._audit, lambda: self._rulebook.prompts)
        self._veil = Veil(lambda: self._rulebook.words)
        credentials = await self._seed()
        self._staff = Staff(self._roster, PresenceLog(database), self._store, lambda: self._rulebook.roles)
        self._history = History(database, self._rules)
        self._files = FileStore(settings.data / "files")
        self._recordings = await enter(RecordingStore(settings.recordings_folder))
        self._mending = Mending(self._recordings, self._store.log)
        node, mailboxes, inbox = self._core()
        self._notices = Notices(self._channels, inbox)
        self._inbox = inbox
        await node.start()
        self._persons, self._verification = self._identity(database, mailboxes, inbox)
        self._outgoing.known = self._persons.person
        self._links.bind, self._links.known = self._persons.came_by_link, self._persons.person
        webchat, desks = self._sockets(inbox)
        bots = self._bots(inbox)
        await self._enlist(bots)
        audio = await enter(self._audio())
        phone = self._phone(inbox, audio, desks)
        own, is_open = browser_settings(settings), self._rulebook.is_open
        browser = BrowserChannel(own, exchange=phone, shared=self._store.shared, is_open=is_open)
        webchat.let_call(browser)
        measures = Measures(
            self._store,
            self._metrics,
            lambda: {phone.name: phone.calls, webchat.name: webchat.open_sockets, browser.name: browser.calls},
            lambda: audio.packets_lost,
        )
        self._callings = Callings(Mentions(database), self._staff, desks.show)
        followers = (self._verification, desks, self._callings, bots, measures, self._pulse)
        feed = Feed(self._store.log, [mailboxes.follow, *(one.follow for one in followers)])
        await feed.start()
        self._channels[webchat.name] = await enter(webchat)
        desk_sockets = await enter(self._desk_sockets(desks))
        with listening("sip", settings.sip.host, settings.sip.port):
            self._channels[phone.name] = await enter(phone)
        self._channels |= {one.name: one for one in (browser, *await enter(open_doors(settings, self._ports(inbox))))}
        for channel in self._channels.values():
            if isinstance(channel, FollowsTimeline):
                feed.show_to(self._veil.follower(channel.follow))
        archiver = Archiver(self._store.log, self._store.shared, self._history, holder=self._node)
        self._stack.push_async_callback(node.leave)
        self._stack.push_async_callback(desks.stop)
        duties = (node.run(), feed.run(), match(self._store, node), desks.run(), self._staff.run())
        for work in (
            *duties,
            bots.run(),
            attend(self._store, bots),
            self._rulebook.run(),
            self._detours.run(),
            self._shelf.run(),
            self._persons.run(),
            self._hearsay.run(),
            archiver.run(),
            self._mending.run(),
            self._certificate.watch(),
        ):
            self._run(work)
        http, https = await self._serve(node, inbox, desk_sockets, measures)
        return House(
            settings,
            node,
            http,
            https,
            Address(*phone.bound),
            Address(settings.sip.host, phone.tls_port) if phone.tls_port else None,
            credentials,
            self._channels,
            desk_sockets,
            self._app,
            self._failed,
        )

    async def _open_store(self) -> RedisStore:
        settings = self._settings
        url = settings.store.url.reveal()
        if not url:
            url = (await self._stack.enter_async_context(EmbeddedValkey(settings.data / "store"))).url
        queue = QueueSettings(
            lease_s=settings.agents.offer_lease_s,
            decline_pause_s=settings.agents.decline_pause_s,
            accept_unsafe=settings.store.accept_unsafe,
        )

        def connect() -> AbstractAsyncContextManager[RedisStore]:
            pepper = self._keys.pepper.reveal().encode()
            return RedisStore.connect(url, tenant=settings.store.tenant, pepper=pepper, settings=queue)

        async with connect() as store:
            self._keys = await one_hotline(store.shared, self._keys, settings.secrets)
        return await self._stack.enter_async_context(connect())

    async def _seed(self) -> Path | None:
        if not self._settings.demo:
            return None
        return await seed_demo(self._roster, self._settings.data, [one.name for one in self._rulebook.routing.queues])

    def _core(self) -> tuple[Node, Mailboxes, StoreInbox]:
        mailboxes = Mailboxes(self._store, self._node, self._rules)
        inbox = StoreInbox(self._store, self._node, self._route, mailboxes.wake)
        book, records = self._rulebook, self._settings.recordings.enabled
        self._detours = Detours(
            lambda: book.ways, lambda: book.hours, self._store.queue.queues, self._channels, records=records
        )
        inbox.judge = self._detours.judge
        self._links = self._make_links(inbox)
        self._outgoing = self._make_outgoing()
        self._beginning = Beginning(
            self._outgoing, self._store.queue, self._roster, inbox, self._settings.sip.number[0]
        )
        performer = Performer(
            self._store, self._node, self._channels, inbox, self._metrics, self._links, self._outgoing
        )
        performer.veil = self._veil.event
        mailboxes.perform = performer.perform
        return Node(self._store, self._node, mailboxes, performer, self._channels, self._metrics), mailboxes, inbox

    def _make_outgoing(self) -> Outgoing:
        queue, shared = self._store.queue, self._store.shared
        rule = outgoing_rule(self._settings)
        return Outgoing(rule, self._channels, queue=queue, shared=shared, metrics=self._metrics)

    def _make_links(self, inbox: StoreInbox) -> Links:
        return Links(
            Notices(self._channels, inbox),
            self._channels,
            log=self._store.log,
            shared=self._store.shared,
            inbox=inbox,
            key=self._keys.resume_key.reveal().encode(),
            rules=self._rules,
            page=lambda: self._public,
        )

    def _identity(self, database: Database, mailboxes: Mailboxes, inbox: StoreInbox) -> tuple[Persons, Verification]:
        pepper, shared = self._keys.pepper.reveal().encode(), self._store.shared
        ledger = Ledger(database, pepper=pepper, new_id=new_ulid)
        persons = Persons(ledger, self._store.kin, inbox, shared.now)
        verification = Verification(
            persons,
            Codes(shared, pepper=pepper),
            Scans(shared),
            self._notices,
            inbox,
            self._channels,
            mailboxes.session,
            self._store.log.open_session_of,
            area=self._settings.sip.area,
        )
        return persons, verification

    def _route(self, contact: Contact, at: float) -> Route:
        """By the rules in force; where no bot is at work nobody is sent to one."""
        book = self._rulebook
        route = book.routing.route(contact, at, closed=not book.hours.open_at(at))
        return route if self._settings.bots.guide else replace(route, bot_queue="")

    def _sockets(self, inbox: StoreInbox) -> tuple[WebChatChannel, Desks]:
        desks = Desks(
            self._store,
            self._node,
            inbox,
            self._files,
            self._staff,
            self._rules,
            self._settings.agents.rescind_after_s,
            Reach(self._channels, self._notices, self._veil.text, self._persons.person, self._outgoing.may_ring),
            self._outgoing,
            self._seats,
            self._beginning,
        )
        hearsay = self._hearsay
        webchat = WebChatChannel(
            self._webchat_settings(),
            node=self._node,
            inbox=inbox,
            lines=self._store.queue,
            shared=self._store.shared,
            files=self._files,
            timeline=self._veil.timeline(self._timeline),
            key=self._keys.resume_key.reveal().encode(),
            badge=self._staff.badge,
            call=Wishes(self._outgoing, self._store.log, inbox).ask,
            on_typing=hearsay.everywhere("citizen.types", desks.passing.typing),
            proves=self._verification,
            absent=Absences(self._rulebook, self._detours, self._persons.person).of,
            attests=self._verification,
        )
        desks.tell_typing = hearsay.everywhere("assignee.types", webchat.typing)
        desks.tell_opened = hearsay.everywhere("desk.opened", desks.opened)
        desks.revision = lambda: self._rulebook.revision
        desks.wrap = lambda: self._rulebook.wrap
        return webchat, desks

    def _webchat_settings(self) -> WebChatSettings:
        chat = self._settings.webchat
        sockets = replace(
            CITIZEN,
            origins=tuple(self._settings.http.origins),
            rate_per_s=chat.messages_per_s,
            burst=chat.messages_burst,
            # Where they may write more than the bound on all frames lets through, they are to be refused, not cut.
            frames_per_s=max(CITIZEN.frames_per_s, 2 * chat.messages_per_s),
            frames_burst=max(CITIZEN.frames_burst, 2 * chat.messages_burst),
            sockets_per_subject=chat.sockets_per_visitor,
            sockets_per_ip=chat.sockets_per_address,
            sockets=chat.sockets,
        )
        return WebChatSettings(
            number=self._settings.sip.number[0],
            sockets=sockets,
            longest_text=chat.longest_text,
            audience=chat.audience,
            sites=tuple(site_keys(chat.sites)),
        )

    def _desk_sockets(self, desks: Desks) -> Sockets:
        logins = self._logins = Logins(
            self._roster,
            self._store.shared,
            pepper=self._keys.pepper.reveal().encode(),
            idle_s=self._settings.agents.login_idle_s,
            longest_s=self._settings.agents.login_longest_s,
        )

        async def whose(ticket: str) -> str:
            try:
                return (await logins.redeem(ticket)).login
            except NotLoggedIn as error:
                raise TokenRefused("ticket") from error

        return Sockets(
            UP,
            desks,
            whose,
            self._keys.resume_key.reveal().encode(),
            replace(DESK, origins=tuple(self._settings.http.origins)),
            self._seats.take,
        )

    def _ports(self, inbox: StoreInbox) -> Ports:
        return Ports(
            node=self._node,
            number=self._settings.sip.number[0],
            pepper=self._keys.pepper.reveal().encode(),
            inbox=inbox,
            shared=self._store.shared,
            files=self._files,
            lines=self._store.queue,
            timeline=self._veil.timeline(self._timeline),
            badge=self._staff.badge,
            scanned=self._verification.scanned,
            attests=self._verification,
            words=asdict(self._settings.notices),
        )

    def _audio(self) -> AbstractAsyncContextManager[Audio]:
        def mourn(pid: int) -> None:
            self._metrics.media_deaths.inc()
            self._mending.mourn(pid)

        return open_audio(self._settings, self._library, self._recordings.writer, mourn)

    def _phone(self, inbox: StoreInbox, audio: Audio, desks: Desks) -> PhoneChannel:
        settings = self._settings
        parking = Parking(self._store.shared, self._store.log, self._store.queue, inbox, self._rules)
        reach = TelephonesReach(
            self._store,
            self._staff,
            parking,
            ready_on_register=settings.agents.ready_on_register,
            ttl_s=settings.sip.register_max_s + 60.0,
        )
        return PhoneChannel(
            phone_settings(settings, self._certificate),
            node=self._node,
            inbox=inbox,
            audio=audio,
            shared=self._store.shared,
            telephones=self._telephones(),
            reachability=reach,
            choices=reach,
            beginnings=self._beginning,
            handover=TelephoneHandover(self._store, self._roster, inbox, parking, settings.agents.park_code),
            recording_path=self._recording_path if settings.recordings.enabled else None,
            mail=self._store.mail,
            nonce_secret=self._keys.cookie_key.reveal().encode(),
            sounded=self._hearsay.everywhere("call.sounds", desks.passing.sounded),
        )

    def _telephones(self) -> DeskTelephones:
        return DeskTelephones(
            self._roster,
            self._settings.sip.realm,
            self._keys.cookie_key.reveal().encode(),
            echo=self._settings.agents.echo_code,
        )

    def _recording_path(self, recording: RecordingId) -> Path:
        return self._recordings.path(api.session_of(recording), recording)

    def _bots(self, inbox: StoreInbox) -> BotRunner:
        settings = self._settings.bots
        bots = (Guide(lambda: self._rulebook.hours),) if settings.guide else ()
        return BotRunner(inbox, self._store.queue, self._store.log.read, bots, node=self._node)

    async def _enlist(self, bots: BotRunner) -> None:
        """Everybody who may take a session."""
        await self._staff.look()
        for bot in bots.bots:
            capacity = {Medium.CHAT: BOT_CAPACITY, Medium.MESSAGE: BOT_CAPACITY}
            await self._store.queue.enlist(Profile(bot.name, AssigneeKind.BOT, bot.queues, capacity))
            await self._store.queue.present(bot.name, Presence.READY)

    async def _timeline(self, session: SessionId) -> list[Entry]:
        return await read_timeline(self._store.log, self._history, session)

    async def _destinations(self, agent: AssigneeId) -> dict[str, object]:
        names = {one.login: one.name for one in await self._roster.agents()}
        return await Destinations(self._store.queue).listed(agent, names, self._outgoing.places)

    def _wallboard(self) -> Wallboard:
        settings, store = self._settings.wallboard, self._store
        board = Board(self._history, store.shared.now)
        bounds = Alarms(settings.longest_wait_s, settings.least)
        return Wallboard(board, store, self._staff, Bulletin(store.shared), bounds, self._audit)

    def _administration(self) -> Administration:
        parts = Parts(
            self._rulebook,
            self._roster,
            self._audit,
            self._store.shared.now,
            self._pulse.shown,
            shut(self._settings),
        )
        return Administration(parts)

    async def _serve(
        self, node: Node, inbox: StoreInbox, desk: Sockets, measures: Measures
    ) -> tuple[Address, Address | None]:
        access = Access(self._logins, self._settings.http.origins, lambda: self._rulebook.roles)
        sight = Sight(self._timeline, access.may)
        joining = Joining(self._store.log, self._persons, self._store.shared.now)
        area = self._settings.sip.area
        dossiers = Dossiers(
            self._persons, self._verification, joining, self._history, sight, self._inbox, area, self._audit
        )
        playable = Playable(self._files, self._settings.data / "files" / "playable", self._decoder)
        doors = api.Doors(
            logins=self._logins,
            access=access,
            desk=desk,
            recordings=self._recordings,
            files=self._files,
            playable=playable,
            timeline=self._timeline,
            sight=sight,
            destinations=self._destinations,
            telephones=self._telephones(),
            history=self._history,
            oversight=Oversight(self._store, inbox, self._staff),
            metrics=self._metrics,
            measure=measures.look,
            ready=lambda: _readiness(self._store, node, self._channels),
            scrapers=SCRAPERS,
            audit=self._audit,
        )
        app = self._app = application(self._settings.http.trusted_proxies)
        wallboard = self._wallboard()
        app.add_routes(arrivals.routes(self._links, self._store.shared))
        app.add_routes(
            [
                *api.routes(doors),
                *wallboard.routes(access),
                *dossiers.routes(access),
                *self._callings.routes(access),
                *self._administration().routes(access),
                *pages.routes(self._settings.http.origins),
            ]
        )
        past = PastFigures(Past(self._history, self._store.shared.now))
        app.add_routes(past.routes(access))
        app.add_routes([*Calls(self._settings, self._audit).routes(access), *self._shelf.routes(access)])
        for channel in self._channels.values():
            app.add_routes(channel.routes())
        serves = serving(app, self._settings.http, self._certificate.serving)
        plain, secure = await self._stack.enter_async_context(serves)
        if self._settings.demo and not self._public:
            self._public = f"http://{plain}"
        return plain, secure

    def _run(self, work: Coroutine[None, None, None]) -> None:
        """A duty that lasts as long as the house. One that fails for good ends the process: better none than half."""
        task = asyncio.create_task(work, name=getattr(work, "__qualname__", ""))

        def watch(ended: asyncio.Task[None]) -> None:
            if not ended.cancelled() and (error := ended.exception()) is not None:
                log.critical("a duty failed for good", exc_info=error, extra={"duty": ended.get_name()})
                self._failed.set()

        async def end() -> None:
            task.remove_done_callback(watch)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

        task.add_done_callback(watch)
        self._stack.push_async_callback(end)


async def _readiness(store: Store, node: Node, channels: Mapping[str, Channel]) -> dict[str, bool]:
    return {"store": node.store_up and await store.ready(), "channels": bool(channels), "taking": not node.draining}
