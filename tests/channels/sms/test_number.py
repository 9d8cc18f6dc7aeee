import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.phone.number import normalise
from channels.sms.number import address_of, e164, national


@pytest.mark.parametrize(
    "text",
    ["13800138000", "+8613800138000", "8613800138000", "008613800138000", "+86 138-0013-8000", "013800138000"],
)
def test_every_form_of_a_mobile_is_one_address(text: str) -> None:
    assert str(address_of(text)) == "tel:+8613800138000"


@given(st.from_regex(r"\+?[0-9 \-]{0,18}", fullmatch=True))
def test_a_citizen_who_calls_and_texts_is_one_address(text: str) -> None:
    assert e164(text) == normalise(text)


def test_senders_that_are_no_numbers() -> None:
    assert address_of("10086").identifier == "10086"
    assert address_of("CityBank").identifier == "CityBank"
    assert address_of("").identifier == "unknown"
    assert address_of("a/b").identifier == "unknown"


def test_mainland_carriers_want_no_country() -> None:
    assert national("+8613800138000") == "13800138000"
    assert national("+85291234567") == "85291234567"
