"""WeChat customer service: a callback that carries nothing, a cursor that loses nothing."""

import gzip
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from channels.contract import Channel, Text
from channels.wechat.budget import Cause
from channels.wechat.cipher import MessageKey
from channels.wechat.errors import BudgetSpent, PushRefused, StateRefused
from channels.wechat.keys import Keys
from channels.wechat.kf.adapter import KfChannel
from channels.wechat.kf.settings import KfSettings
from channels.wechat.push import Account, open_push, sealed_challenge
from channels.wechat.settings import WeChatSettings
from gateway.inbox import StoreInbox
from session import events as ev
from session.belonging import NameClaimed
from session.ids import LegId, MessageId, NodeId, SessionId
from session.state import LegEnd
from storage.files import FileStore
from tests.channels.wechat.kf.standin import CITIZEN, CORPID, KFID, SECRET, TOKEN, WeCom, called
from tests.channels.wechat.rig import JPEG, OLD_KEY, Unsteady, UnsteadyInbox, Wire, World, seal, signed, xml
from tests.conftest import Eventually
from tests.peers.wechat import serving

ACCOUNT = WeChatSettings(
    appid=KFID, secret=SECRET, token=TOKEN, aes_keys=(OLD_KEY,), path="/api/wechat/kf", api_timeout_s=1.0
)
SETTINGS = KfSettings(CORPID, ACCOUNT, pull_every_s=0.05)

# developer.work.weixin.qq.com, 加解密方案说明: the sample code's own numbers.
OFFICIAL = Account(TOKEN, [MessageKey.parse(OLD_KEY, CORPID)], 300.0)


def test_the_address_is_proven_as_in_the_manual() -> None:
    query = {
        "msg_signature": "5c45ff5e21c57e6ad56bac8758b79b1d9ac89fd3",
        "timestamp": "1409659589",
        "nonce": "263014780",
        "echostr": "P9nAzCzyDtyTWESHep1vC5X9xho/qYX3Zpb4yKa9SKld1DsH3Iyt3tP3zNdtp+4RPcs8TgAE7OaBO+FZXvnaqQ==",
    }
    assert sealed_challenge(OFFICIAL, query, 1409659589.0) == "1616140317555161061"
    for change in ({"nonce": "263014781"}, {"msg_signature": "0" * 40}, {"echostr": ""}, {"echostr": "P9nA"}):
        with pytest.raises(PushRefused):
            sealed_challenge(OFFICIAL, query | change, 1409659589.0)
    with pytest.raises(PushRefused):
        sealed_challenge(OFFICIAL, query, 1409659589.0 + 301)


def test_a_callback_of_the_manual_is_opened() -> None:
    query = {
        "msg_signature": "477715d11cdb4164915debcba66cb864d751f3e6",
        "timestamp": "1409659813",
        "nonce": "1372623149",
    }
    body = (
        b"<xml><ToUserName><![CDATA[wx5823bf96d3bd56c7]]></ToUserName><Encrypt><![CDATA[RypEvHKD8QQKFhvQ6QleEB4J58tiPdvo"
        b"+rtK1I9qca6aM/wvqnLSV5zEPeusUiX5L5X/0lWfrf0QADHHhGd3QczcdCUpj911L3vg3W/sYYvuJTs3TUUkSUXxaccAS0qhxchrRYt66wiS"
        b"pGLYL42aM6A8dTT+6k4aSknmPj48kzJs8qLjvd4Xgpue06DOdnLxAUHzM6+kDZ+HMZfJYuR+LtwGc2hgf5gsijff0ekUNXZiqATP7PF5mZxZ"
        b"3Izoun1s4zG4LUMnvw2r+KqCKIw+3IQH03v+BCA9nMELNqbSf6tiWSrXJB3LAVGUcallcrw8V2t9EL4EhzJWrQUax5wLVMNS0+rUPA3k22Nc"
        b"x4XXZS9o0MBH27Bo6BpNelZpS+/uh9KsNlY6bHCmJU9p8g7m3fVKn28H3KDYA5Pl/T8Z1ptDAVe0lXdQ2YoyyH2uyPIGHBZZIs2pDBS8R07+"
        b"qN+E7Q==]]></Encrypt></xml>"
    )
    fields = open_push(OFFICIAL, query, body, 1409659813.0).fields
    assert fields["FromUserName"] == "mycreate"
    assert fields["Content"] == "hello"


@dataclass
class ServingNode:
    channel: KfChannel
    wire: Wire

    async def called(self, token: str = "ENCApHxnGDNAVNY4AaSJKj4Tb5mwsEMzxhFmHVGcra996NR") -> int:
        return await called(self.wire, token)


