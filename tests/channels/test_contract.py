"""What every channel is to the gateway, held to every channel: a new one is one more row of `CHANNELS`."""

import asyncio
import itertools
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from channels.contract import CarriesAudio, Channel, ChannelError, FollowsTimeline, Text
from channels.govapi.adapter import GovApiChannel
from channels.govapi.settings import Client, GovApiSettings
from channels.phone.adapter import PhoneChannel
from channels.phone.settings import PhoneSettings
from channels.sms.adapter import SmsChannel
from channels.sms.settings import SmsSettings
from channels.sms.twilio.carrier import TwilioCarrier
from channels.sms.twilio.settings import TwilioSettings
from channels.webchat.adapter import WebChatChannel
from channels.webchat.settings import WebChatSettings
from channels.wechat.adapter import WeChatChannel
from channels.wechat.kf.adapter import KfChannel
from gateway.feed import Feed
from gateway.inbox import StoreInbox
from media.announcement import PIECES
from media.engine import Engine
from media.g711 import Law
from media.prompts import PromptLibrary
from queueing.memory import MemoryStore
from session.address import Address
from session.audio import Announcement
from session.events import Event, NoteAdded
from session.ids import AssigneeId, LegId, MessageId, NodeId, RecordingId, SessionId
from session.ports import Admission, Contact, Entry, StoreUnavailable, Verdict
from session.state import LegEnd, Medium
from storage.files import FileStore
from tests.channels.phone.core import Core
from tests.channels.phone.telephone import Telephone
from tests.channels.wechat.kf.standin import WeCom
from tests.channels.wechat.kf.test_kf import SETTINGS as KF_SETTINGS
from tests.channels.wechat.kf.test_kf import ServingNode as Calls
from tests.channels.wechat.rig import APPID, SECRET, SETTINGS, Wire
from tests.conftest import Eventually
from tests.gateway.town import post_on
from tests.peers.pages import CitizenPage
from tests.peers.platform import CLIENT, Platform
from tests.peers.platform import SECRET as PLATFORM_SECRET
from tests.peers.twilio import ACCOUNT, PUBLIC, TOKEN, sign, texted
from tests.peers.wechat import WeChatApi, serving

NODE = NodeId("node")
FOLDERS = Path(__file__).parent.parent.parent / "channels"
NOBODY, NOWHERE = LegId("nobody"), SessionId("01HZZZZZZZZZZZZZZZZZZZZZZZ")


@dataclass
class Door:
    """The inbox of a real core on a store in memory, which can be away."""

    inbox: StoreInbox
    is_away: bool = False
    asked: int = 0
    came: list[Contact] = field(default_factory=list)

    async def open(self, contact: Contact) -> Admission:
        self._reach()
        admission = await self.inbox.open(contact)
        self.came.append(contact)
        return admission

    async def post(self, session: SessionId, event: Event, *, dedupe: str | None = None) -> int:
        self._reach()
        return await self.inbox.post(session, event, dedupe=dedupe)

    async def accept(self, session: SessionId, assignee: AssigneeId, token: int) -> Verdict:
        self._reach()
        return await self.inbox.accept(session, assignee, token)

    async def decline(self, session: SessionId, assignee: AssigneeId, token: int, reason: str) -> bool:
        self._reach()
        return await self.inbox.decline(session, assignee, token, reason)

    def _reach(self) -> None:
        self.asked += 1
        if self.is_away:
            raise StoreUnavailable("away")


@dataclass
class Opened:
    """A channel that serves, and its citizens."""

    channel: Channel
    door: Door
    store: MemoryStore
    citizen: Callable[[], AbstractAsyncContextManager[None]]
    """Somebody comes, and stays until the end of the block."""
    knock: Callable[[], Awaitable[int]]
    """Somebody tries to come; the status that they are answered."""


