"""Notices: as common messages while they may be sent, else as what WeChat has reviewed."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from channels.contract import Notifies, Rations
from channels.wechat.errors import CitizenUnreachable, NotReviewed, NotSubscribed, OutcomeUnknown, WindowClosed
from channels.wechat.settings import Reviewed
from session import events as ev
from session.address import Address
from session.ids import MessageId, SessionId
from session.notice import Notice, Template
from session.state import Failure
from tests.channels.wechat.rig import APPID, OPENID, SETTINGS, ServingNode, World, node
from tests.peers.wechat import saying, stalling

TEMPLATE, SUBSCRIBED = "/cgi-bin/message/template/send", "/cgi-bin/message/subscribe/bizsend"
HOME = Address("wechat", OPENID, APPID)
URL = "https://hotline.example.cn/go"


@pytest.fixture
async def here(world: World, tmp_path: Path) -> AsyncIterator[ServingNode]:
    settings = replace(
        SETTINGS,
        words={"link": "请打开 {url} 继续", "reply": "{text}"},
        reviewed={
            "link": Reviewed("T-link", {"thing1": "what"}),
            "reply": Reviewed("S-reply", {"thing1": "text"}, subscribed=True),
        },
    )
    world.api.reviewed = {"T-link", "S-reply"}
    async with node(world, tmp_path, settings) as one:
        yield one


def link(number: int = 1, session: SessionId | None = None) -> Notice:
    template = Template("link", {"url": URL, "what": "您的位置已为您保留"})
    return Notice(id=MessageId(f"n{number}"), template=template, session=session)


def reply(text: str = "已派人前往", number: int = 1) -> Notice:
    return Notice(id=MessageId(f"r{number}"), template=Template("reply", {"text": text}))


async def say(world: World, here: ServingNode) -> SessionId:
    await here.wire.say("停水了")
    world.api.windows[OPENID] = (world.clock() + 48 * 3600.0, 5)
    return (await world.newest())[0]


async def test_it_notifies_and_rations(here: ServingNode) -> None:
    assert isinstance(here.channel, Notifies)
    assert isinstance(here.channel, Rations)


async def test_while_messages_are_allowed_it_is_one(world: World, here: ServingNode) -> None:
    session = await say(world, here)
    for _ in range(2):
        await here.channel.notify(HOME, link(session=session))
    assert [one["text"]["content"] for one in world.api.sent] == [f"请打开 {URL} 继续"]
    assert world.api.templated == []
    (accepted,) = await world.events(ev.MessageAccepted)
    assert accepted.message == "n1"


async def test_else_it_goes_as_a_template_once(world: World, here: ServingNode) -> None:
    for _ in range(2):
        await here.channel.notify(HOME, link())
    (sent,) = world.api.templated
    assert (sent["touser"], sent["template_id"], sent["url"]) == (OPENID, "T-link", URL)
    assert sent["data"] == {"thing1": {"value": "您的位置已为您保留"}}
    assert len(sent["client_msg_id"]) == 32
    assert world.api.sent == []


async def test_one_who_subscribed_gets_as_many_as_they_allowed(world: World, here: ServingNode) -> None:
    world.api.subscribers[OPENID] = 1
    await here.channel.notify(HOME, reply("一" * 30))
    assert world.api.templated[0]["data"] == {"thing1": {"value": "一" * 20}}, "a longer one is refused whole"
    with pytest.raises(NotSubscribed) as refused:
        await here.channel.notify(HOME, reply(number=2))
    assert (refused.value.failure, refused.value.retryable) == (Failure.OPTED_OUT, False)


async def test_what_was_certainly_not_sent_may_be_sent_again(world: World, here: ServingNode) -> None:
    world.api.interpose(TEMPLATE, saying(43004))
    with pytest.raises(CitizenUnreachable):
        await here.channel.notify(HOME, link())
    await here.channel.notify(HOME, link())
    assert len(world.api.templated) == 1


async def test_what_may_have_been_sent_is_not_sent_again(world: World, tmp_path: Path) -> None:
    release = asyncio.Event()
    settings = replace(SETTINGS, api_timeout_s=0.1, reviewed={"link": Reviewed("T-link", {"thing1": "what"})})
    async with node(world, tmp_path, settings) as here:
        world.api.interpose(TEMPLATE, stalling(release))
        for _ in range(2):
            with pytest.raises(OutcomeUnknown):
                await here.channel.notify(HOME, link())
        release.set()
    assert world.api.asked.count(TEMPLATE) == 1


async def test_whom_it_has_a_way_to(world: World, here: ServingNode, tmp_path: Path) -> None:
    assert await here.channel.may_notify(HOME, "link")
    assert not await here.channel.may_notify(HOME, "code")
    assert not await here.channel.may_notify(Address("wechat", OPENID, "wx-another"), "link")
    async with node(world, tmp_path, replace(SETTINGS, words={"link": "{url}"}), "node-2") as bare:
        assert not await bare.channel.may_notify(HOME, "link")
        with pytest.raises(WindowClosed):
            await bare.channel.notify(HOME, link())
        await say(world, bare)
        assert await bare.channel.may_notify(HOME, "link")


@pytest.mark.parametrize(
    "template", [Template("none"), Template("link", {"url": URL}), Template("reply", {"words": "x"})]
)
async def test_notices_that_cannot_be(here: ServingNode, template: Template) -> None:
    with pytest.raises(NotReviewed):
        await here.channel.notify(HOME, Notice(id=MessageId("1"), template=template))
    with pytest.raises(NotReviewed):
        await here.channel.notify(Address("tel", "+8613800138000"), link())