@asynccontextmanager
async def node(world: World, wecom: WeCom, folder: Path, settings: KfSettings = SETTINGS) -> AsyncIterator[ServingNode]:
    inbox = StoreInbox(world.store, NodeId("node-1"), world.route, world.sessions.add)
    async with AsyncExitStack() as stack:
        channel = await stack.enter_async_context(
            KfChannel.open(
                replace(settings, account=replace(settings.account, api=wecom.base)),
                inbox=UnsteadyInbox(inbox, world),
                shared=Unsteady(world.store.shared, world),
                files=FileStore(folder),
                on_scan=world.scanned,
                clock=world.clock,
            )
        )
        contract: Channel = channel
        app = web.Application()
        app.add_routes(contract.routes())
        base = await stack.enter_async_context(serving(app))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        yield ServingNode(channel, Wire(http, base + settings.account.path, world.clock))


@pytest.fixture
async def wecom() -> AsyncIterator[WeCom]:
    one = WeCom()
    async with serving(one.app()) as base:
        one.base = base
        yield one


@pytest.fixture
async def here(world: World, wecom: WeCom, tmp_path: Path) -> AsyncIterator[ServingNode]:
    async with node(world, wecom, tmp_path, replace(SETTINGS, pull_every_s=3600.0)) as one:
        yield one


async def test_what_is_kept_is_pulled_to_its_end_and_once(
    world: World, wecom: WeCom, here: ServingNode, eventually: Eventually
) -> None:
    wecom.empty_pages = 2
    for number in range(7):
        wecom.keep("text", {"content": f"{number}"})
    assert await here.called() == 200

    async def are_here() -> bool:
        return len(await world.texts()) == 7

    await eventually(are_here)
    assert await world.texts() == [f"{number}" for number in range(7)]
    assert len(world.sessions) == 1
    (contact,) = world.contacts
    assert str(contact.address) == f"wechat-kf:{KFID}/{CITIZEN}"
    assert "cursor" not in wecom.pulls[0]
    # Asked without being called, as at the start, it has none.
    assert {pull["token"][:5] for pull in wecom.pulls if "token" in pull} == {"ENCAp"}
    wecom.keep("text", {"content": "7"})
    before = len(wecom.pulls)
    assert await here.called() == 200
    await eventually(lambda: len(wecom.pulls) > before)
    assert wecom.pulls[before]["cursor"] == "c7"


async def test_every_type_is_kept(world: World, wecom: WeCom, here: ServingNode, eventually: Eventually) -> None:
    wecom.files["pic"] = ("image/jpeg", JPEG)
    wecom.keep(
        "event",
        {"event_type": "enter_session", "scene": "x", "scene_param": "switch-1", "welcome_code": "w1"},
        origin=4,
    )
    wecom.keep("image", {"media_id": "pic"})
    wecom.keep("location", {"latitude": 23.1, "longitude": 113.3, "name": "广场", "address": "天河路"})
    wecom.keep("link", {"title": "公告", "desc": "停水", "url": "https://gov.example/"})
    wecom.keep("business_card", {"userid": "li"})
    wecom.keep("text", {"content": "我来回复"}, origin=5)
    wecom.keep("event", {"event_type": "msg_send_fail", "fail_msgid": "x", "fail_type": 4}, origin=4)
    wecom.keep("event", {"event_type": "enter_session", "welcome_code": "w2"}, origin=4)
    wecom.kept.append({"msgtype": "text", "text": "no object"})
    wecom.keep("text", {"content": "a\ud800"})
    assert await here.called() == 200

    async def are_here() -> bool:
        return len(await world.texts()) == 3

    await eventually(are_here)
    assert await world.texts() == [
        "[链接] 公告 停水 https://gov.example/",
        "[暂不支持的消息类型 business_card]",
        "a?",
    ]
    (file,) = await world.events(ev.FileReceived)
    assert file.content_type == "image/jpeg"
    (place,) = await world.events(ev.LocationReceived)
    assert (round(place.latitude, 1), round(place.longitude, 1), place.name) == (23.1, 113.3, "广场 天河路")
    assert [note.text for note in await world.events(ev.NoteAdded)] == [
        "企业微信接待人员：我来回复",
        "微信客服消息未送达（4）",
        "进入了微信客服",
    ]
    assert [scene for _, scene in world.scans] == ["switch-1"]
    # Entering allows a greeting by its code, and no message else.
    assert await world.store.shared.get(Keys(KFID).window(CITIZEN, Cause.ACT)) is None
    assert [(one["code"], one["text"]["content"]) for one in wecom.welcomed] == [
        ("w1", "已接上 switch-1"),
        ("w2", ACCOUNT.greeting),
    ]


