"""The carrier against smpp34's server."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from channels.sms.carrier import Message
from channels.sms.coding import Coding, decode, encode
from channels.sms.dispatch import Standing
from channels.sms.errors import OutcomeUnknown, SubmitDelayed, SubmitRefused
from channels.sms.header import Place, parted, prefix
from channels.sms.link import LinkSettings
from channels.sms.smpp import messages as smpp
from channels.sms.smpp.carrier import SmppCarrier
from channels.sms.smpp.settings import SmppSettings
from session import events as ev
from tests.channels.sms.rig import CITIZEN, OTHER, ServingNode, World, node
from tests.conftest import Eventually
from tests.peers.smpp import Centre, open_centre

LATER, NEVER = 0x64, 0x65


def settings(port: int, **changes: Any) -> SmppSettings:
    times = {"answer_s": 1.0, "back_off_s": 0.02, "back_off_most_s": 0.1}
    link = LinkSettings(host="127.0.0.1", port=port, **{**times, **changes})
    return SmppSettings(link=link, system="yihao", password="secret", source="12345")


class Town:
    def __init__(self, centre: Centre, carrier: SmppCarrier, serving: ServingNode, world: World) -> None:
        self.centre, self.carrier, self.serving, self.world = centre, carrier, serving, world


@pytest.fixture
async def town(tmp_path: Path, free_port: Callable[[], int], eventually: Eventually) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        centre = await stack.enter_async_context(open_centre(free_port()))
        carrier, world = SmppCarrier(settings(centre.port)), World()
        serving = await stack.enter_async_context(node(world, [carrier], tmp_path, ways=(("+", "smpp"),)))
        await eventually(lambda: centre.esme)
        yield Town(centre, carrier, serving, world)


async def send(town: Town, text: str) -> tuple[str, ...]:
    return (await town.carrier.submit(Message(key="k", to=f"+86{CITIZEN}", text=text))).ids


async def test_short_texts(town: Town) -> None:
    assert await send(town, "Hello {€}") == ("1",)
    assert await send(town, "您好") == ("2",)
    plain, chinese = town.centre.submits
    assert (plain.data_coding, decode(plain.short_message, Coding.GSM7)) == (0, "Hello {€}")
    assert (chinese.data_coding, decode(chinese.short_message, Coding.UCS2)) == (8, "您好")
    assert (chinese.source_addr, chinese.destination_addr, chinese.dest_addr_ton) == ("12345", f"86{CITIZEN}", 1)
    assert chinese.registered_delivery == 1


@pytest.mark.parametrize("text", ["路" * 66 + "😀" + "灯" * 80, "a{" * 200])
async def test_a_long_text_is_cut_between_characters(town: Town, text: str) -> None:
    ids = await send(town, text)
    assert len(set(ids)) == len(town.centre.submits) >= 3
    pieces = []
    for index, submit in enumerate(town.centre.submits, 1):
        assert submit.esm_class & smpp.HAS_HEADER
        place, octets = parted(submit.short_message)
        assert place is not None
        assert (place.total, place.index) == (len(ids), index)
        pieces.append(decode(octets, Coding.UCS2 if submit.data_coding == 8 else Coding.GSM7))
    assert "".join(pieces) == text


@pytest.mark.parametrize(("status", "raised"), [(0x58, SubmitDelayed), (0x14, SubmitDelayed), (0x0B, SubmitRefused)])
async def test_what_the_centre_may_say(town: Town, status: int, raised: type[Exception]) -> None:
    town.centre.results.append(status)
    with pytest.raises(raised):
        await send(town, "您好")


async def test_texts_are_acknowledged_when_they_are_durable(town: Town) -> None:
    town.world.is_away = True
    assert await town.centre.bring(encode("路灯坏了😀", Coding.UCS2), data_coding=8) == LATER
    town.world.is_away = False
    assert await town.centre.bring(encode("路灯坏了😀", Coding.UCS2), data_coding=8) == 0
    assert await town.centre.bring("在中山路".encode("gbk"), data_coding=15) == 0
    assert await town.centre.bring(b"\x00\x1b\x65", data_coding=0) == 0
    assert await town.centre.bring(b"caf\xe9", data_coding=3) == 0
    assert await town.centre.bring(b"\x01\x02", data_coding=4) == 0
    assert await town.world.texts() == ["路灯坏了😀", "在中山路", "@€", "café", "〔无法显示的短信，2 字节〕"]
    (opened,) = await town.world.events(ev.LegOpened)
    assert str(opened.leg.address) == f"tel:+86{CITIZEN}"


async def test_long_texts_of_two_citizens_with_one_reference(town: Town) -> None:
    mine, theirs = "我的" + "一" * 1000, "别人" + "二" * 1000
    size = 134
    total = -(-len(mine) * 2 // size)
    assert total > 10, "parts are ordered as numbers"
    for index in range(total, 0, -1):
        for words, source in ((mine, CITIZEN), (theirs, OTHER)):
            piece = encode(words, Coding.UCS2)[(index - 1) * size : index * size]
            octets = prefix(Place(42, total, index)) + piece
            assert await town.centre.bring(octets, f"86{source}", data_coding=8, esm_class=0x40) == 0
    assert sorted(await town.world.texts()) == sorted([mine, theirs])


async def test_parts_by_optional_parameters(town: Town) -> None:
    import smpp34

    for index, piece in ((2, "三四"), (1, "一二")):
        options = [
            smpp34.Tlv(0x020C, b"\x00\x07"),
            smpp34.Tlv(0x020E, b"\x02"),
            smpp34.Tlv(0x020F, bytes([index])),
        ]
        assert await town.centre.bring(encode(piece, Coding.UCS2), data_coding=8, tlvs=options) == 0
    payload = [smpp34.Tlv(0x0424, encode("长" * 300, Coding.UCS2))]
    assert await town.centre.bring(b"", data_coding=8, tlvs=payload) == 0
    assert await town.world.texts() == ["一二三四", "长" * 300]


async def test_receipts(town: Town, eventually: Eventually) -> None:
    await town.centre.bring(b"hello", data_coding=1)
    (session,) = await town.world.sessions()
    await town.serving.answer(town.world, session, "已派人", "m1")
    assert await town.centre.receipt("1", "ACCEPTD") == 0
    assert await town.world.events(ev.MessageDelivered) == []
    assert await town.centre.receipt("1", "DELIVRD") == 0
    assert len(await town.world.events(ev.MessageDelivered, session)) == 1
    await town.serving.answer(town.world, session, "再见", "m2")
    await town.centre.receipt("2", "EXPIRED")
    assert await town.serving.channel.standing_of(session, "m2") is Standing.FAILED
    assert await town.centre.bring(b"no receipt at all", esm_class=4) == NEVER
    assert await town.world.texts() == ["hello"]


async def test_it_comes_back_after_the_centre_has_gone(
    tmp_path: Path, free_port: Callable[[], int], eventually: Eventually
) -> None:
    port, world = free_port(), World()
    carrier = SmppCarrier(settings(port))
    async with node(world, [carrier], tmp_path, ways=(("+", "smpp"),)):
        with pytest.raises(SubmitDelayed):
            await carrier.submit(Message(key="k", to="+8613800138000", text="x"))
        async with open_centre(port) as centre:
            await eventually(lambda: carrier.is_connected)
            await eventually(lambda: centre.binds == 1)
        await eventually(lambda: not carrier.is_connected)
        async with open_centre(port) as centre:
            await eventually(lambda: centre.binds == 1)


async def test_goodbye_is_said(tmp_path: Path, free_port: Callable[[], int], eventually: Eventually) -> None:
    async with open_centre(free_port()) as centre:
        carrier = SmppCarrier(settings(centre.port, heartbeat_s=0.05))
        async with node(World(), [carrier], tmp_path):
            await eventually(lambda: centre.esme)
            await asyncio.sleep(0.2)
            assert carrier.is_connected, "the heartbeat is answered"
            assert centre.binds == 1
        await eventually(lambda: centre.unbinds == 1)


@pytest.mark.parametrize(
    "answers", [b"", smpp.encode(smpp.BindResponse(0x0D), 1), smpp.encode(smpp.Nack(3), 1), b"HTTP/1.1 400"]
)
async def test_a_login_that_fails_is_tried_again(tmp_path: Path, eventually: Eventually, answers: bytes) -> None:
    tries = 0

    async def centre(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        await reader.read(100)
        writer.write(answers)
        writer.close()

    server = await asyncio.start_server(centre, "127.0.0.1", 0)
    carrier = SmppCarrier(settings(server.sockets[0].getsockname()[1]))
    async with server, node(World(), [carrier], tmp_path):
        await eventually(lambda: tries >= 2)
        assert not carrier.is_connected


async def test_a_submit_without_an_answer_is_unknown_and_not_repeated(tmp_path: Path, eventually: Eventually) -> None:
    submits = 0

    async def centre(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal submits
        while head := await reader.read(4):
            frame = head + await reader.readexactly(int.from_bytes(head, "big") - 4)
            sequence, message = smpp.decode(frame)
            if isinstance(message, smpp.Bind):
                writer.write(smpp.encode(smpp.BindResponse(0, "centre"), sequence))
                writer.write(smpp.encode(smpp.Unknown(0x102), 99))
            submits += isinstance(message, smpp.Submit)
        writer.close()

    server = await asyncio.start_server(centre, "127.0.0.1", 0)
    carrier = SmppCarrier(settings(server.sockets[0].getsockname()[1], answer_s=0.1))
    async with server, node(World(), [carrier], tmp_path):
        await eventually(lambda: carrier.is_connected)
        with pytest.raises(OutcomeUnknown):
            await carrier.submit(Message(key="k", to="+8613800138000", text="x"))
        assert submits == 1


async def test_no_more_than_the_window_is_without_an_answer(tmp_path: Path, eventually: Eventually) -> None:
    """Answers that come late and out of order are each their own text's."""
    waiting: list[tuple[int, bytes]] = []
    to_esme: list[asyncio.StreamWriter] = []

    async def centre(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_esme.append(writer)
        while head := await reader.read(4):
            sequence, message = smpp.decode(head + await reader.readexactly(int.from_bytes(head, "big") - 4))
            if isinstance(message, smpp.Bind):
                writer.write(smpp.encode(smpp.BindResponse(0, "centre"), sequence))
            elif isinstance(message, smpp.Submit):
                waiting.append((sequence, message.octets))
        writer.close()

    def answer() -> None:
        for sequence, content in reversed(waiting):
            to_esme[0].write(smpp.encode(smpp.SubmitResponse(0, f"id-{content.decode()}"), sequence))
        waiting.clear()

    server = await asyncio.start_server(centre, "127.0.0.1", 0)
    carrier = SmppCarrier(settings(server.sockets[0].getsockname()[1], answer_s=15.0, window=4))
    async with server, node(World(), [carrier], tmp_path):
        await eventually(lambda: carrier.is_connected)
        texts = [Message(key=f"{number}", to="+8613800138000", text=f"{number}") for number in range(10)]
        sending = [asyncio.create_task(carrier.submit(text)) for text in texts]
        for most in (4, 4, 2):
            await eventually(partial(_holds, waiting, most), deadline_s=15)
            answer()
        receipts = await asyncio.wait_for(asyncio.gather(*sending), 15)
    assert [receipt.ids for receipt in receipts] == [(f"id-{number}",) for number in range(10)]


def _holds(waiting: list[tuple[int, bytes]], many: int) -> bool:
    """So many wait for their answer, and never more."""
    assert len(waiting) <= many
    return len(waiting) == many
