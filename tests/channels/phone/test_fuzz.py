"""Anomalies, mutations and noise: nothing but a typed refusal comes out of reading, and the sockets go on serving.

What is tasted is what the product itself calls: framing, reading, the dialog that an INVITE would begin, who calls,
whether it proves itself, and the description that it offers. Each message is judged within 50 ms.
"""

import asyncio
import random
import resource
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.phone.adapter import PhoneChannel
from channels.phone.errors import MalformedMessage
from channels.phone.number import caller_of, dialled
from channels.phone.sip.dialog import Dialog
from channels.phone.sip.digest import Authenticator, Credentials
from channels.phone.sip.digits import read_digit
from channels.phone.sip.framing import Frame, StreamFramer, frame_datagram
from channels.phone.sip.message import Request, Response, respond
from channels.phone.sip.reading import is_response, method_of, read, refuse
from channels.phone.sip.reliable import ReliableClient, ReliableServer
from channels.phone.sip.sdp import asks_hold
from channels.phone.sip.server import transaction_key
from channels.phone.sip.session_timer import SessionTiming, least_of
from channels.phone.sip.stun import answer_binding
from channels.phone.sip.timing import Timing
from media import negotiation, sdp
from media.errors import AudioRefused, SdpInvalid
from tests.channels.phone.sip.anomalies import ANOMALIES, FIELDS, Case, cases
from tests.channels.phone.sip.messages import SAMPLES
from tests.channels.phone.telephone import Telephone
from tests.conftest import Eventually

VALID = next(iter(cases())).wire
SEEDS = [VALID, *(sample.wire for sample in SAMPLES)]
TOKENS = [b"\r\n", b"\r\n ", b"\x00", b"\xff", b"99999999999999999999", *(bytes([one]) for one in b'%"<>;,:@[]')]
SLOW_S = 0.05
FLAT_BYTES = 32 * 1024 * 1024
REMOTE = ("192.0.2.1", 5060)

authenticator = Authenticator("yihao", b"k" * 32)


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
    """Read a datagram, and everything that is ever asked of a message; frames of a stream are read as well."""
    answer_binding(data, REMOTE)
    first = frame_datagram(data)
    for frame in (first, *StreamFramer().feed(data)):
        if frame is not None and (frame is first or frame != first):
            _taste_frame(frame)


def _taste_frame(frame: Frame) -> None:
    try:
        message = read(frame)
    except MalformedMessage as fault:
        if not is_response(frame) and method_of(frame) != "ACK":
            bytes(refuse(frame, fault.status, fault.headers))
        return
    bytes(message)
    with suppress(MalformedMessage):
        _taste_request(message) if isinstance(message, Request) else _taste_response(message)


def _taste_request(request: Request) -> None:
    bytes(respond(request, 200, to_tag="x"))
    transaction_key(request, "x")
    request.vias[0].as_received(REMOTE).reply_address(REMOTE)
    asks_hold(request.body)
    describe(request.body)
    caller_of(request, is_trunk=True, registered=None, unique="x", area="571")
    dialled(request)
    dialog = Dialog.answered(request, "us")
    bytes(dialog.request("BYE", via="SIP/2.0/UDP 192.0.2.1"))
    for value in request.headers.all("authorization"):
        credentials = Credentials.parse(value)
        if credentials is not None:
            authenticator.verify(credentials, request.method, request.uri, {"MD5": "0" * 32}, 0.0)
    timing = SessionTiming()
    timing.check(request)
    timing.agree(request)
    ReliableServer(request, 1, Timing()).acknowledge(request, 0.0)


def _taste_response(response: Response) -> None:
    ReliableClient().acknowledgement(response)
    SessionTiming().begun_by(response, 0.0)
    least_of(response)


def describe(body: bytes) -> None:
    """What the audio engine reads of an offer and of an answer."""
    try:
        description = sdp.parse(body)
        negotiation.family(description)
        negotiation.answer(description, 40000)
        negotiation.accept(description, negotiation.OFFERED)
    except (SdpInvalid, AudioRefused):
        return


def judge(wires: Iterable[bytes]) -> list[float]:
    """Taste each; the processor time that the slow ones took."""
    slow = []
    for wire in wires:
        began = time.process_time()
        taste(wire)
        took = time.process_time() - began
        if took > SLOW_S:
            # Once more: the collector may have had its turn in it.
            began = time.process_time()
            taste(wire)
            took = min(took, time.process_time() - began)
        if took > SLOW_S:
            slow.append(took)
    return slow


def resident_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_every_field_with_every_anomaly() -> None:
    assert (len(FIELDS), len(ANOMALIES)) == (87, 89)
    every = list(cases())
    assert len({one.wire for one in every[: len(ANOMALIES)]}) == len(ANOMALIES)
    assert len(every) == 7_744
    assert judge(one.wire for one in every) == []


def test_the_valid_one_is_taken_whole() -> None:
    frame = frame_datagram(VALID)
    assert frame is not None
    request = read(frame)
    assert isinstance(request, Request)
    assert caller_of(request, is_trunk=True, registered=None, unique="x").asserted
    assert negotiation.answer(sdp.parse(request.body), 40000)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False))
def test_mutated_messages(wire: bytes, choose: random.Random) -> None:
    taste(mutated(wire, choose))


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=600))
def test_noise(data: bytes) -> None:
    taste(data)
    taste(b"INVITE sip:1@h SIP/2.0\r\n" + data + b"\r\n\r\n")
    describe(b"v=0\r\n" + data)


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
@pytest.mark.timeout(7200)
def test_many_mutations(long_run: bool) -> None:
    """Of messages and of descriptions by themselves; the second half takes no more memory than the first."""
    choose = random.Random(4475)
    half = 500_000 if long_run else 2_000
    bodies = [wire.partition(b"\r\n\r\n")[2] for wire in SEEDS if b"v=0" in wire]
    peaks = []
    for _ in range(2):
        assert judge(mutated(choose.choice(SEEDS), choose) for _ in range(half)) == []
        for _ in range(half):
            describe(mutated(choose.choice(bodies), choose))
        peaks.append(resident_bytes())
    assert peaks[1] - peaks[0] < FLAT_BYTES


@pytest.mark.fuzz
@pytest.mark.timeout(600)
async def test_anomalies_over_the_sockets(
    phone: PhoneChannel, caplog: pytest.LogCaptureFixture, long_run: bool, eventually: Eventually
) -> None:
    """To a running telephone, from many addresses; whatever too large for a datagram by TCP."""
    every = list(islice(cases(), 0, None, 1 if long_run else 16))
    large = [one for one in every if len(one.wire) > 60_000]
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.bind(("127.3.0.2", 0))
    async with Telephone(phone.bound) as caller:
        for number, one in enumerate(every, 1):
            if one not in large:
                sender.sendto(_from_here(one), phone.bound)
            if number % 50 == 0:
                caller.send(caller.compose("OPTIONS"))
                await caller.response("OPTIONS", count=number // 50)
        for one in large:
            _, writer = await asyncio.open_connection(*phone.bound)
            writer.write(one.wire)
            await writer.drain()
            writer.close()
        call = await caller.call()
        assert call.answer.status == 200
        call.bye()
        await caller.response("BYE")
    sender.close()
    assert [record for record in caplog.records if record.exc_info] == []


def _from_here(case: Case) -> bytes:
    """Each its own transaction, so that none is taken for the repetition of another."""
    return case.wire.replace(b"z9hG4bKanomaly", b"z9hG4bK%d" % abs(hash(case.name)))


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
