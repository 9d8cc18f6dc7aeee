"""The commands of a desk that are events as they stand. Pure."""

from __future__ import annotations

from realtime import desk as frames
from realtime.conference import CallConfer
from realtime.messages import Command
from session.events import (
    ConferRequested,
    ContactFinished,
    ContactJudged,
    DigitsRequested,
    Event,
    HoldRequested,
    MessageRead,
    MuteRequested,
    PictureRequested,
    SessionParked,
    SessionResumed,
)
from session.ids import AssigneeId, MessageId
from session.state import Conference, Party


def event_of(agent: AssigneeId, command: Command) -> Event | None:
    """The event that a command is, where it is one."""
    return _act(agent, command) or _handling(agent, command)


def _act(agent: AssigneeId, command: Command) -> Event | None:
    match command:
        case frames.MessageRead():
            return MessageRead(message=MessageId(command.message), by=Party.ASSIGNEE)
        case frames.PictureRequest():
            return PictureRequested(by=agent)
        case frames.ContactFinish():
            return ContactFinished(by=agent)
        case frames.ContactPark():
            return SessionParked(by=agent)
        case frames.ContactResume():
            return SessionResumed(by=agent)
    return None


def _handling(agent: AssigneeId, command: Command) -> Event | None:
    match command:
        case frames.CallHold():
            return HoldRequested(by=agent, held=command.held)
        case frames.CallMute():
            return MuteRequested(by=agent, muted=command.muted)
        case frames.CallDigits():
            return DigitsRequested(by=agent, digits=command.digits)
        case frames.CallJudge():
            return ContactJudged(by=agent, reached=command.reached)
        case CallConfer():
            return ConferRequested(by=agent, what=Conference(command.what))
    return None
