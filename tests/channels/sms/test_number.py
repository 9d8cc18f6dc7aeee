"""Senders of texts as addresses."""

import pytest

from channels.sms.number import address_of


@pytest.mark.parametrize(
    "text",
    ["13800138000", "+8613800138000", "8613800138000", "008613800138000", "+86 138-0013-8000", "013800138000"],
)
def test_every_form_of_a_mobile_is_one_address(text: str) -> None:
    assert str(address_of(text)) == "tel:+8613800138000"


def test_senders_that_are_no_numbers() -> None:
    assert address_of("10086").identifier == "10086"
    assert address_of("CityBank").identifier == "CityBank"
    assert address_of("").identifier == "unknown"
    assert address_of("a/b").identifier == "unknown"
