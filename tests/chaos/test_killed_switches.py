"""A gateway process killed at each step of each switch: the citizen is in one of the two places, never in neither.

`tests/gateway/test_killed_switches.py` shows the same of every word with a store in memory, in no time; here gateways
are real processes on a real store, killed by the system once a toll bar has let them come as far as a step.
"""

import sys
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.chaos import hasty
from tests.chaos.switches import TO_A_CALL, TO_THE_CHAT, Switch, World, sends_pictures
from tests.chaos.toll import Step

BESIDE = 3
"""Citizens of one switch who stop at steps of their own while one gateway dies for all of them: each death costs some
ten seconds, for the gateways' start and for the lease that the dead one leaves.
"""
Stop = tuple[Switch, Step | None, bool]
"""A switch, the step at which the gateway dies, and whether that still takes effect."""
PAGE_OPENED = Step("append leg.opened", 2)
"""The page comes into the session; the agent's telephone was the first."""


async def killed_at(stops: Sequence[Stop], program: Sequence[str] = ()) -> tuple[list[list[Step]], list[str]]:
    """All these switches at once, each up to its step; then the gateway is killed, and everybody is looked for.

    Gives the steps that each has made, and what was lost: at once, and when the citizens have come again.
    """
    with TemporaryDirectory(prefix="yh-") as folder:
        async with World(Path(folder), [switch for switch, _, _ in stops], program) as world:
            await world.tell(stops)
            steps = [citizen.watched.steps for citizen in world.citizens]
            await world.kill()
            if lost := await world.lost():
                return steps, lost
            await world.come_again()
            return steps, [*await world.lost(), *await world.strangers()]


@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_a_gateway_dies_amid_three_switches() -> None:
    """At the worst step of each: the link is used up and nobody let in; the page has come and nobody knows."""
    keeps, pictures, handed_on = TO_THE_CHAT
    stops: list[Stop] = [
        (keeps, Step("set link"), True),
        (pictures, PAGE_OPENED, False),
        (handed_on, Step("append session.transferred"), True),
    ]
    steps, lost = await killed_at(stops)
    assert [made[-1] for made in steps] == [step for _, step, _ in stops]
    assert lost == []


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.timeout(120)
async def test_a_gateway_that_breaks_before_it_makes_is_found() -> None:
    """The control: the call is closed before the page is there."""
    pictures = next(switch for switch in TO_THE_CHAT if switch.tell is sends_pictures)
    steps, lost = await killed_at([(pictures, PAGE_OPENED, False)], (sys.executable, str(hasty.__file__)))
    assert steps[0][-1] == PAGE_OPENED
    assert any("in neither place" in one for one in lost)


@pytest.mark.slow
@pytest.mark.chaos
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("group", [TO_THE_CHAT, TO_A_CALL], ids=["to the chat", "to a call"])
async def test_a_gateway_dies_at_each_step_of_each_switch(group: Sequence[Switch]) -> None:
    """Before it, and once it is done; the steps are those that a rehearsal makes."""
    rehearsed, lost = await killed_at([(switch, None, False) for switch in group])
    assert lost == []
    columns = [
        [(switch, step, done) for step in steps for done in (False, True)]
        for switch, steps in zip(group, rehearsed, strict=True)
    ]
    rows = _rows(columns)
    found: list[str] = []
    for row in rows:
        steps, lost = await killed_at(row)
        found += [f"{_said(row)}\n{one}" for one in lost]
        # One that stood still behind another is told once more, alone.
        missed = [stop for made, stop in zip(steps, row, strict=True) if made[-1:] != [stop[1]]]
        rows += [[stop] for stop in missed if len(row) > 1]
    print(f"{len(rows)} gateways killed at {sum(map(len, columns))} steps of {len(group)} switches")
    assert not found, "\n\n".join(found)


def _rows(columns: Sequence[Sequence[Stop]]) -> list[list[Stop]]:
    """Who goes on at once, each in a line of their own.

    A call that cannot be opened holds up all that come after it: so it comes last, and a row has one.
    """
    opening = [stop for column in columns for stop in column if _is_opening(stop)]
    abreast = [_abreast([stop for stop in column if not _is_opening(stop)]) for column in columns]
    rows = [[stop for part in row for stop in part] for row in zip_longest(*abreast, fillvalue=())]
    for row, (one, step, done) in zip(rows, opening, strict=False):
        row.append((one.beside(BESIDE), step, done))
    return rows + [[stop] for stop in opening[len(rows) :]]


def _is_opening(stop: Stop) -> bool:
    return stop[1] is not None and stop[1].what == "open"


def _abreast(column: Sequence[Stop]) -> list[list[Stop]]:
    parts = (column[at : at + BESIDE] for at in range(0, len(column), BESIDE))
    return [[(one.beside(place), step, done) for place, (one, step, done) in enumerate(part)] for part in parts]


def _said(stops: Sequence[Stop]) -> str:
    return ", ".join(f"{one.tell.__name__} {'after' if done else 'before'} {step}" for one, step, done in stops)
