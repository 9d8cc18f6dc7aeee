"""What an agent's words become: an answer with its quote, a file, a note with its mentions, a word taken back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gateway.staff import Staff
from realtime import desk as frames
from realtime.peer import Refusal
from session.errors import YihaoError
from session.events import Event, FileSent, MessageRecalled, NoteAdded, TextSent
from session.ids import AssigneeId, FileId, MessageId
from session.ports import Entry, Files
from session.quoting import excerpt
from session.state import AssigneeKind, Session

Word = frames.MessageSend | frames.FileSend | frames.MessageRecall | frames.NoteAdd


class Wording:
    """`can_recall` says whether all that brought a session's messages to its citizen can take one back."""

    def __init__(self, files: Files, staff: Staff, can_recall: Callable[[Session], bool]) -> None:
        self._files, self._staff, self._can_recall = files, staff, can_recall

    async def event(
        self, agent: AssigneeId, session: Session, entries: Sequence[Entry], command: Word
    ) -> Event | Refusal:
        """What is to be written into the session that the agent has, or why it may not be."""
        match command:
            case frames.MessageSend():
                return _answer(agent, entries, command)
            case frames.FileSend():
                return await self._file(agent, command)
            case frames.NoteAdd():
                return self._note(agent, command)
            case frames.MessageRecall():
                return self._taken_back(agent, session, entries, MessageId(command.message))

    async def _file(self, agent: AssigneeId, command: frames.FileSend) -> Event | Refusal:
        try:
            kept, _ = await self._files.read(FileId(command.file))
        except YihaoError:
            return Refusal("no_such_file")
        return FileSent(
            by=agent,
            kind=AssigneeKind.AGENT,
            message=MessageId(command.id),
            file=kept.id,
            name=command.name,
            content_type=kept.content_type,
            size_bytes=kept.size_bytes,
        )

    def _note(self, agent: AssigneeId, command: frames.NoteAdd) -> Event | Refusal:
        named = tuple(dict.fromkeys(AssigneeId(one) for one in command.mentions))
        if any(one == agent or self._staff.agent(one) is None for one in named):
            return Refusal("unknown_agent")
        return NoteAdded(by=agent, text=command.text, mentions=named)

    def _taken_back(
        self, agent: AssigneeId, session: Session, entries: Sequence[Entry], message: MessageId
    ) -> Event | Refusal:
        events = [entry.event for entry in entries]
        own = (one for one in events if isinstance(one, TextSent | FileSent) and one.by == agent)
        if not any(one.message == message for one in own):
            return Refusal("unknown_message")
        return MessageRecalled(by=agent, message=message) if self._can_recall(session) else Refusal("cannot_recall")


def _answer(agent: AssigneeId, entries: Sequence[Entry], command: frames.MessageSend) -> Event | Refusal:
    said = TextSent(by=agent, kind=AssigneeKind.AGENT, message=MessageId(command.id), text=command.text)
    if command.quotes is None:
        return said
    events = [entry.event for entry in entries]
    gone = {event.message for event in events if isinstance(event, MessageRecalled)}
    for event in events:
        quote = excerpt(event)
        if quote is not None and quote[0] == command.quotes and quote[0] not in gone:
            return TextSent(
                by=said.by, kind=said.kind, message=said.message, text=said.text, quotes=quote[0], quoted=quote[1]
            )
    return Refusal("unknown_message")
