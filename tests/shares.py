"""In which order pytest-xdist hands out the tests, so that both cores of a machine have work until the end.

xdist (`--dist loadfile`) gives a worker all tests of a file, for they may share a gateway, and the next file when it is
nearly through. There are three kinds: what listens (telephones, whole stories) waits for most of its time, and suffers
where no core is there for a sound; what looks at pages has a browser work; all else computes. At any time as much
of each kind has been handed out: so all workers never wait together, nor compute together. The longest come first:
what is left for the end is short.
"""

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TypeVar

T = TypeVar("T")

LISTENING = ("scenarios", "media", "recordings", "soak")
LOOKING = ("web",)
"""Folders of `tests`."""

LONG_S: dict[str, dict[str, int]] = {
    "channels/phone": {"call": 15, "endpoint": 14, "fuzz": 12, "way_out": 9},
    "channels/wechat": {"webhook": 8},
    "chaos": {"kills": 28, "killed_switches": 18, "checker": 10},
    "gateway": {"up": 21, "desk": 20, "prompts": 13, "api": 12, "administration": 8, "dial": 8},
    "insight": {"board": 8},
    "media": {"engine": 27, "hostile": 12, "rtpengine": 12, "crew": 9, "mixer": 9, "codecs": 8},
    "recordings": {"store": 10},
    "scenarios": {
        "page_telephone": 59,
        "phone": 49,
        "switching": 42,
        "browser": 31,
        "ways_on": 30,
        "conference": 26,
        "page_call": 25,
        "store_away": 25,
        "identity": 24,
        "callback": 23,
        "supervision": 21,
        "bad_input": 20,
        "chat_to_call": 19,
        "platform": 17,
        "word_left": 16,
        "nodes": 15,
        "call_control": 12,
        "city": 12,
        "dialogue": 10,
        "kamailio": 10,
        "linphone": 9,
    },
    "session": {"laws": 8},
    "soak": {"soak": 14},
    "storage": {"archiver": 19, "history": 19, "database": 11},
    "tools": {"new_channel": 23},
    "web": {
        "administration": 61,
        "pages": 60,
        "history": 48,
        "shift": 48,
        "wallboard": 45,
        "citizen": 26,
        "hostile": 25,
        "voice": 20,
        "proof": 13,
    },
}
"""The seconds of each file that took eight or more beside others, on two cores, on 2026-11-29."""
A_TEST_S = 0.1
"""Of any other file."""


def shared_out(items: Sequence[T], path_of: Callable[[T], str]) -> list[T]:
    """The same tests, in the order in which they are to be handed out; those of one file stay together."""
    files = [(path, list(tests)) for path, tests in groupby(items, path_of)]
    kinds: dict[str, list[tuple[float, list[T]]]] = {}
    for path, tests in files:
        kinds.setdefault(_kind(path), []).append((_seconds(path, len(tests)), tests))
    turns: list[tuple[float, list[T]]] = []
    for kind in kinds.values():
        kind.sort(key=lambda file: -file[0])
        whole = sum(seconds for seconds, _ in kind)
        begun = 0.0
        for seconds, tests in kind:
            turns.append((begun / whole, tests))
            begun += seconds
    turns.sort(key=lambda turn: turn[0])
    return [test for _, tests in turns for test in tests]


def _kind(path: str) -> str:
    folder = path.split("/")[1] if path.count("/") > 1 else ""
    return "listens" if folder in LISTENING else "looks" if folder in LOOKING else "computes"


def _seconds(path: str, tests: int) -> float:
    folder, _, name = path.removeprefix("tests/").removesuffix(".py").rpartition("/")
    return LONG_S.get(folder, {}).get(name.removeprefix("test_")) or A_TEST_S * tests
