"""Where a citizen says it is (位置). WeChat gives the state's own coordinates (GCJ-02), we keep WGS-84. Pure.

GCJ-02 bends the map by some hundred metres, by a formula that was never published and has long been known; it is undone
here by asking where a point would have been bent to, a few times over, which is right to a metre. Outside of the
mainland nothing is bent.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, radians, sin, sqrt

_AXIS_M = 6378245.0
"""Of Krasovsky's ellipsoid (1940), which the formula goes by."""
_ECCENTRICITY = 0.00669342162296594323
_MAINLAND = (72.004, 137.8347, 0.8293, 55.8271)
"""West, east, south, north: the box in which the formula bends."""
_ROUNDS = 4


@dataclass(frozen=True, slots=True)
class Place:
    """Degrees of WGS-84."""

    latitude: float
    longitude: float


def read_place(latitude: object, longitude: object) -> Place | None:
    """A place from WeChat's numbers or texts; None for what is no place on Earth."""
    try:
        given = Place(float(str(latitude)), float(str(longitude)))
    except ValueError:
        return None
    if not (-90.0 <= given.latitude <= 90.0 and -180.0 <= given.longitude <= 180.0):
        return None
    return straightened(given)


def straightened(given: Place) -> Place:
    """The place of WGS-84 that GCJ-02 bends to the one given."""
    west, east, south, north = _MAINLAND
    if not (west <= given.longitude <= east and south <= given.latitude <= north):
        return given
    found = given
    for _ in range(_ROUNDS):
        bent = _bent(found)
        found = Place(
            found.latitude + given.latitude - bent.latitude, found.longitude + given.longitude - bent.longitude
        )
    return found


def _bent(true: Place) -> Place:
    east, north = true.longitude - 105.0, true.latitude - 35.0
    waves = 20.0 * sin(6.0 * east * pi) + 20.0 * sin(2.0 * east * pi)
    northing_m = -100.0 + 2.0 * east + 3.0 * north + 0.2 * north * north + 0.1 * east * north + 0.2 * sqrt(abs(east))
    northing_m += (waves + 20.0 * sin(north * pi) + 40.0 * sin(north / 3.0 * pi)) * 2.0 / 3.0
    northing_m += (160.0 * sin(north / 12.0 * pi) + 320.0 * sin(north * pi / 30.0)) * 2.0 / 3.0
    easting_m = 300.0 + east + 2.0 * north + 0.1 * east * east + 0.1 * east * north + 0.1 * sqrt(abs(east))
    easting_m += (waves + 20.0 * sin(east * pi) + 40.0 * sin(east / 3.0 * pi)) * 2.0 / 3.0
    easting_m += (150.0 * sin(east / 12.0 * pi) + 300.0 * sin(east / 30.0 * pi)) * 2.0 / 3.0
    angle = radians(true.latitude)
    bend = 1.0 - _ECCENTRICITY * sin(angle) ** 2
    metres_north = _AXIS_M * (1.0 - _ECCENTRICITY) / (bend * sqrt(bend))
    metres_east = _AXIS_M / sqrt(bend) * cos(angle)
    return Place(
        true.latitude + northing_m / metres_north * 180.0 / pi, true.longitude + easting_m / metres_east * 180.0 / pi
    )
