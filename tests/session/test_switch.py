"""Links to go on elsewhere: whatever is not exactly what we made opens nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session import switch
from session.address import Address
from session.ids import SessionId
from session.switch import LONGEST, Link, LinkRefused, Purpose

KEY = b"k" * 32
CITIZEN = Address("tel", "+8613800138000")
LINK = Link(SessionId("01J9ZZZZZZABCDEFGHJKMNPQRS"), Purpose.SWITCH, 1_790_000_000.0, (17, 2))
TOKEN = LINK.sealed(KEY, CITIZEN)
NOW = LINK.expires_at - 1


def test_what_was_sealed_opens() -> None:
    assert switch.check(TOKEN, KEY, CITIZEN, NOW) == LINK
    assert switch.read(TOKEN) == LINK
    assert LINK.name == "17.2"


def test_the_same_effect_makes_the_same_link() -> None:
    assert LINK.sealed(KEY, CITIZEN) == TOKEN


def test_it_fits_into_a_qr_codes_scene_and_names_nobody() -> None:
    assert len(TOKEN) <= LONGEST
    assert CITIZEN.identifier not in TOKEN


@pytest.mark.parametrize("now", [LINK.expires_at, LINK.expires_at + 1])
def test_it_expires(now: float) -> None:
    with pytest.raises(LinkRefused) as refused:
        switch.check(TOKEN, KEY, CITIZEN, now)
    assert refused.value.why == "expired"


def test_it_is_bound_to_citizen_and_key() -> None:
    for key, citizen in ((b"j" * 32, CITIZEN), (KEY, Address("tel", "+8613800138001"))):
        with pytest.raises(LinkRefused) as refused:
            switch.check(TOKEN, key, citizen, NOW)
        assert refused.value.why == "forged"


@given(place=st.integers(0, len(TOKEN) - 1), letter=st.sampled_from("ABab01-_"))
def test_one_letter_changed_opens_nothing(place: int, letter: str) -> None:
    forged = TOKEN[:place] + letter + TOKEN[place + 1 :]
    if forged == TOKEN:
        return
    with pytest.raises(LinkRefused) as refused:
        switch.check(forged, KEY, CITIZEN, NOW)
    assert refused.value.why == "forged"


@given(token=st.one_of(st.text(max_size=100), st.from_regex(r"[A-Za-z0-9_-]{0,80}", fullmatch=True)))
def test_any_text_is_refused_by_type(token: str) -> None:
    with pytest.raises(LinkRefused):
        switch.check(token, KEY, CITIZEN, NOW)


@given(
    session=st.integers(0, 2**128 - 1),
    purpose=st.sampled_from(Purpose),
    version=st.integers(0, 2**32 - 1),
    index=st.integers(0, 255),
)
def test_any_link_comes_back(session: int, purpose: Purpose, version: int, index: int) -> None:
    link = Link(switch._session(session.to_bytes(16, "big")), purpose, 1_790_000_000.0, (version, index))
    assert switch.check(link.sealed(KEY, CITIZEN), KEY, CITIZEN, NOW) == link


def test_a_short_key_signs_nothing() -> None:
    with pytest.raises(ValueError, match="16"):
        LINK.sealed(b"short", CITIZEN)
