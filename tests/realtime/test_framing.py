"""RFC 6455, section 5, byte by byte: what is a message, what is a fault, however the bytes were cut."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.framing import Deframer, Opcode, Received, Status, answer_to_close, closing, framed

MOST = 70_000
CONTINUED = (Opcode.CONTINUATION, b"")


def masked(opcode: int, payload: bytes = b"", *, final: bool = True, key: bytes = b"\x0f\xf0\x55\xaa") -> bytes:
    """A frame as a page sends it."""
    head = framed(payload, Opcode(opcode))
    first = head[0] if final else head[0] & 0x7F
    body = bytes(byte ^ key[index % 4] for index, byte in enumerate(payload))
    return bytes((first, head[1] | 0x80)) + head[2 : len(head) - len(payload)] + key + body


def fed(chunks: Iterable[bytes]) -> tuple[list[Received], Status | None]:
    deframer = Deframer(MOST)
    received = [one for chunk in chunks for one in deframer.feed(chunk)]
    return received, deframer.fault


@pytest.mark.parametrize("size", [0, 1, 5, 125, 126, 127, 65_535, 65_536, MOST])
def test_every_form_of_length_is_read(size: int) -> None:
    payload = bytes(index % 251 for index in range(size))
    assert fed([masked(Opcode.TEXT, payload)]) == ([(Opcode.TEXT, payload)], None)


def test_the_example_of_the_rfc_is_read() -> None:
    """Section 5.7: a masked "Hello", and in two pieces."""
    assert fed([bytes.fromhex("818537fa213d7f9f4d5158")]) == ([(Opcode.TEXT, b"Hello")], None)
    pieces = masked(Opcode.TEXT, b"Hel", final=False) + masked(Opcode.CONTINUATION, b"lo")
    assert fed([pieces]) == ([CONTINUED, (Opcode.TEXT, b"Hello")], None)


def test_what_we_write_is_the_shortest_form_and_not_masked() -> None:
    assert framed(b"Hello") == bytes.fromhex("810548656c6c6f")
    assert [framed(bytes(size))[:4].hex() for size in (125, 126, 65_535)] == ["817d0000", "817e007e", "817effff"]
    assert framed(bytes(65_536))[:10].hex() == "817f0000000000010000"
    assert closing(4010, "drain") == bytes.fromhex("88070faa647261696e")
    assert len(closing(4000, "x" * 500)) == 127


STREAM = [
    masked(Opcode.TEXT, b"one"),
    masked(Opcode.TEXT, "两".encode() * 60, final=False),
    masked(Opcode.PING, b"are you there"),
    masked(Opcode.CONTINUATION, b"", final=False),
    masked(Opcode.CONTINUATION, "三".encode() * 80),
    masked(Opcode.BINARY, bytes(300)),
    masked(Opcode.PONG),
    masked(Opcode.CLOSE, b"\x03\xe8"),
]
MEANT: list[Received] = [
    (Opcode.TEXT, b"one"),
    CONTINUED,
    (Opcode.PING, b"are you there"),
    CONTINUED,
    (Opcode.TEXT, "两".encode() * 60 + "三".encode() * 80),
    (Opcode.BINARY, bytes(300)),
    (Opcode.PONG, b""),
    (Opcode.CLOSE, b"\x03\xe8"),
]


def test_control_frames_may_stand_between_the_pieces_of_a_message() -> None:
    assert fed([b"".join(STREAM)]) == (MEANT, None)


def test_a_stream_means_the_same_cut_at_each_byte() -> None:
    whole = b"".join(STREAM)
    assert fed(whole[index : index + 1] for index in range(len(whole))) == (MEANT, None)
    for cut in range(len(whole)):
        assert fed([whole[:cut], whole[cut:]]) == (MEANT, None)


@given(cuts=st.lists(st.integers(0, 1200), max_size=12))
def test_a_stream_means_the_same_however_it_is_cut(cuts: list[int]) -> None:
    whole = b"".join(STREAM)
    edges = [0, *sorted(cut for cut in cuts if cut < len(whole)), len(whole)]
    assert fed(whole[start:stop] for start, stop in itertools.pairwise(edges)) == (MEANT, None)


@pytest.mark.parametrize(
    "frame",
    [
        pytest.param(framed(b"plain"), id="not masked (5.1)"),
        pytest.param(framed(b"", Opcode.PING), id="a ping that is not masked"),
        pytest.param(b"\xc1" + masked(1, b"x")[1:], id="a reserved bit (5.2)"),
        pytest.param(b"\x83" + masked(1, b"x")[1:], id="a reserved opcode"),
        pytest.param(b"\x8b" + masked(1, b"x")[1:], id="a reserved control opcode"),
        pytest.param(b"\x81\xfe\x00\x05" + bytes(9), id="a length of 5 in 16 bits (5.2)"),
        pytest.param(b"\x81\xff" + (65_535).to_bytes(8, "big"), id="a length of 65,535 in 64 bits"),
        pytest.param(masked(Opcode.CONTINUATION, b"x"), id="a continuation of nothing (5.4)"),
        pytest.param(masked(Opcode.TEXT, b"a", final=False) + masked(Opcode.TEXT, b"b"), id="two at once (5.4)"),
        pytest.param(masked(Opcode.PING, final=False), id="a ping in pieces (5.5)"),
        pytest.param(masked(Opcode.PING, bytes(126)), id="a ping of 126 bytes (5.5)"),
        pytest.param(masked(Opcode.CLOSE, bytes(126)), id="a close of 126 bytes"),
    ],
)
def test_what_breaks_the_rules_is_a_fault_and_the_end(frame: bytes) -> None:
    before, after = masked(Opcode.TEXT, b"before"), masked(Opcode.TEXT, b"after")
    received, fault = fed([before + frame + after, after])
    assert fault is Status.PROTOCOL_ERROR
    assert [one for one in received if one != CONTINUED] == [(Opcode.TEXT, b"before")]


def test_too_much_is_refused_by_its_head_before_it_comes() -> None:
    assert fed([masked(Opcode.TEXT, bytes(MOST + 1))[:10]]) == ([], Status.TOO_BIG)
    assert fed([b"\x81\xff" + b"\xff" * 8]) == ([], Status.TOO_BIG)


def test_pieces_count_together() -> None:
    piece = masked(Opcode.CONTINUATION, bytes(MOST // 2), final=False)
    assert fed([masked(Opcode.TEXT, b"x", final=False), piece, piece, piece]) == ([CONTINUED] * 2, Status.TOO_BIG)


@given(junk=st.binary(max_size=400))
def test_junk_is_read_or_refused(junk: bytes) -> None:
    received, fault = fed([junk])
    assert fault in (None, Status.PROTOCOL_ERROR, Status.TOO_BIG)
    assert sum(len(payload) for _, payload in received) <= len(junk)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        (b"", 1000),
        (b"\x03\xe8", 1000),
        (b"\x03\xe9bye", 1001),
        (b"\x0f\xa0", 4000),
        (b"\x03", 1002),
        (b"\x03\xe7", 1002),
        (b"\x03\xec", 1002),
        (b"\x03\xed", 1002),
        (b"\x03\xee", 1002),
        (b"\x03\xf7", 1002),
        (b"\x13\x88", 1002),
        (b"\x03\xe8\xff", 1007),
    ],
)
def test_a_close_is_answered_with_its_own_code_or_what_is_wrong_with_it(payload: bytes, code: int) -> None:
    assert answer_to_close(payload) == code
