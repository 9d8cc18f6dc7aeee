"""Fields that a value has grown since its first bytes were written.

A log of the first day must be read, and written, as it was: such a field stands in the bytes only where it says
something else than its default (`session.codec`).
"""

from __future__ import annotations

from dataclasses import Field, field
from typing import Any, TypeVar

T = TypeVar("T")

_MARK = "later"


def later(default: T) -> T:
    """A field of a frozen dataclass, in the place of `= default`."""
    made: T = field(default=default, metadata={_MARK: True})
    return made


def is_later(one: Field[Any]) -> bool:
    """Whether a field was declared so."""
    return _MARK in one.metadata
