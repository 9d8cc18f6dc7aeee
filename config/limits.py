"""What a value may be beyond its type; written beside the type by `typing.Annotated`."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Protocol


class Limit(Protocol):
    """One bound on a value."""

    @property
    def wanted(self) -> str:
        """What would be right, as the end of the sentence "it must be …"."""
        ...

    def allows(self, value: object) -> bool:
        """Whether the value is within."""
        ...


@dataclass(frozen=True, slots=True)
class Between:
    """A number from `least` to `most`, both included."""

    least: float
    most: float

    @property
    def wanted(self) -> str:
        return f"a number from {self.least:g} to {self.most:g}"

    def allows(self, value: object) -> bool:
        return isinstance(value, int | float) and self.least <= value <= self.most


@dataclass(frozen=True, slots=True)
class Matching:
    """A text that a whole pattern matches."""

    pattern: str
    wanted: str

    def allows(self, value: object) -> bool:
        return re.fullmatch(self.pattern, str(value)) is not None


@dataclass(frozen=True, slots=True)
class Items:
    """A list of `least` to `most` values."""

    least: int
    most: int

    @property
    def wanted(self) -> str:
        return f"a list of {self.least} to {self.most}"

    def allows(self, value: object) -> bool:
        return isinstance(value, tuple) and self.least <= len(value) <= self.most


@dataclass(frozen=True, slots=True)
class Cidr:
    """An IP network, such as 192.0.2.0/24."""

    wanted: str = "an IP network such as 192.0.2.0/24"

    def allows(self, value: object) -> bool:
        try:
            ipaddress.ip_network(str(value))
        except ValueError:
            return False
        return True