async def test_a_store_that_was_away_in_the_middle_loses_and_doubles_nothing(
    world: World, wecom: WeCom, tmp_path: Path, eventually: Eventually
) -> None:
    """And nobody calls again: it is asked now and then."""
    for number in range(6):
        wecom.keep("text", {"content": f"{number}"})
    async with node(world, wecom, tmp_path) as here:
        world.breaking = "pull:cursor"
        await eventually(lambda: not world.breaking)
        world.losing = 2
        await here.called()

        async def are_here() -> bool:
            return len(await world.texts()) >= 6

        await eventually(are_here)
        before = len(wecom.pulls)
        await eventually(lambda: len(wecom.pulls) > before + 3)
    assert await world.texts() == [f"{number}" for number in range(6)]
    assert len(world.sessions) == 1


async def test_a_callback_is_not_answered_before_it_is_noted(world: World, here: ServingNode) -> None:
    world.is_away = True
    assert await here.called() == 503
    world.is_away = False
    assert await here.called() == 200


Call = tuple[bytes, dict[str, str]]


def call(wire: Wire, plain: str, *, key: str = OLD_KEY, corp: str = CORPID, at: float | None = None) -> Call:
    """A callback as WeCom makes it, whatever is in it."""
    sealed = seal(plain, key, corp)
    moment, nonce = str(int(wire.clock() if at is None else at)), str(wire.number())
    query = {"timestamp": moment, "nonce": nonce, "msg_signature": signed(TOKEN, moment, nonce, sealed)}
    return xml({"ToUserName": CORPID, "Encrypt": sealed}).encode(), query


