"""The checker finds what it is there to find: in a naive queue that is killed, and in logs that break a law each."""

import random
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from session.events import OfferAccepted, OfferMade
from session.ids import AssigneeId, SessionId
from session.ports import Entry
from session.state import AssigneeKind, Medium
from tests.chaos import naive
from tests.chaos.checker import Evidence, findings
from tests.peers.child import start_child, stop_child
from tests.peers.valkey import ValkeyServer
from tests.peers.yihao import HOUSE

KILLS = 6
"""Each finds a session between its pop and its write, or the one before: hardly any loses none."""
SESSIONS = 5
"""Brought for each life of the worker."""
ONE = SessionId("naive-0")


@pytest.fixture
def store(short_folder: Path) -> Iterator[tuple[Any, str]]:
    server = ValkeyServer(short_folder)
    server.start()
    path = server.url.removeprefix("unix://")
    with redis.Redis(unix_socket_path=path) as client:
        yield client, path
    server.stop()


def run(store: Any, path: str, folder: Path, *, kills: int) -> Evidence:
    """Citizens come while the naive worker is killed so often; then it is left in peace until it has done."""
    rng = random.Random(7)
    words: set[str] = set()
    brought = 0
    program = f"import sys; sys.path.insert(0, {str(HOUSE)!r}); from tests.chaos.naive import work; work({path!r})"
    for left in range(kills, -1, -1):
        worker = start_child([sys.executable, "-c", program], folder / "worker.log")
        words |= {naive.bring(store, brought + number) for number in range(SESSIONS)}
        brought += SESSIONS
        if left:
            wait(lambda: store.llen(naive.QUEUE) < SESSIONS)
            time.sleep(rng.uniform(0.0, 2 * naive.THINKS_S))
            stop_child(worker, signal.SIGKILL)
    # One worker, first in first out: when the last is done, all are.
    wait(lambda: naive.is_done(store, brought - 1))
    stop_child(worker, signal.SIGKILL)
    charges = {
        AssigneeId(agent.decode()): frozenset({SessionId(session.decode())})
        for agent, session in store.hgetall("charges").items()
    }
    return Evidence(naive.logs(store), frozenset(words), frozenset(), frozenset(), charges)


def wait(holds: Callable[[], bool], deadline_s: float = 10.0) -> None:
    ends_at = time.monotonic() + deadline_s
    while not holds() and time.monotonic() < ends_at:
        time.sleep(0.01)


@pytest.mark.chaos
def test_the_naive_queue_fails(store: tuple[Any, str], short_folder: Path) -> None:
    found = findings(run(*store, short_folder, kills=KILLS))
    assert any("stuck in queued" in one for one in found)


def test_the_naive_queue_passes_as_long_as_nobody_kills_it(store: tuple[Any, str], short_folder: Path) -> None:
    assert findings(run(*store, short_folder, kills=0)) == []


@pytest.fixture
def sound(store: tuple[Any, str], short_folder: Path) -> Evidence:
    """Evidence of a world in which all went well."""
    return run(*store, short_folder, kills=0)


def changed(evidence: Evidence, log: list[Entry]) -> Evidence:
    renumbered = [entry._replace(version=version) for version, entry in enumerate(log, 1)]
    return replace(evidence, logs={**evidence.logs, ONE: renumbered})


def test_each_broken_law_is_found(sound: Evidence) -> None:
    log = list(sound.logs[ONE])
    other = AssigneeId("8002")
    accepted = next(place for place, entry in enumerate(log) if isinstance(entry.event, OfferAccepted))
    again = Entry(ONE, 0, OfferAccepted(token=1, assignee=naive.AGENT, kind=AssigneeKind.AGENT))
    theirs = Entry(ONE, 0, OfferAccepted(token=1, assignee=other, kind=AssigneeKind.AGENT))
    same_token = Entry(
        ONE, 0, OfferMade(token=1, assignee=other, kind=AssigneeKind.AGENT, medium=Medium.CHAT, lease_until=9e9)
    )
    word = log[2]
    broken = {
        "acknowledged and lost: message": changed(sound, [*log[:2], *log[3:]]),
        "kept 2 times": changed(sound, [*log[:3], word, *log[3:]]),
        "answered and lost: a call": replace(sound, callers=frozenset({"13800138000"})),
        "gaps or doubles": replace(sound, logs={**sound.logs, ONE: [*log[:3], *log[4:]]}),
        "answered twice": changed(sound, [*log[: accepted + 1], again, *log[accepted + 1 :]]),
        "was not offered": changed(sound, [*log[:accepted], theirs, *log[accepted + 1 :]]),
        "does not rise": changed(sound, [*log[:accepted], same_token, *log[accepted:]]),
        "stuck in": changed(sound, log[:-1] if len(log) < 5 else log[:4]),
        "cannot be replayed": changed(sound, log[1:]),
        "leaked": replace(sound, charges={naive.AGENT: frozenset({ONE})}),
    }
    for law, evidence in broken.items():
        assert any(law in found for found in findings(evidence)), law
