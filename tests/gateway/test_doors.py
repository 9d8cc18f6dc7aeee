"""Channels that open by their section: the real house, and WeChat's side of both connections on loopback."""

import asyncio
import time
from pathlib import Path

import aiohttp
import pytest

from channels.door import filled
from channels.govapi.adapter import GovApiChannel
from channels.sms.adapter import SmsChannel
from channels.sms.opening import carriers_of, ways_of
from channels.sms.settings import SmsSettings
from channels.wechat.adapter import WeChatChannel
from channels.wechat.kf.adapter import KfChannel
from channels.wechat.opening import reviewed
from channels.wechat.settings import Reviewed, WeChatSettings
from config.loading import load
from config.printing import effective
from config.settings import Settings
from gateway.doors import HalfFilled, advice, doors, lacking, open_doors
from queueing.memory import MemoryStore
from session.ids import NodeId
from tests.channels.wechat.rig import APPID, KEY, OLD_KEY, OPENID, SECRET, TOKEN, Wire, signed
from tests.conftest import Eventually
from tests.gateway.living import living
from tests.gateway.town import ports_on, post_on
from tests.peers.wechat import WeChatApi, serving

PATH = "/api/wechat/push"
OFFICIAL = ("wechat.appid=wx1", "wechat.secret=an-app-secret", "wechat.token=a-token", f"wechat.aes_keys={KEY}")
SERVICE = (
    "wechat_kf.corpid=ww1", "wechat_kf.open_kfid=wk1", "wechat_kf.secret=a-kf-secret", "wechat_kf.token=a-kf-token",
    f"wechat_kf.aes_keys={KEY}", "wechat_kf.api=http://127.0.0.1:9",
)  # fmt: skip
CMPP = ("sms.cmpp.host=127.0.0.1", "sms.cmpp.account=900001", "sms.cmpp.secret=a-cmpp-secret",
        "sms.cmpp.source_id=12345", "sms.cmpp.port=9")  # fmt: skip
SMPP = ("sms.smpp.host=127.0.0.1", "sms.smpp.system=yihao", "sms.smpp.password=a-smpp-word", "sms.smpp.source=12345",
        "sms.smpp.port=9")  # fmt: skip
ALIYUN = ("sms.aliyun.key_id=LTAI1", "sms.aliyun.key_secret=an-aliyun-secret", "sms.aliyun.signature=热线",
          "sms.aliyun.templates=link=SMS_1", "sms.aliyun.callback_secret=an-aliyun-path-nobody-guesses")  # fmt: skip
TENCENT = ("sms.tencent.secret_id=AKID1", "sms.tencent.secret_key=a-tencent-secret", "sms.tencent.app=1400000001",
           "sms.tencent.signature=热线", 'sms.tencent.templates=["code=77:code,minutes"]',
           "sms.tencent.callback_secret=a-tencent-path-nobody-guesses")  # fmt: skip
TWILIO = ("sms.twilio.account=AC1", "sms.twilio.tokens=a-twilio-token", "sms.twilio.sender=+18005551212",
          "sms.twilio.public_url=https://hotline.example.org", "sms.twilio.shared_keys=SK1=a-shared-key")  # fmt: skip
SMS_SECRETS = ("a-cmpp-secret", "a-smpp-word", "an-aliyun-secret", "an-aliyun-path", "a-tencent-secret",
               "a-tencent-path", "a-twilio-token", "a-shared-key")  # fmt: skip


def _settings(*sets: str) -> Settings:
    return load(arguments=sets, environment={})


async def _opened(folder: Path, settings: Settings) -> dict[type, list[str]]:
    store = MemoryStore()
    post = post_on(store, NodeId("node"))
    async with open_doors(settings, ports_on(store, post, folder)) as channels:
        found = {type(one): [route.path for route in one.routes() if hasattr(route, "path")] for one in channels}
        assert len({one.name for one in channels}) == len(channels)
    await post.mailboxes.stop()
    return found


async def test_what_is_not_filled_in_is_off(tmp_path: Path) -> None:
    assert await _opened(tmp_path, _settings()) == {}


async def test_each_account_opens_by_its_own_section(tmp_path: Path) -> None:
    assert await _opened(tmp_path, _settings(*OFFICIAL)) == {WeChatChannel: [PATH] * 2}
    assert await _opened(tmp_path, _settings(*SERVICE)) == {KfChannel: ["/api/wechat/kf"] * 2}
    assert set(await _opened(tmp_path, _settings(*OFFICIAL, *SERVICE))) == {WeChatChannel, KfChannel}