EVENT = f"<xml><ToUserName>{CORPID}</ToUserName><MsgType>event</MsgType><Event>kf_msg_or_event</Event>%s</xml>"
NEWS = EVENT % f"<Token>ENCAp</Token><OpenKfId>{KFID}</OpenKfId>"
BAD: dict[str, tuple[Callable[[Wire], Call], int]] = {
    "forged": (lambda wire: (call(wire, NEWS)[0], call(wire, NEWS)[1]), 403),
    "stale": (lambda wire: call(wire, NEWS, at=wire.clock() - 301), 403),
    "from the future": (lambda wire: call(wire, NEWS, at=wire.clock() + 301), 403),
    "wrong key": (lambda wire: call(wire, NEWS, key="B" * 43), 403),
    "another corporation's": (lambda wire: call(wire, NEWS, corp="wx0000000000000000"), 403),
    "truncated": (lambda wire: (call(wire, NEWS)[0][:-20], call(wire, NEWS)[1]), 400),
    "oversize": (lambda wire: (b"<xml>" + b"x" * 200_000, call(wire, NEWS)[1]), 413),
    "deeply nested": (lambda wire: call(wire, "<a>" * 15_000), 400),
    "deeply nested outside": (lambda wire: (b"<a>" * 15_000, call(wire, NEWS)[1]), 400),
    "billion laughs": (
        lambda wire: call(wire, f'<!DOCTYPE x [<!ENTITY l0 "ha"><!ENTITY l1 "{"&l0;" * 10}">]>{EVENT % "&l1;"}'),
        400,
    ),
    "external entity": (
        lambda wire: call(wire, f'<!DOCTYPE x [<!ENTITY a SYSTEM "/etc/passwd">]>{EVENT % "&a;"}'), 400,
    ),
    "packed": (lambda wire: (gzip.compress(call(wire, NEWS)[0]), call(wire, NEWS)[1]), 400),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_callback_is_refused_and_pulls_nothing(
    world: World, wecom: WeCom, here: ServingNode, eventually: Eventually, name: str
) -> None:
    make, status = BAD[name]
    before = len(wecom.pulls)
    assert (await here.wire.bring(*make(here.wire)))[0] == status
    assert len(wecom.pulls) == before
    assert await here.called() == 200
    await eventually(lambda: len(wecom.pulls) > before)


async def test_a_callback_that_is_replayed_brings_nothing_twice(
    world: World, wecom: WeCom, here: ServingNode, eventually: Eventually
) -> None:
    """It carries nothing itself: it only lets us look where the cursor stands."""
    wecom.keep("text", {"content": "停水"})
    body, query = call(here.wire, NEWS)
    for _ in range(20):
        assert (await here.wire.bring(body, query))[0] == 200

    async def is_here() -> bool:
        return bool(await world.texts())

    await eventually(is_here)
    assert await world.texts() == ["停水"]


async def test_a_callback_of_nobodys(world: World, wecom: WeCom, here: ServingNode) -> None:
    before = len(wecom.pulls)
    body, query = here.wire.request({"MsgType": "event", "Event": "kf_msg_or_event"}, key=None)
    assert (await here.wire.bring(body, query))[0] == 403
    assert len(wecom.pulls) == before


async def test_answers_within_the_budget_and_the_state(
    world: World, wecom: WeCom, here: ServingNode, eventually: Eventually
) -> None:
    wecom.keep("text", {"content": "你好"})
    await here.called()
    await eventually(world.texts)
    session, leg = await world.newest()

    async def may_be_answered() -> bool:
        return (await here.channel.allowance(leg)).left == 5

    await eventually(may_be_answered)
    wecom.is_ours = False
    with pytest.raises(StateRefused):
        await here.channel.send(session, leg, Text(MessageId("m0"), "您好"))
    wecom.is_ours = True
    for number in range(5):
        await here.channel.send(session, leg, Text(MessageId(f"m{number}"), f"{number}"))
    with pytest.raises(BudgetSpent):
        await here.channel.send(session, leg, Text(MessageId("m6"), "6"))
    assert [one["text"]["content"] for one in wecom.sent] == ["0", "1", "2", "3", "4"]
    assert {(one["touser"], one["open_kfid"]) for one in wecom.sent} == {(CITIZEN, KFID)}
    assert len({one["msgid"] for one in wecom.sent}) == 5


async def test_an_expired_token_is_replaced(
    world: World, wecom: WeCom, here: ServingNode, eventually: Eventually
) -> None:
    await eventually(lambda: wecom.token_fetches)
    wecom.token = "token-2"
    wecom.keep("text", {"content": "你好"})
    await here.called()
    await eventually(world.texts)
    assert wecom.token_fetches == 2


async def test_a_nickname_is_told_behind_the_words_and_when_it_is_another(
    world: World, wecom: WeCom, here: ServingNode, eventually: Eventually
) -> None:
    """Of two citizens, of whom WeCom knows one. In a session that begins later it stands from its beginning."""

    async def names() -> list[str]:
        return [one.name for one in await world.events(NameClaimed)]

    async def say(words: str, *, citizen: str = CITIZEN) -> None:
        asked = len(wecom.asked_for)
        wecom.keep("text", {"content": words}, citizen=citizen)
        assert await here.called() == 200
        await eventually(lambda: len(wecom.asked_for) > asked)

    wecom.nicknames[CITIZEN] = "小王\u202e\n🌸"
    await say("停水")
    await say("别人", citizen="wm-another")
    await eventually(names)
    assert [type(one.event) for one in await world.entries()][:4] == [
        ev.SessionOpened,
        ev.LegOpened,
        ev.TextReceived,
        NameClaimed,
    ]
    await say("还没来水")
    wecom.nicknames[CITIZEN] = "老王"
    await say("来了")
    await eventually(partial(names_are, world, ["小王 🌸", "老王"]))
    (session, leg), before = await first_of(world), len(world.sessions)
    await here.channel.close_leg(session, leg, LegEnd.CLOSED)
    await world.store.log.append(session, ev.LegClosed(leg=leg, reason=LegEnd.CLOSED))
    await say("又停了")
    await eventually(partial(names_are, world, ["小王 🌸", "老王", "老王"]))
    assert len(world.sessions) == before
    assert await world.texts() == ["停水", "还没来水", "来了", "又停了", "别人"]


async def test_words_come_though_no_nickname_can_be_had(
    world: World, wecom: WeCom, here: ServingNode, eventually: Eventually
) -> None:
    """And it is not asked for again with every page."""
    wecom.says_nothing_of_customers = True
    for words in ("一", "二"):
        wecom.keep("text", {"content": words})
        assert await here.called() == 200
        await eventually(partial(has_come, world, words))
    await eventually(lambda: wecom.asked_for)
    wecom.keep("text", {"content": "三"})
    assert await here.called() == 200
    await eventually(partial(has_come, world, "三"))
    assert len(wecom.asked_for) == 1
    assert await world.events(NameClaimed) == []


async def has_come(world: World, words: str) -> bool:
    return words in await world.texts()


async def names_are(world: World, expected: list[str]) -> bool:
    return [one.name for one in await world.events(NameClaimed)] == expected


async def first_of(world: World) -> tuple[SessionId, LegId]:
    """The session that was begun first, and its leg."""
    opened = next(one for one in await world.entries() if isinstance(one.event, ev.LegOpened))
    assert isinstance(opened.event, ev.LegOpened)
    return opened.session, opened.event.leg.id


async def test_an_account_without_a_key_does_not_start(world: World, wecom: WeCom, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="EncodingAESKey"):
        async with node(world, wecom, tmp_path, replace(SETTINGS, account=replace(ACCOUNT, aes_keys=()))):
            pass
