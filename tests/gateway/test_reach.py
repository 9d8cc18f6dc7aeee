"""What can still be sent to a citizen, and by which other way, as a desk sees it."""

import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from channels.contract import Allowance
from gateway.notices import Notices
from gateway.reach import Reach
from queueing.memory import MemoryStore
from realtime import desk as frames
from realtime.peer import Refusal
from session.address import Address
from session.events import LegClosed, LegOpened, MessageFailed, NoticeSent, TextSent
from session.identity import AddressesLinked, Person, Proof
from session.ids import AssigneeId, LegId, LinkId, MessageId, PersonId
from session.machine import replay
from session.state import AssigneeKind, Failure, Leg, LegEnd, Medium, Party
from storage.errors import StorageUnavailable
from tests.channels.wechat.rig import APPID, KEY, OPENID, SECRET, TOKEN, Wire
from tests.conftest import Eventually
from tests.gateway.living import living
from tests.gateway.test_notices import Mast
from tests.gateway.town import LETTERS, Device, a_chat, post_on
from tests.media.test_playable import amr
from tests.peers.pages import DeskPage, Refused
from tests.peers.wechat import WeChatApi, saying, serving
from tests.session.script import OPENED_BY_CALL, OPENED_BY_CHAT, SESSION, THREAD, call, chat
from tests.session.stories import stamped

SEND = "/cgi-bin/message/custom/send"
AGENT = AssigneeId("8001")


@dataclass
class Talk:
    """A citizen in WeChat, and the agent who has them."""

    api: WeChatApi
    wire: Wire
    desk: DeskPage
    session: str

    def reach(self) -> dict[str, Any]:
        """The newest that the desk was told."""
        told = [one for one in self.desk.mentions if one["t"] == "contact.reach" and one["session"] == self.session]
        return told[-1] if told else {"rations": [], "ways": []}

    def left(self) -> list[int]:
        return [one["left"] for one in self.reach()["rations"]]

    def files(self) -> list[dict[str, Any]]:
        return [entry["file"] for entry in self.desk.timeline(self.session) if entry["kind"] == "file"]

    def failures(self) -> list[str]:
        return [entry["reason"] for entry in self.desk.timeline(self.session) if entry["kind"] == "failure"]


@pytest.fixture
async def talk(valkey_url: str, tmp_path: Path) -> AsyncIterator[Talk]:
    api = WeChatApi(APPID, SECRET)
    api.windows[OPENID] = (time.time() + 3600.0, 5)
    api.reviewed, api.subscribers[OPENID] = {"S1"}, 1
    async with serving(api.app()) as base:
        account = {
            "wechat__appid": APPID, "wechat__secret": SECRET, "wechat__token": TOKEN, "wechat__api": base,
            "wechat__aes_keys": KEY, "wechat__subscriptions": '["reply=S1,thing1=text"]',
        }  # fmt: skip
        async with (
            living(valkey_url, tmp_path, **account) as town,
            town.desk("8001") as desk,
            aiohttp.ClientSession() as http,
        ):
            wire = Wire(http, f"{town.http}/api/wechat/push", time.time)
            await desk.open()
            await desk.make_ready()
            await wire.say("停水了")
            offer = await desk.offer()
            await desk.accept(offer)
            yield Talk(api, wire, desk, str(offer["session"]))


async def test_the_budget_is_shown_as_it_is_used_and_filled(talk: Talk, eventually: Eventually) -> None:
    await eventually(lambda: talk.left() == [5], deadline_s=10)
    (ration,) = talk.reach()["rations"]
    assert ration["channel"] == "wechat"
    assert 0 < ration["until"] - time.time() - 47.9 * 3600 < 3600
    for number in range(3):
        await talk.desk.command("msg.send", session=talk.session, text=f"{number}")
    await eventually(lambda: talk.left() == [2], deadline_s=10)
    talk.api.windows[OPENID] = (time.time() + 3600.0, 5)
    await talk.wire.say("还在")
    await eventually(lambda: talk.left() == [5], deadline_s=10)
    assert OPENID not in str(talk.reach())


async def test_a_closed_window_is_said_and_the_other_way_is_offered(talk: Talk, eventually: Eventually) -> None:
    talk.api.interpose(SEND, saying(45015))
    await talk.desk.command("msg.send", session=talk.session, text="已派人前往")
    await eventually(lambda: talk.failures() == ["window_closed"], deadline_s=10)
    await eventually(lambda: talk.left() == [0], deadline_s=10)
    assert [way["channel"] for way in talk.reach()["ways"]] == ["wechat"]
    (failed,) = [entry for entry in talk.desk.timeline(talk.session) if entry["kind"] == "failure"]
    again = {"session": talk.session, "message": failed["message"], "channel": "wechat"}
    await talk.desk.command("msg.again", **again)
    assert [one["data"] for one in talk.api.templated] == [{"thing1": {"value": "已派人前往"}}]
    notices = [entry for entry in talk.desk.timeline(talk.session) if entry["kind"] == "notice"]
    assert [(one["channel"], one["template"], one["who"]["name"]) for one in notices] == [("wechat", "reply", "8001")]
    await talk.desk.command("msg.again", **again)
    await eventually(lambda: talk.failures() == ["window_closed", "opted_out"], deadline_s=10)
    for wrong in ({"channel": "sms"}, {"message": "none"}, {"session": "none"}):
        with pytest.raises(Refused):
            await talk.desk.command("msg.again", **{**again, **wrong})


