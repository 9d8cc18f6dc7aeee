"""RTP, RTCP, telephone-event and SDP: whatever comes, a value or a typed error."""

from __future__ import annotations

import struct
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import negotiation, rtcp, rtp, sdp
from media.errors import AudioRefused, SdpInvalid
from media.g711 import Law
from media.telephone_event import DIGITS, DigitReader, Heard, write

packets = st.builds(
    rtp.Packet,
    marker=st.booleans(),
    payload_type=st.integers(0, 127),
    sequence=st.integers(0, 2**16 - 1),
    timestamp=st.integers(0, 2**32 - 1),
    ssrc=st.integers(0, 2**32 - 1),
    payload=st.binary(max_size=480),
)


@given(packets)
def test_a_packet_survives_the_wire(packet: rtp.Packet) -> None:
    assert rtp.parse(rtp.build(packet)) == packet


@given(st.binary(max_size=1600) | st.binary(max_size=60).map(lambda rest: b"\xbf\x08" + rest))
def test_any_datagram_is_a_packet_or_none(data: bytes) -> None:
    packet = rtp.parse(data)
    assert packet is None or len(packet.payload) <= len(data) - rtp.HEADER_BYTES


def test_padding_extension_and_sources_are_no_payload() -> None:
    header = struct.pack("!BBHII", 0x80 | 0x20 | 0x10 | 2, 8, 7, 9, 11)
    data = header + bytes(8) + b"\xbe\xde\x00\x01" + bytes(4) + b"voice" + b"\0\0\3"
    assert rtp.parse(data) == rtp.Packet(False, 8, 7, 9, 11, b"voice")


@given(st.binary(max_size=400))
def test_any_report_is_read(data: bytes) -> None:
    assert isinstance(rtcp.parse(data), list)


@given(
    st.integers(0, 2**32 - 1),
    st.none() | st.builds(rtcp.SenderInfo, st.floats(0, 4e9), *[st.integers(0, 2**32 - 1)] * 3),
    st.builds(
        rtcp.ReportBlock,
        ssrc=st.integers(0, 2**32 - 1),
        fraction_lost=st.integers(0, 255),
        lost=st.integers(0, 0x7FFFFF),
        highest=st.integers(0, 2**32 - 1),
        jitter=st.integers(0, 2**32 - 1),
        last_report=st.just(0),
        delay=st.just(0),
    ),
)
def test_a_report_survives_the_wire(ssrc: int, sender: rtcp.SenderInfo | None, block: rtcp.ReportBlock) -> None:
    data = rtcp.build(ssrc, "0123456789abcdef", sender, block)
    assert len(data) % 4 == 0
    assert rtcp.parse(data) == [block]


@given(st.lists(packets, max_size=60))
def test_statistics_of_any_stream_are_sane(stream: list[rtp.Packet]) -> None:
    incoming = rtp.Incoming()
    for index, packet in enumerate(stream):
        if packet.payload_type % 3:
            incoming.take(packet, index * 0.02)
        else:
            incoming.take_event(packet, index * 0.02)
        assert incoming.lost >= 0
        assert incoming.received == index + 1
        assert 0 <= incoming.next_sequence < 65536
        assert 0 <= incoming.highest < 2**32
        assert 0 <= incoming.lost_since_report() <= 255


@given(st.integers(0, 65535), st.lists(st.booleans(), min_size=2, max_size=3000))
def test_loss_is_counted_over_the_wrap_of_the_sequence(first: int, kept: list[bool]) -> None:
    kept[0] = kept[-1] = True
    incoming = rtp.Incoming()
    for index, is_kept in enumerate(kept):
        if is_kept:
            packet = rtp.Packet(False, 8, (first + index) & 0xFFFF, index * 160, 1, bytes(160))
            incoming.take(packet, index * 0.02)
    assert incoming.lost == kept.count(False)
    assert incoming.received == kept.count(True)
    assert incoming.jitter < 1e-6


@pytest.mark.parametrize("back", [1, 30, 99])
@pytest.mark.parametrize("clock", [0, 1_000_000])
def test_a_far_end_that_begins_anew_close_behind_itself_is_followed(back: int, clock: int) -> None:
    incoming = rtp.Incoming()
    for index in range(200):
        incoming.take(rtp.Packet(False, 8, index, index * 160, 1, bytes(160)), index * 0.02)
    before = incoming.generation
    for index in range(20):
        again = rtp.Packet(False, 8, 200 - back + index, (clock + index) * 160, 1, bytes(160))
        incoming.take(again, 4 + index * 0.02)
    assert incoming.generation != before
    assert incoming.next_sequence == 220 - back


