"""What every channel is to the gateway, held to every channel: a new one brings its `far_end.py`, and is found."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from importlib import import_module
from pathlib import Path

import pytest
from aiohttp import web

from channels.contract import CarriesAudio, ChannelError, FollowsTimeline, Text
from gateway.feed import Feed
from queueing.memory import MemoryStore
from session.audio import Announcement
from session.events import NoteAdded
from session.ids import AssigneeId, LegId, MessageId, RecordingId, SessionId
from session.ports import Entry
from session.state import LegEnd, Medium
from tests.channels.far_end import NODE, Door, FarEnd, Opens
from tests.conftest import Eventually
from tests.gateway.town import post_on

HERE = Path(__file__).parent
FOLDERS = HERE.parent.parent / "channels"
NOBODY, NOWHERE = LegId("nobody"), SessionId("01HZZZZZZZZZZZZZZZZZZZZZZZ")


def _folders(of: Path, file: str) -> list[str]:
    return sorted(".".join(path.parent.relative_to(of).parts) for path in of.glob(f"*/**/{file}"))


CHANNELS = _folders(HERE, "far_end.py")
"""By the folder of each."""


@pytest.fixture(params=CHANNELS)
async def opened(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[FarEnd]:
    store = MemoryStore()
    post = post_on(store, NODE)
    opens: Opens = import_module(f"tests.channels.{request.param}.far_end").opened
    async with opens(Door(post.inbox), store, tmp_path) as channel:
        feed = Feed(store.log, [channel.channel.follow] if isinstance(channel.channel, FollowsTimeline) else [])
        await feed.start()
        reading = asyncio.create_task(feed.run())
        yield channel
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    await post.mailboxes.stop()


def test_every_channel_is_held_to_it() -> None:
    """A folder with an adapter is a channel."""
    assert _folders(FOLDERS, "adapter.py") == CHANNELS


async def test_its_name_is_its_folders(opened: FarEnd) -> None:
    assert opened.channel.name == "-".join(_folder(opened))


def _folder(opened: FarEnd) -> list[str]:
    return type(opened.channel).__module__.split(".")[1:-1]


async def test_what_it_can_do_is_data_and_true(opened: FarEnd) -> None:
    can = opened.channel.capabilities
    assert can.schemes
    assert isinstance(opened.channel, CarriesAudio) is (can.medium is Medium.VOICE)
    assert isinstance(opened.channel, FollowsTimeline) is can.follows_timeline
    assert can.longest_text >= 0
    assert not (can.medium is Medium.VOICE and can.survives_node), "sound cannot wait for another node"


async def test_its_routes_are_under_its_own_name(opened: FarEnd) -> None:
    """So that no two channels can stand in each other's way, nor in the way of the pages."""
    for route in opened.channel.routes():
        assert isinstance(route, web.RouteDef)
        assert f"{route.path}/".startswith(f"/api/{'/'.join(_folder(opened))}/")


async def test_a_citizen_comes_once(opened: FarEnd, eventually: Eventually) -> None:
    async with opened.citizen():
        await eventually(lambda: opened.door.came)
        (contact,) = opened.door.came
        assert contact.channel == opened.channel.name
        assert contact.medium is opened.channel.capabilities.medium
        assert contact.address.scheme in opened.channel.capabilities.schemes
        assert contact.number == "12345"


async def test_who_comes_while_the_store_is_away_is_in_once_it_is_back(opened: FarEnd, eventually: Eventually) -> None:
    """Kept, not lost, and not called accepted before (law 12)."""
    opened.door.is_away = True
    async with opened.citizen():
        await eventually(lambda: opened.door.asked)
        assert opened.door.came == []
        assert (await opened.store.log.follow("0", block_s=0.0))[1] == []
        opened.door.is_away = False
        await eventually(lambda: opened.door.came, deadline_s=10)
        assert len({contact.leg for contact in opened.door.came}) == 1


async def test_what_it_does_not_hold_it_closes_without_a_word(opened: FarEnd) -> None:
    """An effect may be done twice, and after its leg is gone."""
    for _ in range(2):
        await opened.channel.close_leg(NOWHERE, NOBODY, LegEnd.CLOSED)
    assert opened.door.asked == 0


async def test_what_it_cannot_send_it_says(opened: FarEnd) -> None:
    """By an error that tells whether to try again; a channel that follows the timeline is sent nothing."""
    text = Text(MessageId("m"), "您好")
    if opened.channel.capabilities.follows_timeline:
        await opened.channel.send(NOWHERE, NOBODY, text)
        return
    with pytest.raises(ChannelError) as refused:
        await opened.channel.send(NOWHERE, NOBODY, text)
    assert isinstance(refused.value.retryable, bool)
    assert "您好" not in str(refused.value)


async def test_sound_for_nobody_is_refused_and_its_end_is_not(opened: FarEnd) -> None:
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


async def test_a_strangers_event_is_nothing_to_it(opened: FarEnd) -> None:
    """The feed shows every session of the whole hotline."""
    if not isinstance(opened.channel, FollowsTimeline):
        return
    note = NoteAdded(at=1.0, by=AssigneeId("8001"), text="note")
    for version in (5, 1, 5):
        await opened.channel.follow(Entry(NOWHERE, version, note))
    assert opened.door.asked == 0


async def test_drained_it_takes_nothing_new(opened: FarEnd) -> None:
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


async def test_draining_waits_no_longer_than_it_may(opened: FarEnd, eventually: Eventually) -> None:
    async with opened.citizen():
        await eventually(lambda: opened.door.came)
        async with asyncio.timeout(3.0):
            await opened.channel.drain(0.05)
