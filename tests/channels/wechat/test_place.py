"""Places: what the state's formula has bent comes out straight, and what is no place comes out as none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.wechat.place import Place, _bent, read_place, straightened


def test_the_formula_bends_as_others_have_found_it() -> None:
    """The pair that coordtransform, the most used of its kind, shows."""
    bent = _bent(Place(39.915, 116.404))
    assert bent.latitude == pytest.approx(39.91640428150164, abs=1e-9)
    assert bent.longitude == pytest.approx(116.41024449916938, abs=1e-9)


@given(latitude=st.floats(1, 55), longitude=st.floats(73, 137))
def test_what_was_bent_is_straightened(latitude: float, longitude: float) -> None:
    bent = _bent(Place(latitude, longitude))
    found = straightened(bent)
    assert found.latitude == pytest.approx(latitude, abs=1e-5)
    assert found.longitude == pytest.approx(longitude, abs=1e-5)


def test_elsewhere_nothing_is_bent() -> None:
    assert read_place("48.8584", "2.2945") == Place(48.8584, 2.2945)


@pytest.mark.parametrize(
    ("latitude", "longitude"),
    [("", ""), ("north", "1"), ("91", "0"), ("0", "181"), ("nan", "1"), ("inf", "1"), (None, None), ("9" * 400, "1")],
)
def test_what_is_no_place(latitude: object, longitude: object) -> None:
    assert read_place(latitude, longitude) is None
