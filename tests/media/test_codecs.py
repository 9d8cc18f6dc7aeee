"""Far ends that speak another codec than G.711, with coders of another hand on their side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from media import negotiation, sdp
from media.engine import Engine
from media.errors import AudioRefused
from media.g711 import Law, decode, encode
from media.interpreter import INSIDE, Interpreter
from media.rtp import HEADER, Packet, build
from media.sdp import Format
from session.audio import DigitHeard, Slot
from tests.media.coded_phone import CodedPhone, decoded, encoded
from tests.media.forms import FORMS
from tests.media.phone import Phone, likeness
from tests.peers.sound import voice

if TYPE_CHECKING:
    from media.prompts import PromptLibrary
    from tests.conftest import Eventually

CITIZEN, AGENT = Slot.CITIZEN, Slot.AGENT
OPUS, EVENTS = Format(111, "OPUS/2", 48000), Format(112, "TELEPHONE-EVENT", 48000)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("codec", ["opus", "g722"])
async def test_who_knows_no_g711_is_understood(
    prompts: PromptLibrary, form: str, codec: str, eventually: Eventually
) -> None:
    async with FORMS[form](prompts) as engine, CodedPhone(codec) as citizen, Phone(Law.PCMU) as agent:
        call = await engine.open("call")
        citizen.take(await call.answer(CITIZEN, citizen.only()))
        agent.take(await call.offer(AGENT))
        await call.accept(AGENT, agent.sdp())
        await call.join()
        asked, told = voice(1.2, 1), voice(1.2, 2)
        await asyncio.gather(citizen.say(asked), agent.say(told))
        await eventually(lambda: likeness(asked, agent.heard())[0] > 0.9, deadline_s=15)
        await eventually(lambda: likeness(told, citizen.heard())[0] > 0.9, deadline_s=15)
        steps = np.diff(np.array([each.timestamp for each in citizen.arrived[5:]], dtype=np.uint32))
        assert {int(step) % (160 * citizen.ticks) for step in steps[-20:]} == {0}, "its own clock"


@pytest.mark.parametrize("codec", ["opus", "g722"])
async def test_digits_count_in_the_clock_of_their_codec(
    prompts: PromptLibrary, codec: str, eventually: Eventually
) -> None:
    async with Engine(prompts) as engine, CodedPhone(codec) as citizen, Phone() as agent:
        call = await engine.open("call")
        citizen.take(await call.answer(CITIZEN, citizen.only()))
        agent.take(await call.offer(AGENT))
        await call.accept(AGENT, agent.sdp())
        await call.join()
        for duration in (400, 800):
            last = duration == 800
            citizen.send(bytes([5, 0x8A if last else 0x0A]) + (duration * citizen.ticks).to_bytes(2), 112)
        events = call.events()
        assert await anext(events) == DigitHeard(CITIZEN, "5", 100)
        await eventually(lambda: len([one for one in agent.arrived if one.payload_type == 96]) == 2)
        passed = [one.payload for one in agent.arrived if one.payload_type == 96]
        assert [int.from_bytes(one[2:4]) for one in passed] == [400, 800]
        await call.send_digits(CITIZEN, "7")
        await eventually(lambda: any(one.payload_type == 112 and one.payload[1] & 0x80 for one in citizen.arrived))
        pressed = [one for one in citizen.arrived if one.payload_type == 112]
        assert int.from_bytes(pressed[-1].payload[2:4]) == 800 * citizen.ticks


def packets(payloads: list[bytes]) -> list[Packet]:
    return [Packet(False, 111, number, 960 * number, 7, payload) for number, payload in enumerate(payloads)]


def test_what_a_bad_network_lost_is_in_the_next_packet_of_opus() -> None:
    said = voice(2.0, 3)
    sent = packets(encoded("opus", said))
    lost = frozenset(range(5, len(sent) - 1, 4))
    mends, whole, gaps = Interpreter((OPUS,)), [], []
    for packet in sent:
        if packet.sequence in lost:
            continue
        mended, heard = mends.mended(packet), mends.opened(packet)
        assert heard is not None
        assert (mended is not None) is (packet.sequence - 1 in lost)
        if mended is not None:
            assert (mended.sequence, mended.timestamp) == (packet.sequence - 1, 160 * (packet.sequence - 1))
            gaps.append(np.zeros(160))
            whole.append(samples(mended))
        whole.append(samples(heard))
        gaps.append(samples(heard))
    mended_well, _ = likeness(said, np.concatenate(whole))
    assert mended_well > likeness(said, np.concatenate(gaps))[0] + 0.03


def samples(packet: Packet) -> Any:
    return np.frombuffer(decode(packet.payload, INSIDE), "<i2").astype(float)


def milliseconds(payload: bytes) -> int:
    """How long a frame of Opus is, by its first octet (RFC 6716, section 3.1)."""
    config, frames = payload[0] >> 3, {0: 1, 1: 2, 2: 2, 3: payload[1] & 0x3F}[payload[0] & 3]
    each = (
        (10, 20, 40, 60)[config % 4]
        if config < 12
        else (10, 20)[config % 2]
        if config < 16
        else 2.5 * 2 ** (config % 4)
    )
    return round(each * frames)


@pytest.mark.parametrize("samples_each", [80, 160, 240, 320, 480])
def test_a_telephone_of_any_packet_length_fills_frames_of_opus(samples_each: int) -> None:
    said = voice(1.2, 4)
    octets = encode(said.astype("<i2").tobytes(), Law.PCMU)
    speaks, payloads, ends = Interpreter((OPUS,)), [], 0
    for number in range(len(octets) // samples_each):
        payload = octets[number * samples_each : (number + 1) * samples_each]
        sealed = speaks.sealed(build(Packet(False, 111, number, number * samples_each, 7, payload)), Law.PCMU)
        assert sealed is not None
        timestamp = HEADER.unpack_from(sealed)[3]
        assert timestamp == ends, "it begins where the last one ended"
        payloads.append(sealed[12:])
        ends = timestamp + 48 * milliseconds(sealed[12:])
    assert likeness(said, decoded("opus", payloads))[0] > 0.85


def test_what_is_no_sound_is_passed_over() -> None:
    interpreter = Interpreter((OPUS,))
    for payload in (b"\xff" * 3, b"\x03", b"\x01\x00\x00\x00"):
        assert interpreter.opened(Packet(False, 111, 1, 960, 7, payload)) is None
    assert interpreter.opened(packets(encoded("opus", voice(0.1, 5)))[2]) is not None


def offer(formats: str, *attributes: str) -> sdp.Description:
    lines = ["v=0", "o=a 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0", f"m=audio 4000 RTP/AVP {formats}"]
    return sdp.parse("\r\n".join([*lines, *attributes, ""]).encode())


WIDE = ("a=rtpmap:111 opus/48000/2", "a=rtpmap:112 telephone-event/48000", "a=rtpmap:101 telephone-event/8000")


@pytest.mark.parametrize(
    ("theirs", "ours", "agreed"),
    [
        ("111 9 0 8 101 112", ("PCMA", "PCMU"), [0, 8, 101]),
        ("111 9 112 101", ("PCMA", "PCMU"), [111, 112]),
        ("9 111 112 101", ("PCMA", "PCMU"), [9, 101]),
        ("8 9 111 101 112", ("OPUS", "PCMA"), [8, 101]),
        ("9 111 8 101 112", ("OPUS", "PCMA"), [111, 112]),
        ("8 111 101 112", ("OPUS",), [111, 112]),
    ],
)
def test_what_we_offer_ourselves_is_taken_before_what_we_only_understand(
    theirs: str, ours: tuple[str, ...], agreed: list[int]
) -> None:
    terms, _ = negotiation.answer(offer(theirs, *WIDE), 5000, ours=negotiation.spoken(ours))
    assert [each.payload_type for each in terms.formats] == agreed


@pytest.mark.parametrize("codec", ["opus/48000", "opus/16000/2", "G722/16000", "G729/8000"])
def test_what_we_cannot_speak_is_refused(codec: str) -> None:
    with pytest.raises(AudioRefused):
        negotiation.answer(offer("100 101", f"a=rtpmap:100 {codec}", WIDE[2]), 5000)


def test_an_offer_names_what_the_site_wants_and_digits_at_each_clock() -> None:
    assert [each.payload_type for each in negotiation.spoken(("OPUS", "PCMA"))] == [111, 8, 102, 101]
    ours = negotiation.offer(negotiation.PLAIN, 5000, negotiation.spoken(("OPUS",)), rtcp_mux=False)
    written = sdp.write(1, 1, "127.0.0.1", [ours])
    assert b"a=rtpmap:111 opus/48000/2\r\n" in written
    assert b"useinbandfec=1" in written
    assert sdp.parse(written).media[0].formats[0].encoding == "OPUS/2"
