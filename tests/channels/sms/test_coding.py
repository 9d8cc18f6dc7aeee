import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.sms.coding import Coding, decode, encode, narrowest, segments, split
from channels.sms.errors import Malformed
from channels.sms.header import Place, parted, prefix


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a" * 160, 1),
        ("a" * 161, 2),
        ("a" * 306, 2),
        ("a" * 307, 3),
        ("€" * 80, 1),
        ("€" * 81, 2),
        ("我" * 70, 1),
        ("我" * 71, 2),
        ("我" * 134, 2),
        ("我" * 135, 3),
        ("😀" * 35, 1),
        ("😀" * 36, 2),
        ("", 1),
    ],
)
def test_segments_are_counted_as_carriers_charge_them(text: str, wanted: int) -> None:
    assert segments(text) == wanted


@pytest.mark.parametrize("coding", [Coding.UCS2, Coding.GBK, Coding.GSM7])
@given(text=st.text(alphabet="aZ@€[]我们的12345热线😀👍", max_size=400))
def test_no_character_is_cut(coding: Coding, text: str) -> None:
    pieces = split(text, coding)
    assert "".join(pieces) == text
    for piece in pieces:
        octets = encode(piece, coding)
        assert len(octets) <= (160 if coding is Coding.GSM7 else 140)
        if coding is Coding.UCS2:
            assert decode(octets, coding) == piece, "an emoji was cut in half"


def test_an_emoji_at_the_seam_goes_to_the_next_part() -> None:
    first, second = split("我" * 66 + "😀" + "我" * 10, Coding.UCS2)
    assert (first, second) == ("我" * 66, "😀" + "我" * 10)


def test_what_each_coding_says() -> None:
    assert decode(bytes.fromhex("6d4b8bd5"), Coding.UCS2) == "测试"
    assert decode(bytes.fromhex("b2e2cad4"), Coding.GBK) == "测试"
    assert decode(bytes.fromhex("b2e2cad4"), Coding.ASCII) == "测试", "GBK that is labelled as ASCII"
    assert decode(b"\x00\x1b\x65\x02", Coding.GSM7) == "@€$"
    assert "3 字节" in decode(b"\x01\x02\x03", Coding.BINARY)
    assert "\ufffd" in decode(b"\xd8\x3d", Coding.UCS2), "half an emoji is seen, not dropped"
    assert narrowest("Hello {€}") is Coding.GSM7
    assert narrowest("你好") is Coding.UCS2


@given(
    text=st.text(alphabet="@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡Zz^{}\\[~]|€", max_size=200)
)
def test_gsm7_there_and_back(text: str) -> None:
    assert decode(encode(text, Coding.GSM7), Coding.GSM7) == text


def test_headers_of_one_and_two_octets() -> None:
    assert parted(prefix(Place(0x1FF, 3, 2)) + b"xy") == (Place(0xFF, 3, 2), b"xy")
    assert parted(bytes.fromhex("06080412340201") + b"xy") == (Place(0x1234, 2, 1), b"xy")
    assert parted(bytes.fromhex("0805040b8423f0 0000".replace(" ", "")) + b"x")[0] is None, "a port is no part"
    assert parted(bytes.fromhex("050003070200") + b"x") == (None, b"x"), "part 0 of 2 is shown by itself"


@pytest.mark.parametrize("broken", ["", "05", "0500030702", "0200", "020003ff"])
def test_a_broken_header_is_malformed(broken: str) -> None:
    with pytest.raises(Malformed):
        parted(bytes.fromhex(broken))


@given(st.binary(max_size=60))
def test_any_octets_are_parted_or_malformed(octets: bytes) -> None:
    try:
        place, body = parted(octets)
    except Malformed:
        return
    assert octets.endswith(body)
    assert place is None or 1 <= place.index <= place.total
