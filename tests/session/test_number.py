"""Telephone numbers in one form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from session.number import e164, is_mobile, national


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("+8613800138000", "+8613800138000"),
        ("8613800138000", "+8613800138000"),
        ("008613800138000", "+8613800138000"),
        ("13800138000", "+8613800138000"),
        ("013800138000", "+8613800138000"),
        ("138-0013-8000", "+8613800138000"),
        ("+861065551234", "+861065551234"),
        ("+8601065551234", "+861065551234"),
        ("01065551234", "+861065551234"),
        ("1065551234", "+861065551234"),
        ("02165551234", "+862165551234"),
        ("075588881234", "+8675588881234"),
        ("75588881234", "+8675588881234"),
        ("04718881234", "+864718881234"),
        ("4718881234", "+864718881234"),
        ("65551234", "+861065551234"),
        ("+12025550123", "+12025550123"),
        ("110", "110"),
        ("12345", "12345"),
        ("alice", None),
        ("+", None),
        ("+1234567890123456789", None),
        ("１２３", None),
    ],
)
def test_every_form_of_a_number(written: str, normal: str | None) -> None:
    assert e164(written, area="10") == normal


@given(st.from_regex(r"\+?[0-9 \-]{0,18}", fullmatch=True))
def test_one_form_is_its_own_form(text: str) -> None:
    """Else a number that was stored and read again would be another citizen's."""
    once = e164(text)
    assert once is None or e164(once) == once


def test_mainland_carriers_want_no_country() -> None:
    assert national("+8613800138000") == "13800138000"
    assert national("+85291234567") == "85291234567"


@pytest.mark.parametrize(
    ("number", "takes_texts"),
    [("+8613800138000", True), ("+861065551234", False), ("+85291234567", True), ("12345", False), ("", False)],
)
def test_which_numbers_take_texts(number: str, *, takes_texts: bool) -> None:
    assert is_mobile(number) is takes_texts
