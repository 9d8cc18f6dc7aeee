"""One step of the machine, as a type."""

from __future__ import annotations

from collections.abc import Callable

from session.effects import Effect
from session.events import Event
from session.rules import Rules
from session.state import Session

Step = tuple[Session, tuple[Effect, ...]]
Rule = Callable[[Session, Event, Rules], Step]
