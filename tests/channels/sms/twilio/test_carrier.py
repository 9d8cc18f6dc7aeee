"""The carrier with the SDK on the other side: it signs what comes in, and its client proves the stand-in."""

import asyncio
import hashlib
import ipaddress
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import pytest
from twilio.base.exceptions import TwilioRestException
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.rest import Client
from yarl import URL

from channels.sms.carrier import Message
from channels.sms.dispatch import Standing
from channels.sms.errors import OptedOut, OutcomeUnknown, SubmitDelayed, SubmitRefused
from channels.sms.media import MediaSettings
from channels.sms.twilio.carrier import TwilioCarrier
from channels.sms.twilio.settings import TwilioSettings
from session import events as ev
from session.address import Address
from session.ids import FileId, MessageId
from session.notice import Notice, Template
from tests.channels.sms.rig import ServingNode, World, node
from tests.conftest import Eventually
from tests.peers.twilio import ACCOUNT, PUBLIC, TOKEN, TwilioApi, open_api, sign, texted

US, HOTLINE = "+14155550100", "+18005551212"
UP = "/api/sms/twilio/up"
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc000000301010018dd8db0"
    "0000000049454e44ae426082"
)
LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"),)


@pytest.fixture
async def api() -> AsyncIterator[TwilioApi]:
    async with open_api() as one:
        yield one


@pytest.fixture
def world() -> World:
    return World()


def carrier_of(api: TwilioApi, **changes: Any) -> TwilioCarrier:
    fields: dict[str, Any] = {
        "account": ACCOUNT,
        "tokens": (TOKEN,),
        "sender": HOTLINE,
        "public_url": PUBLIC,
        "url": api.url,
        "contents": {"link": "HX1"},
        "media": MediaSettings(hosts=("127.0.0.1",), schemes=("http",), inside=LOOPBACK, timeout_s=1.0),
        "timeout_s": 0.5,
    }
    return TwilioCarrier(TwilioSettings(**{**fields, **changes}))


@pytest.fixture
def carrier(api: TwilioApi) -> TwilioCarrier:
    return carrier_of(api)


@pytest.fixture
async def serving(world: World, api: TwilioApi, carrier: TwilioCarrier, tmp_path: Path) -> AsyncIterator[ServingNode]:
    async with node(world, [carrier], tmp_path, ways=(("+", "twilio"),)) as one:
        api.gateway = one.base
        yield one


def incoming(text: str, sid: str = "SM1", **more: str) -> dict[str, str]:
    return texted(sid, US, text, **more)


async def post(serving: ServingNode, fields: dict[str, str], path: str = UP, **headers: str) -> tuple[int, str]:
    signed = headers or sign(path, fields)
    async with serving.http.post(serving.base + path, data=fields, headers=signed) as response:
        return response.status, await response.text()


# --- receiving -------------------------------------------------------------------------------------------------------


async def test_a_signed_text_is_taken_once_however_often_it_is_replayed(world: World, serving: ServingNode) -> None:
    for _ in range(3):
        status, body = await post(serving, incoming("路灯 broken 😀"))
        assert (status, body) == (200, '<?xml version="1.0" encoding="UTF-8"?><Response/>')
    assert await world.texts() == ["路灯 broken 😀"]
    (opened,) = await world.events(ev.LegOpened)
    assert str(opened.leg.address) == f"tel:{US}"
    assert not opened.leg.asserted, "abroad numbers can be made up"


async def test_a_forged_text_is_not(world: World, serving: ServingNode) -> None:
    fields = incoming("好")
    for headers in (
        sign(UP, fields, "another token"),
        sign(UP, {**fields, "Body": "坏"}),
        sign("/api/sms/twilio/report", fields),
        {"X-None": ""},
    ):
        assert (await post(serving, fields, **headers))[0] == 403
    assert await world.texts() == []


async def test_the_store_away_is_said_so_that_another_node_is_asked(world: World, serving: ServingNode) -> None:
    world.is_away = True
    assert (await post(serving, incoming("好")))[0] == 503
    world.is_away = False
    assert (await post(serving, incoming("好")))[0] == 200
    assert await world.texts() == ["好"]


