"""What a write-up needs, by queue and kind."""

import pytest

from rulebook.document import read
from rulebook.errors import DocumentMalformed
from rulebook.wrapup import Field, Needed, WrapUp

RULES = WrapUp(
    needed=(
        Needed(fields=(Field.KIND,)),
        Needed(fields=(Field.NOTE,), kind="举报"),
        Needed(fields=(Field.NOTE,), queue="law"),
    )
)


@pytest.mark.parametrize(
    ("queue", "kind", "note", "missing"),
    [
        ("general", "", "", Field.KIND),
        ("general", "咨询", "", None),
        ("general", "举报", " ", Field.NOTE),
        ("general", "举报", "已转", None),
        ("law", "咨询", "", Field.NOTE),
        ("law", "", "已转", Field.KIND),
    ],
)
def test_what_every_rule_that_holds_asks_for_is_needed(queue: str, kind: str, note: str, missing: Field | None) -> None:
    assert RULES.missing(queue, kind, note) is missing


def test_unless_something_is_said_the_kind_is_needed_and_time_may_be_taken() -> None:
    rules = WrapUp()
    assert rules.missing("general", "", "路灯") is Field.KIND
    assert rules.extensions > 0


@pytest.mark.parametrize(
    "body",
    [
        '{"needed": [{"fields": []}]}',
        '{"needed": [{"fields": ["comment"]}]}',
        '{"needed": [{"fields": ["kind"], "kind": "闲聊"}]}',
        '{"extend_s": 5}',
        '{"extensions": 21}',
    ],
)
def test_what_cannot_be_is_refused(body: str) -> None:
    with pytest.raises(DocumentMalformed):
        read("wrap", WrapUp, body)
