"""Charts of days past (历史统计) over HTTP: the wallboard's figures by hour or by day, by queue."""

from __future__ import annotations

from datetime import datetime, timedelta

from aiohttp import web

from accounts.agent import Agent
from gateway.access import Access, refused
from insight.figures import FIGURES, computed
from insight.past import DAY_S, HOUR_S, Past, Sums, summed
from insight.tally import NONE
from rulebook.hours import CITY
from rulebook.roles import Permission

MOST_DAYS = {"day": 31, "hour": 7}
"""At once: a chart of more steps nobody reads."""
SHOWN = (
    *("came", "answered", "lost", "connect_rate", "prompt_rate", "loss_rate", "mean_wait_s", "pleased_rate"),
    "solved_rate",
    *("promises_broken", "promise_rate"),
)


class PastFigures:
    """Read from the history when somebody asks."""

    def __init__(self, past: Past) -> None:
        self._past = past

    def routes(self, access: Access) -> list[web.RouteDef]:
        """For who sees the wallboard."""
        return [web.get("/api/wallboard/past", access.permitted(Permission.WALLBOARD, self.show))]

    async def show(self, request: web.Request, _: Agent) -> web.StreamResponse:
        """`?from=2026-11-01&days=7&step=day|hour`: days of the city, from their midnight on."""
        first, days, step = midnight_of(request.query.get("from", "")), request.query.get("days", ""), _step(request)
        if first is None or step is None or not days.isdecimal() or not 1 <= int(days[:3]) <= MOST_DAYS[step]:
            return refused(400, "malformed")
        steps: list[dict[str, object]] = []
        queues: set[str] = set()
        for day in range(int(days)):
            midnight = (first + timedelta(days=day)).timestamp()
            hours = await self._past.day(midnight)
            for at, sums in enumerate([summed(hours)] if step == "day" else hours):
                steps.append(_shown(midnight + at * HOUR_S, sums))
                queues |= sums.keys()
        return web.json_response(
            {
                "step_s": DAY_S if step == "day" else HOUR_S,
                "figures": [_meant(key) for key in SHOWN],
                "queues": sorted(queues),
                "steps": steps,
            }
        )


def midnight_of(text: str) -> datetime | None:
    """When that day of the city begins; None for what is no day."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=CITY)
    except ValueError:
        return None


def _step(request: web.Request) -> str | None:
    step = request.query.get("step", "day")
    return step if step in MOST_DAYS else None


def _shown(at: float, sums: Sums) -> dict[str, object]:
    of_queues = {queue: computed(tally) for queue, tally in sums.items()}
    return {"at": at, "total": computed(sum(sums.values(), NONE)), "queues": of_queues}


def _meant(key: str) -> dict[str, object]:
    one = next(figure for figure in FIGURES if figure.key == key)
    named = {"key": one.key, "name": one.name, "english": one.english, "formula": one.formula}
    return {**named, "unit": one.unit, "at_least": one.at_least}