@pytest.mark.parametrize("missing", ["MessageSid", "From"])
async def test_a_signed_call_without_what_it_needs(world: World, serving: ServingNode, missing: str) -> None:
    fields = incoming("好")
    del fields[missing]
    assert (await post(serving, fields))[0] == 400


async def test_bodies_are_bounded(serving: ServingNode) -> None:
    assert (await post(serving, incoming("x" * 300_000)))[0] == 413


JSON_TYPE = {"Content-Type": "application/json"}
WITH_KEY = "X-Twilio-Webhooks-Signature-Settings"
FORM_TYPE = {"Content-Type": "application/x-www-form-urlencoded"}
GOOD = urlencode(incoming("好")).encode()


def by_hash(body: bytes) -> str:
    """The path of a JSON call, which is signed with the hash of its body."""
    return f"{UP}?bodySHA256={hashlib.sha256(body).hexdigest()}"


BAD: dict[str, tuple[str, bytes, dict[str, str], int]] = {
    # name: path, body, headers, status
    "forged": (UP, GOOD, {**FORM_TYPE, **sign(UP, incoming("好"), "another token")}, 403),
    "unsigned": (UP, GOOD, FORM_TYPE, 403),
    "wrong key": (UP, GOOD, {**FORM_TYPE, **sign(UP, incoming("好")), WITH_KEY: "key=SK9"}, 403),
    "signed for another address": (UP, GOOD, {**FORM_TYPE, **sign(UP + "/", incoming("好"))}, 403),
    "truncated form": (UP, GOOD[:-3], {**FORM_TYPE, **sign(UP, incoming("好"))}, 400),
    "form of no pairs": (UP, b"&&&", FORM_TYPE, 400),
    "form of bytes": (UP, b"Body=\xff\xfe", FORM_TYPE, 400),
    "form of endless fields": (UP, b"&".join(b"a=1" for _ in range(20_000)), FORM_TYPE, 400),
    "oversize form": (UP, b"Body=" + b"x" * 300_000, FORM_TYPE, 413),
    "unsigned JSON": (UP, b"{}", JSON_TYPE, 403),
    "JSON that was changed": (by_hash(b"{}"), b'{"a":1}', {**JSON_TYPE, **sign(by_hash(b"{}"), {})}, 403),
    "JSON, deeply nested": (
        by_hash(b"[" * 100_000), b"[" * 100_000, {**JSON_TYPE, **sign(by_hash(b"[" * 100_000), {})}, 400,
    ),
    "JSON, truncated": (by_hash(b'{"a":'), b'{"a":', {**JSON_TYPE, **sign(by_hash(b'{"a":'), {})}, 400),
    "oversize JSON": (UP, b"[" * 300_000, JSON_TYPE, 413),
    "packed wrongly": (UP, b"not gzip", {**FORM_TYPE, "Content-Encoding": "gzip"}, 400),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_call_is_refused_and_harms_nobody(world: World, serving: ServingNode, name: str) -> None:
    path, body, headers, status = BAD[name]
    async with serving.http.post(URL(serving.base + path, encoded=True), data=body, headers=headers) as response:
        assert response.status == status
    assert await world.texts() == []
    assert (await post(serving, incoming("还在吗")))[0] == 200
    assert await world.texts() == ["还在吗"]


async def test_an_opt_out_that_twilio_has_understood(world: World, serving: ServingNode) -> None:
    await post(serving, incoming("Arrêt", OptOutType="STOP"))
    home = Address("tel", US)
    notice = Notice(id=MessageId("1"), template=Template("link", {"url": "x"}))
    with pytest.raises(OptedOut):
        await serving.channel.notify(home, notice)
    await post(serving, incoming("x", "SM2", OptOutType="START"))
    await serving.channel.notify(home, notice)


# --- pictures --------------------------------------------------------------------------------------------------------


async def test_pictures_are_fetched_once_and_kept(
    world: World, serving: ServingNode, api: TwilioApi, tmp_path: Path
) -> None:
    api.media["/m/1"] = (302, {"Location": "/cdn/1"}, b"")
    api.media["/cdn/1"] = (200, {"Content-Type": "image/png"}, PNG)
    fields = incoming(
        "", NumMedia="1", MediaUrl0=f"{api.url}/m/1", MediaContentType0="image/png", MediaUrl1="", MediaUrl9=""
    )
    for _ in range(2):
        assert (await post(serving, fields))[0] == 200
    (received,) = await world.events(ev.FileReceived)
    assert received.content_type == "image/png"
    assert received.size_bytes == len(PNG)
    assert [path for path, _ in api.fetched] == ["/m/1", "/cdn/1"]
    assert api.fetched[0][1] is not None
    assert api.fetched[1][1] is None, "the password does not follow a redirect"
    assert (tmp_path / FileId(received.file)).read_bytes() == PNG


@pytest.mark.parametrize(
    ("url", "inside"),
    [
        ("http://example.com/x.png", LOOPBACK),
        ("{api}/elsewhere", LOOPBACK),
        ("{api}/huge", LOOPBACK),
        ("{api}/gone", LOOPBACK),
        ("{api}/text", LOOPBACK),
        ("{api}/round", LOOPBACK),
        ("ftp://127.0.0.1/x", LOOPBACK),
        ("http://user@127.0.0.1/x", LOOPBACK),
        ("{api}/ok", ()),
        ("http://localhost:1/", ()),
        ("::", LOOPBACK),
    ],
)
async def test_what_is_not_fetched_is_said_in_its_place(
    world: World, api: TwilioApi, tmp_path: Path, url: str, inside: Any
) -> None:
    api.media["/elsewhere"] = (302, {"Location": "http://169.254.169.254/secret"}, b"")
    api.media["/round"] = (302, {"Location": "/round"}, b"")
    api.media["/huge"] = (200, {}, PNG + bytes(200_000))
    api.media["/gone"] = (404, {}, b"")
    api.media["/text"] = (200, {}, b"#!/bin/sh")
    api.media["/ok"] = (200, {}, PNG)
    media = MediaSettings(
        hosts=("127.0.0.1", "localhost"), schemes=("http",), inside=inside, timeout_s=1.0, most_bytes=100_000
    )
    async with node(world, [carrier_of(api, media=media)], tmp_path) as serving:
        fields = incoming("看图", MediaUrl0=url.format(api=api.url), MediaContentType0="image/png")
        assert (await post(serving, fields))[0] == 200
    text, instead = await world.texts()
    assert text == "看图"
    assert instead.startswith("〔附件未接收")
    assert await world.events(ev.FileReceived) == []
    assert "/ok" not in [path for path, _ in api.fetched], "no request left for an address that is not public"


async def test_a_picture_that_is_away_now_comes_with_the_next_try(
    world: World, serving: ServingNode, api: TwilioApi
) -> None:
    api.media["/m/1"] = (503, {}, b"")
    fields = incoming("看图", MediaUrl0=f"{api.url}/m/1", MediaContentType0="image/png")
    assert (await post(serving, fields))[0] == 503
    api.media["/m/1"] = (200, {}, PNG)
    assert (await post(serving, fields))[0] == 200
    assert await world.texts() == ["看图"]
    assert len(await world.events(ev.FileReceived)) == 1


# --- sending ---------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the SDK uses what aiohttp gives up
async def test_the_stand_in_is_what_the_sdk_expects(api: TwilioApi) -> None:
    api.blocked.add("+15550001")
    async with aiohttp.ClientSession() as session:
        http = AsyncTwilioHttpClient()
        await http.session.close()
        http.session = session
        client = Client(ACCOUNT, TOKEN, http_client=http)
        client.api.base_url = api.url
        message = await client.messages.create_async(to=US, from_=HOTLINE, body="hello")
        assert (message.sid, message.status, message.body) == (f"SM{1:032x}", "queued", "hello")
        with pytest.raises(TwilioRestException) as refused:
            await client.messages.create_async(to="+15550001", from_=HOTLINE, body="hello")
        assert refused.value.code == 21610


async def test_an_answer_goes_through_its_states(
    world: World, serving: ServingNode, api: TwilioApi, eventually: Eventually
) -> None:
    await post(serving, incoming("路灯坏了"))
    (session,) = await world.sessions()
    await serving.answer(world, session, "已派人", "m1")
    await eventually(lambda: api.callbacks == [200] * 4)
    assert len(await world.events(ev.MessageDelivered, session)) == 1
    assert await serving.channel.standing_of(session, "m1") is Standing.DELIVERED
    (sent,) = api.sent
    assert (sent["To"], sent["From"], sent["Body"]) == (US, HOTLINE, "已派人")
    assert sent["StatusCallback"] == f"{PUBLIC}/api/sms/twilio/report"


async def test_an_unreachable_telephone_is_noted(
    world: World, serving: ServingNode, api: TwilioApi, eventually: Eventually
) -> None:
    api.unreachable.add(US)
    await post(serving, incoming("路灯坏了"))
    (session,) = await world.sessions()
    await serving.answer(world, session, "已派人", "m1")
    await eventually(lambda: api.callbacks == [200] * 4)
    assert await serving.channel.standing_of(session, "m1") is Standing.FAILED
    known = await serving.channel._outbox.standing(serving.channel._keys.dispatch(session, "m1"))
    assert known is not None
    assert known.code == "30003"
    assert await world.events(ev.MessageDelivered) == []


async def test_a_citizen_who_opted_out_at_twilio(serving: ServingNode, api: TwilioApi) -> None:
    api.blocked.add(US)
    home = Address("tel", US)
    with pytest.raises(SubmitRefused) as refused:
        await serving.channel.notify(home, Notice(id=MessageId("1"), template=Template("link", {"url": "x"})))
    assert refused.value.code == "21610"
    with pytest.raises(OptedOut):
        await serving.channel.notify(home, Notice(id=MessageId("2"), template=Template("link", {"url": "x"})))
    assert api.sent == []


async def test_a_template_goes_as_content(serving: ServingNode, api: TwilioApi) -> None:
    await serving.channel.notify(
        Address("tel", US), Notice(id=MessageId("1"), template=Template("link", {"url": "例"}))
    )
    (sent,) = api.sent
    assert (sent["ContentSid"], sent["ContentVariables"]) == ("HX1", '{"url": "例"}')
    assert "Body" not in sent


async def test_a_messaging_service_sends(api: TwilioApi, world: World, tmp_path: Path) -> None:
    carrier = carrier_of(api, sender="MG123")
    async with node(world, [carrier], tmp_path):
        await carrier.submit(Message(key="k", to=US, text="x"))
    (sent,) = api.sent
    assert sent["MessagingServiceSid"] == "MG123"
    assert "From" not in sent


async def test_what_twilio_may_answer(serving: ServingNode, api: TwilioApi, carrier: TwilioCarrier) -> None:
    with pytest.raises(SubmitRefused) as refused:
        await carrier.submit(Message(key="k", to="nobody", text="x"))
    assert (refused.value.code, refused.value.opted_out) == ("21211", False)
    api.is_busy = True
    with pytest.raises(SubmitDelayed):
        await carrier.submit(Message(key="k", to=US, text="x"))
    api.is_busy, api.is_broken = False, True
    with pytest.raises(OutcomeUnknown):
        await carrier.submit(Message(key="k", to=US, text="x"))
    api.is_broken, api.hangs = False, asyncio.Event()
    with pytest.raises(OutcomeUnknown):
        await carrier.submit(Message(key="k", to=US, text="x"))
    assert api.sent == []


async def test_a_wrong_token_is_refused(api: TwilioApi, world: World, tmp_path: Path) -> None:
    carrier = carrier_of(api, tokens=("wrong",))
    async with node(world, [carrier], tmp_path):
        with pytest.raises(SubmitRefused) as refused:
            await carrier.submit(Message(key="k", to=US, text="x"))
    assert refused.value.code == "20003"
    assert "wrong" not in repr(carrier._settings)
