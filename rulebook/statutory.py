"""Holidays and the working days that make up for them (法定节假日, 调休), as the State Council sets them each year."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True)
class StatutoryDay:
    """One of them: nobody works, or people work though it is a weekend."""

    date: date
    name: str
    english: str
    works: bool


@cache
def statutory_days() -> Mapping[str, Sequence[StatutoryDay]]:
    """By year, in order; a year that has not been set yet is not there."""
    whole = tomllib.loads(resources.files("rulebook").joinpath("defaults", "holidays.toml").read_text(encoding="utf-8"))
    return {year: sorted(_days(table["holiday"]), key=lambda one: one.date) for year, table in whole.items()}


def _days(holidays: Sequence[Mapping[str, Any]]) -> list[StatutoryDay]:
    found = []
    for one in holidays:
        names = one["name"], one["english"]
        length = (one["last"] - one["first"]).days + 1
        found += [StatutoryDay(one["first"] + timedelta(days), *names, works=False) for days in range(length)]
        found += [StatutoryDay(day, *names, works=True) for day in one["works"]]
    return found
