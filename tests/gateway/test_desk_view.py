"""How single events are drawn at the desk."""

import pytest

from gateway.desk_view import entry_of
from realtime.timeline import NameEntry
from session.belonging import NameClaimed
from session.ids import LegId


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("王小明", "王小明"),
        ("A维修13800138000", "A维修138****8000"),
        ("疏通 138 0013-8000 王", "疏通 138****8000 王"),
        ("1988 年的 110", "1988 年的 110"),
    ],
)
def test_a_number_in_a_name_is_masked_as_every_number_is(name: str, shown: str) -> None:
    entry = entry_of(NameClaimed(at=1.0, leg=LegId("l"), name=name))
    assert isinstance(entry, NameEntry)
    assert (entry.name, entry.leg, entry.who.kind) == (shown, "l", "citizen")
