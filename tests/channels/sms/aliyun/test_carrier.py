import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.sms.aliyun.carrier import AliyunCarrier, AliyunSettings
from channels.sms.aliyun.signature import query_of, signed
from channels.sms.carrier import Message
from channels.sms.dispatch import Standing
from channels.sms.door import Door
from channels.sms.errors import OutcomeUnknown, SubmitDelayed, SubmitRefused, TemplateNeeded
from session import events as ev
from session.notice import Template
from tests.channels.sms.bad import JSON
from tests.channels.sms.rig import CITIZEN, OTHER, ServingNode, World, node
from tests.peers.vendor import Vendor, open_vendor

SECRET = "a-path-that-nobody-would-guess"
OK = {"Code": "OK", "Message": "OK", "BizId": "biz-1", "RequestId": "r"}
MESSAGE = Message(
    key="k1",
    to=f"+86{CITIZEN}",
    text="【12345】您好",
    template=Template("reply", {"text": "您好 & *~"}),
)


def test_the_vendors_own_example_is_signed_alike() -> None:
    """The fixed example of "V3版本请求体&签名机制" (help.aliyun.com)."""
    query = query_of({"RegionId": "cn-shanghai", "ImageId": "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"})
    headers = signed(
        key=("YourAccessKeyId", "YourAccessKeySecret"),
        host="ecs.cn-shanghai.aliyuncs.com",
        action="RunInstances",
        version="2014-05-26",
        query=query,
        date="2023-10-26T10:22:32Z",
        nonce="3156853299f313e23d1673dc12e1703d",
    )
    assert headers["authorization"] == (
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;"
        "x-acs-signature-nonce;x-acs-version,"
        "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    )
    assert query_of({"a": " *~/中"}) == "a=%20%2A~%2F%E4%B8%AD"


def settings(vendor: Vendor, **changes: Any) -> AliyunSettings:
    fields: dict[str, Any] = {
        "key_id": "id",
        "key_secret": "secret",
        "signature": "12345热线",
        "templates": {"reply": "SMS_1", "link": "SMS_2"},
        "door": Door(SECRET),
        "url": vendor.url,
        "timeout_s": 0.5,
    }
    return AliyunSettings(**{**fields, **changes})


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with open_vendor((200, OK)) as one:
        yield one


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def carrier(vendor: Vendor) -> AliyunCarrier:
    return AliyunCarrier(settings(vendor))


@pytest.fixture
async def serving(world: World, carrier: AliyunCarrier, tmp_path: Path) -> AsyncIterator[ServingNode]:
    async with node(world, [carrier], tmp_path, ways=(("+86", "aliyun"),), reply_template="reply") as one:
        yield one


async def post(serving: ServingNode, kind: str, body: Any, secret: str = SECRET) -> tuple[int, Any]:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with serving.http.post(f"{serving.base}/api/sms/aliyun/{secret}/{kind}", data=data) as response:
        return response.status, await response.json()


def up(text: str, sequence: object, phone: str = CITIZEN) -> dict[str, object]:
    return {
        "phone_number": phone,
        "content": text,
        "send_time": "2017-09-01 00:00:00",
        "dest_code": "1234",
        "sequence_id": sequence,
    }


# --- sending ---------------------------------------------------------------------------------------------------------


async def test_a_template_is_sent_signed(serving: ServingNode, carrier: AliyunCarrier, vendor: Vendor) -> None:
    receipt = await carrier.submit(MESSAGE)
    assert receipt.ids == ("biz-1",)
    (asked,) = vendor.asked
    assert asked.query["PhoneNumbers"] == CITIZEN
    assert asked.query["TemplateCode"] == "SMS_1"
    assert asked.query["SignName"] == "12345热线"
    assert json.loads(asked.query["TemplateParam"]) == {"text": "您好 & *~"}
    again = signed(
        key=("id", "secret"),
        host=asked.headers["host"],
        action=asked.headers["x-acs-action"],
        version=asked.headers["x-acs-version"],
        query=asked.path.partition("?")[2],
        date=asked.headers["x-acs-date"],
        nonce=asked.headers["x-acs-signature-nonce"],
    )
    assert asked.headers["authorization"] == again["authorization"], "what was sent is what was signed"


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        (200, {"Code": "isv.MOBILE_NUMBER_ILLEGAL"}, SubmitRefused),
        (400, {"Code": "isv.AMOUNT_NOT_ENOUGH"}, SubmitRefused),
        (200, {"Code": "isv.BUSINESS_LIMIT_CONTROL"}, SubmitDelayed),
        (400, {"Code": "Throttling.User"}, SubmitDelayed),
        (503, {"Code": "ServiceUnavailable"}, SubmitDelayed),
        (429, b"slow down", SubmitDelayed),
        (500, {"Code": "InternalError"}, OutcomeUnknown),
        (200, b"<html>", OutcomeUnknown),
    ],
)
async def test_what_the_vendor_may_answer(
    serving: ServingNode, carrier: AliyunCarrier, vendor: Vendor, status: int, answer: Any, error: type[Exception]
) -> None:
    vendor.answers[0] = (status, answer)
    with pytest.raises(error):
        await carrier.submit(MESSAGE)
    assert len(vendor.asked) == 1


async def test_a_lost_answer_is_unknown_and_no_connection_is_not(
    serving: ServingNode, carrier: AliyunCarrier, vendor: Vendor
) -> None:
    vendor.drops = True
    with pytest.raises(OutcomeUnknown):
        await carrier.submit(MESSAGE)
    assert len(vendor.asked) == 1, "nobody tries again behind our back"
    vendor.drops, vendor.hangs = False, asyncio.Event()
    with pytest.raises(OutcomeUnknown):
        await carrier.submit(MESSAGE)