Open = Callable[[Door, MemoryStore, Path], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def _phone(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[Opened]:
    core = Core()
    prompts = PromptLibrary({name: dict.fromkeys(Law, b"U" * 800) for name in PIECES})
    settings = PhoneSettings(port=0, trunks=("127.0.0.0/8",), debts=folder / "debts.jsonl", store_patience_s=0.2)
    async with (
        Engine(prompts) as audio,
        PhoneChannel(
            settings,
            node=NODE,
            inbox=door,
            audio=audio,
            shared=core,
            telephones=core,
            reachability=core,
            recording_path=None,
        ) as channel,
    ):

        @asynccontextmanager
        async def citizen() -> AsyncIterator[None]:
            async with Telephone(channel.bound) as telephone:
                dialled = await telephone.call()
                yield
                dialled.bye()

        async def knock() -> int:
            async with Telephone(channel.bound) as telephone:
                dialled = await telephone.call()
                dialled.bye()
                return dialled.answer.status

        yield Opened(channel, door, store, citizen, knock)


@asynccontextmanager
async def _webchat(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[Opened]:
    async with WebChatChannel(
        WebChatSettings(away_after_s=0.05),
        node=NODE,
        inbox=door,
        lines=store.queue,
        shared=store.shared,
        files=FileStore(folder / "files"),
        timeline=store.log.read,
        key=secrets.token_bytes(32),
        badge=str,
        on_typing=lambda _: None,
    ) as channel:
        app = web.Application()
        app.add_routes(channel.routes())
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"

        @asynccontextmanager
        async def citizen() -> AsyncIterator[None]:
            async with CitizenPage(url) as page:
                await page.open()
                writing = asyncio.create_task(page.write("你好"))
                yield
                await writing

        async def knock() -> int:
            async with aiohttp.ClientSession() as http:
                try:
                    async with http.ws_connect(f"{url}/api/webchat/socket", origin=url):
                        return 101
                except aiohttp.WSServerHandshakeError as refused:
                    return refused.status

        try:
            yield Opened(channel, door, store, citizen, knock)
        finally:
            await channel.drain(0.0)
            await runner.cleanup()


@asynccontextmanager
async def _wechat(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[Opened]:
    api, openids = WeChatApi(APPID, SECRET), itertools.count()
    async with (
        serving(api.app()) as base,
        WeChatChannel.open(
            replace(SETTINGS, api=base),
            inbox=door,
            shared=store.shared,
            files=FileStore(folder / "files"),
            on_scan=_nowhere,
        ) as channel,
        aiohttp.ClientSession() as http,
    ):
        app = web.Application()
        app.add_routes(channel.routes())
        async with serving(app) as url:
            wire = Wire(http, url + SETTINGS.path, time.time)

            @asynccontextmanager
            async def citizen() -> AsyncIterator[None]:
                push = wire.request(wire.message("text", "citizen", Content="你好"))

                async def brought() -> None:
                    while (await wire.bring(*push))[0] != 200:
                        await asyncio.sleep(0.02)  # WeChat brings it again

                bringing = asyncio.create_task(brought())
                yield
                await bringing

            async def knock() -> int:
                return (await wire.say("你好", f"citizen-{next(openids)}"))[0]

            yield Opened(channel, door, store, citizen, knock)


async def _nowhere(_: Address, __: str) -> None:
    """A scan that leads to no session."""


@asynccontextmanager
async def _sms(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[Opened]:
    path, numbers = "/api/sms/twilio/up", itertools.count(1)
    settings = SmsSettings(pepper=b"a pepper that only tests have", ways=(("+", "twilio"),))
    carrier = TwilioCarrier(TwilioSettings(account=ACCOUNT, tokens=(TOKEN,), sender="+18005551212", public_url=PUBLIC))
    async with (
        SmsChannel(
            settings,
            [carrier],
            node=NODE,
            inbox=door,
            shared=store.shared,
            files=FileStore(folder / "files"),
        ) as channel,
        aiohttp.ClientSession() as http,
    ):
        app = web.Application()
        app.add_routes(channel.routes())
        async with serving(app) as url:

            async def bring(fields: dict[str, str]) -> int:
                async with http.post(url + path, data=fields, headers=sign(path, fields)) as response:
                    return response.status

            @asynccontextmanager
            async def citizen() -> AsyncIterator[None]:
                fields = texted(f"SM{next(numbers)}", "+14155550100", "路灯坏了")

                async def brought() -> None:
                    while await bring(fields) != 200:
                        await asyncio.sleep(0.02)  # Twilio asks the fallback URL, which is another node's

                bringing = asyncio.create_task(brought())
                yield
                await bringing

            async def knock() -> int:
                number = next(numbers)
                return await bring(texted(f"SM{number}", f"+1415555{number:04}", "路灯坏了"))

            yield Opened(channel, door, store, citizen, knock)


@asynccontextmanager
async def _kf(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[Opened]:
    wecom, names = WeCom(), itertools.count()
    async with (
        serving(wecom.app()) as base,
        KfChannel.open(
            replace(KF_SETTINGS, account=replace(KF_SETTINGS.account, api=base)),
            inbox=door,
            shared=store.shared,
            files=FileStore(folder / "files"),
            on_scan=_nowhere,
        ) as channel,
        aiohttp.ClientSession() as http,
    ):
        app = web.Application()
        app.add_routes(channel.routes())
        async with serving(app) as url:
            calls = Calls(channel, Wire(http, url + KF_SETTINGS.account.path, time.time))

            @asynccontextmanager
            async def citizen() -> AsyncIterator[None]:
                wecom.keep("text", {"content": "你好"})
                assert await calls.called() == 200
                yield

            async def knock() -> int:
                wecom.keep("text", {"content": "你好"}, citizen=f"wm-{next(names)}")
                came, status = len(door.came), await calls.called()
                async with asyncio.timeout(5):
                    while len(door.came) == came:  # it says only that there is something, which is then fetched
                        await asyncio.sleep(0.01)
                return status

            yield Opened(channel, door, store, citizen, knock)


@asynccontextmanager
async def _govapi(door: Door, store: MemoryStore, folder: Path) -> AsyncIterator[Opened]:
    settings = GovApiSettings(pepper=b"a pepper", clients=(Client(id=CLIENT, secrets=(PLATFORM_SECRET,)),))
    async with (
        GovApiChannel.open(
            settings,
            inbox=door,
            shared=store.shared,
            files=FileStore(folder / "files"),
            lines=store.queue,
            timeline=store.log.read,
            badge=str,
        ) as channel,
        aiohttp.ClientSession() as http,
    ):
        app = web.Application()
        app.add_routes(channel.routes())
        async with serving(app) as url:
            platform, users = Platform(http, url), itertools.count()
            await platform.learn()

            async def come(user: str, key: str) -> int:
                asked = {"user": {"id": user}, "text": "你好"}
                return (await platform.ask("openSession", asked, key=key)).status

            @asynccontextmanager
            async def citizen() -> AsyncIterator[None]:
                async def came() -> None:
                    while await come("citizen", "the-citizens-wish") >= 400:
                        await asyncio.sleep(0.02)  # the platform tries again, with the same key

                coming = asyncio.create_task(came())
                yield
                await coming

            async def knock() -> int:
                user = f"user-{next(users)}"
                return await come(user, f"the-wish-of-{user}")

            yield Opened(channel, door, store, citizen, knock)


CHANNELS: dict[str, Open] = {
    "govapi": _govapi,
    "phone": _phone,
    "sms": _sms,
    "webchat": _webchat,
    "wechat": _wechat,
    "wechat.kf": _kf,
}
"""By the folder of each."""


@pytest.fixture(params=CHANNELS)
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Opened]:
    store = MemoryStore()
    post = post_on(store, NODE)
    async with CHANNELS[request.param](Door(post.inbox), store, tmp_path) as channel:
        feed = Feed(store.log, [channel.channel.follow] if isinstance(channel.channel, FollowsTimeline) else [])
        await feed.start()
        reading = asyncio.create_task(feed.run())
        yield channel
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await post.mailboxes.stop()


def test_every_channel_is_held_to_it() -> None:
    """A folder with an adapter is a channel."""
    found = {path.parent.relative_to(FOLDERS) for path in FOLDERS.rglob("adapter.py")}
    assert {".".join(folder.parts) for folder in found} == set(CHANNELS)


async def test_its_name_is_its_folders(opened: Opened) -> None:
    assert opened.channel.name == "-".join(_folder(opened))


def _folder(opened: Opened) -> list[str]:
    return type(opened.channel).__module__.split(".")[1:-1]


async def test_what_it_can_do_is_data_and_true(opened: Opened) -> None:
    can = opened.channel.capabilities
    assert can.schemes
    assert isinstance(opened.channel, CarriesAudio) is (can.medium is Medium.VOICE)
    assert isinstance(opened.channel, FollowsTimeline) is can.follows_timeline
    assert can.longest_text >= 0
    assert not (can.medium is Medium.VOICE and can.survives_node), "sound cannot wait for another node"


async def test_its_routes_are_under_its_own_name(opened: Opened) -> None:
    """So that no two channels can stand in each other's way, nor in the way of the pages."""
    for route in opened.channel.routes():
        assert isinstance(route, web.RouteDef)
        assert f"{route.path}/".startswith(f"/api/{'/'.join(_folder(opened))}/")


async def test_a_citizen_comes_once(opened: Opened, eventually: Eventually) -> None:
    async with opened.citizen():
        await eventually(lambda: opened.door.came)
        (contact,) = opened.door.came
        assert contact.channel == opened.channel.name
        assert contact.medium is opened.channel.capabilities.medium
        assert contact.address.scheme in opened.channel.capabilities.schemes
        assert contact.number == "12345"


async def test_who_comes_while_the_store_is_away_is_in_once_it_is_back(opened: Opened, eventually: Eventually) -> None:
    """Kept, not lost, and not called accepted before (law 12)."""
    opened.door.is_away = True
    async with opened.citizen():
        await eventually(lambda: opened.door.asked)
        assert opened.door.came == []
        assert (await opened.store.log.follow("0", block_s=0.0))[1] == []
        opened.door.is_away = False
        await eventually(lambda: opened.door.came, deadline_s=10)
        assert len({contact.leg for contact in opened.door.came}) == 1


async def test_what_it_does_not_hold_it_closes_without_a_word(opened: Opened) -> None:
    """An effect may be done twice, and after its leg is gone."""
    for _ in range(2):
        await opened.channel.close_leg(NOWHERE, NOBODY, LegEnd.CLOSED)
    assert opened.door.asked == 0


async def test_what_it_cannot_send_it_says(opened: Opened) -> None:
    """By an error that tells whether to try again; a channel that follows the timeline is sent nothing."""
    text = Text(MessageId("m"), "您好")
    if opened.channel.capabilities.follows_timeline:
        await opened.channel.send(NOWHERE, NOBODY, text)
        return
    with pytest.raises(ChannelError) as refused:
        await opened.channel.send(NOWHERE, NOBODY, text)
    assert isinstance(refused.value.retryable, bool)
    assert "您好" not in str(refused.value)


async def test_sound_for_nobody_is_refused_and_its_end_is_not(opened: Opened) -> None:
    channel = opened.channel
    if not isinstance(channel, CarriesAudio):
        return
    agent = AssigneeId("8001")
    attempts: list[Callable[[], Awaitable[None]]] = [
        lambda: channel.play(NOBODY, (Announcement("welcome"),), music=True),
        lambda: channel.ring(NOWHERE, NOBODY, agent, 1, 0.0),
        lambda: channel.join(NOWHERE, NOBODY, NOBODY, RecordingId("r")),
    ]
    for attempt in attempts:
        with pytest.raises(ChannelError):
            await attempt()
    for _ in range(2):
        await channel.stop_ringing(NOBODY, agent, 1)
    assert opened.door.asked == 0


async def test_a_strangers_event_is_nothing_to_it(opened: Opened) -> None:
    """The feed shows every session of the whole hotline."""
    if not isinstance(opened.channel, FollowsTimeline):
        return
    note = NoteAdded(at=1.0, by=AssigneeId("8001"), text="note")
    for version in (5, 1, 5):
        await opened.channel.follow(Entry(NOWHERE, version, note))
    assert opened.door.asked == 0


async def test_drained_it_takes_nothing_new(opened: Opened) -> None:
    assert await opened.knock() < 400
    came = len(opened.door.came)
    async with asyncio.timeout(5.0):
        await opened.channel.drain(5.0)
    status = await opened.knock()
    if opened.channel.capabilities.medium is Medium.MESSAGE:
        # A letter is no node's own: what is taken is durable, and any node answers it. Taken or not, it must be true.
        assert (status < 400) is (len(opened.door.came) == came + 1)
        return
    assert status == 503
    assert len(opened.door.came) == came


async def test_draining_waits_no_longer_than_it_may(opened: Opened, eventually: Eventually) -> None:
    async with opened.citizen():
        await eventually(lambda: opened.door.came)
        async with asyncio.timeout(3.0):
            await opened.channel.drain(0.05)