@given(st.lists(st.tuples(st.integers(0, 1), packets), max_size=80))
def test_the_receiver_of_any_mixture_hears_one_stream(steps: list[tuple[int, rtp.Packet]]) -> None:
    outgoing = rtp.Outgoing(5, 65530, 2**32 - 100)
    last = None
    for index, (relayed, packet) in enumerate(steps):
        now_s = index * 0.02
        if relayed:
            data = outgoing.relayed(8, index + 1, packet.sequence, packet.timestamp, bytes(160), now_s)
        else:
            data = outgoing.paced(8, bytes(160), now_s)
        sent = rtp.parse(data)
        assert sent is not None
        if last is not None:
            assert (sent.sequence - last.sequence) & 0xFFFF == 1
            assert (sent.timestamp - last.timestamp) & 0xFFFFFFFF == 160
        last = sent


@given(st.lists(st.tuples(st.binary(max_size=8), st.integers(0, 2**32 - 1)), max_size=50))
def test_any_event_is_read(events: list[tuple[bytes, int]]) -> None:
    reader = DigitReader()
    heard = [each for payload, timestamp in events for each in reader.take(payload, timestamp, 0.0)]
    heard += reader.expire(1.0)
    assert len(heard) <= len(events)
    assert all(each.digit in DIGITS for each in heard)


@given(st.text(DIGITS, min_size=1, max_size=10), st.randoms())
def test_digits_survive_loss_of_all_but_one_packet_each(digits: str, random: object) -> None:
    reader = DigitReader()
    heard: list[Heard] = []
    start, kept = 0, 0
    for step in write(digits):
        start += 160
        if step.payload is None:
            continue
        if step.first:
            stamp, kept = start, (kept + 3) % 8
            index = 0
        if index in (kept, kept + 1):
            heard += reader.take(step.payload, stamp, 0.0)
        index += 1
    heard += reader.expire(1.0)
    assert "".join(each.digit for each in heard) == digits


def describe(*lines: str) -> sdp.Description:
    return sdp.parse("\r\n".join(("v=0", "o=- 1 1 IN IP4 192.0.2.1", "s=-", "t=0 0", *lines)).encode())


sdp_line = st.sampled_from(
    ["c=IN IP4 192.0.2.1", "c=IN IP6 2001:db8::1", "m=audio 4000 RTP/AVP 0 8 101", "m=video 9 RTP/AVP 96",
     "a=rtpmap:101 telephone-event/8000", "a=sendonly", "a=rtcp:5", "a=rtcp-mux", "m=audio 0 RTP/AVP 8",
     "m=audio 4000/2 RTP/AVP 8", "a=fmtp:101 0-16", "a=rtpmap:97 PCMA/8000", "a=rtpmap:8 opus/48000/2"]
) | st.text(max_size=60) | st.from_regex(r"[mca]=[ -~]{0,60}", fullmatch=True)  # fmt: skip


@given(
    st.binary(max_size=300) | st.lists(sdp_line, max_size=30).map(lambda lines: "\r\n".join(["v=0", *lines]).encode())
)
def test_any_description_is_understood_or_refused(octets: bytes) -> None:
    try:
        terms, lines = negotiation.answer(sdp.parse(octets), 4002)
    except AudioRefused:
        return
    ours = sdp.parse(sdp.write(1, 1, "192.0.2.9", lines))
    assert len(ours.media) == len(sdp.parse(octets).media)
    assert sum(line.port != 0 for line in ours.media) == 1
    assert terms.laws


def understood(read: Callable[[], sdp.Description]) -> sdp.Description | str:
    """Or why not."""
    try:
        return read()
    except SdpInvalid as invalid:
        return str(invalid)


usual = st.lists(sdp_line, max_size=4).map("\r\n".join)


@given(usual, st.integers(0, 70_000), usual)
def test_what_a_device_said_before_is_remembered_as_it_would_be_read(before: str, port: int, after: str) -> None:
    for number, session in ((4000, 1), (port, 2)):
        head = f"v=0\r\no=- {session} 1 IN IP4 192.0.2.1\r\n{before}\r\n".replace("\r\n\r\n", "\r\n")
        text = f"{head}m=audio {number} RTP/AVP 8 0\r\n{after}"
        with_care = understood(lambda: sdp._read(text.replace("\r\n", "\n").replace("\r", "\n")))  # noqa: B023
        assert understood(lambda: sdp.parse(text.encode())) == with_care  # noqa: B023


