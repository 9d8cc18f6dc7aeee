"""Draws the machine from its own table, as Mermaid text: `python -m session.drawing` prints docs/session.md."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from session.events import Event
from session.machine import TABLE, Cell
from session.state import Phase

PAGE = """# The session's machine

Drawn from `TABLE` in [`session/machine.py`](../session/machine.py) by `python -m session.drawing > docs/session.md`; a
test holds this page to the table. An event that has no place here changes nothing but the version: it stays in the
timeline.

## From phase to phase

```mermaid
{diagram}
```

## Every cell

What each event may lead to, in each phase. Where the event's own phase stands among them, it depends on more than the
phase: whose leg it was, which offer, whether others are still there.

{cells}
"""

Table = Mapping[tuple[Phase, type[Event]], Cell]


def mermaid(table: Table) -> str:
    """The diagram of phases: one arrow for each pair, with the events that may lead along it."""
    arrows: dict[tuple[Phase, Phase], list[str]] = {}
    for (phase, kind), cell in table.items():
        for after in cell.to:
            if after is not phase:
                arrows.setdefault((phase, after), []).append(kind.__name__)
    lines = [f"    {phase} --> {after}: {'<br>'.join(names)}" for (phase, after), names in arrows.items()]
    return "\n".join(["stateDiagram-v2", f"    [*] --> {Phase.NEW}", *lines, f"    {Phase.CLOSED} --> [*]"])


def cells(table: Table) -> str:
    """One table of events and what they may lead to for each phase."""
    parts = []
    for phase in Phase:
        rows = [
            f"| `{kind.__name__}` | {', '.join(cell.to)} |" for (where, kind), cell in table.items() if where is phase
        ]
        if rows:
            parts.append("\n".join([f"### {phase}", "", "| event | leads to |", "|---|---|", *rows]))
    return "\n\n".join(parts)


def page() -> str:
    """The whole page."""
    return PAGE.format(diagram=mermaid(TABLE), cells=cells(TABLE))


if __name__ == "__main__":
    sys.stdout.write(page())
