"""Events brought to a platform: in order, at least once, over failures of both sides; nowhere but to its address."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from channels.govapi.adapter import GovApiChannel
from channels.govapi.callbacks import Progress
from channels.govapi.errors import CallbackForeign, ClientsAlike
from channels.govapi.settings import Client, GovApiSettings
from session.events import MessageDelivered, MessageFailed
from session.ids import SessionId
from tests.channels.govapi.conftest import Api, Core, serving, settings
from tests.conftest import Eventually
from tests.peers.platform import Receiver, receiving


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as one:
        yield one


@pytest.fixture
async def api(core: Core, receiver: Receiver) -> AsyncIterator[Api]:
    async with serving(core, callback=receiver.url) as opened:
        receiver.platform = opened.platform
        yield opened


async def test_everything_is_brought_in_order_and_said_to_have_arrived(
    core: Core, api: Api, receiver: Receiver, eventually: Eventually
) -> None:
    session = await api.platform.opens("u1", "一")
    await core.accepts(session)
    for number in range(5):
        await core.writes(session, f"答{number}", f"m{number}")
        await api.platform.ask("sendText", {"text": f"问{number}"}, session=session)
    await eventually(lambda: len(receiver.texts) == 11, deadline_s=10)
    cursors = [event["cursor"] for event in receiver.events]
    assert cursors == sorted(cursors)
    assert receiver.texts == await api.platform.texts(session)
    assert {(call["session"], call["user"]) for call in receiver.calls} == {(session, "u1")}
    assert len(set(receiver.keys)) == len(receiver.keys)
    await eventually(lambda: _count(core, session, 5), deadline_s=10)


async def _count(core: Core, session: str, count: int) -> bool:
    return len(await core.post.said(SessionId(session), MessageDelivered)) == count


async def test_what_is_not_taken_is_brought_again_and_nothing_before_it(
    core: Core, api: Api, receiver: Receiver, eventually: Eventually
) -> None:
    busy = web.Response(status=429, headers={"Retry-After": "1"})
    receiver.answers += [web.Response(status=500), busy, web.Response(status=302, headers={"Location": "/elsewhere"})]
    session = await api.platform.opens("u1", "一")
    await api.platform.ask("sendText", {"text": "二"}, session=session)
    await eventually(lambda: receiver.texts == ["一", "二"], deadline_s=10)
    assert receiver.fetched == 0, "no redirect is followed"


async def test_a_platform_that_was_away_gets_all_of_it(core: Core, receiver: Receiver, eventually: Eventually) -> None:
    """And a gateway that was: another process goes on where the first one was, by what it finds in the store."""
    async with serving(core, callback="http://127.0.0.1:9/events") as dead:
        session = await dead.platform.opens("u1", "一")
        await eventually(lambda: _tried(core, session), deadline_s=10)
    async with serving(core, "node-2", callback=receiver.url):
        await eventually(lambda: receiver.texts == ["一"], deadline_s=10)


async def _tried(core: Core, session: str) -> bool:
    stored = await core.store.shared.get(f"govapi:brought:city-app/{session}")
    return stored is not None and b'"tries": 0' not in stored


async def test_two_nodes_bring_each_event_once(
    core: Core, api: Api, receiver: Receiver, eventually: Eventually
) -> None:
    async with serving(core, "node-2", callback=receiver.url):
        session = await api.platform.opens("u1", "0")
        for number in range(1, 10):
            await api.platform.ask("sendText", {"text": str(number)}, session=session)
        await eventually(lambda: len(receiver.texts) >= 10, deadline_s=10)
    assert receiver.texts == [str(number) for number in range(10)]


async def test_a_store_that_goes_away_puts_it_off(
    core: Core, api: Api, receiver: Receiver, eventually: Eventually
) -> None:
    session = await api.platform.opens("u1", "一")
    await eventually(lambda: receiver.texts == ["一"], deadline_s=10)
    core.breaks = lambda name, args: name == "get" and "brought" in str(args[0])
    await api.platform.ask("sendText", {"text": "二"}, session=session)
    core.breaks = lambda *_: False
    await eventually(lambda: receiver.texts == ["一", "二"], deadline_s=10)


async def test_a_session_that_is_over_is_looked_at_no_more(
    core: Core, api: Api, receiver: Receiver, eventually: Eventually
) -> None:
    session = await api.platform.opens()
    await api.platform.ask("endSession", session=session)
    await eventually(lambda: receiver.events and receiver.events[-1].get("phase") == "ended", deadline_s=10)
    await eventually(lambda: not any(core.store.shared._maps.values()) or not _agenda(core), deadline_s=10)
    assert not api.channel._callbacks._watched


def _agenda(core: Core) -> list[str]:
    maps = core.store.shared._maps
    return [name for key, (fields, _) in maps.items() if "govapi:agenda" in key for name in fields]


async def test_one_that_fails_for_a_day_is_given_up(core: Core, eventually: Eventually) -> None:
    async with serving(core, callback="http://127.0.0.1:9/events", callback_give_up_s=0.3) as api:
        session = await api.platform.opens()
        await core.accepts(session)
        await eventually(lambda: core.post.absorbed(SessionId(session)), deadline_s=10)
        await core.writes(session, "您好", "m1")
        await eventually(lambda: core.post.said(SessionId(session), MessageFailed), deadline_s=10)
        await eventually(lambda: not _agenda(core), deadline_s=10)
        assert len(await core.post.said(SessionId(session), MessageFailed)) == 1, "and the agent sees it"


def test_the_pauses_grow_to_their_bound() -> None:
    progress, pauses = Progress(), []
    for _ in range(40):
        progress = progress.failed(0.0, 300.0, 0.0)
        pauses.append(progress.not_before)
    assert pauses[0] < 1.3 < 4.0 < pauses[3] < 11.0
    assert max(pauses) == pauses[-1] == 300.0
    assert Progress().failed(0.0, 300.0, 60.0).not_before == 60.0
    assert Progress().failed(0.0, 300.0, 1e9).not_before == 300.0


def _opened(core: Core, configured: GovApiSettings) -> object:
    return GovApiChannel.open(
        configured, inbox=core.post.inbox, shared=core.store.shared, files=None, lines=core.store.queue,  # type: ignore[arg-type]
        timeline=core.store.log.read, badge=str, attests=core.attested,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("callback", "plain"),
    [
        ("http://127.0.0.1:80/events", False),
        ("http://app.example.cn/events", True),
        ("https://user:word@app.example.cn/", True),
        ("ftp://app.example.cn/", True),
        ("//app.example.cn/", True),
        ("http://127.0.0.1.example.cn/", True),
    ],
)
async def test_a_callback_goes_by_https_alone(core: Core, callback: str, plain: bool) -> None:
    with pytest.raises(CallbackForeign):
        async with _opened(core, settings(callback=callback, plain_callbacks=plain)):  # type: ignore[attr-defined]
            pass


async def test_no_two_clients_can_be_taken_for_each_other(core: Core) -> None:
    one = Client(id="one", secrets=("s" * 32,))
    for other in (Client(id="one", secrets=("t" * 32,)), Client(id="two", secrets=("t" * 32, "s" * 32))):
        with pytest.raises(ClientsAlike):
            async with _opened(core, GovApiSettings(pepper=b"p", clients=(one, other))):  # type: ignore[attr-defined]
                pass
