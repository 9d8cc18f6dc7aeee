import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from channels.sms.carrier import Message
from channels.sms.door import Door
from channels.sms.errors import OptedOut, OutcomeUnknown, SubmitDelayed, SubmitRefused, TemplateNeeded
from channels.sms.tencent.carrier import TencentCarrier, TencentSettings, TencentTemplate
from channels.sms.tencent.signature import authorization
from session import events as ev
from session.address import Address
from session.ids import MessageId
from session.notice import Notice, Template
from tests.channels.sms.bad import JSON
from tests.channels.sms.rig import CITIZEN, ServingNode, World, node
from tests.peers.vendor import Vendor, open_vendor

SECRET = "a-path-that-nobody-would-guess"


def answer(code: str, serial: str = "serial-1") -> dict[str, Any]:
    status = {"SerialNo": serial, "PhoneNumber": f"+86{CITIZEN}", "Fee": 1, "SessionContext": "k", "Code": code}
    return {"Response": {"SendStatusSet": [status], "RequestId": "r"}}


def error(code: str) -> dict[str, Any]:
    return {"Response": {"Error": {"Code": code, "Message": "m"}, "RequestId": "r"}}


MESSAGE = Message(key="k1", to=f"+86{CITIZEN}", text="x", template=Template("visit", {"hour": "九点", "name": "李娜"}))


