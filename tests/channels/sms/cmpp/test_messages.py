"""The codec against octets that others made: recorded frames of two other implementations, and Wireshark's dissector.

The recorded frames are those of gocmpp's tests (Apache-2.0), which carry the field values of the specification's
examples (account 900001, secret 888888).
"""

import json
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.cmpp import messages as cmpp
from channels.sms.coding import Coding, decode, encode
from channels.sms.errors import Malformed

TIMESTAMP = 1021080510
PROOF = bytes.fromhex("90d00c1d517abd0b4f65f6bcf8535d16")
SUBMIT = cmpp.Submit(
    destination="13500002696",
    content=encode("测试gocmpp submit", Coding.UCS2),
    source_id="900001",
    account="900001",
    format=8,
    level=1,
    service="test",
    fee_user=2,
    fee_terminal="13500002696",
    fee_type="02",
    fee_code="10",
    valid_until="151105131555101+",
)
DELIVER = cmpp.Deliver(
    message=13025908756704198656, destination="900001", source="13412340000", format=0, content=b"This is a test MO."
)

RECORDED: dict[str, tuple[int, int, cmpp.Message, str]] = {
    "connect": (
        cmpp.V20,
        0x17,
        cmpp.Connect("900001", PROOF, 0x21, TIMESTAMP),
        "0000002700000001000000173930303030 3190d00c1d517abd0b4f65f6bcf8535d16213cdc73be",
    ),
    "connect_resp 2.0": (
        cmpp.V20,
        0x17,
        cmpp.ConnectResponse(0, bytes.fromhex("6c0b846e25bab6daa4ed1c466e0f4bd8"), 0x21),
        "0000001e8000000100000017006c0b846e25bab6daa4ed1c466e0f4bd821",
    ),
    "connect_resp 3.0": (
        cmpp.V30,
        0x17,
        cmpp.ConnectResponse(0, bytes.fromhex("7942977274098cf210ab0c16c367bc8d"), 0x30),
        "000000218000000100000017000000007942977274098cf210ab0c16c367bc8d30",
    ),
    "submit 2.0": (
        cmpp.V20,
        0x17,
        SUBMIT,
        (
            "000000bd0000000400000017000000000000000001010101746573740000000000000231333530303030323639360000"
            "000000000000000000000839303030303130323130000000003135313130353133313535353130312b00000000000000"
            "000000000000000000000039303030303100000000000000000000000000000001313335303030303236393600000000"
            "0000000000001e6d4b8bd50067006f0063006d007000700020007300750062006d006900740000000000000000"
        ),
    ),
    "submit 3.0": (
        cmpp.V30,
        0x17,
        SUBMIT,
        (
            "000000e10000000400000017000000000000000001010101746573740000000000000231333530303030323639360000"
            "000000000000000000000000000000000000000000000839303030303130323130000000003135313130353133313535"
            "353130312b00000000000000000000000000000000000039303030303100000000000000000000000000000001313335"
            "3030303032363936000000000000000000000000000000000000000000001e6d4b8bd50067006f0063006d0070007000"
            "20007300750062006d006900740000000000000000000000000000000000000000"
        ),
    ),
    "submit_resp 2.0": (
        cmpp.V20,
        0x17,
        cmpp.SubmitResponse(12878564852733378560, 0),
        "000000158000000400000017b2b9da800001000000",
    ),
    "submit_resp 3.0": (
        cmpp.V30,
        0x17,
        cmpp.SubmitResponse(12878564852733378560, 0),
        "000000188000000400000017b2b9da800001000000000000",
    ),
    "deliver 2.0": (
        cmpp.V20,
        0x05,
        cmpp.Deliver(
            message=13052947396898652160,
            destination="900001",
            source="13412340000",
            format=0,
            content=b"This is a test MO.",
        ),
        (
            "000000670000000500000005b52562800001000039303030303100000000000000000000000000000000000000000000"
            "00000000000031333431323334303030300000000000000000000000125468697320697320612074657374204d4f2e00"
            "00000000000000"
        ),
    ),
    "deliver 3.0": (
        cmpp.V30,
        0x01,
        DELIVER,
        (
            "0000007f0000000500000001b4c55300000100003930303030310000000000000000000000000000000000000000000000000000"
            "00003133343132333430303030000000000000000000000000000000000000000000000012546869732069732061207465737420"
            "4d4f2e0000000000000000000000000000000000000000"
        ),
    ),
    "deliver_resp 2.0": (
        cmpp.V20,
        0x05,
        cmpp.DeliverResponse(13052947396898652160, 0),
        "000000158000000500000005b52562800001000000",
    ),
    "deliver_resp 3.0": (
        cmpp.V30,
        0x01,
        cmpp.DeliverResponse(13025908756704198656, 0),
        "000000188000000500000001b4c5530000010000 00000000",
    ),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_frames_are_written_and_read(name: str) -> None:
    version, sequence, message, octets = RECORDED[name]
    frame = bytes.fromhex(octets)
    assert cmpp.encode(message, sequence, version).hex() == frame.hex()
    assert cmpp.decode(frame, version) == (sequence, message)


def test_proofs_are_those_of_the_recording() -> None:
    assert cmpp.authenticator_of_source("900001", "888888", TIMESTAMP) == PROOF
    for version, recorded in ((cmpp.V20, "connect_resp 2.0"), (cmpp.V30, "connect_resp 3.0")):
        answer = RECORDED[recorded][2]
        assert isinstance(answer, cmpp.ConnectResponse)
        if version == cmpp.V20:
            assert cmpp.authenticator_of_gateway(0, PROOF, "888888", version) == answer.authenticator


def test_a_recorded_report_is_read() -> None:
    octets = (
        "b4c553000001000044454c495652443135313131323039353531353131313230393537313334313233343030303000000000"
        "00000000000012345678"
    )
    report = cmpp.StatusReport.read(bytes.fromhex(octets))
    assert report == cmpp.StatusReport(13025908756704198656, "DELIVRD", "13412340000")
    wide = bytes.fromhex(octets)[:56] + bytes(11) + bytes.fromhex("12345678")
    assert cmpp.StatusReport.read(wide) == report
    with pytest.raises(Malformed):
        cmpp.StatusReport.read(b"DELIVRD")


def test_the_recorded_text_is_the_one_that_was_meant() -> None:
    _, message = cmpp.decode(bytes.fromhex(RECORDED["submit 2.0"][3]), cmpp.V20)
    assert isinstance(message, cmpp.Submit)
    assert decode(message.content, Coding.UCS2) == "测试gocmpp submit"


def _dissected(frames: list[bytes], folder: Path) -> list[dict[str, list[str]]]:
    """What Wireshark sees in frames that a client sends to a gateway's port."""
    tshark = shutil.which("tshark")
    assert tshark, "tshark is not installed"
    file = folder / "cmpp.pcap"
    with file.open("wb") as pcap:
        pcap.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101))
        sequence = 1
        for number, frame in enumerate(frames):
            tcp = struct.pack("!HHIIBBHHH", 40000, 7890, sequence, 1, 0x50, 0x18, 65535, 0, 0) + frame
            ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), number, 0, 64, 6, 0, b"\x7f\0\0\1", b"\x7f\0\0\2")
            pcap.write(struct.pack("<IIII", number, 0, len(ip + tcp), len(ip + tcp)) + ip + tcp)
            sequence += len(frame)
    command = [tshark, "-r", str(file), "-d", "tcp.port==7890,cmpp", "-T", "json", "--no-duplicate-keys", "-J", "cmpp"]
    done = subprocess.run(command, capture_output=True, check=True, timeout=30)
    found = []
    for packet in json.loads(done.stdout):
        fields: dict[str, list[str]] = {}
        _flatten(packet["_source"]["layers"]["cmpp"], fields)
        found.append(fields)
    return found


