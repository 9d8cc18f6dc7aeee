"""Mutated messages: nothing but a typed refusal comes out of reading, and the sockets go on serving."""

import random
import socket
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.adapter import PhoneChannel
from channels.phone.errors import MalformedMessage
from channels.phone.sip.digest import Credentials
from channels.phone.sip.digits import read_digit
from channels.phone.sip.framing import StreamFramer, frame_datagram
from channels.phone.sip.message import Request, respond
from channels.phone.sip.reading import read
from channels.phone.sip.sdp import asks_hold
from tests.channels.phone.sip.messages import SAMPLES
from tests.channels.phone.telephone import Telephone

SEEDS = [sample.wire for sample in SAMPLES]
TOKENS = [b"\r\n", b"\r\n ", b"\x00", b"\xff", b"99999999999999999999", *(bytes([one]) for one in b'%"<>;,:@[]')]


def mutated(wire: bytes, choose: random.Random) -> bytes:
    data = bytearray(wire)
    for _ in range(choose.randint(1, 6)):
        at = choose.randrange(len(data) + 1)
        match choose.randrange(4):
            case 0:
                data[at : at + choose.randint(1, 8)] = b""
            case 1:
                data[at:at] = choose.choice(TOKENS)
            case 2:
                data[at : at + 1] = bytes([choose.randrange(256)])
            case _:
                end = min(len(data), at + choose.randint(1, 40))
                data[at:at] = data[at:end]
    return bytes(data)


def taste(data: bytes) -> None:
    """Read a message and everything that is ever asked of one."""
    frames = [frame_datagram(data), *StreamFramer().feed(data)]
    for frame in frames:
        if frame is None:
            continue
        try:
            message = read(frame)
        except MalformedMessage:
            continue
        bytes(message)
        if isinstance(message, Request):
            bytes(respond(message, 200, to_tag="x"))
            asks_hold(message.body)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
def test_mutated_messages(wire: bytes, choose: random.Random) -> None:
    taste(mutated(wire, choose))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=600))
def test_noise(data: bytes) -> None:
    taste(data)
    taste(b"INVITE sip:1@h SIP/2.0\r\n" + data + b"\r\n\r\n")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200))
def test_noise_in_credentials_and_digits(text: str) -> None:
    for start in ("", "Digest ", 'Digest username="a", '):
        try:
            Credentials.parse(start + text)
        except MalformedMessage:
            continue
    with suppress(MalformedMessage):
        read_digit("application/dtmf-relay", text.encode("utf-8", "replace"))


@pytest.mark.fuzz
@pytest.mark.timeout(3600)
def test_many_mutations(long_run: bool) -> None:
    choose = random.Random(4475)
    for _ in range(500_000 if long_run else 2_000):
        taste(mutated(choose.choice(SEEDS), choose))


async def test_sockets_serve_on_after_thousands_of_mutations(
    phone: PhoneChannel, caplog: pytest.LogCaptureFixture
) -> None:
    choose = random.Random(2026)
    attacker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    attacker.bind(("127.3.0.1", 0))
    async with Telephone(phone.bound) as caller:
        for number in range(3_000):
            attacker.sendto(mutated(choose.choice(SEEDS), choose), phone.bound)
            if number % 100 == 99:
                caller.send(caller.compose("OPTIONS"))
                await caller.response("OPTIONS", count=number // 100 + 1)
        assert (await caller.call()).answer.status == 200
    attacker.close()
    assert [record for record in caplog.records if record.exc_info] == []
