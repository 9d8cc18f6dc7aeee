"""What WeChat brings, over real HTTP: believed, durable, once."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wechatpy.crypto import WeChatCrypto

from channels.wechat.fields import Fields, read_fields
from session import events as ev
from session.state import LegEnd, Medium, Phase
from tests.channels.wechat.conftest import Clock
from tests.channels.wechat.rig import (
    AMR,
    APPID,
    GH,
    JPEG,
    KEY,
    OLD_KEY,
    OPENID,
    SETTINGS,
    TOKEN,
    ServingNode,
    World,
    node,
    reached,
    seal,
    signed,
    xml,
)
from tests.conftest import Eventually
from tests.peers.wechat import hanging_up, saying, stalling

MP4 = b"\0\0\0\x18ftypmp42" + b"\0" * 600


async def test_a_text_is_a_session(world: World, here: ServingNode) -> None:
    assert await here.wire.say("我家停水了") == (200, "success")
    (contact,) = world.contacts
    assert (contact.medium, contact.asserted, contact.number) == (Medium.MESSAGE, True, "12345")
    assert str(contact.address) == f"wechat:{APPID}/{OPENID}"
    kinds = [type(entry.event) for entry in await world.entries()]
    assert kinds == [ev.SessionOpened, ev.LegOpened, ev.TextReceived]
    assert await here.wire.say("还没来水") == (200, "success")
    assert await world.texts() == ["我家停水了", "还没来水"]
    assert len(world.sessions) == 1


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(("key", "compatible"), [(KEY, False), (OLD_KEY, False), (KEY, True)])
async def test_every_mode_and_both_keys(
    world: World, here: ServingNode, key: str, compatible: bool, as_json: bool
) -> None:
    fields = here.wire.message(Content="你好")
    answer = await here.wire.push(fields, key=key, as_json=as_json, compatible=compatible)
    assert answer == (200, "success")
    assert await world.texts() == ["你好"]


@pytest.mark.parametrize("as_json", [False, True])
async def test_plaintext_mode(world: World, tmp_path: Path, as_json: bool) -> None:
    async with node(world, tmp_path, replace(SETTINGS, aes_keys=())) as here:
        fields = here.wire.message(Content="你好")
        assert await here.wire.push(fields, key=None, as_json=as_json) == (200, "success")
        assert await world.texts() == ["你好"]


async def test_an_account_with_keys_takes_nothing_plain(world: World, here: ServingNode) -> None:
    body, query = here.wire.request(here.wire.message(Content="你好"), key=None)
    assert (await here.wire.bring(body, query))[0] == 403
    # In compatible mode the plain fields stand beside the sealed ones, and nothing signs them.
    sealed = seal(xml(here.wire.message(Content="真的")))
    forged = xml(here.wire.message(Content="假的") | {"Encrypt": sealed}).encode()
    assert (await here.wire.bring(forged, here.wire.query(sealed)))[0] == 200
    assert await world.texts() == ["真的"]


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize("key", [KEY, OLD_KEY])
async def test_a_follower_is_greeted_with_the_key_that_opened(
    world: World, tmp_path: Path, key: str, as_json: bool
) -> None:
    nasty = "您好]]><MsgType>news</MsgType>"
    async with node(world, tmp_path, replace(SETTINGS, greeting=nasty)) as here:
        code, text = await here.wire.push(here.wire.event("subscribe"), key=key, as_json=as_json)
        assert code == 200
        assert text.startswith("{" if as_json else "<xml>")
        fields = _opened(text, key)
        assert fields["Content"] == nasty
        assert fields["MsgType"] == "text"
        assert (fields["ToUserName"], fields["FromUserName"]) == (OPENID, GH)
        assert world.sessions == set()


async def test_a_scan_is_told_with_its_scene_and_once(world: World, here: ServingNode) -> None:
    body, query = here.wire.request(here.wire.event("subscribe", "qrscene_switch-1", Ticket="T"))
    for _ in range(2):
        status_code, sealed = await here.wire.bring(body, query)
        assert status_code == 200
        assert _opened(sealed)["Content"] == "已接上 switch-1"
    await here.wire.push(here.wire.event("SCAN", "switch-2", Ticket="T"))
    assert [scene for _, scene in world.scans] == ["switch-1", "switch-2"]
    assert {str(address) for address, _ in world.scans} == {f"wechat:{APPID}/{OPENID}"}


def _opened(envelope: str, key: str = KEY) -> Fields:
    """A sealed reply, as wechatpy opens it."""
    fields = read_fields(envelope.encode())
    crypto = WeChatCrypto(TOKEN, key, APPID)
    return read_fields(
        crypto.decrypt_message(
            {"Encrypt": fields["Encrypt"]}, fields["MsgSignature"], fields["TimeStamp"], fields["Nonce"]
        ).encode()
    )


async def test_events_while_a_session_runs_are_notes_and_leaving_ends_the_leg(world: World, here: ServingNode) -> None:
    await here.wire.say("你好")
    scanned: dict[str, Any] = {"ScanCodeInfo": {"ScanType": "qrcode", "ScanResult": "12345"}}
    pictures: dict[str, Any] = {"SendPicsInfo": {"Count": 1, "PicList": {"item": {"PicMd5Sum": "1b5f7c23"}}}}
    for event in (
        here.wire.event("SCAN", "7"),
        here.wire.event("VIEW", "https://12345.example/"),
        here.wire.event("scancode_push", "scan", **scanned),
        here.wire.event("pic_sysphoto", "photo", **pictures),
        here.wire.event("LOCATION", Latitude=23.137466, Longitude=113.352425),
        here.wire.event("subscribe_msg_popup_event"),
        here.wire.event("something_new"),
    ):
        assert (await here.wire.push(event))[0] == 200
    notes = [event.text for event in await world.events(ev.NoteAdded)]
    assert notes == [
        "扫了二维码",
        "打开了菜单链接 https://12345.example/",
        "用菜单扫码 scan 12345",
        "微信事件 pic_sysphoto",
        "上报了位置 23.137466 113.352425",
        "微信事件 subscribe_msg_popup_event",
        "微信事件 something_new",
    ]
    for _ in range(2):
        assert (await here.wire.push(here.wire.event("unsubscribe")))[0] == 200
    (closed,) = await world.events(ev.LegClosed)
    assert closed.reason is LegEnd.HANGUP
    _, leg = await world.newest()
    assert (await here.channel.allowance(leg)).left == 0


async def test_the_menus_buttons(world: World, here: ServingNode) -> None:
    assert (await here.wire.push(here.wire.event("CLICK", "human")))[0] == 200
    assert len(await world.events(ev.HumanRequested)) == 1
    assert (await here.wire.push(here.wire.event("CLICK", "progress")))[0] == 200
    assert await world.texts() == ["[菜单] progress"]


async def test_every_type_of_message_is_kept(world: World, here: ServingNode) -> None:
    wire = here.wire
    world.api.files |= {"pic": ("image/jpeg", JPEG), "amr": ("audio/amr", AMR), "mp4": ("video/mp4", MP4)}
    for message in (
        wire.message("image", MediaId="pic", PicUrl="http://mmbiz.qpic.cn/x"),
        wire.message("voice", MediaId="amr", Format="amr", Recognition="我要投诉"),
        wire.message("video", MediaId="mp4", ThumbMediaId="t"),
        wire.message("shortvideo", MediaId="mp4", ThumbMediaId="t"),
        wire.message("location", Location_X="23.13", Location_Y="113.35", Scale="20", Label="天河路1号"),
        wire.message("link", Title="公告", Description="停水", Url="https://gov.example/1"),
        wire.message("file", Title="合同.pdf", Description="3页", FileKey="k", FileTotalLen="9"),
        wire.message("hologram", Shape="cube"),
        wire.message("text", Content=""),
    ):
        assert await wire.push(message) == (200, "success")
    files = [(event.name, event.content_type, event.size_bytes) for event in await world.events(ev.FileReceived)]
    assert files == [
        ("图片", "image/jpeg", len(JPEG)),
        ("语音", "audio/amr", len(AMR)),
        ("视频", "video/mp4", len(MP4)),
        ("视频", "video/mp4", len(MP4)),
    ]
    (place,) = await world.events(ev.LocationReceived)
    assert (round(place.latitude, 2), round(place.longitude, 2), place.name) == (23.13, 113.34, "天河路1号")
    assert await world.texts() == [
        "[语音识别] 我要投诉",
        "[链接] 公告 停水 https://gov.example/1",
        "[文件] 合同.pdf 3页",
        "[暂不支持的消息类型 hologram]",
        "[空消息]",
    ]


async def test_messages_of_one_second_and_one_text_are_two(world: World, here: ServingNode) -> None:
    await asyncio.gather(here.wire.say("在吗"), here.wire.say("在吗"))
    assert await world.texts() == ["在吗", "在吗"]
    # wechatpy gives every event the id 0.
    for key in ("one", "two"):
        await here.wire.push(here.wire.event("CLICK", key))
    assert (await world.texts())[2:] == ["[菜单] one", "[菜单] two"]


async def test_the_order_of_one_citizens_words_is_kept_though_a_picture_takes_its_time(
    world: World, here: ServingNode, eventually: Eventually
) -> None:
    world.api.files["pic"] = ("image/jpeg", JPEG)
    release = asyncio.Event()

    async def slowly(request: object) -> object:
        await release.wait()
        return await world.api._media(request)  # type: ignore[arg-type] # it is one

    world.api.interpose("/cgi-bin/media/get", slowly)  # type: ignore[arg-type] # the same
    picture = asyncio.create_task(here.wire.push(here.wire.message("image", MediaId="pic")))
    await eventually(lambda: "/cgi-bin/media/get" in world.api.asked)
    text = asyncio.create_task(here.wire.say("如图"))
    release.set()
    assert {await picture, await text} == {(200, "success")}
    kinds = [type(one) for one in await world.events(ev.FileReceived, ev.TextReceived)]
    assert kinds == [ev.FileReceived, ev.TextReceived]


# --- what goes wrong ----------------------------------------------------------------------------------------------


async def test_a_file_that_takes_too_long_follows_its_message(
    world: World, tmp_path: Path, clock: Clock, eventually: Eventually
) -> None:
    world.api.files["pic"] = ("image/jpeg", JPEG)
    release = asyncio.Event()
    world.api.interpose("/cgi-bin/media/get", stalling(release), saying(-1))

    async def is_here() -> bool:
        clock.at += 1
        return bool(await world.events(ev.FileReceived))

    async def is_paid() -> bool:
        return not await world.store.shared.fields(f"wechat:{APPID}:media:owed")

    async with node(world, tmp_path, replace(SETTINGS, media_patience_s=0.1)) as here:
        assert await here.wire.push(here.wire.message("image", MediaId="pic")) == (200, "success")
        release.set()
        assert await world.texts() == ["[图片] 正在取回"]
        await eventually(is_here)
        await eventually(is_paid)
    assert len(await world.events(ev.FileReceived)) == 1


@pytest.mark.parametrize(
    ("what", "content"),
    [("gone", None), ("a program", ("image/jpeg", b"MZ" * 400)), ("too large", ("image/jpeg", JPEG * 100))],
)
async def test_a_file_that_cannot_be_had_is_a_message_all_the_same(
    world: World, here: ServingNode, what: str, content: tuple[str, bytes] | None
) -> None:
    if content is not None:
        world.api.files["x"] = content
    assert await here.wire.push(here.wire.message("image", MediaId="x")) == (200, "success"), what
    assert await world.texts() == ["[图片] 未能取回，请对方重发或换一种格式"]


async def test_a_file_that_never_comes_is_given_up_when_wechat_has_forgotten_it(
    world: World, here: ServingNode, clock: Clock, eventually: Eventually
) -> None:
    world.api.interpose("/cgi-bin/media/get", *[hanging_up()] * 1000)
    assert await here.wire.push(here.wire.message("voice", MediaId="x")) == (200, "success")

    async def is_told() -> bool:
        clock.at += 3600
        return len(await world.texts()) == 2

    await eventually(is_told)
    assert await world.texts() == ["[语音] 正在取回", "[语音] 未能取回，请对方重发或换一种格式"]


async def test_no_success_before_it_is_durable(world: World, here: ServingNode) -> None:
    body, query = here.wire.request(here.wire.message(Content="停水"))
    world.is_away = True
    assert (await here.wire.bring(body, query))[0] == 503
    world.is_away = False
    assert await here.wire.bring(body, query) == (200, "success")
    assert await world.texts() == ["停水"]


@pytest.mark.parametrize("losing", [1, 2, 3])
async def test_what_was_taken_and_not_confirmed_is_not_doubled(world: World, here: ServingNode, losing: int) -> None:
    """Each of WeChat's tries has a nonce of its own; the answers of the store are lost in turn."""
    message = here.wire.message(Content="停水")
    world.losing = losing
    answers = [(await here.wire.push(message))[0] for _ in range(losing + 1)]
    assert answers == [503] * losing + [200]
    assert await world.texts() == ["停水"]
    assert len(world.sessions) == 1