def _flatten(node: object, into: dict[str, list[str]]) -> None:
    if isinstance(node, dict):
        for name, value in node.items():
            if isinstance(value, str):
                into.setdefault(name, []).append(value)
            else:
                _flatten(value, into)
    elif isinstance(node, list):
        for value in node:
            _flatten(value, into)


def test_wireshark_sees_what_was_meant(tmp_path: Path) -> None:
    """It takes every frame for one of 3.0, whatever the login says."""
    messages: tuple[cmpp.Message, ...] = (
        cmpp.Connect("900001", PROOF, cmpp.V30, TIMESTAMP),
        SUBMIT,
        DELIVER,
        cmpp.ActiveTest(),
        cmpp.Terminate(),
    )
    frames = [cmpp.encode(message, number, cmpp.V30) for number, message in enumerate(messages, 1)]
    connect, submit, deliver, test, terminate = _dissected(frames, tmp_path)
    for number, seen in enumerate((connect, submit, deliver, test, terminate), 1):
        assert seen["cmpp.Sequence_Id"] == [str(number)]
    assert [one["cmpp.Command_Id"] for one in (test, terminate)] == [["0x00000008"], ["0x00000002"]]
    assert _only(connect, "connect.Source_Addr", "Version", "connect.Timestamp") == [
        "900001",
        "03.00",
        "10/21 08:05:10",
    ]
    assert _only(submit, "submit.Msg_src", "submit.Src_Id", "submit.Fee_terminal_Id", "Msg_Fmt", "Msg_Length") == [
        "900001",
        "900001",
        "13500002696",
        "8",
        str(len(SUBMIT.content)),
    ]
    assert "13500002696" in [value for name, values in submit.items() if "Dest" in name for value in values]
    assert _only(deliver, "deliver.Dest_Id", "deliver.Src_terminal_Id", "deliver.Registered_Delivery") == [
        "900001",
        "13412340000",
        "0",
    ]
    assert _only(deliver, "Msg_Length") == ["18"]


def _only(seen: dict[str, list[str]], *names: str) -> list[str]:
    return [value for name in names for value in seen[f"cmpp.{name}"]]


@pytest.mark.parametrize("version", [cmpp.V20, cmpp.V30])
@given(st.binary(max_size=300))
def test_any_octets_are_read_or_malformed(version: int, body: bytes) -> None:
    for command in (1, 2, 4, 5, 8, 9, 0x80000001, 0x80000004, 0x80000005):
        frame = (12 + len(body)).to_bytes(4, "big") + command.to_bytes(4, "big") + b"\0\0\0\1" + body
        try:
            sequence, _ = cmpp.decode(frame, version)
        except Malformed:
            continue
        assert sequence == 1


@pytest.mark.parametrize("version", [cmpp.V20, cmpp.V30])
@pytest.mark.parametrize("name", RECORDED)
def test_a_frame_cut_anywhere_is_malformed(name: str, version: int) -> None:
    frame = bytes.fromhex(RECORDED[name][3])
    for end in range(len(frame)):
        with pytest.raises(Malformed):
            cmpp.decode(frame[:end], RECORDED[name][0])


def test_what_no_field_holds_is_not_written() -> None:
    with pytest.raises(Malformed):
        cmpp.encode(cmpp.Connect("9000011", PROOF, cmpp.V20, 0), 1, cmpp.V20)