async def test_a_voice_message_can_be_heard_at_the_desk(talk: Talk, eventually: Eventually) -> None:
    talk.api.files["media-1"] = ("audio/amr", amr(1.0))
    await talk.wire.push(talk.wire.message("voice", MediaId="media-1", Format="amr"))
    await eventually(lambda: talk.files(), deadline_s=10)
    (file,) = talk.files()
    assert file["content_type"] == "audio/amr"
    sound = await talk.desk.get(f"/api/desk/files/{file['id']}/sound")
    assert (sound[:4], sound[8:12]) == (b"RIFF", b"WAVE")
    assert await talk.desk.get(f"/api/desk/files/{file['id']}") == amr(1.0), "the original is kept"


@dataclass
class Rationing(Device):
    """A channel that takes one message more."""

    async def allowance(self, leg: LegId) -> Allowance:
        return Allowance(1, 1e9)


async def test_a_number_that_the_network_vouches_for_is_another_way(
    memory: MemoryStore, eventually: Eventually
) -> None:
    post = post_on(memory, "a")
    mast = Mast("mast", Medium.MESSAGE, templates=frozenset({"reply"}))
    letters = Rationing(LETTERS, Medium.MESSAGE)
    channels: dict[str, Any] = {LETTERS: letters, "mast": mast}
    reach = Reach(channels, Notices(channels, post.inbox))
    admission = await post.inbox.open(a_chat(channel=LETTERS))
    call = Leg(LegId("c"), "calls", Medium.VOICE, Party.CITIZEN, post.id, Address("tel", "+8613800138000"))
    await post.inbox.post(admission.session, LegOpened(leg=call))
    claimed = await _shown(post.absorbed, admission.session, eventually, post.session, reach)
    assert claimed.ways == (), "a number that is only claimed may be anybody's"
    assert [(one.channel, one.left) for one in claimed.rations] == [(LETTERS, 1)]
    vouched = Leg(LegId("c2"), call.channel, call.medium, call.party, call.owner, call.address, asserted=True)
    await post.inbox.post(admission.session, LegOpened(leg=vouched))
    known = await _shown(post.absorbed, admission.session, eventually, post.session, reach)
    assert known.ways == (frames.Way(channel="mast", citizen="tel 138****8000"),)

    text = TextSent(by=AGENT, kind=AssigneeKind.AGENT, message=MessageId("m1"), text="已派人")
    await post.inbox.post(admission.session, text)
    await eventually(lambda: post.absorbed(admission.session))
    again = frames.MessageAgain(id="n1", cseq=1, session=admission.session, message="m1", channel="mast")
    session, entries = await post.session(admission.session), await memory.log.read(admission.session)
    assert await reach.again(AGENT, session, entries, again) == Refusal("unknown_message"), "it has not failed"
    failed = MessageFailed(message=MessageId("m1"), channel=LETTERS, reason=Failure.WINDOW_CLOSED)
    await post.inbox.post(admission.session, failed)
    entries = await memory.log.read(admission.session)
    assert await reach.again(AGENT, session, entries, again) == 0
    assert mast.asked == [("notify", Address("tel", "+8613800138000"), "n1")]
    assert len(await post.said(admission.session, NoticeSent)) == 1
    await post.mailboxes.stop()


async def test_a_number_that_was_proven_in_another_session_is_another_way(
    memory: MemoryStore, eventually: Eventually
) -> None:
    """The window of their WeChat is closed, and no call is in this session: whose the number is stands in the book."""
    post = post_on(memory, "a")
    mast = Mast("mast", Medium.MESSAGE, templates=frozenset({"reply"}))
    channels: dict[str, Any] = {LETTERS: Rationing(LETTERS, Medium.MESSAGE), "mast": mast}
    number, proofs = Address("tel", "+8613800138000"), [Proof.SMS_CODE]

    async def known(address: Address) -> Person:
        link = AddressesLinked(link=LinkId("l1"), key=number, holder=address, proof=proofs[-1], at=1.0)
        return Person(PersonId("p1"), (number, address), (link,))

    async def away(address: Address) -> Person:
        raise StorageUnavailable("the book")

    async def ways(who: Callable[..., Any]) -> tuple[frames.Way, ...]:
        reach = Reach(channels, Notices(channels, post.inbox), known=who)
        return (await _shown(post.absorbed, admission.session, eventually, post.session, reach)).ways

    admission = await post.inbox.open(a_chat(channel=LETTERS))
    assert await ways(known) == (frames.Way(channel="mast", citizen="tel 138****8000"),)
    assert await ways(away) == (), "the book cannot be asked: nobody is written to on a guess"
    proofs.append(Proof.AGENT_WORD)
    assert await ways(known) == (), "an agent's word is no proof of where a stranger's letter goes"
    await post.mailboxes.stop()


async def _shown(
    absorbed: Callable[..., Any], session: Any, eventually: Eventually, read: Callable[..., Any], reach: Reach
) -> frames.ContactReach:
    await eventually(lambda: absorbed(session))
    return await reach.of(await read(session))


async def test_a_word_is_taken_back_only_where_all_that_brought_it_can(memory: MemoryStore) -> None:
    """A letter that went out stays where it is, also once its leg has ended."""
    chats = Device("webchat", Medium.CHAT, recalls=True)
    channels: dict[str, Any] = {one.name: one for one in (chats, Device("sms", Medium.MESSAGE))}
    reach = Reach(channels, Notices(channels, post_on(memory, "a").inbox))
    script = [OPENED_BY_CHAT, chat()]
    assert reach.can_recall(replay(SESSION, stamped(script)))
    letters = [LegOpened(leg=THREAD), LegClosed(leg=THREAD.id, reason=LegEnd.CLOSED)]
    assert not reach.can_recall(replay(SESSION, stamped([*script, *letters])))
    assert not reach.can_recall(replay(SESSION, stamped([OPENED_BY_CHAT, LegOpened(leg=THREAD)])))
    assert not reach.can_recall(replay(SESSION, stamped([OPENED_BY_CALL, call()]))), "nothing was read"
