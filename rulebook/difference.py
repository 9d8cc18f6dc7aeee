"""What differs between two versions of a document, place by place, as people read it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_NAMES = ("date", "login", "word", "name")
"""The first of these fields that tells a list's items apart says which is which; without one, the place in the list."""


ORDER = "order"
"""The last step to the place of a change of order alone."""


@dataclass(frozen=True, slots=True)
class Change:
    """One place. `before` or `after` is None where it was not, or is not any more."""

    at: tuple[str, ...]
    before: Any
    after: Any


def difference(before: Any, after: Any) -> tuple[Change, ...]:
    """Of two documents as JSON has them."""
    return tuple(_changes((), before, after))


def _changes(at: tuple[str, ...], before: Any, after: Any) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        yield from _each(at, before, after)
    elif (old := _named(before)) is not None and (new := _named(after)) is not None:
        kept = [name for name in old if name in new]
        if kept != [name for name in new if name in old]:
            yield Change((*at, ORDER), list(old), list(new))
        yield from _each(at, old, new)
    else:
        yield Change(at, before, after)


def _each(at: tuple[str, ...], before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        if name in before and name in after:
            yield from _changes((*at, name), before[name], after[name])
        else:
            yield Change((*at, name), before.get(name), after.get(name))


def _named(items: Any) -> Mapping[str, Any] | None:
    """A list of objects by their names; None for what is no such list."""
    if not isinstance(items, Sequence) or isinstance(items, str):
        return None
    if not all(isinstance(one, Mapping) for one in items):
        return None
    key = next((name for name in _NAMES if _tells_apart(name, items)), None)
    return {str(one[key]) if key else str(index): one for index, one in enumerate(items, 1)}


def _tells_apart(name: str, items: Sequence[Mapping[str, Any]]) -> bool:
    return all(name in one for one in items) and len({str(one[name]) for one in items}) == len(items)
