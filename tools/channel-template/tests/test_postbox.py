"""Letters in and out: each once, none lost, none from a stranger. The contract's suite holds the rest."""

import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from channels.contract import FileLink, LegUnknown, Text
from channels.postbox.adapter import PostboxChannel
from channels.postbox.errors import FileNotCarried, ProviderAway, ProviderRefused
from channels.postbox.letter import SIGNATURE, TIME, signed
from channels.postbox.settings import PostboxSettings
from config.loading import load
from gateway.doors import lacking, open_doors
from queueing.memory import MemoryStore
from session.events import LegOpened, SessionOpened, TextReceived
from session.ids import LegId, MessageId, SessionId
from session.state import LegEnd
from tests.channels.far_end import NODE, Door
from tests.channels.postbox.provider import SECRET, Provider, providing, serving
from tests.gateway.town import ports_on, post_on

LETTER = {"id": "l1", "from": "citizen", "text": "路灯坏了", "new": {"a": 1}}


@dataclass
class Node:
    channel: PostboxChannel
    provider: Provider
    door: Door
    store: MemoryStore

    async def events(self, kind: type) -> list[tuple[SessionId, object]]:
        _, entries = await self.store.log.follow("0", block_s=0.0)
        return [(entry.session, entry.event) for entry in entries if isinstance(entry.event, kind)]

    async def leg(self) -> tuple[SessionId, LegId]:
        session, event = (await self.events(LegOpened))[-1]
        assert isinstance(event, LegOpened)
        return session, event.leg.id


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    store = MemoryStore()
    post = post_on(store, NODE)
    door = Door(post.inbox)
    async with providing() as provider:
        settings = PostboxSettings(url=provider.url, secret=SECRET, pepper=b"pepper", timeout_s=1.0)
        async with PostboxChannel.open(settings, inbox=door, shared=store.shared) as channel:
            app = web.Application()
            app.add_routes(channel.routes())
            async with serving(app) as provider.hotline:
                yield Node(channel, provider, door, store)
    await post.mailboxes.stop()


async def test_a_letter_is_one_word_however_often_it_is_brought(node: Node) -> None:
    assert [await node.provider.brings(LETTER) for _ in range(3)] == [200] * 3
    assert await node.provider.brings({**LETTER, "id": "l2", "text": "人民路"}) == 200
    assert [getattr(event, "text", "") for _, event in await node.events(TextReceived)] == ["路灯坏了", "人民路"]
    assert len(await node.events(SessionOpened)) == len(await node.events(LegOpened)) == 1


async def test_nothing_is_called_taken_that_is_not_durable(node: Node) -> None:
    node.door.is_away = True
    assert await node.provider.brings(LETTER) == 503
    node.door.is_away = False
    assert await node.provider.brings(LETTER) == 200
    assert len(await node.events(TextReceived)) == 1


async def test_an_answer_goes_out_once(node: Node) -> None:
    await node.provider.brings(LETTER)
    session, leg = await node.leg()
    for _ in range(2):
        await node.channel.send(session, leg, Text(MessageId("m1"), "在哪条路？"))
    assert node.provider.boxes == {"citizen": ["在哪条路？"]}


async def test_what_the_provider_says_is_told(node: Node) -> None:
    await node.provider.brings(LETTER)
    session, leg = await node.leg()
    text = Text(MessageId("m1"), "您好")
    node.provider.statuses = [503, 429, 400]
    for error, retryable in ((ProviderAway, True), (ProviderAway, True), (ProviderRefused, False)):
        with pytest.raises(error) as refused:
            await node.channel.send(session, leg, text)
        assert refused.value.retryable is retryable
    with pytest.raises(FileNotCarried):
        await node.channel.send(session, leg, FileLink(MessageId("m2"), "f", "a.png", "image/png", 1))
    with pytest.raises(LegUnknown):
        await node.channel.send(session, LegId("nobody"), text)


async def test_after_the_end_another_leg_begins(node: Node) -> None:
    await node.provider.brings(LETTER)
    session, leg = await node.leg()
    for _ in range(2):
        await node.channel.close_leg(session, leg, LegEnd.CLOSED)
    await node.provider.brings({**LETTER, "id": "l2"})
    assert (await node.leg())[1] != leg


async def test_it_opens_by_its_section(tmp_path: Path) -> None:
    """And stays shut without it; filled in half it stops the start, and names what is missing."""
    store = MemoryStore()
    post = post_on(store, NODE)
    for filled_in in (["postbox.url=http://127.0.0.1:9", "postbox.secret=word"], []):
        settings = load(arguments=filled_in, environment={})
        async with open_doors(settings, ports_on(store, post, tmp_path)) as opened:
            assert [one.name for one in opened] == ["postbox"][: len(filled_in)]
    assert lacking(load(arguments=["postbox.url=http://127.0.0.1:9"], environment={})) == ("postbox.secret",)
    await post.mailboxes.stop()


@pytest.mark.parametrize(
    ("body", "changes", "status"),
    [
        (b"", {}, 400),
        (b"[" * 10_000, {}, 400),
        (b"\xff", {}, 400),
        (b"[]", {}, 400),
        (json.dumps({**LETTER, "id": "../x"}).encode(), {}, 400),
        (json.dumps({**LETTER, "from": ""}).encode(), {}, 400),
        (json.dumps({**LETTER, "text": " "}).encode(), {}, 400),
        (b'{"id": "l1", "from": "c", "text": "\\ud800"}', {}, 400),
        (b"x" * (64 * 1024 + 1), {}, 413),
        (json.dumps(LETTER).encode(), {SIGNATURE: "0" * 64}, 403),
        (json.dumps(LETTER).encode(), {TIME: "١"}, 403),
        (json.dumps(LETTER).encode(), signed(json.dumps(LETTER).encode(), int(time.time()) - 3600, SECRET), 403),
    ],
)
async def test_a_strangers_or_broken_letter_is_refused(
    node: Node, body: bytes, changes: dict[str, str], status: int
) -> None:
    assert await node.provider.brings(body, **changes) == status
    assert node.door.asked == 0