@pytest.mark.parametrize("left_out", [*OFFICIAL[:3], *SERVICE[:5]])
async def test_a_half_filled_section_stops_the_start_and_names_the_key(tmp_path: Path, left_out: str) -> None:
    key = left_out.partition("=")[0]
    settings = _settings(*(one for one in (*OFFICIAL, *SERVICE) if one != left_out))
    assert lacking(settings) == (key,)
    with pytest.raises(HalfFilled, match=key):
        await _opened(tmp_path, settings)


async def test_text_messages_open_with_each_carrier_that_is_filled_in(tmp_path: Path) -> None:
    assert await _opened(tmp_path, _settings(*CMPP)) == {SmsChannel: []}
    opened = await _opened(tmp_path, _settings(*CMPP, *SMPP, *ALIYUN, *TENCENT, *TWILIO))
    assert opened == {
        SmsChannel: [
            "/api/sms/aliyun/{secret}/up",
            "/api/sms/aliyun/{secret}/report",
            "/api/sms/tencent/{secret}/up",
            "/api/sms/tencent/{secret}/report",
            "/api/sms/twilio/up",
            "/api/sms/twilio/report",
        ]
    }


@pytest.mark.parametrize("left_out", [*CMPP[:4], *SMPP[:4], *ALIYUN[:5], *TENCENT[:6], *TWILIO[:4]])
async def test_a_half_filled_carrier_stops_the_start_and_names_the_key(tmp_path: Path, left_out: str) -> None:
    key = left_out.partition("=")[0]
    whole = (*CMPP, *SMPP, *ALIYUN, *TENCENT, *TWILIO)
    settings = _settings(*(one for one in whole if one != left_out))
    assert lacking(settings) == (key,)
    with pytest.raises(HalfFilled, match=key):
        await _opened(tmp_path, settings)


def test_a_way_by_a_carrier_that_is_not_there_is_one_that_is_lacking() -> None:
    assert lacking(_settings(*CMPP, "sms.ways=+86=cmpp")) == ()
    keys = lacking(_settings(*CMPP, "sms.ways=+86=cmpp,+=twilio"))
    assert keys == ("sms.twilio.account", "sms.twilio.tokens", "sms.twilio.sender", "sms.twilio.public_url")


def test_numbers_go_by_the_way_that_is_named_and_all_others_by_the_first_carrier() -> None:
    section = _settings(*CMPP, *TWILIO, "sms.ways=+852=twilio,+86=cmpp").sms
    assert ways_of(section, carriers_of(section)) == (("+852", "twilio"), ("+86", "cmpp"), ("+", "cmpp"))
    assert ways_of(_settings(*TWILIO).sms, carriers_of(_settings(*TWILIO).sms)) == (("+", "twilio"),)


def test_templates_are_read_by_the_notices_names() -> None:
    section = _settings(*ALIYUN, "sms.aliyun.templates=link=SMS_1,reply=SMS_2", *TENCENT, *TWILIO).sms
    aliyun, tencent, twilio = carriers_of(section)
    assert aliyun.templates == frozenset({"link", "reply"})
    assert tencent.templates == frozenset({"code"})
    assert twilio.templates is None


def test_what_should_not_stay_so_is_advised() -> None:
    said = [one.what for one in advice(_settings(*ALIYUN))]
    assert [("path" in one, "cannot answer" in one) for one in said] == [(True, False), (False, True)]
    good = ("sms.aliyun.templates=reply=SMS_2", "sms.aliyun.networks=192.0.2.0/24")
    assert advice(_settings(*ALIYUN, *good)) == []


def test_the_reviewed_templates_of_an_account(tmp_path: Path) -> None:
    templates = ('wechat.templates=["link=T1,thing1=what,thing2=when", "reply=T2"]', "wechat.subscriptions=reply=S1")
    section = _settings(*OFFICIAL, *templates).wechat
    assert reviewed(section) == {
        "link": Reviewed("T1", {"thing1": "what", "thing2": "when"}),
        "reply": Reviewed("S1", {}, subscribed=True),
    }


def test_no_secret_is_shown() -> None:
    settings = _settings(*OFFICIAL, *SERVICE, *CMPP, *SMPP, *ALIYUN, *TENCENT, *TWILIO)
    for secret in ("an-app-secret", "a-token", "a-kf-secret", "a-kf-token", KEY, *SMS_SECRETS):
        assert secret not in effective(settings) + repr(settings)


