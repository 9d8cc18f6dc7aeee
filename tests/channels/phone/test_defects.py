"""A table of what ends or bends the SIP libraries that were measured (decision 0003): none of it may happen here.

Each row is sent to a running telephone; behind each, a caller must still be answered and heard.
"""

import asyncio
import random
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from channels.phone.adapter import PhoneChannel
from channels.phone.sip.message import Message, Response
from session.address import Address
from session.events import DigitPressed, LegHeld, LegOpened
from session.ids import AssigneeId, RecordingId, SessionId
from session.state import LegEnd
from tests.channels.phone.conftest import OpenPhone
from tests.channels.phone.core import PASSWORD, Core
from tests.channels.phone.pages import PagePhone, web_server
from tests.channels.phone.telephone import SDP, Dialled, Telephone
from tests.channels.phone.test_sound import Ear, port_of
from tests.conftest import Eventually


@dataclass
class Scene:
    """A running telephone, and a caller whose sound is an `Ear`."""

    phone: PhoneChannel
    core: Core
    caller: Telephone
    ear: Ear
    eventually: Eventually

    async def call(self, *extra: str) -> Dialled:
        self.caller.offer = lambda: self.ear.sdp  # type: ignore[method-assign]  # says where its sound goes
        call = await self.caller.call(extra=extra)
        assert call.answer.status == 200
        self.ear.target = port_of(call.answer.body)
        return call

    async def hears_music(self) -> None:
        self.ear.heard.clear()
        await self.phone.play(self.core.contacts[-1].leg, (), music=True)
        await self.eventually(lambda: 0x55 in self.ear.heard, deadline_s=10)

    def send(self, old: str, new: str, method: str = "OPTIONS") -> None:
        """A sound request, with one thing in it changed."""
        wire = self.caller.compose(method, body=self.caller.offer() if method == "INVITE" else "")
        assert old.encode() in wire
        self.caller.send(wire.replace(old.encode(), new.encode("utf-8", "surrogateescape"), 1))

    async def rung(self) -> Telephone:
        """An agent's telephone that rings for the caller."""
        device = await Telephone(self.phone.bound, user="8001").__aenter__()
        await device.register(PASSWORD)
        leg = self.core.contacts[-1].leg
        await self.phone.ring(SessionId(f"session-{leg}"), leg, AssigneeId("a8001"), 1, time.time() + 20)
        await device.request("INVITE")
        return device


Row = Callable[[Scene], Awaitable[None]]
ROWS: list[tuple[str, str, Row]] = []


def row(library: str, defect: str) -> Callable[[Row], Row]:
    """Put a function into the table, under the library and what happens to it."""

    def put(function: Row) -> Row:
        ROWS.append((library, defect, function))
        return function

    return put


def is_final(message: Message) -> bool:
    return isinstance(message, Response) and message.is_final


# -- messages ------------------------------------------------------------------------------------------------------


@row("rfcvoip, aiosipua", "a Via with port 99999 ends the service")
async def via_port(scene: Scene) -> None:
    for port in ("99999", "0", "65536", "-1"):
        scene.send(f":{scene.caller.port};branch", f":{port};branch")
    await scene.caller.refused(4)


@row("rfcvoip", "an INVITE without From ends the service")
async def no_from(scene: Scene) -> None:
    scene.send("From: ", "X-From: ", "INVITE")
    await scene.caller.refused()


@row("pyVoIP", "a From with a tel URI ends the call")
async def tel_from(scene: Scene) -> None:
    scene.send("<sip:caller@127.0.0.1>", "<tel:+8613800138000>", "INVITE")
    assert (await scene.caller.response("INVITE")).status == 200
    assert scene.core.contacts[-1].address == Address("tel", "+8613800138000")


@row("pyVoIP", "a display name in GBK ends the service")
async def gbk_name(scene: Scene) -> None:
    name = "王小明".encode("gb18030").decode("utf-8", "surrogateescape")
    for shown in (f'"{name}" ', f"{name} "):
        scene.caller.heard.clear()
        scene.send("From: ", f"From: {shown}", "INVITE")
        assert (await scene.caller.response("INVITE")).status == 200
        assert scene.core.contacts[-1].name == "王小明"


