"""The figures that the hotline lives by (指标), each with its formula beside the code that computes it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from insight.tally import Tally


class Unit(StrEnum):
    """How a figure is written."""

    COUNT = "count"
    SHARE = "share"
    """0 to 1."""
    SECONDS = "seconds"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure over a set of sessions: those that came within the window."""

    key: str
    name: str
    english: str
    formula: str
    unit: Unit
    of: Callable[[Tally], float | None]
    """None where there is nothing to divide by: that is not zero."""
    at_least: float | None = None
    """What the standard, or the city, asks for."""


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


FIGURES = (
    Figure("came", "来话来访量", "Came", "came", Unit.COUNT, lambda sums: float(sums.came)),
    Figure("answered", "人工接通量", "Answered", "answered", Unit.COUNT, lambda sums: float(sums.answered)),
    Figure("lost", "未接通量", "Not answered", "lost", Unit.COUNT, lambda sums: float(sums.lost)),
    Figure("by_bot", "机器人解决量", "Resolved by bot", "by_bot", Unit.COUNT, lambda sums: float(sums.by_bot)),
    Figure(
        "connect_rate",
        "接通率",
        "Connect rate",
        "answered / (answered + lost)",
        Unit.SHARE,
        lambda sums: _share(sums.answered, sums.answered + sums.lost),
        at_least=0.95,
    ),
    Figure(
        "prompt_rate",
        "15 秒接通率",
        "Answered within 15 s",
        "prompt / (answered + lost)",
        Unit.SHARE,
        lambda sums: _share(sums.prompt, sums.answered + sums.lost),
        at_least=0.95,
    ),
    Figure(
        "loss_rate",
        "放弃率",
        "Loss rate",
        "lost / (answered + lost)",
        Unit.SHARE,
        lambda sums: _share(sums.lost, sums.answered + sums.lost),
    ),
    Figure(
        "mean_wait_s",
        "平均应答时长",
        "Mean wait until answered",
        "waited_s / answered",
        Unit.SECONDS,
        lambda sums: _share(sums.waited_s, sums.answered),
    ),
    Figure(
        "pleased_rate",
        "满意率",
        "Satisfied",
        "pleased / rated",
        Unit.SHARE,
        lambda sums: _share(sums.pleased, sums.rated),
    ),
    Figure(
        "solved_rate",
        "解决率",
        "Solved",
        "solved / (rated - unsaid)",
        Unit.SHARE,
        lambda sums: _share(sums.solved, sums.rated - sums.unsaid),
    ),
    Figure(
        "promised",
        "承诺回电量",
        "Calls promised",
        "promises_kept + promises_broken + promises_due",
        Unit.COUNT,
        lambda sums: float(sums.promises_kept + sums.promises_broken + sums.promises_due),
    ),
    Figure("promises_due", "待回电量", "Calls owed", "promises_due", Unit.COUNT, lambda sums: float(sums.promises_due)),
    Figure(
        "promises_broken",
        "失约量",
        "Promises broken",
        "promises_broken",
        Unit.COUNT,
        lambda sums: float(sums.promises_broken),
    ),
    Figure(
        "promise_rate",
        "回电履约率",
        "Promises kept",
        "promises_kept / (promises_kept + promises_broken)",
        Unit.SHARE,
        lambda sums: _share(sums.promises_kept, sums.promises_kept + sums.promises_broken),
    ),
)


def computed(sums: Tally) -> dict[str, float | None]:
    """Every figure by its key."""
    return {figure.key: figure.of(sums) for figure in FIGURES}
