"""The drawing is the table's."""

from pathlib import Path

from session import events as ev
from session.drawing import mermaid, page
from session.machine import TABLE, Cell
from session.state import Phase

PAGE = Path(__file__).resolve().parents[2] / "docs" / "session.md"


def test_the_page_agrees_with_the_table() -> None:
    assert PAGE.read_text() == page(), "run `python -m session.drawing > docs/session.md`"


def test_a_changed_table_is_another_drawing() -> None:
    cell = Cell(TABLE[Phase.NEW, ev.LegOpened].rule, (Phase.QUEUED,))
    changed = dict(TABLE) | {(Phase.CLOSED, ev.LegOpened): cell}
    assert "closed --> queued: LegOpened" in mermaid(changed)
    assert "closed --> queued" not in mermaid(TABLE)