async def test_nobody_there_is_surely_not_sent(world: World, tmp_path: Path) -> None:
    carrier = AliyunCarrier(settings(Vendor(url="http://127.0.0.1:9")))
    async with node(world, [carrier], tmp_path):
        with pytest.raises(SubmitDelayed):
            await carrier.submit(MESSAGE)
    with pytest.raises(SubmitDelayed):
        await carrier.submit(MESSAGE)


async def test_without_a_reviewed_template_nothing_is_sent(
    serving: ServingNode, carrier: AliyunCarrier, vendor: Vendor
) -> None:
    with pytest.raises(TemplateNeeded):
        await carrier.submit(Message(key="k", to="+8613800138000", text="x"))
    assert vendor.asked == []


# --- receiving -------------------------------------------------------------------------------------------------------


async def test_texts_in_and_the_answer_out_and_its_report(world: World, serving: ServingNode, vendor: Vendor) -> None:
    body = [up("路灯坏了", "1"), up("在中山路", 2), up("别人", "3", OTHER)]
    assert await post(serving, "up", body) == (200, {"code": 0, "msg": "成功"})
    assert (await post(serving, "up", body))[0] == 200
    mine, theirs = await world.sessions()
    assert sorted([await world.texts(mine), await world.texts(theirs)]) == [["别人"], ["路灯坏了", "在中山路"]]
    mine = mine if "路灯坏了" in await world.texts(mine) else theirs
    await serving.answer(world, mine, "已派人", "m1")
    report = {"phone_number": CITIZEN, "success": True, "err_code": "DELIVERED", "biz_id": "biz-1", "sms_size": "1"}
    assert await post(serving, "report", [report]) == (200, {"code": 0, "msg": "成功"})
    assert len(await world.events(ev.MessageDelivered, mine)) == 1


async def test_a_failed_report(world: World, serving: ServingNode) -> None:
    await post(serving, "up", [up("路灯坏了", "1")])
    (session,) = await world.sessions()
    await serving.answer(world, session, "已派人", "m1")
    await post(
        serving, "report", [{"phone_number": CITIZEN, "success": False, "err_code": "MK:0012", "biz_id": "biz-1"}]
    )
    assert await serving.channel.standing_of(session, "m1") is Standing.FAILED


async def test_nothing_is_taken_while_the_store_is_away(world: World, serving: ServingNode) -> None:
    world.is_away = True
    status, _ = await post(serving, "up", [up("路灯坏了", "1")])
    assert status == 503
    world.is_away = False
    assert (await post(serving, "up", [up("路灯坏了", "1")]))[0] == 200
    assert await world.texts() == ["路灯坏了"]


async def test_a_slow_store_is_answered_in_time(
    world: World, vendor: Vendor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin, slow = world.store.log.open, asyncio.Event()

    async def slowly(*args: Any, **kwargs: Any) -> Any:
        await slow.wait()
        return await begin(*args, **kwargs)

    monkeypatch.setattr(world.store.log, "open", slowly)
    carrier = AliyunCarrier(settings(vendor, answer_within_s=0.1))
    async with node(world, [carrier], tmp_path) as serving:
        async with asyncio.timeout(0.7):
            status, _ = await post(serving, "up", [up("路灯坏了", "1")])
        assert status == 503
        slow.set()
        assert (await post(serving, "up", [up("路灯坏了", "1")]))[0] == 200
    assert await world.texts() == ["路灯坏了"]


async def test_without_a_sequence_equal_texts_are_kept_and_marked(world: World, serving: ServingNode) -> None:
    item = up("好", None)
    await post(serving, "up", [item, item])
    assert await world.texts() == ["好", "好〔可能是重复推送〕"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 200),
        ([up("好", "1"), {"content": "无号码"}, 7, None, {"phone_number": [], "content": {}}, up("", "2")], 200),
        ("text", 400),
        ([1, 2], 400),
        (b"[", 400),
        ([{}] * 1001, 413),
    ],
)
async def test_what_cannot_be_read_takes_nothing_with_it(
    world: World, serving: ServingNode, body: Any, status: int
) -> None:
    assert (await post(serving, "up", body))[0] == status
    if isinstance(body, list) and len(body) == 6:
        assert await world.texts() == ["好", "〔空白短信〕"]


async def test_half_an_emoji_is_kept_as_what_it_is(world: World, serving: ServingNode) -> None:
    body = rb'[{"phone_number":"13800138000","content":"x\ud83d","sequence_id":"1"}]'
    assert (await post(serving, "up", body))[0] == 200
    assert await world.texts() == ["x\ufffd"]


async def test_a_forged_call_is_not_even_told_that_it_is_forged(world: World, serving: ServingNode) -> None:
    for kind in ("up", "report"):
        assert (await post(serving, kind, [up("好", "1")], secret="a-path-that-somebody-would-guess"))[0] == 404
    assert await world.texts() == []


@pytest.mark.parametrize("name", JSON)
async def test_a_bad_body_is_refused_and_harms_nobody(world: World, serving: ServingNode, name: str) -> None:
    bad = JSON[name]
    for kind in ("up", "report"):
        url = f"{serving.base}/api/sms/aliyun/{SECRET}/{kind}"
        async with serving.http.post(url, data=bad.body, headers=bad.headers) as response:
            assert response.status == bad.status, kind
    assert await world.texts() == []
    assert (await post(serving, "up", [up("好", "1")]))[0] == 200
    assert await world.texts() == ["好"]