def test_the_defaults_are_the_channels_own() -> None:
    configured, own = _settings().wechat, WeChatSettings("wx1", "s", "t")
    for name in ("greeting", "human_key", "api", "media_origins"):
        assert getattr(configured, name) == getattr(own, name)
    texts, by_default = _settings().sms, SmsSettings(pepper=b"")
    for name in ("number_per_hour", "number_burst", "campaign_per_s", "campaign_burst"):
        assert getattr(texts, name) == getattr(by_default, name)
    assert texts.quiet == f"{by_default.quiet.start}-{by_default.quiet.end}"


def test_every_door_has_its_section_in_the_configuration() -> None:
    """And every key that it asks for; so a channel is one folder, its section, and its tests."""
    settings = _settings()
    for door in doors():
        section = getattr(settings, door.section)
        assert not door.is_wanted(section), "off until somebody fills it in"
        assert not list(door.lacking(section))
        assert not list(door.advice(section))


def test_a_channels_settings_are_what_its_section_says_secrets_revealed() -> None:
    settings = filled(WeChatSettings, _settings(*OFFICIAL).wechat, number="12345", greeting="你好")
    assert (settings.appid, settings.secret, settings.aes_keys) == ("wx1", "an-app-secret", (KEY,))
    assert settings.greeting == "你好", "what the house says stands above the section"


async def test_a_sealed_push_becomes_a_session_and_the_desks_answer_goes_out(
    valkey_url: str, tmp_path: Path, eventually: Eventually
) -> None:
    wechat = WeChatApi(APPID, SECRET)
    wechat.windows[OPENID] = (time.time() + 3600.0, 5)
    async with serving(wechat.app()) as api:
        account = {
            "wechat__appid": APPID, "wechat__secret": SECRET, "wechat__token": TOKEN, "wechat__api": api,
            "wechat__aes_keys": f"{KEY},{OLD_KEY}",
        }  # fmt: skip
        async with (
            living(valkey_url, tmp_path, **account) as town,
            town.desk("8001") as desk,
            aiohttp.ClientSession() as http,
        ):
            wire = Wire(http, town.http + PATH, time.time)
            await desk.open()
            await desk.make_ready()

            push = wire.request(wire.message("text", Content="路灯坏了"))
            tries = await asyncio.gather(*(wire.bring(*push) for _ in range(3)))
            assert tries == [(200, "success")] * 3

            offer = await desk.offer()
            assert offer["medium"] == "message"
            assert OPENID not in str(offer)
            await desk.accept(offer)
            session = str(offer["session"])
            await desk.saw("contact.state", session=session, phase="active")
            assert await wire.bring(*push) == (200, "success")

            await desk.command("msg.send", session=session, text="在哪条路？")
            (sent,) = await eventually(lambda: wechat.sent)
            assert (sent["touser"], sent["text"]["content"]) == (OPENID, "在哪条路？")

            assert (await wire.say("人民路"))[0] == 200
            await eventually(lambda: "人民路" in desk.texts(session))
            assert desk.texts(session) == ["路灯坏了", "在哪条路？", "人民路"], "one event for all tries of one push"
            assert len(wechat.sent) == 1


async def test_a_forged_push_is_refused_at_the_houses_door(valkey_url: str, tmp_path: Path) -> None:
    account = {
        "wechat__appid": APPID, "wechat__secret": SECRET, "wechat__token": TOKEN, "wechat__aes_keys": KEY,
    }  # fmt: skip
    async with living(valkey_url, tmp_path, **account) as town, aiohttp.ClientSession() as http:
        wire = Wire(http, town.http + PATH, time.time)
        body, query = wire.request(wire.message("text", Content="路灯坏了"))
        query["msg_signature"] = signed("not the token", query["timestamp"], query["nonce"], "sealed")
        assert (await wire.bring(body, query))[0] == 403


async def test_a_platforms_section_opens_the_api(tmp_path: Path) -> None:
    client = f'{{id = "city-app", secrets = ["{"s" * 32}"], callback = "https://app.example.cn/events"}}'
    opened = await _opened(tmp_path, _settings(f"govapi.clients=[{client}]"))
    assert list(opened) == [GovApiChannel]
    assert "/api/govapi/v1/sessions" in opened[GovApiChannel]
    assert [one.mend for one in advice(_settings(f"govapi.clients=[{client}]", "govapi.plain_callbacks=true"))] == [
        "govapi.plain_callbacks = false"
    ]