@row("aiosipua", "an unknown Require is accepted")
async def unknown_require(scene: Scene) -> None:
    answer = await scene.caller.call(extra=("Require: gin",))
    assert (answer.answer.status, answer.answer.headers.first("unsupported")) == (420, "gin")


@row("sippy", "transport=UDP in upper case in a Contact raises, and no BYE is ever sent")
async def upper_case_transport(scene: Scene) -> None:
    scene.send(f":{scene.caller.port}>\r\nC", f":{scene.caller.port};TRANSPORT=UDP>\r\nC", "INVITE")
    answer = await scene.caller.response("INVITE")
    Dialled(scene.caller, answer.call_id, "12345", answer).ack()
    scene.phone._bridges[scene.core.contacts[-1].leg].hang_up(LegEnd.CLOSED)
    scene.caller.reply(await scene.caller.request("BYE"), 200)


@row("sippy", "three bad Vias silence it")
async def bad_vias(scene: Scene) -> None:
    for broken in ("SIP/2.0/UDP", "SIP / 2.0 / UDP ;branch", "SIP/2.0/UDP [::1;branch=x"):
        scene.send("Via: SIP/2.0/UDP", f"Via: {broken} ,")
    scene.caller.send(scene.caller.compose("OPTIONS"))
    await scene.caller.until(lambda: any(getattr(one, "status", 0) == 200 for one in scene.caller.heard))


@row("pyVoIP", "OPTIONS, INFO, UPDATE and REFER are not answered")
async def every_method(scene: Scene) -> None:
    call = await scene.call()
    for number, method in enumerate(("OPTIONS", "INFO", "UPDATE", "REFER", "SUBSCRIBE", "MESSAGE", "PUBLISH"), 2):
        scene.caller.send(call.within(method, number))
        await scene.caller.response(method)


@row("sipmessage", "lengths and numbers that cannot be are taken as they come")
async def impossible_numbers(scene: Scene) -> None:
    length = "Content-Length: "
    for said in (f"{length}0\r\n{length}5", f"{length}-1", f"{length}9999"):
        scene.send(f"{length}0", said)
    scene.send("CSeq: 1 ", "CSeq: 36893488147419103232 ")
    await scene.caller.refused(4)


@row("sipmessage", "a URI of a scheme that nobody knows cannot be read, where 416 is due")
async def unknown_scheme(scene: Scene) -> None:
    scene.send("OPTIONS sip:", "OPTIONS unheardof:")
    assert (await scene.caller.response("OPTIONS")).status == 416


@row("sipmessage", "odd folding, and a semicolon in a user part, are refused")
async def odd_but_right(scene: Scene) -> None:
    scene.send("Max-Forwards: 70", "Max-Forwards :\r\n  70")
    scene.send("OPTIONS sip:12345@", "OPTIONS sip:12345;isub=1@")
    answers = [await scene.caller.response("OPTIONS", count=number) for number in (1, 2)]
    assert [one.status for one in answers] == [200, 200]


@row("aiosipua", "three hundred mutated datagrams silence it")
async def mutated(scene: Scene) -> None:
    chance = random.Random(300)
    wire = scene.caller.compose("OPTIONS")
    for _ in range(300):
        octets = bytearray(wire)
        for _ in range(8):
            octets[chance.randrange(len(octets))] = chance.randrange(256)
        scene.caller.send(bytes(octets))


@row("all", "an offer of G.729 alone leaves the caller without an answer")
async def only_g729(scene: Scene) -> None:
    body = SDP.format(port=40000).replace("RTP/AVP 8 0 101", "RTP/AVP 18")
    scene.caller.send(scene.caller.compose("INVITE", body=body))
    assert (await scene.caller.response()).status == 488


# -- transactions and dialogs --------------------------------------------------------------------------------------


@row("sipua, aiosipua", "an INVITE repeated behind its 200 makes a second call, or gets 481")
async def repeated_invite(scene: Scene) -> None:
    wire = scene.caller.compose("INVITE", call="twice", branch="z9hG4bKtwice", body=scene.caller.offer())
    for _ in range(3):
        scene.caller.send(wire)
    call = Dialled(scene.caller, "twice", "12345", await scene.caller.response())
    scene.caller.send(wire)
    call.ack()
    call.bye()
    await scene.caller.response("BYE")
    assert len(scene.core.contacts) == 1
    assert {one.to_address.tag for one in scene.caller.heard if one.to_address.tag} == {call.answer.to_address.tag}


