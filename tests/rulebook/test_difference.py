"""What differs, place by place."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from rulebook.difference import Change, difference

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=10,
)


def _days(**days: list[str]) -> dict[str, Any]:
    return {"days": [{"date": date, "open": spans} for date, spans in days.items()]}


def test_items_are_told_apart_by_what_names_them() -> None:
    before, after = _days(a=["09:00-17:00"], b=[]), _days(b=[], c=[])
    assert difference(before, after) == (
        Change(("days", "a"), {"date": "a", "open": ["09:00-17:00"]}, None),
        Change(("days", "c"), None, {"date": "c", "open": []}),
    )


def test_one_field_is_one_change() -> None:
    assert difference(_days(a=[]), _days(a=["1"])) == (Change(("days", "a", "open"), [], ["1"]),)


def test_the_first_item_of_a_list() -> None:
    assert difference({"words": []}, {"words": [{"word": "x", "why": ""}]}) == (
        Change(("words", "x"), None, {"word": "x", "why": ""}),
    )


def test_an_order_that_matters_is_seen() -> None:
    assert difference(_days(a=[], b=[]), _days(b=[], a=[])) == (Change(("days", "order"), ["a", "b"], ["b", "a"]),)


def test_items_without_names_go_by_their_place() -> None:
    before, after = [{"queue": "a"}, {"queue": "a"}], [{"queue": "a"}, {"queue": "b"}]
    assert difference(before, after) == (Change(("2", "queue"), "a", "b"),)


@given(values, values)
def test_nothing_differs_only_where_nothing_does(before: Any, after: Any) -> None:
    assert difference(before, before) == ()
    if before != after:
        assert difference(before, after) != ()
