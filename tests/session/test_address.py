"""Addresses: written and read alike, and never repeated in an error."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.address import Address, MalformedAddress

WRITTEN = ["tel:+8613800138000", "web:visitor-1", "wechat:wx123/openid:with/slash", "sip:alice@example.org"]


@pytest.mark.parametrize("text", WRITTEN)
def test_what_is_read_is_written_the_same(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tel",
        "tel:",
        ":1",
        "TEL:1",
        "1tel:1",
        "tel:/1",
        "tel:1\n",
        "tel:" + "1" * 257,
        "web:a/",
        "web:\u202e",
        "a b:c",
    ],
)
def test_what_is_none_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(MalformedAddress) as refused:
        Address.parse(text)
    assert len(text) < 3 or text not in str(refused.value)


@given(text=st.text(max_size=300))
def test_any_text_is_read_back_or_refused(text: str) -> None:
    try:
        address = Address.parse(text)
    except MalformedAddress:
        return
    assert str(address) == text
    assert Address.parse(str(address)) == address


@given(
    scheme=st.sampled_from(["tel", "web", "wechat"]),
    identifier=st.text(max_size=20),
    account=st.text(max_size=20),
)
def test_no_two_addresses_are_written_alike(scheme: str, identifier: str, account: str) -> None:
    try:
        address = Address(scheme, identifier, account)
    except MalformedAddress:
        return
    assert Address.parse(str(address)) == address