@row("pyVoIP", "a CANCEL is followed by a 200, and a call that nobody knows of")
async def cancel_then_silence(scene: Scene) -> None:
    scene.core.opens.clear()
    scene.caller.send(scene.caller.compose("INVITE", call="c", branch="z9hG4bKc", body=scene.caller.offer()))
    await scene.eventually(lambda: scene.core.asked)
    scene.caller.send(scene.caller.compose("CANCEL", call="c", branch="z9hG4bKc"))
    assert (await scene.caller.response()).status == 487
    scene.core.opens.set()
    await scene.eventually(lambda: scene.phone.calls == 0)
    assert [one for one in scene.caller.heard if getattr(one, "status", 0) == 200 and one.cseq[1] == "INVITE"] == []


@row("all", "a CANCEL behind the 200 ends the call, or the service")
async def cancel_behind_the_answer(scene: Scene) -> None:
    scene.caller.send(scene.caller.compose("INVITE", call="d", branch="z9hG4bKd", body=scene.caller.offer()))
    call = Dialled(scene.caller, "d", "12345", await scene.caller.response())
    scene.caller.send(scene.caller.compose("CANCEL", call="d", branch="z9hG4bKd"))
    assert (await scene.caller.response("CANCEL")).status == 200
    call.ack()
    assert scene.phone.calls == 1
    call.bye()
    assert (await scene.caller.response("BYE")).status == 200


@row("sipua", "a 200 is sent once, so that a lost one is a lost call")
async def lost_answer(scene: Scene) -> None:
    scene.caller.send(scene.caller.compose("INVITE", call="e", body=scene.caller.offer()))
    call = Dialled(scene.caller, "e", "12345", await scene.caller.response(count=2))
    call.ack()


@row("aiosipua", "an INVITE is sent once, so that a lost one rings nobody")
async def lost_ring(scene: Scene) -> None:
    await scene.call()
    device = await scene.rung()
    first, second = await device.request("INVITE"), await device.request("INVITE", 2)
    assert first.vias == second.vias
    device.reply(second, 200, body=device.offer())
    await device.request("ACK")
    await device.__aexit__()


@row("pyVoIP", "a 486 without a provisional before it blocks the caller for ever")
async def busy_at_once(scene: Scene) -> None:
    await scene.call()
    device = await scene.rung()
    device.reply(await device.request("INVITE"), 486)
    await scene.eventually(lambda: scene.core.declined)
    await device.__aexit__()


@row("pyVoIP", "60 INVITEs that nobody acknowledges leave 183 threads for ever")
async def never_acknowledged(scene: Scene) -> None:
    async with Telephone(scene.phone.bound, host="127.0.0.66") as flooder:
        for number in range(60):
            flooder.send(flooder.compose("INVITE", call=f"flood{number}", body=flooder.offer()))
        await flooder.until(
            lambda: len({one.call_id for one in flooder.heard if getattr(one, "status", 0) >= 200}) >= 20
        )
    # What they hold is let go 64·T1 after; the others are answered meanwhile, which `test_defect` asks of every row.
    assert scene.phone.calls <= 100


@row("pyVoIP", "it serves one peer only")
async def many_peers(scene: Scene) -> None:
    for number in range(1, 6):
        async with Telephone(scene.phone.bound, host=f"127.0.1.{number}") as other:
            assert (await other.call()).answer.status == 200


# -- streams -------------------------------------------------------------------------------------------------------


@row("sipua", "messages over TCP are not put together again")
async def split_stream(scene: Scene) -> None:
    async with Telephone(scene.phone.bound, tcp=True) as caller:
        wire = caller.compose("OPTIONS", call="a") + caller.compose("OPTIONS", call="b")
        for octet in wire:
            caller.send(bytes([octet]))
            await asyncio.sleep(0)
        await caller.response("OPTIONS", count=2)


@row("sipua", "text frames, which browsers send, are ignored")
async def text_frames(scene: Scene) -> None:
    async with web_server(scene.phone) as http, PagePhone(scene.phone.bound, http=http) as page:
        assert (await page.call()).answer.status == 401, "who it is, is asked"


# -- sound ---------------------------------------------------------------------------------------------------------


