"""What an agent does in wrap-up (整理), held to what administrators have said of it. Pure."""

from __future__ import annotations

from gateway.desk_state import Watched
from realtime import desk as frames
from realtime.peer import Refusal
from rulebook.wrapup import WrapUp
from session.events import Event, WrapExtended, WrapFinished
from session.ids import AssigneeId
from session.state import Phase


def event_of(
    agent: AssigneeId, command: frames.WrapSave | frames.WrapExtend, contact: Watched, rules: WrapUp, now: float
) -> Event | Refusal:
    """The write-up, or more time for it."""
    if isinstance(command, frames.WrapExtend):
        return _longer(agent, contact, rules, now)
    missing = rules.missing(contact.session.demand.queue, command.kind, command.note)
    if missing is not None:
        return Refusal(f"{missing.value}_needed")
    return WrapFinished(by=agent, kind=command.kind, note=command.note)


def _longer(agent: AssigneeId, contact: Watched, rules: WrapUp, now: float) -> Event | Refusal:
    if contact.session.phase is not Phase.WRAPPING or contact.wrap_until is None:
        return Refusal("not_wrapping")
    taken = sum(isinstance(one.event, WrapExtended) and one.event.by == agent for one in contact.entries)
    if taken >= rules.extensions:
        return Refusal("no_more_time")
    return WrapExtended(by=agent, for_s=max(0.0, contact.wrap_until - now) + rules.extend_s)
