"""Every torture message as bytes into the real framing and reading, whole and split at each byte."""

from collections.abc import Callable

import pytest

from channels.phone.errors import MalformedMessage
from channels.phone.sip import framing, grammar
from channels.phone.sip.address import NameAddress
from channels.phone.sip.framing import Frame, StreamFramer, frame_datagram
from channels.phone.sip.message import Request, Response
from channels.phone.sip.reading import read
from tests.channels.phone.sip.anomalies import cases
from tests.channels.phone.sip.corpus import Torture, corpus
from tests.channels.phone.sip.messages import SAMPLES, SDP, Sample, request

CORPUS = corpus()


def outcome(frame: Frame | None) -> int | None:
    """The status of a refusal, 100 for a request that was read, None for a response (kept or dropped)."""
    assert frame is not None
    try:
        message = read(frame)
    except MalformedMessage as fault:
        return None if frame.start.startswith("SIP/") else fault.status
    return 100 if isinstance(message, Request) else None


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.section} {sample.name}")
def test_own_sample_over_udp(sample: Sample) -> None:
    got = outcome(frame_datagram(sample.wire))
    assert (got,) == (None,) if not sample.answers else got in sample.answers


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: f"{sample.section} {sample.name}")
def test_own_sample_is_the_same_however_a_stream_is_cut(sample: Sample) -> None:
    assert_cut_anywhere(sample.wire)


def test_corpus_over_udp() -> None:
    got = {torture.name: outcome(frame_datagram(torture.wire)) for torture in CORPUS}
    wrong = {
        torture.name: got[torture.name]
        for torture in CORPUS
        if torture.is_asserted and not _fits(torture, got[torture.name])
    }
    assert wrong == {}


def test_corpus_is_the_same_however_a_stream_is_cut() -> None:
    for torture in CORPUS:
        assert_cut_anywhere(torture.wire)


def _fits(torture: Torture, got: int | None) -> bool:
    return got in torture.answers if torture.answers else got is None


def assert_cut_anywhere(wire: bytes) -> None:
    whole = [described(frame) for frame in StreamFramer().feed(wire)]
    # Long messages are cut at every byte of their ends and at a stride between, to stay quick.
    cuts = range(1, len(wire)) if len(wire) < 4_000 else [*range(1, 400), *range(400, len(wire), 97)]
    for cut in cuts:
        framer = StreamFramer()
        frames = framer.feed(wire[:cut]) + framer.feed(wire[cut:])
        assert [described(frame) for frame in frames] == whole, cut


def described(frame: Frame | None) -> tuple[object, ...]:
    if frame is None:
        return ("ping",)
    return (frame.start, frame.headers, frame.body, str(frame.defect), frame.is_framed)


def test_stream_byte_by_byte_gives_both_messages_and_the_ping() -> None:
    framer = StreamFramer()
    wire = request() + b"\r\n\r\n" + request("INVITE", body=SDP)
    frames = [frame for octet in wire for frame in framer.feed(bytes([octet]))]
    assert [frame and frame.start.split()[0] for frame in frames] == ["OPTIONS", None, "INVITE"]
    assert not framer.is_midway


def test_stream_without_a_length_cannot_go_on() -> None:
    framer = StreamFramer()
    (frame,) = framer.feed(request(drop=("Content-Length",)) + request())
    assert frame is not None
    assert not frame.is_framed
    assert outcome(frame) == 400
    assert framer.feed(request()) == []


def test_stream_gives_up_a_body_that_never_comes() -> None:
    framer = StreamFramer()
    assert framer.feed(request("INVITE", body=SDP, Content_Length="9999")) == []
    assert framer.is_midway
    assert outcome(framer.give_up()) == 400


def test_stream_bounds_a_header_that_never_ends() -> None:
    framer = StreamFramer()
    frames = []
    for _ in range(100):
        frames += framer.feed(b"X: " + b"x" * 1_000 + b"\r\n")
    assert len(frames) == 1
    assert frames[0] is not None
    assert not frames[0].is_framed


def test_stream_bounds_the_message() -> None:
    (frame,) = StreamFramer().feed(request(Content_Length="70000"))
    assert frame is not None
    assert outcome(frame) == 513


@pytest.mark.parametrize("data", [b"\r\n\r\n", b"\r\n", b"\x00\x00\x00\x00", b""])
def test_keep_alives_are_no_messages(data: bytes) -> None:
    assert frame_datagram(data) is None


def test_unsupported_names_every_tag_that_is_required() -> None:
    frame = frame_datagram(request(extra=("Require: one, two", "Proxy-Require: three")))
    assert frame is not None
    with pytest.raises(MalformedMessage) as caught:
        read(frame)
    assert caught.value.headers == (("Unsupported", "one, two"),)


def test_one_of_our_own_messages_reads_back() -> None:
    frame = frame_datagram(request("INVITE", body=SDP))
    assert frame is not None
    message = read(frame)
    assert isinstance(message, Request)
    again = frame_datagram(bytes(Request(message.headers, message.body, message.method, message.uri)))
    assert again is not None
    assert again.defect is not None, "Content-Length is written from the body and must not be kept beside it"


def test_response_parts() -> None:
    wire = request().replace(b"OPTIONS sip:12345@yihao.example SIP/2.0", b"SIP/2.0 180 ")
    frame = frame_datagram(wire)
    assert frame is not None
    message = read(frame)
    assert isinstance(message, Response)
    assert (message.status, message.reason, message.is_final) == (180, "", False)


def test_what_is_read_at_one_look_is_read_as_line_by_line() -> None:
    """Every torture message and anomaly: the quick way takes none that the careful way reads otherwise."""
    wires = (
        *(one.wire for one in CORPUS),
        *(one.wire for one in cases()),
        b"A b c\r\nX: y\nZ: z",
        b"A b c\r\nX: y\rZ: z",
    )
    heads = [wire.partition(b"\r\n\r\n")[0] for wire in wires]
    plain = [(head, found) for head in heads if (found := framing._read_plain(head)) is not None]
    assert len(plain) > len(heads) / 2
    for head, found in plain:
        assert found == framing._read_odd(head)


@pytest.mark.parametrize(
    "text",
    [
        ";a",
        ";a=b",
        " ;a=b;c",
        ';A="x;y";b',
        ";a=",
        ";=b",
        ";a b",
        "; a =b",
        ";a;;b",
        "x;a",
        ";a=b=c",
        ";a=<b>",
        ';a"b"',
        ";",
    ],
)
def test_parameters_are_read_as_those_with_blanks_in_odd_places(text: str) -> None:
    assert _or_fault(grammar.parse_params, text) == _or_fault(grammar._parse_odd_params, text.strip())


@pytest.mark.parametrize(
    "text",
    [
        "<sip:a@b.c>",
        "<sip:a@b.c:5060>;tag=x",
        "<sips:+86@192.0.2.1:65535>",
        "<sip:a@b.c>;tag=",
        "<sip:a@b.c:0>",
        "<sip:a@b.c:99999>",
    ],
)
def test_a_usual_address_is_read_as_any(text: str) -> None:
    """A blank before it is out of the usual, and means nothing."""
    assert _or_fault(NameAddress.read, text) == _or_fault(NameAddress.read, f" {text}")


def _or_fault(read: Callable[[str, str], object], text: str) -> object:
    try:
        return read(text, "X")
    except MalformedMessage as fault:
        return str(fault)
