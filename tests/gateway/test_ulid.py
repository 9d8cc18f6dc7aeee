"""ULIDs: of the right form, never the same, and sorted by birth."""

import re
import time

from gateway.ulid import new_ulid


def test_they_have_the_form() -> None:
    assert all(re.fullmatch(r"[0-7][0-9A-HJKMNP-TV-Z]{25}", new_ulid()) for _ in range(1000))


def test_none_comes_twice() -> None:
    assert len({new_ulid() for _ in range(20_000)}) == 20_000


def test_they_sort_by_birth() -> None:
    born = []
    for _ in range(5):
        born.append(new_ulid())
        time.sleep(0.002)
    assert born == sorted(born)


def test_the_time_can_be_read_from_them() -> None:
    alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    before = time.time_ns() // 1_000_000
    number = 0
    for letter in new_ulid()[:10]:
        number = number * 32 + alphabet.index(letter)
    assert before <= number <= time.time_ns() // 1_000_000