async def test_an_inbox_that_hangs_is_not_waited_for_longer_than_wechat_does(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node(world, tmp_path, replace(SETTINGS, answer_s=0.1)) as here:
        hangs = asyncio.Event()

        async def never(*_: object, **__: object) -> int:
            await hangs.wait()
            return 0

        with monkeypatch.context() as patch:
            patch.setattr(world.store.log, "append", never)
            patch.setattr(world.store.log, "open", never)
            message = here.wire.message(Content="停水")
            assert (await here.wire.push(message))[0] == 503
        assert await here.wire.push(message) == (200, "success")
        assert await world.texts() == ["停水"]


async def test_a_nonce_is_good_for_one_body(world: World, tmp_path: Path) -> None:
    """In plaintext mode whoever has seen one push could sign any other with it."""
    async with node(world, tmp_path, replace(SETTINGS, aes_keys=())) as here:
        body, query = here.wire.request(here.wire.message(Content="停水"), key=None)
        assert await here.wire.bring(body, query) == (200, "success")
        forged = xml(here.wire.message(Content="撤销投诉")).encode()
        assert (await here.wire.bring(forged, query))[0] == 403
        assert await here.wire.bring(body, query) == (200, "success")
        assert await world.texts() == ["停水"]


@pytest.mark.parametrize("off_s", [-301, 301, -1e9])
async def test_a_recorded_push_grows_stale(world: World, here: ServingNode, clock: Clock, off_s: float) -> None:
    sealed = seal(xml(here.wire.message(Content="停水")))
    body = xml({"Encrypt": sealed}).encode()
    assert (await here.wire.bring(body, here.wire.query(sealed, at=clock() + off_s)))[0] == 403
    assert (await here.wire.bring(body, here.wire.query(sealed, at=clock() + 299)))[0] == 200


async def test_what_wechat_did_not_sign(world: World, here: ServingNode) -> None:
    sealed = seal(xml(here.wire.message(Content="停水")))
    body = xml({"Encrypt": sealed}).encode()
    good = here.wire.query(sealed)
    for change in (
        {"msg_signature": good["signature"]},
        {"msg_signature": ""},
        {"msg_signature": good["msg_signature"].upper()},
        {"msg_signature": "签名"},
        {"timestamp": "x"},
        {"timestamp": "９９９９"},
        {"nonce": ""},
        {"nonce": "a b"},
    ):
        assert (await here.wire.bring(body, good | change))[0] in (400, 403), change
    other = seal(xml(here.wire.message(Content="停水")), appid="wx0000000000000000")
    foreign = xml({"Encrypt": other}).encode()
    assert (await here.wire.bring(foreign, here.wire.query(other)))[0] == 403
    strange = seal(xml(here.wire.message(Content="停水")), key="B" * 43)
    assert (await here.wire.bring(xml({"Encrypt": strange}).encode(), here.wire.query(strange)))[0] == 403
    assert world.sessions == set()
    assert (await here.wire.bring(body, good))[0] == 200


async def test_the_address_is_proven_to_wechat_only(here: ServingNode, clock: Clock) -> None:
    async def prove(query: dict[str, str]) -> tuple[int, str]:
        async with here.wire.http.get(here.wire.url, params=query) as response:
            assert response.content_type == "text/plain"
            return response.status, await response.text()

    query = here.wire.query() | {"echostr": "4375120948345356249"}
    assert await prove(query) == (200, "4375120948345356249")
    assert (await prove(query | {"echostr": "<script>"}))[0] == 400
    assert (await prove(query | {"signature": "0" * 40}))[0] == 403
    stale = str(int(clock()) - 400)
    assert (await prove(query | {"timestamp": stale, "signature": signed(TOKEN, stale, query["nonce"])}))[0] == 403


# --- sessions that end --------------------------------------------------------------------------------------------


async def test_a_word_after_the_contact_begins_another_session(world: World, here: ServingNode) -> None:
    await here.wire.say("第一件事")
    first = await world.newest()
    await here.accept(world)
    await here.finish(world)
    message = here.wire.message(Content="第二件事")
    # While the first is still being written up: what the citizen brings now is another matter.
    assert await here.wire.push(message) == (200, "success")
    assert await here.wire.push(message) == (200, "success")
    assert await world.texts() == ["第一件事", "第二件事"]
    second = await world.newest()
    assert len(world.sessions) == 2
    assert first[0] != second[0]
    assert first[1] != second[1]


async def test_a_late_try_of_an_answered_push_opens_nothing(world: World, here: ServingNode) -> None:
    message = here.wire.message(Content="停水")
    await here.wire.push(message)
    await here.accept(world)
    await here.finish(world)
    await here.write_up(world)
    assert await here.wire.push(message) == (200, "success")
    assert len(world.sessions) == 1


async def test_one_who_left_and_comes_back_brings_another_matter(world: World, here: ServingNode) -> None:
    await here.wire.say("第一件事")
    session, _ = await world.newest()
    await here.accept(world)
    await here.wire.push(here.wire.event("unsubscribe"))
    await reached(world, session, Phase.WRAPPING)
    await here.wire.push(here.wire.event("subscribe"))
    await here.wire.say("第二件事")
    assert len(world.sessions) == 2


async def test_a_session_that_closed_unnoticed_takes_no_words(world: World, here: ServingNode) -> None:
    await here.wire.say("第一件事")
    session, leg = await world.newest()
    await here.inbox.post(session, ev.LegClosed(leg=leg, reason=LegEnd.LOST))
    await reached(world, session, Phase.CLOSED)
    assert await here.wire.say("第二件事") == (200, "success")
    assert len(world.sessions) == 2


async def test_two_nodes_hear_one_newcomer_at_once(valkey_world: World, tmp_path: Path) -> None:
    """One leg, or each answer would reach the citizen twice."""
    world = valkey_world
    async with node(world, tmp_path) as one, node(world, tmp_path, name="node-2") as other:
        pushes = [one.wire.message(Content=f"{number}") for number in range(20)]
        answers = await asyncio.gather(
            *((one if number % 2 else other).wire.push(push) for number, push in enumerate(pushes))
        )
        assert set(answers) == {(200, "success")}
        assert len(world.sessions) == 1
        assert len({event.leg.id for event in await world.events(ev.LegOpened)}) == 1
        assert sorted(await world.texts(), key=int) == [f"{number}" for number in range(20)]


async def test_ten_thousand_duplicates_are_one_event(valkey_world: World, tmp_path: Path) -> None:
    """Half of them the very same request, half with a nonce of its own; on two nodes, by 32 connections at a time."""
    world, total = valkey_world, 10_000
    async with node(world, tmp_path) as one, node(world, tmp_path, name="node-2") as other:
        message = one.wire.message(Content="停水")
        recorded = one.wire.request(message)
        sealed = seal(xml(message))
        body = xml({"ToUserName": GH, "Encrypt": sealed}).encode()
        requests = [
            recorded if number % 2 else (body, one.wire.query(sealed, nonce=f"n{number}")) for number in range(total)
        ]
        answers = await asyncio.gather(
            *((one if place % 3 else other).wire.bring_all(requests[place::32]) for place in range(32))
        )
        assert [answer for some in answers for answer in some] == [(200, "success")] * total
        assert await world.texts() == ["停水"]
        assert len(world.sessions) == 1
