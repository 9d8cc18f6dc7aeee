"""What must stand in a write-up before it is saved, and how much more time an agent may take for it (整理). Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import Meta

from rulebook.document import Document, Name

Subject = Literal["咨询", "求助", "投诉", "举报", "建议"]


class Field(StrEnum):
    """What an agent writes down."""

    KIND = "kind"
    """Which of the five kinds it is (诉求类型)."""
    NOTE = "note"
    """What was said and done (备注)."""


class Needed(Document, frozen=True):
    """Fields that may not be left empty, for contacts of one queue, of one kind, or of all."""

    fields: Annotated[tuple[Field, ...], Meta(min_length=1, max_length=len(Field))]
    queue: Name | None = None
    kind: Subject | None = None

    def holds(self, queue: str, kind: str) -> bool:
        """Whether it is for such a contact."""
        return self.queue in (None, queue) and self.kind in (None, kind)


class WrapUp(Document, frozen=True):
    """All of it. What every rule that holds asks for is needed."""

    needed: Annotated[tuple[Needed, ...], Meta(max_length=200)] = (Needed(fields=(Field.KIND,)),)
    extend_s: Annotated[int, Meta(ge=15, le=900)] = 60
    """How much longer the countdown is made by one press."""
    extensions: Annotated[int, Meta(ge=0, le=20)] = 3
    """How often for one contact; 0 takes the button away."""

    def missing(self, queue: str, kind: str, note: str) -> Field | None:
        """The first field that is empty and may not be."""
        asked = {field for one in self.needed if one.holds(queue, kind) for field in one.fields}
        written = {Field.KIND: kind, Field.NOTE: note.strip()}
        return next((field for field in Field if field in asked and not written[field]), None)
