"""Names that people give themselves."""

import pytest

from session.naming import LONGEST_NAME, self_given

WALES = "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f"
"""A flag that is written with characters which nobody sees."""


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("王小明", "王小明"),
        ("  张　三\r\n", "张 三"),
        ("a\tb\u2028c\x00\x1b[31m", "a b c [31m"),
        ("\u202egnp.exe", "gnp.exe"),
        ("工\u200b作\ufeff人\u2060员", "工作人员"),
        ("\ud800王", "王"),
        ("👨\u200d👩\u200d👧 一家", "👨\u200d👩\u200d👧 一家"),
        (WALES, WALES),
        ("A维修13800138000", "A维修13800138000"),
        ("李" * 500, "李" * LONGEST_NAME),
        ("\u200b" * 10_000 + "王", ""),
        ("", ""),
        ("\u3164\u2800 \u200d", ""),
        ("+86 138-0013-8000", ""),
        ("12345", ""),
        ("（王）", "（王）"),
    ],
)
def test_what_is_kept_of_it(given: str, kept: str) -> None:
    assert self_given(given) == kept
    assert self_given(kept) == kept
