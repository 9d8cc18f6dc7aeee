"""The codec against two others: smpplib writes and reads what we read and write, and so does smpp34."""

import struct
from dataclasses import replace

import pytest
import smpp34
import smpplib.smpp
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.carrier import Fate
from channels.sms.errors import Malformed
from channels.sms.smpp import messages as smpp
from channels.sms.smpp.receipt import Receipt

SHORT = {
    "source": "12345",
    "destination": "8613800138000",
    "destination_ton": 1,
    "destination_npi": 1,
    "octets": "您好".encode("utf-16-be"),
    "coding": 8,
    "esm_class": 0x40,
    "wants_receipt": 1,
}
SUBMIT = smpp.Submit(**SHORT)  # type: ignore[arg-type]
DELIVER = smpp.Deliver(**SHORT, options={0x020C: b"\x01\x02", 0x020E: b"\x03", 0x020F: b"\x01"})  # type: ignore[arg-type]
ALL: list[smpp.Message] = [
    smpp.Bind("yihao", "secret", "sms"),
    smpp.BindResponse(0, "centre"),
    SUBMIT,
    smpp.SubmitResponse(0, "id-1"),
    smpp.SubmitResponse(0x58),
    DELIVER,
    smpp.DeliverResponse(0x64),
    smpp.EnquireLink(),
    smpp.EnquireLinkResponse(),
    smpp.Unbind(),
    smpp.UnbindResponse(),
    smpp.Nack(3),
]


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_there_and_back(message: smpp.Message) -> None:
    frame = smpp.encode(message, 7)
    assert smpp.decode(frame) == (7, message)
    for end in range(16, len(frame)):
        cut = struct.pack(">L", end) + frame[4:end]
        try:
            _, shorter = smpp.decode(cut)
        except Malformed:
            continue
        # Only whole optional parameters, a body that may be left out, and what nobody reads go without being missed.
        assert isinstance(
            shorter, smpp.Bind | smpp.Deliver | smpp.BindResponse | smpp.SubmitResponse | smpp.DeliverResponse
        )
        if isinstance(shorter, smpp.Deliver):
            assert shorter.octets == DELIVER.octets


def test_the_trap_of_the_library_that_we_do_not_read_with() -> None:
    frame = smpp.encode(SUBMIT, 7)
    cut = struct.pack(">L", len(frame) - 2) + frame[4:-2]
    assert smpplib.smpp.parse_pdu(cut, need_sequence=False).short_message == "您".encode("utf-16-be"), (
        "half of it, and no error"
    )
    with pytest.raises(Malformed):
        smpp.decode(cut)


def test_smpplib_reads_what_we_write() -> None:
    read = smpplib.smpp.parse_pdu(smpp.encode(SUBMIT, 7), need_sequence=False)
    assert (read.command, read.sequence) == ("submit_sm", 7)
    assert (read.source_addr, read.destination_addr) == (b"12345", b"8613800138000")
    assert (read.dest_addr_ton, read.dest_addr_npi, read.data_coding, read.esm_class) == (1, 1, 8, 0x40)
    assert read.short_message == SUBMIT.octets
    assert read.registered_delivery == 1
    bind = smpplib.smpp.parse_pdu(smpp.encode(smpp.Bind("yihao", "secret", "sms"), 1), need_sequence=False)
    assert (bind.command, bind.system_id, bind.password, bind.system_type) == (
        "bind_transceiver",
        b"yihao",
        b"secret",
        b"sms",
    )
    assert bind.interface_version == 0x34


def test_we_read_what_smpplib_writes() -> None:
    fields = {"source_addr": "8613800138000", "source_addr_ton": 1, "destination_addr": "12345"}
    made = smpplib.smpp.make_pdu("deliver_sm", sequence=9, short_message=b"hello", data_coding=0, **fields)
    made.sequence = 9
    sequence, read = smpp.decode(made.generate())
    assert isinstance(read, smpp.Deliver)
    assert (sequence, read.source, read.source_ton, read.destination, read.octets) == (
        9,
        "8613800138000",
        1,
        "12345",
        b"hello",
    )


def test_smpp34_writes_and_reads_the_same_octets() -> None:
    theirs = smpp34.SubmitSm(
        "12345",
        "8613800138000",
        SUBMIT.octets,
        dest_addr_ton=1,
        dest_addr_npi=1,
        esm_class=0x40,
        data_coding=8,
        registered_delivery=1,
        sequence_number=7,
    )
    assert theirs.encode() == smpp.encode(SUBMIT, 7)
    read = smpp34.decode(smpp.encode(DELIVER, 7))
    assert isinstance(read, smpp34.DeliverSm)
    assert [(option.tag, option.value) for option in read.tlvs] == list(DELIVER.options.items())


@given(st.binary(max_size=200))
def test_any_octets_are_read_or_malformed(body: bytes) -> None:
    for command in (4, 5, 6, 9, 0x15, 0x103, 0x80000000, 0x80000004, 0x80000005, 0x80000009):
        frame = struct.pack(">LLLL", 16 + len(body), command, 0, 1) + body
        try:
            sequence, _ = smpp.decode(frame)
        except Malformed:
            continue
        assert sequence == 1


@pytest.mark.parametrize(
    ("text", "options", "wanted"),
    [
        (b"id:77 sub:001 stat:DELIVRD err:000", {}, Receipt("77", Fate.DELIVERED, "")),
        (b"id:77 stat:UNDELIV err:0a1", {}, Receipt("77", Fate.FAILED, "UNDELIV 0a1")),
        (b"id:77 stat:ENROUTE", {}, Receipt("77", Fate.ON_ITS_WAY, "ENROUTE")),
        (b"", {0x1E: b"abc\0", 0x427: b"\x02"}, Receipt("abc", Fate.DELIVERED, "")),
        (b"id:wrong stat:ENROUTE", {0x1E: b"abc\0", 0x427: b"\x03"}, Receipt("abc", Fate.FAILED, "EXPIRED")),
    ],
)
def test_receipts_by_text_and_by_parameter(text: bytes, options: dict[int, bytes], wanted: Receipt) -> None:
    assert Receipt.read(replace(DELIVER, octets=text, options=options)) == wanted


@pytest.mark.parametrize("text", [b"", b"id:77", b"stat:DELIVRD"])
def test_a_receipt_that_says_nothing_is_malformed(text: bytes) -> None:
    with pytest.raises(Malformed):
        Receipt.read(replace(DELIVER, octets=text, options={}))