def test_the_vendors_own_example_is_signed_alike() -> None:
    """The fixed example of "Signature v3" (tencentcloud.com)."""
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    assert authorization(
        key=("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"),
        service="cvm",
        host="cvm.tencentcloudapi.com",
        timestamp=1551113065,
        body=body,
    ) == (
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
        "SignedHeaders=content-type;host, "
        "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    )


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with open_vendor((200, answer("Ok"))) as one:
        yield one


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def carrier(vendor: Vendor) -> TencentCarrier:
    return TencentCarrier(
        TencentSettings(
            secret_id="id",
            secret_key="key",
            app="1400000000",
            signature="12345热线",
            templates={"visit": TencentTemplate("77", ("name", "hour")), "reply": TencentTemplate("78", ("text",))},
            door=Door(SECRET),
            url=vendor.url,
            timeout_s=0.5,
        )
    )


@pytest.fixture
async def serving(world: World, carrier: TencentCarrier, tmp_path: Path) -> AsyncIterator[ServingNode]:
    templates = {"visit": "{name}，{hour}回访", "reply": "{text}"}
    async with node(
        world, [carrier], tmp_path, ways=(("+86", "tencent"),), templates=templates, reply_template="reply"
    ) as one:
        yield one


async def post(serving: ServingNode, kind: str, body: Any) -> tuple[int, Any]:
    async with serving.http.post(f"{serving.base}/api/sms/tencent/{SECRET}/{kind}", json=body) as response:
        return response.status, await response.json()


def up(text: str, at: int = 1457336869) -> dict[str, object]:
    return {"extend": "01", "mobile": CITIZEN, "nationcode": "86", "sign": "热线", "text": text, "time": at}


async def test_parameters_go_in_the_templates_order_and_are_signed(
    serving: ServingNode, carrier: TencentCarrier, vendor: Vendor
) -> None:
    receipt = await carrier.submit(MESSAGE)
    assert receipt.ids == ("serial-1",)
    (asked,) = vendor.asked
    body = json.loads(asked.body)
    assert body["TemplateParamSet"] == ["李娜", "九点"]
    assert body["PhoneNumberSet"] == [f"+86{CITIZEN}"]
    assert (body["TemplateId"], body["SmsSdkAppId"], body["SessionContext"]) == ("77", "1400000000", "k1")
    assert asked.headers["x-tc-action"] == "SendSms"
    assert asked.headers["authorization"] == authorization(
        key=("id", "key"),
        service="sms",
        host=asked.headers["host"],
        timestamp=int(asked.headers["x-tc-timestamp"]),
        body=asked.body,
    )
    with pytest.raises(TemplateNeeded):
        await carrier.submit(Message(key="k", to="+86", text="", template=Template("visit", {"name": "x"})))


@pytest.mark.parametrize(
    ("given", "raised"),
    [
        (answer("FailedOperation.ContainSensitiveWord"), SubmitRefused),
        (answer("LimitExceeded.PhoneNumberThirtySecondLimit"), SubmitDelayed),
        (error("RequestLimitExceeded"), SubmitDelayed),
        (error("AuthFailure.SignatureFailure"), SubmitRefused),
        (error("InternalError.Timeout"), OutcomeUnknown),
        ({"Response": {}}, OutcomeUnknown),
        ({"Response": {"SendStatusSet": {}}}, OutcomeUnknown),
        ([], OutcomeUnknown),
    ],
)
async def test_what_the_vendor_may_answer(
    serving: ServingNode, carrier: TencentCarrier, vendor: Vendor, given: Any, raised: type[Exception]
) -> None:
    vendor.answers[0] = (200, given)
    with pytest.raises(raised):
        await carrier.submit(MESSAGE)


async def test_the_vendors_own_opt_out_is_heeded(serving: ServingNode, vendor: Vendor) -> None:
    vendor.answers[0] = (200, answer("FailedOperation.PhoneNumberInBlacklist"))
    home = Address("tel", f"+86{CITIZEN}")
    template = Template("visit", {"name": "a", "hour": "b"})
    with pytest.raises(SubmitRefused):
        await serving.channel.notify(home, Notice(id=MessageId("1"), template=template))
    with pytest.raises(OptedOut):
        await serving.channel.notify(home, Notice(id=MessageId("2"), template=template))


async def test_a_text_has_no_id_and_is_kept_when_it_looks_the_same(world: World, serving: ServingNode) -> None:
    thanks = (200, {"result": 0, "errmsg": "OK"})
    assert await post(serving, "up", up("好")) == thanks
    assert await post(serving, "up", up("好", at=1457336870)) == thanks
    assert await post(serving, "up", up("好")) == thanks
    assert await world.texts() == ["好", "好", "好〔可能是重复推送〕"]
    (opened,) = await world.events(ev.LegOpened)
    assert str(opened.leg.address) == f"tel:+86{CITIZEN}"


async def test_a_text_that_was_put_off_is_no_repetition(world: World, serving: ServingNode) -> None:
    world.loses_answers = True
    assert (await post(serving, "up", up("好")))[0] == 503
    world.loses_answers = False
    assert (await post(serving, "up", up("好")))[0] == 200
    assert await world.texts() == ["好"]


async def test_reports(world: World, serving: ServingNode) -> None:
    await post(serving, "up", up("路灯坏了"))
    (session,) = await world.sessions()
    await serving.answer(world, session, "已派人", "m1")
    report = {
        "user_receive_time": "2015-10-17 08:03:04",
        "nationcode": "86",
        "mobile": CITIZEN,
        "report_status": "SUCCESS",
        "errmsg": "DELIVRD",
        "sid": "serial-1",
    }
    assert await post(serving, "report", [report]) == (200, {"result": 0, "errmsg": "OK"})
    assert len(await world.events(ev.MessageDelivered, session)) == 1


@pytest.mark.parametrize("name", JSON)
async def test_a_bad_body_is_refused_and_harms_nobody(world: World, serving: ServingNode, name: str) -> None:
    bad = JSON[name]
    for kind in ("up", "report"):
        url = f"{serving.base}/api/sms/tencent/{SECRET}/{kind}"
        async with serving.http.post(url, data=bad.body, headers=bad.headers) as response:
            assert response.status == bad.status, kind
    assert await world.texts() == []
    assert (await post(serving, "up", up("好")))[0] == 200
    assert await world.texts() == ["好"]
