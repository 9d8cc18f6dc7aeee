"""How the tests are shared out among workers."""

import random
from itertools import pairwise

import pytest

from tests.shares import WAITING, shared_out

LIGHT = [f"tests/{room}/test_{file}.py" for room in ("accounts", "media", "storage") for file in range(4)]
HEAVY = [f"tests/{room}/test_{file}.py" for room in WAITING for file in range(3)]
TESTS = [f"{path}::test_{number}" for path in ["tests/test_house.py", *LIGHT, *HEAVY] for number in range(5)]


def path_of(test: str) -> str:
    return test.partition("::")[0]


def is_waiting(test: str) -> bool:
    return test.split("/")[1] in WAITING


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 9])
def test_each_test_is_there_once_and_files_stay_together(workers: int) -> None:
    ordered = shared_out(TESTS, workers, path_of)
    assert sorted(ordered) == sorted(TESTS)
    turns = [path for path, after in pairwise([*map(path_of, ordered), ""]) if path != after and path != "waits"]
    heavy = [path for path in turns if path in HEAVY]
    assert len(heavy) == len(set(heavy)), "what shares a gateway is run by one worker"


@pytest.mark.parametrize(("workers", "computes"), [(2, 1), (3, 1), (4, 2), (5, 2)])
def test_half_compute_and_the_others_begin_with_what_waits(workers: int, computes: int) -> None:
    ordered = shared_out(TESTS, workers, path_of)
    assert len(ordered) == 125
    ends = [125 * number // workers for number in range(workers + 1)]  # as xdist cuts it
    stretches = [ordered[begin:end] for begin, end in pairwise(ends)]
    assert not any(is_waiting(test) for stretch in stretches[:computes] for test in stretch)
    for stretch in stretches[computes:]:
        waits = [is_waiting(test) for test in stretch]
        assert waits == sorted(waits, reverse=True), "what is left for the end is short"
        assert stretch[0].startswith(("tests/chaos/", "tests/soak/")), "the longest first"
    shares = [sum(map(is_waiting, stretch)) for stretch in stretches[computes:]]
    assert max(shares) - min(shares) <= 5


def test_a_few_tests_are_shared_out_too() -> None:
    for seed in range(50):
        chosen = random.Random(seed).sample(TESTS, seed % 7)
        assert sorted(shared_out(chosen, 3, path_of)) == sorted(chosen)
