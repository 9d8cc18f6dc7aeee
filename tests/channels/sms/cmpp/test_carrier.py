"""The carrier against a gateway that drops, repeats, reorders, falls silent and goes away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channels.sms.carrier import Message, Receipt
from channels.sms.cmpp import messages as cmpp
from channels.sms.cmpp.carrier import CmppCarrier
from channels.sms.cmpp.settings import CmppSettings
from channels.sms.coding import Coding, decode, encode
from channels.sms.dispatch import Standing
from channels.sms.errors import OutcomeUnknown, SubmitDelayed, SubmitRefused
from channels.sms.header import Place, parted, prefix
from channels.sms.link import LinkSettings
from session import events as ev
from tests.channels.sms.rig import CITIZEN, OTHER, ServingNode, World, node
from tests.conftest import Eventually
from tests.peers.cmpp import ACCOUNT, SECRET, Gateway, listening

EMOJI_AT_THE_SEAM = "路" * 66 + "😀" + "灯" * 80


def reaching(gateway: Gateway, **changes: Any) -> CmppSettings:
    times = {"answer_s": 0.15, "heartbeat_s": 30.0, "back_off_s": 0.02, "back_off_most_s": 0.1}
    secret = changes.pop("secret", SECRET)
    return CmppSettings(
        link=LinkSettings(host="127.0.0.1", port=gateway.port, **{**times, **changes}),
        account=ACCOUNT,
        secret=secret,
        source_id="12345",
        version=gateway.version,
    )


class Town:
    """A gateway, and a node connected to it."""

    def __init__(self, gateway: Gateway, carrier: CmppCarrier, serving: ServingNode, world: World) -> None:
        self.gateway, self.carrier, self.serving, self.world = gateway, carrier, serving, world

    async def submit(self, text: str, key: str = "k") -> Receipt:
        return await self.carrier.submit(Message(key=key, to=f"+86{CITIZEN}", text=text))


@pytest.fixture(params=[cmpp.V20, cmpp.V30], ids=["2.0", "3.0"])
def version(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened


class Build:
    def __init__(self, stack: AsyncExitStack, folder: Path, version: int, eventually: Eventually) -> None:
        self._stack, self._folder, self._version, self._eventually = stack, folder, version, eventually

    async def __call__(self, gateway: Gateway | None = None, **changes: Any) -> Town:
        gateway = gateway or Gateway(version=self._version)
        await self._stack.enter_async_context(listening(gateway))
        carrier = CmppCarrier(reaching(gateway, **changes))
        world = World()
        serving = await self._stack.enter_async_context(
            node(world, [carrier], self._folder, ways=(("+86", "cmpp"),), attempt_s=60.0, submit_patience_s=5.0)
        )
        await self._eventually(lambda: carrier.is_connected)
        return Town(gateway, carrier, serving, world)


@pytest.fixture
def town(stack: AsyncExitStack, tmp_path: Path, version: int, eventually: Eventually) -> Build:
    return Build(stack, tmp_path, version, eventually)


# --- sending ----------------------------------------------------------------------------------------------------------


async def test_a_short_text_is_one_segment(town: Build) -> None:
    here = await town()
    await here.submit("OK")
    receipt = await here.submit("您好")
    (_, plain), (_, chinese) = here.gateway.submits
    assert (plain.format, plain.content, plain.has_header) == (0, b"OK", False)
    assert (chinese.format, decode(chinese.content, Coding.UCS2)) == (8, "您好")
    assert (chinese.destination, chinese.source_id, chinese.account) == (CITIZEN, "12345", ACCOUNT)
    assert chinese.wants_report
    assert len(receipt.ids) == 1


async def test_a_long_text_is_cut_between_characters(town: Build) -> None:
    here = await town()
    receipt = await here.submit(EMOJI_AT_THE_SEAM)
    places, texts = [], []
    for _, submit in here.gateway.submits:
        place, octets = parted(submit.content)
        assert place is not None
        assert submit.has_header
        assert len(submit.content) <= 140
        assert (submit.total, submit.index) == (place.total, place.index)
        places.append((place.total, place.index))
        texts.append(decode(octets, Coding.UCS2))
    assert places == [(3, 1), (3, 2), (3, 3)]
    assert "".join(texts) == EMOJI_AT_THE_SEAM, "no piece ends within an emoji"
    assert len(set(receipt.ids)) == 3


async def test_no_more_than_the_window_is_without_an_answer(town: Build, version: int, eventually: Eventually) -> None:
    gateway = Gateway(version=version, holds=lambda: 1000)
    here = await town(gateway, answer_s=5.0)
    sending = [asyncio.create_task(here.submit(f"{number}", f"{number}")) for number in range(32)]
    await eventually(lambda: len(gateway.submits) == 16)
    gateway.ask()
    await eventually(lambda: gateway.answered_tests)
    gateway.holds = lambda: 16
    gateway.release()
    receipts = await asyncio.wait_for(asyncio.gather(*sending), 5)
    assert gateway.peak == 16
    by_text = {submit.content: f"{gateway.messages[sequence]:016x}" for sequence, submit in gateway.submits}
    for number, receipt in enumerate(receipts):
        assert receipt.ids == (by_text[f"{number}".encode()],), "answers out of order are each its own"


@pytest.mark.parametrize("refuses", [False, True])
async def test_a_lost_answer_is_asked_for_again_with_the_same_sequence(
    town: Build, version: int, refuses: bool
) -> None:
    here = await town(Gateway(version=version, drops=1, refuses_sequences=refuses))
    receipt = await here.submit("您好")
    (first, one), (second, other) = here.gateway.submits
    assert (first, one) == (second, other)
    assert len(here.gateway.messages) == 1
    assert bool(receipt.ids[0]) is not refuses, "its id was in the answer that was lost"


async def test_answers_that_come_twice_are_one(town: Build, version: int) -> None:
    here = await town(Gateway(version=version, repeats=3))
    receipts = [await here.submit(f"{number}") for number in range(5)]
    assert len({receipt.ids for receipt in receipts}) == 5


async def test_a_silent_gateway_leaves_the_outcome_unknown(town: Build, eventually: Eventually) -> None:
    here = await town(answer_s=0.05)
    here.gateway.mute = True
    with pytest.raises(OutcomeUnknown):
        await here.submit("您好")
    assert len(here.gateway.submits) == 3
    here.gateway.mute = False
    await eventually(lambda: here.carrier.is_connected)
    assert len(here.gateway.submits) == 3, "it is not sent again on the next connection"


async def test_a_cut_before_the_answer_leaves_it_unknown(town: Build, eventually: Eventually) -> None:
    here = await town(answer_s=5.0)
    here.gateway.mute = True
    sending = asyncio.create_task(here.submit("您好"))
    await eventually(lambda: here.gateway.submits)
    here.gateway.cut()
    with pytest.raises(OutcomeUnknown):
        await asyncio.wait_for(sending, 1.0)


async def test_what_the_gateway_says_of_a_submit(town: Build) -> None:
    here = await town()
    here.gateway.results.extend([8, 13, 3])
    with pytest.raises(SubmitDelayed):
        await here.submit("您好")
    with pytest.raises(SubmitRefused) as refused:
        await here.submit("您好")
    assert refused.value.code == "13"
    with pytest.raises(SubmitDelayed):
        await here.submit("您好")


async def test_a_later_segment_that_is_not_taken_does_not_repeat_the_first(
    town: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("channels.sms.segments.PAUSE_S", 0.01)
    here = await town()
    here.gateway.results.extend([0, 8, 8])
    receipt = await here.submit("路" * 80)
    assert [submit.index for _, submit in here.gateway.submits] == [1, 2, 2, 2]
    assert len(receipt.ids) == 2


async def test_without_a_connection_nothing_was_sent(eventually: Eventually, tmp_path: Path) -> None:
    nobody = Gateway(port=9)
    async with node(World(), [carrier := CmppCarrier(reaching(nobody))], tmp_path):
        with pytest.raises(SubmitDelayed):
            await carrier.submit(Message(key="k", to="+8613800138000", text="x"))


async def test_an_answer_waits_for_the_gateway_to_come_back(town: Build, eventually: Eventually) -> None:
    here = await town()
    here.gateway.bring(text("路灯坏了", 1))
    await eventually(here.world.texts)
    (session,) = await here.world.sessions()
    here.gateway.secret = "not believed for a while"
    here.gateway.cut()
    await eventually(lambda: not here.carrier.is_connected)
    await here.serving.answer(here.world, session, "已派人", "m1")
    assert here.gateway.submits == []
    here.gateway.secret = SECRET
    await eventually(lambda: here.gateway.submits)
    assert len(here.gateway.submits) == 1


# --- receiving --------------------------------------------------------------------------------------------------------


def text(words: str, message: int, **changes: Any) -> cmpp.Deliver:
    deliver = cmpp.Deliver(
        message=message, destination="12345", source=f"86{CITIZEN}", format=8, content=encode(words, Coding.UCS2)
    )
    return replace(deliver, **changes)


async def test_texts_come_in_and_are_acknowledged(town: Build, eventually: Eventually) -> None:
    here = await town()
    here.gateway.bring(text("路灯坏了😀", 1))
    here.gateway.bring(text("x", 2, format=15, content="在中山路".encode("gbk")))
    here.gateway.bring(text("x", 3, format=0, content=b"OK"))
    here.gateway.bring(text("x", 4, format=4, content=b"\x01\x02"))
    here.gateway.bring(text("路灯坏了😀", 1))
    await eventually(lambda: len(here.gateway.acknowledged) == 5)
    assert sorted(here.gateway.acknowledged) == [(1, 0), (1, 0), (2, 0), (3, 0), (4, 0)]
    assert await here.world.texts() == ["路灯坏了😀", "在中山路", "OK", "〔无法显示的短信，2 字节〕"]


async def test_nothing_is_acknowledged_before_it_is_durable(town: Build, eventually: Eventually) -> None:
    here = await town()
    here.world.is_away = True
    here.gateway.bring(text("路灯坏了", 1))
    here.gateway.ask()
    await eventually(lambda: here.gateway.answered_tests)
    assert here.gateway.acknowledged == []
    here.world.is_away = False
    here.gateway.bring(text("路灯坏了", 1))
    await eventually(lambda: here.gateway.acknowledged == [(1, 0)])
    assert await here.world.texts() == ["路灯坏了"]


async def test_long_texts_of_two_citizens_with_one_reference(town: Build, eventually: Eventually) -> None:
    here = await town()
    mine, theirs = "我的" + "一" * 80, "别人" + "二" * 80
    number = 0
    for index in (2, 1):
        for words, source in ((mine, CITIZEN), (theirs, OTHER)):
            number += 1
            piece = encode(words, Coding.UCS2)[(index - 1) * 134 : index * 134]
            content = prefix(Place(42, 2, index)) + piece
            here.gateway.bring(text("", number, source=source, content=content, has_header=True))
    await eventually(lambda: len(here.gateway.acknowledged) == 4)
    assert sorted(await here.world.texts()) == sorted([mine, theirs])


async def test_a_broken_header_is_shown_with_its_text(town: Build, eventually: Eventually) -> None:
    here = await town()
    here.gateway.bring(text("您好", 1, has_header=True, content=b"\xff" + encode("x您好", Coding.UCS2)[1:]))
    await eventually(lambda: here.gateway.acknowledged == [(1, 0)])
    (shown,) = await here.world.texts()
    assert shown.endswith("您好")


async def test_reports_are_no_texts(town: Build, eventually: Eventually) -> None:
    here = await town()
    here.gateway.bring(text("路灯坏了", 1))
    await eventually(here.world.texts)
    (session,) = await here.world.sessions()
    await here.serving.answer(here.world, session, "已派人" * 50, "m1")
    for message in here.gateway.messages.values():
        assert await here.world.events(ev.MessageDelivered) == []
        here.gateway.report(message, "ACCEPTD")
        here.gateway.report(message, "DELIVRD")
        here.gateway.report(message, "DELIVRD")
        await eventually(lambda: len(here.gateway.acknowledged) % 3 == 1)
    await eventually(lambda: here.world.events(ev.MessageDelivered))
    await here.serving.answer(here.world, session, "再见", "m2")
    here.gateway.report(max(here.gateway.messages.values()), "MA:0001")

    async def failed() -> bool:
        return await here.serving.channel.standing_of(session, "m2") is Standing.FAILED

    await eventually(failed)
    assert len(await here.world.events(ev.MessageDelivered)) == 1
    assert await here.world.texts() == ["路灯坏了"]


async def test_a_malformed_report_is_refused_and_ends_nothing(town: Build, eventually: Eventually) -> None:
    here = await town()
    here.gateway.bring(text("x", 1, is_report=True))
    await eventually(lambda: here.gateway.acknowledged == [(1, 1)])
    assert here.carrier.is_connected


# --- the connection ---------------------------------------------------------------------------------------------------


async def test_the_heartbeat_notices_a_dead_gateway(town: Build, eventually: Eventually) -> None:
    here = await town(heartbeat_s=0.05, answer_s=0.05)
    await eventually(lambda: here.gateway.tests >= 2)
    assert here.gateway.logins == 1
    here.gateway.mute = True
    await eventually(lambda: not here.carrier.is_connected)
    here.gateway.mute = False
    await eventually(lambda: here.gateway.logins == 2)


async def test_the_gateway_may_ask_and_leave(town: Build, eventually: Eventually) -> None:
    here = await town()
    here.gateway.ask()
    await eventually(lambda: here.gateway.answered_tests == 1)
    here.gateway.leave()
    await eventually(lambda: here.gateway.logins == 2)


@pytest.mark.parametrize("octets", [b"\0\0\0\x05hello", b"\xff\xff\xff\xff", b"GET / HTTP/1.1\r\n\r\n"])
async def test_what_is_no_cmpp_ends_the_connection(town: Build, eventually: Eventually, octets: bytes) -> None:
    here = await town()
    here.gateway.raw(octets)
    await eventually(lambda: here.gateway.logins == 2)


async def test_an_unknown_command_is_passed_over(town: Build, eventually: Eventually) -> None:
    here = await town()
    here.gateway.raw(cmpp.encode(cmpp.Unknown(0x80000009), 1, here.gateway.version))
    here.gateway.bring(text("您好", 1))
    await eventually(lambda: here.gateway.acknowledged == [(1, 0)])
    assert here.gateway.logins == 1


async def test_a_frame_may_come_octet_by_octet(town: Build, eventually: Eventually) -> None:
    here = await town()
    for octet in cmpp.encode(text("您好", 1), 77, here.gateway.version):
        here.gateway.raw(bytes([octet]))
        await asyncio.sleep(0)
    await eventually(lambda: here.gateway.acknowledged == [(1, 0)])


async def test_a_wrong_secret_is_told_and_tried_slowly(
    version: int, tmp_path: Path, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    async with listening(Gateway(version=version)) as gateway:
        carrier = CmppCarrier(reaching(gateway, secret="wrong"))
        async with node(World(), [carrier], tmp_path):
            await eventually(lambda: "sms gateway: not connected" in caplog.text)
            assert not carrier.is_connected
            assert "wrong" not in caplog.text


async def test_a_gateway_without_the_secret_is_not_believed(
    version: int, tmp_path: Path, eventually: Eventually
) -> None:
    async with listening(Gateway(version=version, secret="another")) as gateway:
        carrier = CmppCarrier(reaching(gateway))
        async with node(World(), [carrier], tmp_path):
            await eventually(lambda: gateway.logins >= 2)
            assert not carrier.is_connected


async def test_goodbye_is_said(version: int, tmp_path: Path, eventually: Eventually) -> None:
    async with listening(Gateway(version=version)) as gateway:
        carrier = CmppCarrier(reaching(gateway))
        async with node(World(), [carrier], tmp_path):
            await eventually(lambda: carrier.is_connected)
        assert gateway.terminated