def test_keys_are_not_remembered() -> None:
    sdp._remembered.cache_clear()
    lines = ("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 8")
    crypto = describe(*lines, f"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:{'A' * 40}").media[0].crypto
    assert len(crypto) == 1
    assert sdp._remembered.cache_info().currsize == 0
    assert [describe(*lines).media[0].port for _ in range(2)] == [4000, 4000]
    assert sdp._remembered.cache_info().hits == 1


@pytest.mark.parametrize(
    "lines",
    [
        ("c=IN IP4 example.org", "m=audio 4000 RTP/AVP 8"),
        ("c=IN IP4 224.0.0.1", "m=audio 4000 RTP/AVP 8"),
        ("c=IN IP4 255.255.255.255", "m=audio 4000 RTP/AVP 8"),
        ("c=IN IP6 192.0.2.1", "m=audio 4000 RTP/AVP 8"),
        ("c=IN IP6 fe80::1%eth0", "m=audio 4000 RTP/AVP 8"),
        ("c=IN IP4 192.0.2.1", "m=audio 70000 RTP/AVP 8"),
        ("c=IN IP4 192.0.2.1", "m=audio x RTP/AVP 8"),
        ("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 999"),
        ("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP ²"),
        ("c=IN IP4 192.0.2.1", "m=audio"),
        ("c=IN IP4 192.0.2.1", *["m=audio 0 RTP/AVP 8"] * 17),
        ("c=IN IP4 192.0.2.1", "m=audio 4000 RTP/AVP 8", "a=" + "x" * 17_000),
    ],
)
def test_descriptions_that_cannot_be_read(lines: tuple[str, ...]) -> None:
    with pytest.raises(SdpInvalid):
        describe(*lines)


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("m=audio 4000 RTP/AVP 18 101", ("G729", "TELEPHONE-EVENT")),
        ("m=audio 4000 RTP/AVP 101", ("TELEPHONE-EVENT",)),
        ("m=audio 4000 RTP/SAVP 8", ("audio over RTP/SAVP",)),
        ("m=audio 0 RTP/AVP 8", ("PCMA",)),
        ("m=image 4000 udptl t38", ("image over UDPTL",)),
    ],
)
def test_what_is_refused_says_what_was_offered(line: str, offered: tuple[str, ...]) -> None:
    with pytest.raises(AudioRefused) as refused:
        negotiation.answer(describe("c=IN IP4 192.0.2.1", line, "a=rtpmap:101 telephone-event/8000"), 4000)
    assert refused.value.offered == offered


def test_an_offer_with_several_lines_keeps_its_order() -> None:
    description = describe(
        "c=IN IP4 192.0.2.1",
        "m=image 6000 udptl t38",
        "m=audio 4000 RTP/AVP 18 0 97 8 100",
        "a=rtpmap:97 PCMA/8000",
        "a=rtpmap:100 telephone-event/8000",
        "a=rtpmap:0 PCMU/8000/1",
        "a=recvonly",
        "m=audio 4010 RTP/AVP 8",
        "m=video 4020 RTP/AVP 31",
    )
    terms, lines = negotiation.answer(description, 5000)
    assert sdp.write(3, 4, "198.51.100.7", lines).decode().split("\r\n") == [
        "v=0",
        "o=- 3 4 IN IP4 198.51.100.7",
        "s=-",
        "c=IN IP4 198.51.100.7",
        "t=0 0",
        "m=image 0 UDPTL t38",
        "m=audio 5000 RTP/AVP 0 97 8 100",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:97 PCMA/8000",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:100 telephone-event/8000",
        "a=fmtp:100 0-15",
        "a=ptime:20",
        "a=sendonly",
        "m=audio 0 RTP/AVP 8",
        "m=video 0 RTP/AVP 31",
        "",
    ]
    assert terms.laws == {0: Law.PCMU, 97: Law.PCMA, 8: Law.PCMA}
    assert terms.event_type == 100
    assert (terms.far_hears, terms.far_speaks) == (True, False)


def test_an_answer_may_hold_only_what_was_offered() -> None:
    base = ("c=IN IP6 2001:DB8::7", "a=inactive")
    terms = negotiation.accept(describe(*base, "m=audio 4000 RTP/AVP 8"), negotiation.OFFERED)
    assert (terms.address, terms.port, terms.rtcp_port) == ("2001:db8::7", 4000, 4001)
    assert terms.event_type is None
    assert not terms.far_hears
    with pytest.raises(AudioRefused):
        negotiation.accept(describe(*base, "m=audio 4000 RTP/AVP 0"), (negotiation.OFFERED[0],))
    with pytest.raises(AudioRefused):
        negotiation.accept(describe(*base, "m=audio 0 RTP/AVP 8"), negotiation.OFFERED)
