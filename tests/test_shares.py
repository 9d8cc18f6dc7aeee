"""How the tests are shared out among workers."""

import random
from itertools import groupby
from pathlib import Path

from tests.shares import A_TEST_S, LISTENING, LONG_S, LOOKING, shared_out

ROOMS = ("accounts", "chaos", "session", *LISTENING, *LOOKING)
LONG = [f"tests/{folder}/test_{name}.py" for folder, names in LONG_S.items() for name in names]
FILES = [
    *LONG,
    *(f"tests/{room}/test_short_{number}.py" for room in ROOMS for number in range(9)),
    "tests/test_house.py",
]
TESTS = [f"{path}::test_{number}" for path in FILES for number in range(5)]


def path_of(test: str) -> str:
    return test.partition("::")[0]


def seconds_of(path: str) -> float:
    folder, _, name = path.removeprefix("tests/").removesuffix(".py").rpartition("/")
    return LONG_S.get(folder, {}).get(name.removeprefix("test_"), 5 * A_TEST_S)


def is_of(path: str, folders: tuple[str, ...]) -> bool:
    return path.split("/")[1] in folders


def test_each_test_is_there_once_and_files_stay_together_in_their_order() -> None:
    ordered = shared_out(TESTS, path_of)
    assert sorted(ordered) == sorted(TESTS)
    files = [list(tests) for _, tests in groupby(ordered, path_of)]
    assert len(files) == len(FILES)
    assert all(tests == sorted(tests) for tests in files)


def test_the_longest_of_a_kind_come_first() -> None:
    ordered = [path for path, _ in groupby(shared_out(TESTS, path_of), path_of)]
    for kind in (LISTENING, LOOKING):
        lengths = [seconds_of(path) for path in ordered if is_of(path, kind)]
        assert lengths == sorted(lengths, reverse=True)
    assert all(seconds_of(path) <= 1 for path in ordered[-30:])


def test_at_any_time_as_large_a_part_of_each_kind_is_given_out() -> None:
    ordered = [path for path, _ in groupby(shared_out(TESTS, path_of), path_of)]
    for kind in (LISTENING, LOOKING):
        of_kind = [seconds_of(path) * is_of(path, kind) for path in ordered]
        for given in range(len(ordered)):
            part = sum(of_kind[:given]) / sum(of_kind)
            whole = sum(map(seconds_of, ordered[:given])) / sum(map(seconds_of, ordered))
            assert abs(part - whole) < 0.25, (kind, given)


def test_each_file_that_is_called_long_is_there() -> None:
    assert [path for path in LONG if not (Path(__file__).parent.parent / path).exists()] == []


def test_a_few_tests_are_shared_out_too() -> None:
    for seed in range(50):
        chosen = random.Random(seed).sample(TESTS, seed % 7)
        assert sorted(shared_out(chosen, path_of)) == sorted(chosen)
