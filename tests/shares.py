"""In which order pytest-xdist is given the tests, so that both cores of a machine have work until the end.

Tests with whole gateways, telephones and browsers are the longest, and wait for most of their time. Of a list, xdist
(`--dist worksteal`) gives each worker an equal stretch, and who is through takes over the end of another's. So half of
the stretches hold none of these, and every other begins with its share of them, the longest first: no more
of them run beside each other than there are cores on the smallest machine, and what is left for the end is short.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeVar

T = TypeVar("T")

LONGEST = ("chaos", "soak")
WAITING = (*LONGEST, "scenarios", "web")
"""Folders of `tests`."""


def shared_out(items: Sequence[T], workers: int, path_of: Callable[[T], str]) -> list[T]:
    """The same tests, in the order for so many workers. Those of one file stay together: they may share a gateway."""
    if workers < 2:
        return list(items)
    files = [list(tests) for _, tests in groupby(items, path_of)]
    waiting = [tests for tests in files if _folder(path_of(tests[0])) in WAITING]
    waiting.sort(key=lambda tests: _folder(path_of(tests[0])) not in LONGEST)
    computes = workers // 2
    begins = [
        [test for tests in waiting[at :: workers - computes] for test in tests] for at in range(workers - computes)
    ]
    computing = [test for tests in files if _folder(path_of(tests[0])) not in WAITING for test in tests]
    ordered: list[T] = []
    for number, begin in enumerate([*([[]] * computes), *begins]):
        length = (len(items) - len(ordered)) // (workers - number)
        room = max(0, length - len(begin)) if number + 1 < workers else len(computing)
        ordered += [*begin, *computing[:room]]
        del computing[:room]
    return ordered


def _folder(path: str) -> str:
    return path.split("/")[1] if path.count("/") > 1 else ""