@row("pyVoIP", "an RTP packet of one byte makes the call deaf")
async def short_packets(scene: Scene) -> None:
    await scene.call()
    assert scene.ear.target is not None
    for length in (0, 1, 2, 11):
        scene.ear.socket.sendto(bytes([0x80, 8, *bytes(20)][:length]), scene.ear.target)
    scene.ear.press(5)
    await scene.eventually(lambda: scene.core.said(DigitPressed))
    await scene.hears_music()


@row("pyVoIP", "a jump of the timestamp takes 600 MB")
async def timestamp_jump(scene: Scene) -> None:
    await scene.call()
    assert scene.ear.target is not None
    for stamp in (0, 2**31, 2**32 - 1, 7):
        head = struct.pack("!BBHII", 0x80, 8, stamp & 0xFFFF, stamp, scene.ear.says)
        scene.ear.socket.sendto(head + bytes(160), scene.ear.target)
    await scene.hears_music()


@row("pyVoIP", "event 16 (flash) ends the receiver")
async def event_16(scene: Scene) -> None:
    await scene.call()
    for event in (16, 17, 255):
        scene.ear.press(event)
    scene.ear.press(7)
    await scene.eventually(lambda: scene.core.said(DigitPressed))
    assert [one.digit for one in scene.core.said(DigitPressed) if isinstance(one, DigitPressed)] == ["7"]


@row("all", "a digit is lost with the marker of its first packet")
async def lost_marker(scene: Scene) -> None:
    await scene.call()
    scene.ear.press(3)  # no marker on any of its packets, and its beginning never came
    await scene.eventually(lambda: scene.core.said(DigitPressed))


@row("pyVoIP", "hold starts a second sender")
async def hold(scene: Scene) -> None:
    call = await scene.call()
    for number, direction in enumerate(("sendonly", "sendrecv", "inactive", "sendrecv"), 2):
        scene.caller.send(call.within("INVITE", number, body=f"{scene.ear.sdp}a={direction}\r\n"))
        assert (await scene.caller.response(count=number)).status == 200
        call.ack(number)
    await scene.eventually(lambda: len(scene.core.said(LegHeld)) == 4)
    await scene.hears_music()


@row("pyVoIP", "A-law is coded with the table of µ-law")
async def a_law(scene: Scene) -> None:
    """What an agent says in A-law comes out in A-law, octet for octet."""
    await scene.call()
    device = await scene.rung()
    ear = Ear(0x2A)
    talking = asyncio.create_task(ear.run())
    invite = await device.request("INVITE")
    ear.target = port_of(invite.body)
    device.reply(invite, 200, body=ear.sdp.replace("RTP/AVP 8 0 101", "RTP/AVP 8"))
    (opened,) = await scene.eventually(lambda: scene.core.said(LegOpened))
    assert isinstance(opened, LegOpened)
    leg = scene.core.contacts[-1].leg
    await scene.phone.join(SessionId(f"session-{leg}"), leg, opened.leg.id, RecordingId("r"))
    await scene.eventually(lambda: 0x2A in scene.ear.heard and 0x31 in ear.heard)
    talking.cancel()
    await asyncio.gather(talking, return_exceptions=True)
    ear.socket.close()
    await device.__aexit__()


@pytest.mark.parametrize(
    ("defect", "run"), [(defect, run) for _, defect, run in ROWS], ids=lambda one: getattr(one, "__name__", "")
)
async def test_defect(
    open_phone: OpenPhone,
    core: Core,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    defect: str,
    run: Row,
) -> None:
    ear = Ear(0x31)
    talking = asyncio.create_task(ear.run())
    try:
        async with open_phone() as phone, Telephone(phone.bound) as caller, Telephone(phone.bound) as other:
            await run(Scene(phone, core, caller, ear, eventually))
            core.is_away = False
            assert (await other.call()).answer.status == 200, f"after: {defect}"
            assert [one for one in caplog.records if one.exc_info] == []
    finally:
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        ear.socket.close()


def test_the_table_is_whole() -> None:
    """Each library that was measured has its rows."""
    named = {library for libraries, _, _ in ROWS for library in libraries.split(", ")}
    assert named >= {"pyVoIP", "rfcvoip", "sipmessage", "sipua", "aiosipua", "sippy"}
    assert len({defect for _, defect, _ in ROWS}) == len(ROWS) >= 29
