"""What callers hear at which time."""

import json
from datetime import datetime

import pytest

from rulebook.document import read
from rulebook.errors import DocumentMalformed
from rulebook.hours import CITY
from rulebook.prompts import Prompts


def spoken(digit: int, **more: str) -> dict[str, object]:
    return {"sound": str(digit) * 32, "file": f"{digit}.wav", "seconds": 1.0, **more}


def notice(digit: int, first: int, last: int, **more: str) -> dict[str, object]:
    """From hour to hour of one day."""
    span = {"starts": f"2026-11-29T{first:02}:00:00", "ends": f"2026-11-29T{last:02}:00:00"}
    return spoken(digit, name=f"n{digit}", **{**span, **more})


def document(*pieces: object, notices: tuple[object, ...] = ()) -> Prompts:
    return read("prompts", Prompts, json.dumps({"pieces": pieces, "notices": notices}))


def test_several_notices_are_heard_in_their_order_each_in_its_time() -> None:
    prompts = document(
        spoken(1, name="welcome"),
        notices=(
            notice(2, 8, 12),
            notice(3, 10, 14),
            notice(4, 11, 13, how="instead"),
            notice(5, 12, 16, how="instead"),
            notice(6, 8, 18, piece="out_of_hours"),
        ),
    )
    heard = {}
    for hour in range(7, 19):
        at = datetime(2026, 11, 29, hour, tzinfo=CITY).timestamp()
        heard[hour] = "".join(str(sound)[0] for sound in prompts.heard("welcome", at))
    assert list(heard.values()) == ["1", "21", "21", "231", "234", "34", "35", "5", "5", "1", "1", "1"]
    noon = datetime(2026, 11, 29, 12, tzinfo=CITY).timestamp()
    assert prompts.heard("out_of_hours", noon) == ("6" * 32, None)
    assert prompts.heard("beep", noon) == (None,)


@pytest.mark.parametrize(
    ("notices", "fault"),
    [
        ((notice(1, 9, 9),), "ends before it starts"),
        ((notice(1, 8, 9), notice(1, 10, 11)), "stands twice"),
        (tuple(notice(digit, 8, 8 + digit) for digit in range(1, 5)), "4 notices at once"),
        ((notice(1, 8, 9, how="after"),), ""),
        ((notice(1, 8, 9, starts="2026-11-29T08:00:00+08:00"),), ""),
        ((notice(1, 8, 9, sound="../../etc/passwd"),), ""),
    ],
)
def test_what_cannot_be_is_refused(notices: tuple[object, ...], fault: str) -> None:
    with pytest.raises(DocumentMalformed) as refused:
        document(notices=notices)
    assert fault in str(refused.value)


def test_as_many_as_one_likes_one_after_the_other() -> None:
    assert len(document(notices=tuple(notice(digit, digit, digit + 1) for digit in range(9))).notices) == 9
